// Batches put in the order in which their records happened.
#pragma once

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "otap/batch.h"

namespace df::lake {

/// Takes batches of one signal and gives their records out by time: log records and spans by the
/// time that a selection goes by (select/selector.h), those of one time in the order in which they
/// came. Metrics have no time of their own, and keep their order. Calls: from one thread. Memory:
/// the batches, and 24 bytes a record.
class TimeSorter {
 public:
  /// Of batches with tables.
  void Add(otap::BatchPtr batch);

  int64_t num_rows() const { return num_rows_; }
  int64_t size_bytes() const { return size_bytes_; }

  /// Root rows of the batches that are given out, but for the last one.
  static constexpr int64_t kBatchRows = 32'768;

  /// Gives out all that was added. Errors: those of Arrow.
  Result<std::vector<otap::BatchPtr>> Take();

 private:
  struct Row {
    int64_t time;
    uint32_t batch;
    uint32_t row;
  };

  std::vector<Row> SortedRows() const;
  Status Put(std::vector<Row> rows, std::vector<otap::BatchPtr>* sorted) const;

  std::vector<otap::BatchPtr> batches_;
  int64_t num_rows_ = 0;
  int64_t size_bytes_ = 0;
};

}  // namespace df::lake
