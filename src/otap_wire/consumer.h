// Messages of one OTAP stream to batches.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

#include "otap/batch.h"
#include "otap_wire/message.h"

namespace df::otap_wire {

/// What one message, and what is kept for the next, may cost.
struct ConsumerLimits {
  int64_t message_bytes = 16 << 20;    ///< of the protobuf message
  int64_t inflated_bytes = 256 << 20;  ///< of everything that its buffers inflate to
  /// Of a small message: so many times its own bytes, or the bytes below where that is more.
  int64_t inflated_times = 64;
  int64_t inflated_anyway = 32 << 20;
  int64_t table_rows = 4 << 20;         ///< of any table but the root
  int64_t dictionary_bytes = 64 << 20;  ///< of what the stream has collected, all tables together
};

/// What was read, and what was wrong with it.
struct ConsumerStats {
  int64_t messages = 0;         ///< that gave a batch
  int64_t orphans_dropped = 0;  ///< rows whose parent is not in their batch
  int64_t points_dropped = 0;   ///< that their metric has no place for
  int64_t unknown_codes = 0;    ///< types of values and metrics that are not known
};

/// Reads the messages of one stream of a client, in order. Shape: schemas and dictionaries live
/// from message to message, one Arrow IPC stream for each schema id. Thread: one at a time.
/// Source: format reference 3, 5.1, 7.2.
class Consumer {
 public:
  explicit Consumer(otap::Signal signal, const ConsumerLimits& limits = {});
  ~Consumer();
  Consumer(const Consumer&) = delete;
  Consumer& operator=(const Consumer&) = delete;

  /// Returns the batch of a message: canonical, plain ids, rows without parents left out.
  /// Errors: Invalid naming payload type, column, what was found and what was expected; after one
  /// that leaves the streams in doubt `is_failed()` is true and everything else is refused too. A
  /// batch that is only not valid leaves the streams as they should be.
  arrow::Result<otap::BatchPtr> Consume(std::string_view bytes);
  arrow::Result<otap::BatchPtr> Consume(const BatchArrowRecords& message);

  /// Tells whether the streams can no longer be read.
  bool is_failed() const { return is_failed_; }
  const ConsumerStats& stats() const { return stats_; }

 private:
  struct IpcStream;
  using TablePtr = std::shared_ptr<arrow::RecordBatch>;

  arrow::Status CheckPayloads(const BatchArrowRecords& message) const;
  arrow::Result<std::vector<TablePtr>> ReadTables(const BatchArrowRecords& message);
  arrow::Result<TablePtr> ReadTable(const ArrowPayload& payload, const otap::TableInfo& info);
  arrow::Status CheckDictionaries() const;
  arrow::Result<IpcStream*> StreamOf(const ArrowPayload& payload, const otap::TableInfo& info);
  arrow::Result<otap::BatchPtr> MakeBatch(const BatchArrowRecords& message,
                                          const std::vector<TablePtr>& tables);

  otap::Signal signal_;
  ConsumerLimits limits_;
  ConsumerStats stats_;
  bool is_failed_ = false;
  std::map<std::string, std::unique_ptr<IpcStream>, std::less<>> streams_;  ///< by schema id
};

}  // namespace df::otap_wire
