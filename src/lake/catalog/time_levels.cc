#include "lake/catalog/time_levels.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <limits>

#include <fmt/format.h>

namespace df::lake {
namespace {

constexpr int64_t kHourNanos = int64_t{3'600} * 1'000'000'000;
constexpr int64_t kHoursOfDay = 24;
constexpr int64_t kDayNanos = kHoursOfDay * kHourNanos;
constexpr std::string_view kDayPrefix = "date=";
constexpr std::string_view kHourPrefix = "hour=";

int64_t FloorDivide(int64_t dividend, int64_t divisor) {
  return dividend / divisor - (dividend % divisor < 0 ? 1 : 0);
}

/// Reads a number that takes the whole text.
std::optional<int> ReadDigits(std::string_view text) {
  int number = 0;
  const bool is_digits =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return is_digits && error == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace

int64_t LevelOf(int64_t unix_nanos, TimeLevels levels) {
  switch (levels) {
    case TimeLevels::kNone:
      return 0;
    case TimeLevels::kDay:
      return FloorDivide(unix_nanos, kDayNanos);
    case TimeLevels::kHour:
      return FloorDivide(unix_nanos, kHourNanos);
  }
  return 0;
}

std::string LevelPath(std::optional<int64_t> level, TimeLevels levels) {
  if (levels == TimeLevels::kNone) {
    return "";
  }
  const bool is_day = levels == TimeLevels::kDay;
  if (!level.has_value()) {
    return is_day ? "date=mixed" : "date=mixed/hour=mixed";
  }
  const int64_t day = is_day ? *level : FloorDivide(*level, kHoursOfDay);
  const std::chrono::year_month_day date{
      std::chrono::sys_days{std::chrono::days{static_cast<int>(day)}}};
  const std::string path =
      fmt::format("{}{:04}-{:02}-{:02}", kDayPrefix, static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return is_day ? path : fmt::format("{}/{}{:02}", path, kHourPrefix, *level - day * kHoursOfDay);
}

std::optional<EventTimeRange> DayOfFolder(std::string_view name) {
  if (!name.starts_with(kDayPrefix)) {
    return std::nullopt;
  }
  name.remove_prefix(kDayPrefix.size());
  if (name.size() != 10 || name[4] != '-' || name[7] != '-') {
    return std::nullopt;
  }
  const auto year = ReadDigits(name.substr(0, 4));
  const auto month = ReadDigits(name.substr(5, 2));
  const auto day = ReadDigits(name.substr(8, 2));
  if (!year.has_value() || !month.has_value() || !day.has_value()) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max() / kDayNanos;
  const int64_t number = date.ok() ? std::chrono::sys_days{date}.time_since_epoch().count() : kMost;
  if (number >= kMost || number <= -kMost) {
    return std::nullopt;
  }
  return EventTimeRange{number * kDayNanos, (number + 1) * kDayNanos - 1};
}

std::optional<EventTimeRange> HourOfFolder(std::string_view name, const EventTimeRange& day) {
  if (!name.starts_with(kHourPrefix)) {
    return std::nullopt;
  }
  name.remove_prefix(kHourPrefix.size());
  const auto hour = name.size() == 2 ? ReadDigits(name) : std::nullopt;
  if (!hour.has_value() || *hour >= kHoursOfDay) {
    return std::nullopt;
  }
  const int64_t least = day.least + *hour * kHourNanos;
  return EventTimeRange{least, least + kHourNanos - 1};
}

}  // namespace df::lake
