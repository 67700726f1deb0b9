#include "app/commands/moment.h"

#include <string>

#include <arrow/util/value_parsing.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/text.h"
#include "select/time_range.h"

namespace df::app {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kDay = 86'400 * kSecond;

/// A time before which nobody counts days.
constexpr int64_t kFarPast = -9'000'000'000 * kSecond;

/// The midnight at or before a time.
int64_t DayOf(int64_t nanos) {
  const int64_t past = nanos % kDay;
  return nanos - (past < 0 ? past + kDay : past);
}

std::optional<int64_t> ParseDate(std::string_view text) {
  int64_t nanos = 0;
  bool has_zone = false;
  return arrow::internal::ParseTimestampISO8601(text.data(), text.size(), arrow::TimeUnit::NANO,
                                                &nanos, &has_zone)
             ? std::optional(nanos)
             : std::nullopt;
}

/// "14:00", "14:00:30" or "14:00:30.5" as nanoseconds of a day.
std::optional<int64_t> ParseTimeOfDay(std::string_view text) {
  if (text.size() < 5 || text[2] != ':' || text.find_first_not_of("0123456789:.") != text.npos) {
    return std::nullopt;
  }
  return ParseDate(fmt::format("1970-01-01 {}", text));
}

/// A time of day on the day that begins then; nothing behind its name is its midnight.
std::optional<int64_t> OnDay(int64_t day, std::string_view time) {
  if (time.empty()) {
    return day;
  }
  const auto past = time.front() == ' ' ? ParseTimeOfDay(time.substr(1)) : std::nullopt;
  return past.has_value() ? std::optional(day + *past) : std::nullopt;
}

std::optional<int64_t> ParseNear(std::string_view text, int64_t now_nanos,
                                 std::optional<int64_t> after) {
  constexpr std::string_view kToday = "today";
  constexpr std::string_view kYesterday = "yesterday";
  const int64_t today = DayOf(now_nanos);
  if (text.starts_with(kToday)) {
    return OnDay(today, text.substr(kToday.size()));
  }
  if (text.starts_with(kYesterday)) {
    return OnDay(today - kDay, text.substr(kYesterday.size()));
  }
  const auto time = ParseTimeOfDay(text);
  if (!time.has_value()) {
    return std::nullopt;
  }
  if (after.has_value() && *after > kFarPast) {
    const int64_t moment = DayOf(*after) + *time;
    return moment < *after ? moment + kDay : moment;
  }
  const int64_t moment = today + *time;
  return moment > now_nanos ? moment - kDay : moment;
}

}  // namespace

Result<int64_t> ParseMoment(std::string_view text, int64_t now_nanos,
                            std::optional<int64_t> after) {
  if (const auto near = ParseNear(text, now_nanos, after)) {
    return *near;
  }
  if (!text.empty() && text.find_first_not_of("-0123456789") == std::string_view::npos &&
      text.find('-', 1) == std::string_view::npos) {
    // Documents take nanoseconds; people who write a number here mostly mean seconds.
    return Status::Invalid(fmt::format(
        "found '{0}', a number without a unit: write {0}s, {0}ms, {0}us or {0}ns", text));
  }
  if (const auto point = select::ParseTimePoint(text); point.ok()) {
    return point->Resolve(now_nanos);
  }
  // Dates without a zone.
  if (const auto date = text.size() >= 10 ? ParseDate(text) : std::nullopt) {
    return *date;
  }
  return Status::Invalid(
      fmt::format("found '{}', expected a time like '2026-11-26T14:00:00Z', '2026-11-26 14:00', "
                  "'14:00', 'yesterday 14:00', '-15m', 'now' or '1738324800s'",
                  PrintableText(text)));
}

std::string ShowMoment(int64_t nanos) {
  const int64_t past = nanos % kSecond;
  const int64_t fraction = past < 0 ? past + kSecond : past;
  const auto seconds = static_cast<std::time_t>(nanos / kSecond - (past < 0 ? 1 : 0));
  std::string digits = fmt::format("{:09}", fraction);
  while (digits.size() > 3 && digits.ends_with("000")) {
    digits.resize(digits.size() - 3);
  }
  return fmt::format("{:%Y-%m-%d %H:%M:%S}.{}Z", fmt::gmtime(seconds), digits);
}

}  // namespace df::app
