// Work in the order of the times of its records.
#include <algorithm>
#include <limits>
#include <utility>

#include "lake/queue/time_lanes.h"
#include "lake/queue/work_list.h"
#include "select/selector.h"

namespace df::lake {

/// Nothing is known of the order before all footers are: who comes meanwhile helps to read them.
WorkList::Taken WorkList::TakeByTime(std::unique_lock<std::mutex>* lock) {
  while (!queue_.empty()) {
    const PartitionListing listing = Dequeue();
    ++num_preparing_;
    lock->unlock();
    std::optional<PartitionWork> work = Prepare(listing);
    lock->lock();
    --num_preparing_;
    if (work.has_value()) {
      AddLanes(*std::move(work), SizeOf(listing));
    }
    listed_once_more_.notify_all();
  }
  listed_once_more_.wait(*lock, [this] { return num_preparing_ == 0; });
  Taken taken{.work = TakeLane(), .wait_until = std::nullopt};
  if (!taken.work.has_value()) {
    taken.wait_until = WhenLater();
  }
  return taken;
}

/// Files of which the selection wants nothing do not count.
void WorkList::AddTimes(const PartitionTask& task, const select::TimeRange& wanted) {
  const int64_t from = wanted.from.value_or(0);
  const int64_t last = wanted.to.value_or(std::numeric_limits<int64_t>::max());
  const auto& roots = task.files->of(otap::RootTable(task.signal));
  for (const size_t index : task.root_files) {
    const auto times = TimesOfRoots(*task.files, *roots[index]);
    if (times.has_value() && !wanted.MayHave(times->least, times->most)) {
      continue;
    }
    if (times.has_value() && std::max(times->least, from) > 0) {
      const int64_t first = std::max(times->least, from);
      found_times_.first = std::min(first, found_times_.first.value_or(first));
    } else {
      ++found_times_.num_without_first;
    }
    if (times.has_value() && times->most > 0) {
      const int64_t most = std::min(times->most, last);
      found_times_.last = std::max(most, found_times_.last.value_or(most));
    } else {
      ++found_times_.num_without_last;
    }
  }
}

void WorkList::AddLanes(PartitionWork work, int64_t size_bytes) {
  const select::TimeRange wanted =
      read_.selector == nullptr ? select::TimeRange() : read_.selector->wishes().time;
  std::vector<TimeLane> lanes;
  int64_t root_bytes = 0;
  for (PartitionTask& task : work.tasks) {
    AddTimes(task, wanted);
    for (TimeLane& lane : CutIntoLanes(std::move(task), wanted)) {
      root_bytes += lane.root_bytes;
      lanes.push_back(std::move(lane));
    }
  }
  bool is_rest = false;
  for (TimeLane& lane : lanes) {
    WaitingLane waiting;
    waiting.size_bytes = root_bytes == 0
                             ? 0
                             : static_cast<int64_t>(static_cast<double>(size_bytes) *
                                                    static_cast<double>(lane.root_bytes) /
                                                    static_cast<double>(root_bytes));
    sizes_.waiting_bytes += waiting.size_bytes;
    waiting.work.files = lane.task.files;
    waiting.work.is_rest = std::exchange(is_rest, true);
    waiting.work.tasks.push_back(std::move(lane.task));
    lanes_.emplace(std::pair(lane.first_time, lane.last_time), std::move(waiting));
  }
}

std::optional<PartitionWork> WorkList::TakeLane() {
  if (lanes_.empty()) {
    return std::nullopt;
  }
  WaitingLane first = std::move(lanes_.extract(lanes_.begin()).mapped());
  sizes_.waiting_bytes -= first.size_bytes;
  return std::move(first.work);
}

void WorkList::VisitLanes(const std::function<void(const PartitionListing&)>& visit) const {
  for (const auto& [times, lane] : lanes_) {
    for (const PartitionTask& task : lane.work.tasks) {
      const otap::TableKind root = otap::RootTable(task.signal);
      PartitionListing listing;
      listing.partition = task.files->partition;
      for (const size_t index : task.root_files) {
        listing.tables[otap::TableIndex(root)].push_back(task.files->of(root)[index]->entry);
      }
      visit(listing);
    }
  }
}

WorkList::FoundTimes WorkList::found_times() const {
  const std::lock_guard lock(mutex_);
  return found_times_;
}

}  // namespace df::lake
