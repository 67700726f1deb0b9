// The first or last records by time, out of payloads that come in any order.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "app/commands/records.h"
#include "app/commands/time_windows.h"
#include "lake/read/payload.h"

namespace df::app {

/// Keeps the texts of at most so many records. Records of one time stand in the order of their
/// files and rows. Calls: from any thread.
class KeptRecords {
 public:
  static constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

  /// Owner: borrows `fields`.
  KeptRecords(const RecordFields& fields, RecordStyle style, TimeOrder order, int64_t max_records);

  /// Looks at all items of a payload.
  Status Add(const lake::Payload& payload);

  /// Items that were looked at: all that match.
  int64_t num_matching() const { return num_matching_; }
  int64_t num_kept() const;

  /// Returns the texts that were kept, the oldest first, and lets them go.
  std::vector<std::string> Take();

 private:
  /// Orders records of one time: file, row group, row of it, table, row of the batch.
  using Place = std::tuple<std::shared_ptr<const std::string>, int, int64_t, int, int64_t>;
  struct Record {
    int64_t time = 0;
    Place place;
    std::string text;
  };
  bool IsBefore(const Record& a, const Record& b) const;
  void Trim();

  const RecordFields& fields_;
  RecordStyle style_;
  TimeOrder order_;
  int64_t max_records_;
  std::atomic<int64_t> num_matching_ = 0;
  mutable std::mutex mutex_;
  std::vector<Record> records_;
  bool is_full_ = false;
  int64_t last_time_ = 0;  ///< when full: nothing behind it is needed
};

}  // namespace df::app
