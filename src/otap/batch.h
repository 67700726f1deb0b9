// One unit of telemetry on its way through a pipeline: the tables of one signal, joined by ids.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "otap/schema.h"

namespace df::otap {

/// How the id and parent_id columns of a batch are to be read.
enum class IdEncoding : uint8_t {
  kPlain,      ///< literal ids
  kTransport,  ///< delta and quasi-delta, as on the wire (format reference 3.2)
};

class Batch;
using BatchPtr = std::shared_ptr<const Batch>;

/// A request in the form in which it came in, while nobody has needed its columns.
/// Source: an OTLP export request in protobuf.
struct EncodedRequest {
  std::shared_ptr<arrow::Buffer> bytes;
  /// Makes the columns. Errors: Invalid, where the bytes are malformed; says where and what.
  arrow::Result<BatchPtr> (*decode)(Signal signal, const arrow::Buffer& bytes) = nullptr;
};

/// Holds the tables of one signal.
/// Shape: at most one RecordBatch per table kind, never one with zero rows; ids join inside the
/// batch only. Owner: immutable after MakeBatch and shared as const; crosses threads by move only.
class Batch {
 public:
  Signal signal() const { return signal_; }
  IdEncoding id_encoding() const { return id_encoding_; }

  /// Returns the request that stands for the tables, or null: then the tables are there. A node
  /// sees one only if its descriptor says takes_encoded.
  const EncodedRequest* encoded() const { return encoded_.decode == nullptr ? nullptr : &encoded_; }

  /// Returns a table, or null when it is absent (which means the same as empty).
  const std::shared_ptr<arrow::RecordBatch>& table(TableKind kind) const {
    return tables_[TableIndex(kind)];
  }
  const std::shared_ptr<arrow::RecordBatch>& root() const { return table(RootTable(signal_)); }

  /// Rows of the root table: log records, spans or metrics.
  int64_t num_root_rows() const { return root() == nullptr ? 0 : root()->num_rows(); }

  /// Items as OpenTelemetry counts them: log records, spans, or data points of all kinds.
  int64_t num_items() const { return num_items_; }

  /// Bytes of the buffers that the rows of this batch refer to; a shared dictionary counts in full.
  int64_t size_bytes() const { return size_bytes_; }

 private:
  friend class BatchBuilder;
  friend BatchPtr MakeEncodedBatch(Signal signal, EncodedRequest request, int64_t num_items);
  Batch() = default;

  Signal signal_ = Signal::kLogs;
  IdEncoding id_encoding_ = IdEncoding::kPlain;
  std::array<std::shared_ptr<arrow::RecordBatch>, kTableCount> tables_;
  EncodedRequest encoded_;
  int64_t num_items_ = 0;
  int64_t size_bytes_ = 0;
};

/// Makes a batch of a request that is not decoded. Shape: at most 65,535 root rows, `num_items` as
/// Batch::num_items counts them. Owner: shares the bytes.
BatchPtr MakeEncodedBatch(Signal signal, EncodedRequest request, int64_t num_items);

/// Returns a batch that has its tables: the one given, or what its request decodes to.
arrow::Result<BatchPtr> WithTables(const BatchPtr& batch);

/// Collects tables and makes a Batch of them.
class BatchBuilder {
 public:
  explicit BatchBuilder(Signal signal, IdEncoding id_encoding = IdEncoding::kPlain);

  /// Sets a table; null or zero rows removes it. Errors: Invalid when the table does not belong to
  /// the signal.
  arrow::Status Set(TableKind kind, std::shared_ptr<arrow::RecordBatch> table);

  /// Returns the batch. Cost: one walk over the buffers for size_bytes(), no copies. The builder is
  /// empty afterwards.
  BatchPtr Build();

 private:
  std::shared_ptr<Batch> batch_;
};

}  // namespace df::otap
