#include "lake/catalog/event_times.h"

#include <algorithm>
#include <string_view>

#include "lake/format/leaf.h"

namespace df::lake {
namespace {

/// What statistics tell of a column of times; one that the file has not was set in no row.
std::optional<TimeStatistics> TimesOf(const TableFile& file, int row_group,
                                      std::string_view column) {
  const int leaf = LeafIndex(file.kind(), column);
  return file.has_leaf(leaf)
             ? file.Times(row_group, leaf)
             : TimeStatistics{.least = 0, .most = 0, .may_be_unset = true, .is_all_unset = true};
}

/// Rows without a time count as 0.
EventTimeRange WithUnset(const TimeStatistics& times) {
  return times.may_be_unset
             ? EventTimeRange{std::min<int64_t>(times.least, 0), std::max<int64_t>(times.most, 0)}
             : EventTimeRange{times.least, times.most};
}

}  // namespace

bool HasEventTimes(otap::TableKind kind) {
  const otap::TableInfo& table = otap::GetTable(kind);
  return kind == otap::TableKind::kLogs || kind == otap::TableKind::kSpans ||
         (table.parent == otap::TableKind::kUnivariateMetrics && !table.is_attributes);
}

std::optional<EventTimeRange> EventTimesOf(const TableFile& file, int row_group) {
  if (file.kind() == otap::TableKind::kSpans) {
    const auto start = TimesOf(file, row_group, "start_time_unix_nano");
    return start.has_value() ? std::optional(WithUnset(*start)) : std::nullopt;
  }
  const auto times = TimesOf(file, row_group, "time_unix_nano");
  if (!times.has_value()) {
    return std::nullopt;
  }
  if (file.kind() != otap::TableKind::kLogs) {
    return WithUnset(*times);
  }
  if (!times->may_be_unset) {
    return EventTimeRange{times->least, times->most};
  }
  const auto observed = TimesOf(file, row_group, "observed_time_unix_nano");
  if (!observed.has_value()) {
    return std::nullopt;
  }
  const EventTimeRange fallback = WithUnset(*observed);
  const bool is_all_unset = times->is_all_unset || (times->least == 0 && times->most == 0);
  return is_all_unset ? fallback
                      : EventTimeRange{std::min(times->least, fallback.least),
                                       std::max(times->most, fallback.most)};
}

}  // namespace df::lake
