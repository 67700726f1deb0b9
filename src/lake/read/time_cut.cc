#include "lake/read/time_cut.h"

#include <algorithm>
#include <limits>

#include "otap/rows.h"
#include "select/selector.h"

namespace df::lake {
namespace {

/// Gives each metric the latest time of its data points in a table.
void FillFromPoints(const otap::Batch& batch, otap::TableKind kind,
                    const std::vector<int64_t>& row_of_id, int64_t ignored_after,
                    std::vector<int64_t>* times) {
  const auto& points = batch.table(kind);
  const auto parents = otap::FindArray(points, "parent_id");
  if (parents == nullptr) {
    return;
  }
  const std::vector<int64_t> of_points = select::EventTimes(*points, kind);
  otap::VisitIds(*parents, [&](int64_t row, uint32_t id) {
    if (id < row_of_id.size() && row_of_id[id] >= 0) {
      int64_t& time = (*times)[static_cast<size_t>(row_of_id[id])];
      const int64_t point = of_points[static_cast<size_t>(row)];
      time = std::max(time, point > ignored_after ? 0 : point);
    }
  });
}

}  // namespace

std::vector<int64_t> RootEventTimes(const otap::Batch& batch, int64_t ignored_after) {
  if (batch.root() == nullptr) {
    return {};
  }
  if (batch.signal() != otap::Signal::kMetrics) {
    std::vector<int64_t> times = select::EventTimes(*batch.root(), otap::RootTable(batch.signal()));
    std::replace_if(
        times.begin(), times.end(), [=](int64_t time) { return time > ignored_after; }, 0);
    return times;
  }
  std::vector<int64_t> times(static_cast<size_t>(batch.num_root_rows()));
  const auto ids = otap::FindArray(batch.root(), "id");
  if (ids == nullptr) {
    return times;
  }
  std::vector<int64_t> row_of_id(static_cast<size_t>(otap::LargestId(*ids)) + 1, -1);
  otap::VisitIds(*ids, [&](int64_t row, uint32_t id) { row_of_id[id] = row; });
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (table.parent == otap::TableKind::kUnivariateMetrics && !table.is_attributes) {
      FillFromPoints(batch, table.kind, row_of_id, ignored_after, &times);
    }
  }
  return times;
}

std::optional<int64_t> LatestEventTime(const otap::Batch& batch, int64_t ignored_after) {
  const std::vector<int64_t> times = RootEventTimes(batch, ignored_after);
  const auto latest = std::max_element(times.begin(), times.end());
  return latest == times.end() || *latest <= 0 ? std::nullopt : std::optional(*latest);
}

int64_t TimeCut::RowsWithin(const otap::Batch& batch) {
  const std::vector<int64_t> times = RootEventTimes(
      batch, span_.has_value() ? span_->ignored_after : std::numeric_limits<int64_t>::max());
  reached_ = latest_;
  if (!span_.has_value() || times.empty()) {
    return static_cast<int64_t>(times.size());
  }
  reached_ = std::max(reached_, times.front());
  const int64_t room = std::numeric_limits<int64_t>::max() - std::max<int64_t>(reached_, 0);
  // Until a row has a time there is nothing to be late for.
  int64_t end = reached_ <= 0 ? 0 : reached_ + std::min<int64_t>(room, span_->most.count());
  int64_t num_rows = 1;
  for (; num_rows < static_cast<int64_t>(times.size()); ++num_rows) {
    const int64_t time = times[static_cast<size_t>(num_rows)];
    if (time > end) {
      break;
    }
    reached_ = std::max(reached_, time);
  }
  return num_rows;
}

void TimeCut::Commit() { latest_ = reached_; }

}  // namespace df::lake
