#include "app/commands/archive_hours.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "app/commands/records.h"
#include "select/selector.h"

namespace df::app {
namespace {

using otap::Signal;

constexpr int64_t kHourNanos = int64_t{3600} * 1'000'000'000;

int64_t HourOf(int64_t nanos) { return nanos / kHourNanos - (nanos % kHourNanos < 0 ? 1 : 0); }

HourRange RangeOf(const lake::EventTimeRange& times) {
  return {HourOf(times.least), HourOf(times.most)};
}

constexpr HourRange kAllHours = {std::numeric_limits<int64_t>::min() / kHourNanos - 1,
                                 std::numeric_limits<int64_t>::max() / kHourNanos};

/// Statistics of rows without a time have a 0 as well, which says nothing of the others.
bool HasUnsetTimes(const lake::EventTimeRange& times) { return times.least <= 0; }

/// Merges ranges that meet or lie on each other.
std::vector<HourRange> Merged(std::vector<HourRange> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const HourRange& a, const HourRange& b) {
    return std::pair(a.first, a.last) < std::pair(b.first, b.last);
  });
  std::vector<HourRange> merged;
  for (const HourRange& range : ranges) {
    if (merged.empty() || range.first > merged.back().last + 1) {
      merged.push_back(range);
    } else {
      merged.back().last = std::max(merged.back().last, range.last);
    }
  }
  return merged;
}

bool Covers(const std::vector<HourRange>& merged, int64_t hour) {
  const auto behind =
      std::upper_bound(merged.begin(), merged.end(), hour,
                       [](int64_t value, const HourRange& range) { return value < range.first; });
  return behind != merged.begin() && std::prev(behind)->last >= hour;
}

/// Items of one signal by hour, as they are read.
struct HourTally {
  std::map<int64_t, int64_t> by_hour;
  int64_t without_time = 0;

  void Add(const std::vector<int64_t>& times) {
    for (const int64_t time : times) {
      ++(time == 0 ? without_time : by_hour[HourOf(time)]);
    }
  }
};

void PutTally(Signal signal, const HourTally& tally, ItemsByHour* by_hour) {
  for (const auto& [hour, count] : tally.by_hour) {
    by_hour->hours[hour][signal] += count;
  }
  if (tally.without_time > 0) {
    by_hour->without_time[signal] += tally.without_time;
  }
}

}  // namespace

int64_t NanosOfHour(int64_t hour) { return hour * kHourNanos; }

std::optional<std::vector<HourRange>> FindHoles(const std::vector<RowGroupTimes>& row_groups) {
  std::vector<HourRange> ranges;
  for (const RowGroupTimes& group : row_groups) {
    if (group.num_rows == 0) {
      continue;
    }
    if (!group.times.has_value() || HasUnsetTimes(*group.times)) {
      return std::nullopt;
    }
    ranges.push_back(RangeOf(*group.times));
  }
  const std::vector<HourRange> merged = Merged(std::move(ranges));
  std::vector<HourRange> holes;
  for (size_t at = 1; at < merged.size(); ++at) {
    holes.push_back({merged[at - 1].last + 1, merged[at].first - 1});
  }
  return holes;
}

bool ItemsByHour::MayHaveMore(Signal signal, int64_t hour) const {
  const auto found = of_unplaced.find(signal);
  return found != of_unplaced.end() && Covers(found->second, hour);
}

void AddHours(Signal signal, const std::vector<RowGroupTimes>& row_groups, ItemsByHour* by_hour) {
  std::vector<HourRange> wide;
  for (const RowGroupTimes& group : row_groups) {
    if (group.num_rows == 0) {
      continue;
    }
    const bool is_known = group.times.has_value() && !HasUnsetTimes(*group.times);
    const HourRange range = is_known ? RangeOf(*group.times) : kAllHours;
    if (range.first == range.last) {
      by_hour->hours[range.first][signal] += group.num_rows;
      continue;
    }
    by_hour->unplaced[signal] += group.num_rows;
    wide.push_back(range);
    if (is_known) {
      // Hours in between stay out: of wrong times there may be millions.
      by_hour->hours[range.first][signal] += 0;
      by_hour->hours[range.last][signal] += 0;
    }
  }
  if (!wide.empty()) {
    by_hour->of_unplaced[signal] = Merged(std::move(wide));
  }
}

Status ReadHours(Archive* archive, ItemsByHour* by_hour) {
  std::vector<Signal> signals;
  for (const auto& [signal, count] : by_hour->unplaced) {
    signals.push_back(signal);
  }
  if (signals.empty()) {
    return Status::OK();
  }
  using Tallies = std::map<Signal, HourTally>;
  std::vector<Tallies> by_thread(static_cast<size_t>(archive->options().num_threads));
  const auto add = [&by_thread](const lake::Payload& payload, size_t thread) {
    HourTally& tally = by_thread[thread][payload.batch->signal()];
    for (const otap::TableKind table : ItemTablesOf(*payload.batch)) {
      tally.Add(select::EventTimes(*payload.batch->table(table), table));
    }
    return Status::OK();
  };
  ARROW_RETURN_NOT_OK(archive->Read({}, add, signals));
  for (auto& [hour, items] : by_hour->hours) {
    for (const Signal signal : signals) {
      items.erase(signal);
    }
  }
  by_hour->unplaced.clear();
  by_hour->of_unplaced.clear();
  for (const Tallies& tallies : by_thread) {
    for (const auto& [signal, tally] : tallies) {
      PutTally(signal, tally, by_hour);
    }
  }
  std::erase_if(by_hour->hours, [](const auto& entry) { return entry.second.empty(); });
  return Status::OK();
}

}  // namespace df::app
