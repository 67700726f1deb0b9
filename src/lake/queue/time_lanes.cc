#include "lake/queue/time_lanes.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>
#include <utility>

namespace df::lake {
namespace {

void Widen(const EventTimeRange& by, std::optional<EventTimeRange>* range) {
  *range = range->has_value() ? EventTimeRange{std::min((*range)->least, by.least),
                                               std::max((*range)->most, by.most)}
                              : by;
}

/// Whether the ids of a row group of points may be of a file of metrics.
bool MayBelong(const FileSummary& points, const RowGroupSummary& group, const FileSummary& root,
               const std::optional<IdRange>& ids) {
  if (!points.file_set.empty() && !root.file_set.empty()) {
    return points.file_set == root.file_set;
  }
  return !ids.has_value() || !group.parent_ids.has_value() ||
         (group.parent_ids->min <= ids->max && ids->min <= group.parent_ids->max);
}

std::optional<EventTimeRange> TimesOfMetrics(const PartitionFiles& files, const FileSummary& root) {
  std::optional<EventTimeRange> times;
  const std::optional<IdRange> ids = IdsOf(root);
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (table.parent != otap::TableKind::kUnivariateMetrics || table.is_attributes) {
      continue;
    }
    for (const FileSummaryPtr& points : files.of(table.kind)) {
      for (const RowGroupSummary& group : points->row_groups) {
        if (!MayBelong(*points, group, root, ids)) {
          continue;
        }
        if (!group.times.has_value()) {
          return std::nullopt;
        }
        Widen(*group.times, &times);
      }
    }
  }
  return times;
}

struct Timed {
  size_t index = 0;  ///< in the task
  EventTimeRange times;
};

/// Times of the root files of a task; files of which nothing is known may begin at any time.
std::vector<Timed> TimesOfFiles(const PartitionTask& task, const select::TimeRange& wanted) {
  const auto& roots = task.files->of(otap::RootTable(task.signal));
  std::vector<Timed> files(task.root_files.size());
  for (size_t i = 0; i < files.size(); ++i) {
    const auto known = TimesOfRoots(*task.files, *roots[task.root_files[i]]);
    EventTimeRange times = known.value_or(EventTimeRange{0, std::numeric_limits<int64_t>::max()});
    times.least = std::max<int64_t>({times.least, 0, wanted.from.value_or(0)});
    times.most = std::max(times.least, times.most);
    files[i] = {i, times};
  }
  return files;
}

struct Lane {
  std::vector<size_t> indices;
  EventTimeRange times;
};

/// Where a file goes on: the lane that ends last before it begins. Null where none fits.
Lane* FindLane(const Timed& file, std::vector<Lane>* lanes) {
  Lane* found = nullptr;
  for (Lane& lane : *lanes) {
    const bool fits = lane.times.most <= file.times.least && lane.indices.back() < file.index;
    if (fits && (found == nullptr || lane.times.most > found->times.most)) {
      found = &lane;
    }
  }
  return found;
}

std::vector<Lane> Arrange(std::vector<Timed> files) {
  std::stable_sort(files.begin(), files.end(), [](const Timed& a, const Timed& b) {
    return std::pair(a.times.least, a.times.most) < std::pair(b.times.least, b.times.most);
  });
  std::vector<Lane> lanes;
  for (const Timed& file : files) {
    Lane* lane = FindLane(file, &lanes);
    if (lane == nullptr && lanes.size() < kMostTimeLanes) {
      lane = &lanes.emplace_back();
      lane->times = file.times;
    }
    if (lane == nullptr) {  // it comes too late wherever it goes
      lane = &*std::min_element(lanes.begin(), lanes.end(), [](const Lane& a, const Lane& b) {
        return a.times.most < b.times.most;
      });
    }
    lane->indices.push_back(file.index);
    lane->times.least = std::min(lane->times.least, file.times.least);
    lane->times.most = std::max(lane->times.most, file.times.most);
  }
  for (Lane& lane : lanes) {
    std::sort(lane.indices.begin(), lane.indices.end());
  }
  return lanes;
}

/// A copy for a reader that runs beside others: readers that share one take turns.
std::shared_ptr<const PartitionFiles> CopyFor(const PartitionFiles& files) {
  auto copy = std::make_shared<PartitionFiles>(files);
  copy->joins = nullptr;
  return copy;
}

}  // namespace

std::optional<EventTimeRange> TimesOfRoots(const PartitionFiles& files, const FileSummary& root) {
  if (root.kind == otap::TableKind::kUnivariateMetrics) {
    return TimesOfMetrics(files, root);
  }
  std::optional<EventTimeRange> times;
  for (const RowGroupSummary& group : root.row_groups) {
    if (!group.times.has_value()) {
      return std::nullopt;
    }
    Widen(*group.times, &times);
  }
  return times;
}

std::vector<TimeLane> CutIntoLanes(PartitionTask task, const select::TimeRange& wanted) {
  const auto& roots = task.files->of(otap::RootTable(task.signal));
  const std::vector<Lane> lanes = Arrange(TimesOfFiles(task, wanted));
  std::vector<TimeLane> cut;
  if (lanes.empty()) {  // children without root rows: they are named when all else has gone out
    task.files = CopyFor(*task.files);
    constexpr int64_t kLast = std::numeric_limits<int64_t>::max();
    cut.push_back({.task = std::move(task), .first_time = kLast, .last_time = kLast});
    return cut;
  }
  for (const Lane& lane : lanes) {
    TimeLane& one = cut.emplace_back();
    one.first_time = lane.times.least;
    one.last_time = lane.times.most;
    one.task = {.signal = task.signal,
                .files = CopyFor(*task.files),
                .root_files = {},
                .is_partial = task.is_partial || lanes.size() > 1,
                .claims = {},
                .taken = {}};
    for (const size_t index : lane.indices) {
      one.task.root_files.push_back(task.root_files[index]);
      one.root_bytes += roots[task.root_files[index]]->entry.size_bytes;
      if (!task.claims.empty()) {
        one.task.claims.push_back(task.claims[index]);
        one.task.taken.push_back(task.taken[index]);
      }
    }
  }
  return cut;
}

}  // namespace df::lake
