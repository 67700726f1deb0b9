#include "nodes/receivers/parquet/pace_options.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace df::nodes::receivers::parquet {
namespace {

Status Refuse(std::string_view text) {
  return Status::Invalid(fmt::format("found '{}'", PrintableText(text)));
}

Result<Speed> ParseSpeed(std::string_view text) {
  const std::string_view number = text.ends_with('x') ? text.substr(0, text.size() - 1) : text;
  double factor = 0;
  const char* end = number.data() + number.size();
  const auto read = std::from_chars(number.data(), end, factor);
  const bool is_number = read.ec == std::errc() && read.ptr == end && std::isfinite(factor);
  return is_number && factor >= 1e-6 && factor <= 1e9 ? Result<Speed>(Speed{factor}) : Refuse(text);
}

std::string ShowSpeed(const Speed& speed) {
  return speed.factor.has_value() ? fmt::format("{}x", *speed.factor) : "none";
}

Result<Gap> ParseGap(std::string_view text) {
  if (text == "none") {
    return Gap{.limit = std::nullopt};
  }
  ARROW_ASSIGN_OR_RAISE(const std::chrono::nanoseconds limit, ParseDuration(text));
  return limit > std::chrono::nanoseconds(0) ? Result<Gap>(Gap{.limit = limit}) : Refuse(text);
}

std::string ShowGap(const Gap& gap) {
  return gap.limit.has_value() ? FormatDuration(*gap.limit) : "none";
}

Result<Shift> ParseShift(std::string_view text) {
  const bool is_back = text.starts_with('-');
  const auto by = ParseDuration(is_back || text.starts_with('+') ? text.substr(1) : text);
  if (!by.ok()) {
    return Refuse(text);
  }
  return Shift{.by = is_back ? -*by : *by};
}

std::string ShowShift(const Shift& shift) {
  if (!shift.by.has_value()) {
    return "none";
  }
  return *shift.by < std::chrono::nanoseconds(0) ? "-" + FormatDuration(-*shift.by)
                                                 : FormatDuration(*shift.by);
}

Result<Place> ParsePlace(std::string_view text) {
  ARROW_ASSIGN_OR_RAISE(const select::TimePoint point, select::ParseTimePoint(text));
  return Place{.at = point};
}

std::string ShowPlace(const Place& place) {
  return place.at.has_value() ? select::ShowTimePoint(*place.at) : "none";
}

/// Tells why a key is not for an archive that grows.
void RefuseFollowing(const config::Section& group, std::string_view key, std::string_view why) {
  group.AddAtKey(key, fmt::format("{}: found beside a polling_interval: {}; write "
                                  "polling_interval: once",
                                  key, why));
}

}  // namespace

int64_t LastTimeWaitedFor(int64_t now_nanos) {
  constexpr int64_t kNanosPerDay = 86'400'000'000'000;
  return now_nanos + kNanosPerDay;
}

const config::FieldTable<PaceOptions>& PaceFields() {
  static const config::FieldTable<PaceOptions> kTable = {
      config::Custom<PaceOptions, Speed>(
          "speed", "a number from 0.000001 to 1000000000, as 10x", &PaceOptions::speed, ParseSpeed,
          ShowSpeed,
          "records go out at their times, so many times as fast; without it as fast as they are "
          "taken")
          .PrintedWhenGiven(),
      config::Custom<PaceOptions, Gap>(
          "longest_gap", "a duration above 0, or none", &PaceOptions::longest_gap, ParseGap,
          ShowGap, "with speed: where nothing is due for longer, the rest of the wait is left out"),
      config::Integer("items_per_second", &PaceOptions::items_per_second,
                      {0, std::numeric_limits<int64_t>::max()},
                      "most log records, spans and data points a second, over all cores; 0: no "
                      "limit"),
      config::Size("bytes_per_second", &PaceOptions::bytes_per_second,
                   {0, std::numeric_limits<int64_t>::max()},
                   "most bytes a second, as requests of OTLP before compression; 0: no limit"),
  };
  return kTable;
}

const config::FieldTable<TimeOptions>& TimeFields() {
  static const config::FieldTable<TimeOptions> kTable = {
      config::Custom<TimeOptions, Shift>("shift", "a duration, as -24h or 90m", &TimeOptions::shift,
                                         ParseShift, ShowShift, "added to every time")
          .PrintedWhenGiven(),
      config::Custom<TimeOptions, Place>("first_at", "a time, or now", &TimeOptions::first_at,
                                         ParsePlace, ShowPlace,
                                         "the first time of the archive becomes this one")
          .PrintedWhenGiven(),
      config::Custom<TimeOptions, Place>("last_at", "a time, or now", &TimeOptions::last_at,
                                         ParsePlace, ShowPlace,
                                         "the last time of the archive becomes this one")
          .PrintedWhenGiven(),
      config::Bool("as_sent", &TimeOptions::as_sent,
                   "with pace.speed: a record has the time at which it is due"),
      config::Bool("keep_original", &TimeOptions::keep_original,
                   fmt::format("each item says in the attribute {} what was added to its times",
                               kShiftAttribute)),
  };
  return kTable;
}

void CheckPace(const config::Section& group, const PaceOptions& pace) {
  if (!pace.is_given()) {
    group.Add("found none of speed, items_per_second and bytes_per_second");
  }
}

void CheckTimes(const config::Section& group, const TimeOptions& time) {
  const int num_given = (time.shift.by.has_value() ? 1 : 0) +
                        (time.first_at.at.has_value() ? 1 : 0) +
                        (time.last_at.at.has_value() ? 1 : 0) + (time.as_sent ? 1 : 0);
  if (num_given != 1) {
    group.Add(
        fmt::format("found {} of shift, first_at, last_at and as_sent, expected one", num_given));
  }
}

std::string DescribeTimes(const TimeOptions& time) {
  std::string text;
  if (time.shift.by.has_value()) {
    text = fmt::format("times shifted by {}", FormatDuration(*time.shift.by));
  } else if (time.first_at.at.has_value()) {
    text = fmt::format("the first time at {}", select::ShowTimePoint(*time.first_at.at));
  } else if (time.last_at.at.has_value()) {
    text = fmt::format("the last time at {}", select::ShowTimePoint(*time.last_at.at));
  } else if (time.as_sent) {
    text = "times as records are sent";
  }
  return text.empty() || !time.keep_original ? text : text + ", each with what was added to it";
}

void CheckTogether(const config::Section& node, const PaceOptions& pace, const TimeOptions& time,
                   bool is_following, const std::string& goes_on_with) {
  if (pace.speed.factor.has_value() && is_following) {
    RefuseFollowing(*node.Find("pace"), "speed",
                    "in which order records go out is known when all are there");
  }
  if (time.as_sent && !pace.speed.factor.has_value()) {
    node.Find("time")->AddAtKey(
        "as_sent", "as_sent: found without pace.speed, which says when a record is due");
  }
  if (time.needs_found_times() && is_following) {
    RefuseFollowing(*node.Find("time"), time.first_at.at.has_value() ? "first_at" : "last_at",
                    "the times of the archive are known when all of it is there");
  }
  if (time.needs_found_times() && !goes_on_with.empty()) {
    const char* key = time.first_at.at.has_value() ? "first_at" : "last_at";
    node.Find("time")->AddAtKey(
        key, fmt::format("{}: found beside {}: of what is left then a later run would find other "
                         "times, and add something else to them; write time.shift, which adds the "
                         "same in each",
                         key, goes_on_with));
  }
}

}  // namespace df::nodes::receivers::parquet
