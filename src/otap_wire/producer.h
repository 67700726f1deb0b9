// Batches to the messages of one OTAP stream.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include <arrow/result.h>

#include "otap/batch.h"

namespace df::otap_wire {

enum class BufferCompression : uint8_t { kNone, kLz4, kZstd };

struct ProducerOptions {
  BufferCompression compression = BufferCompression::kZstd;
  /// Bytes of dictionaries that a stream collects before it starts anew: both ends keep them.
  int64_t dictionary_bytes = 4 << 20;
};

/// What was written.
struct ProducerStats {
  int64_t messages = 0;
  int64_t schemas = 0;          ///< Arrow streams begun
  int64_t orphans_dropped = 0;  ///< rows whose parent was not in their batch
};

/// Writes the messages of one stream to a server, in order. Shape: one Arrow IPC stream for each
/// payload type with an id of its own, begun anew when columns or their types change; payloads in
/// ascending order, one record batch each; dictionaries hold a value once, collect over batches and
/// go out as deltas. Keys and columns that were wide once stay wide, so that a stream does not go
/// back and forth. Thread: one at a time. Needs Arrow's compute functions initialised.
/// Source: format reference 3.5, 7.2.
class Producer {
 public:
  explicit Producer(otap::Signal signal, const ProducerOptions& options = {});
  ~Producer();
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;

  /// Returns the bytes of a BatchArrowRecords. Needs a canonical batch with plain ids. Errors:
  /// Invalid for another signal or more than 65,535 root rows; those of EncodeTransport. After an
  /// error the next message begins all Arrow streams anew.
  arrow::Result<std::string> Produce(const otap::BatchPtr& batch, int64_t batch_id);

  /// The message last produced is not sent: the next one begins all Arrow streams anew.
  void Discard();

  const ProducerStats& stats() const { return stats_; }

 private:
  struct TableStream;

  arrow::Result<std::string> Write(const otap::Batch& batch, int64_t batch_id);

  otap::Signal signal_;
  ProducerOptions options_;
  ProducerStats stats_;
  int64_t next_schema_id_ = 0;
  std::array<std::unique_ptr<TableStream>, otap::kTableCount> streams_;
};

}  // namespace df::otap_wire
