#include "select/time_range.h"

#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include <arrow/util/value_parsing.h>
#include <fmt/format.h>

#include "base/text.h"

namespace df::select {
namespace {

Status Refuse(std::string_view text) {
  return Status::Invalid(fmt::format("found '{}'", PrintableText(text)));
}

/// A whole number with the unit behind it; without one it is nanoseconds.
std::optional<int64_t> ParseEpoch(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, int64_t>, 5> kUnits = {
      {{"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}, {"", 1}}};
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, number);
  if (read.ec != std::errc()) {
    return std::nullopt;
  }
  for (const auto& [unit, nanos] : kUnits) {
    int64_t product = 0;
    if (std::string_view(read.ptr, static_cast<size_t>(end - read.ptr)) == unit &&
        !__builtin_mul_overflow(number, nanos, &product)) {
      return product;
    }
  }
  return std::nullopt;
}

}  // namespace

int64_t TimePoint::Resolve(int64_t now_nanos) const {
  int64_t difference = 0;
  return !is_relative ? nanos
         : __builtin_sub_overflow(now_nanos, nanos, &difference)
             ? std::numeric_limits<int64_t>::min()
             : difference;
}

Result<TimePoint> ParseTimePoint(std::string_view text) {
  if (text == "now") {
    return TimePoint{.nanos = 0, .is_relative = true};
  }
  // A bare number below zero is a time before 1970; with a unit of durations it is one before now.
  if (text.starts_with('-') && text.find_first_not_of("-0123456789") != std::string_view::npos) {
    const auto duration = ParseDuration(text.substr(1));
    return duration.ok() ? TimePoint{.nanos = duration->count(), .is_relative = true}
                         : Result<TimePoint>(Refuse(text));
  }
  if (const auto epoch = ParseEpoch(text)) {
    return TimePoint{.nanos = *epoch};
  }
  int64_t nanos = 0;
  bool has_zone = false;
  if (arrow::internal::ParseTimestampISO8601(text.data(), text.size(), arrow::TimeUnit::NANO,
                                             &nanos, &has_zone) &&
      has_zone) {
    return TimePoint{.nanos = nanos};
  }
  return Refuse(text);
}

std::string ShowTimePoint(const TimePoint& point) {
  if (!point.is_relative) {
    return fmt::format("{}", point.nanos);
  }
  return point.nanos == 0
             ? "now"
             : fmt::format("-{}", FormatDuration(std::chrono::nanoseconds(point.nanos)));
}

}  // namespace df::select
