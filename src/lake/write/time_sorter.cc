#include "lake/write/time_sorter.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

#include "otap/concat.h"
#include "otap/filter.h"
#include "otap/reorder.h"
#include "otap/rows.h"
#include "select/selector.h"

namespace df::lake {

void TimeSorter::Add(otap::BatchPtr batch) {
  if (batch->num_root_rows() == 0) {
    return;
  }
  num_rows_ += batch->num_root_rows();
  size_bytes_ += batch->size_bytes();
  batches_.push_back(std::move(batch));
}

std::vector<TimeSorter::Row> TimeSorter::SortedRows() const {
  std::vector<Row> rows;
  rows.reserve(static_cast<size_t>(num_rows_));
  const otap::Signal signal = batches_.front()->signal();
  for (size_t i = 0; i < batches_.size(); ++i) {
    std::vector<int64_t> times;
    if (signal != otap::Signal::kMetrics) {
      times = select::EventTimes(*batches_[i]->root(), otap::RootTable(signal));
    }
    for (int64_t row = 0; row < batches_[i]->num_root_rows(); ++row) {
      rows.push_back({.time = times.empty() ? 0 : times[static_cast<size_t>(row)],
                      .batch = static_cast<uint32_t>(i),
                      .row = static_cast<uint32_t>(row)});
    }
  }
  const auto is_before = [](const Row& a, const Row& b) {
    return std::tie(a.time, a.batch, a.row) < std::tie(b.time, b.batch, b.row);
  };
  if (!std::is_sorted(rows.begin(), rows.end(), is_before)) {
    std::sort(rows.begin(), rows.end(), is_before);
  }
  return rows;
}

/// Puts rows, which stand in the order that is wanted, into as few batches as they fit in.
Status TimeSorter::Put(std::vector<Row> rows, std::vector<otap::BatchPtr>* sorted) const {
  std::vector<Row> by_batch = rows;
  std::sort(by_batch.begin(), by_batch.end(), [](const Row& a, const Row& b) {
    return std::tie(a.batch, a.row) < std::tie(b.batch, b.row);
  });
  std::vector<otap::BatchPtr> pieces;
  std::vector<int64_t> begins;  // of the rows of each piece among all
  for (size_t begin = 0; begin < by_batch.size();) {
    const otap::BatchPtr& batch = batches_[by_batch[begin].batch];
    size_t end = begin;
    otap::RowSet kept(batch->num_root_rows());
    for (; end < by_batch.size() && by_batch[end].batch == by_batch[begin].batch; ++end) {
      kept.Set(by_batch[end].row);
    }
    begins.push_back(static_cast<int64_t>(begin));
    if (std::cmp_equal(end - begin, batch->num_root_rows())) {
      pieces.push_back(batch);
    } else {
      ARROW_ASSIGN_OR_RAISE(auto piece, otap::FilterRoots(batch, std::move(kept)));
      pieces.push_back(std::move(piece));
    }
    begin = end;
  }
  const std::span<const otap::BatchPtr> all(pieces);
  for (size_t first = 0; first < pieces.size();) {
    const size_t count = std::max<size_t>(otap::CountFitting(all.subspan(first)), 1);
    ARROW_ASSIGN_OR_RAISE(auto joined, otap::Concat(all.subspan(first, count)));
    const int64_t begin = begins[first];
    const int64_t end = begin + joined->num_root_rows();
    // Where a row of the joint batch stands in the order that is wanted.
    std::vector<int64_t> order;
    for (const Row& row : rows) {
      const auto place = std::lower_bound(
          by_batch.begin() + begin, by_batch.begin() + end, row, [](const Row& a, const Row& b) {
            return std::tie(a.batch, a.row) < std::tie(b.batch, b.row);
          });
      const int64_t index = place - by_batch.begin();
      if (index < end && place->batch == row.batch && place->row == row.row) {
        order.push_back(index - begin);
      }
    }
    if (!std::is_sorted(order.begin(), order.end())) {
      ARROW_ASSIGN_OR_RAISE(joined, otap::ReorderRoots(joined, order));
    }
    sorted->push_back(std::move(joined));
    first += count;
  }
  return Status::OK();
}

Result<std::vector<otap::BatchPtr>> TimeSorter::Take() {
  std::vector<otap::BatchPtr> sorted;
  if (!batches_.empty()) {
    const std::vector<Row> rows = SortedRows();
    for (size_t begin = 0; begin < rows.size(); begin += kBatchRows) {
      const size_t end = std::min<size_t>(begin + kBatchRows, rows.size());
      ARROW_RETURN_NOT_OK(Put({rows.begin() + static_cast<std::ptrdiff_t>(begin),
                               rows.begin() + static_cast<std::ptrdiff_t>(end)},
                              &sorted));
    }
  }
  batches_.clear();
  num_rows_ = 0;
  size_bytes_ = 0;
  return sorted;
}

}  // namespace df::lake
