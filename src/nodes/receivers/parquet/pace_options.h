// When records go out, and which times they have then.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "config/field_table.h"
#include "select/time_range.h"

namespace df::nodes::receivers::parquet {

/// Seconds of event time in one second; nothing: as fast as records are taken.
struct Speed {
  std::optional<double> factor;
};

/// How long nothing may go out because no record is due; nothing: as long as it takes.
struct Gap {
  std::optional<std::chrono::nanoseconds> limit = std::chrono::minutes(1);
};

/// How fast records go out; what is not given asks nothing.
struct PaceOptions {
  Speed speed;
  Gap longest_gap;               ///< with speed
  int64_t items_per_second = 0;  ///< 0: no limit
  int64_t bytes_per_second = 0;  ///< of requests as OTLP; 0: no limit

  bool is_given() const {
    return speed.factor.has_value() || items_per_second > 0 || bytes_per_second > 0;
  }
};

/// A duration with a sign.
struct Shift {
  std::optional<std::chrono::nanoseconds> by;
};

/// A place for a time of the archive.
struct Place {
  std::optional<select::TimePoint> at;
};

/// What becomes of the times of records. At most one of the first four is given.
struct TimeOptions {
  Shift shift;
  Place first_at;
  Place last_at;
  bool as_sent = false;
  bool keep_original = false;

  /// Whether the first and last time of all records must be known before anything goes out.
  bool needs_found_times() const { return first_at.at.has_value() || last_at.at.has_value(); }
  bool is_given() const { return shift.by.has_value() || needs_found_times() || as_sent; }
};

/// Says in words how times are changed, so that two replays say the same exactly when they change
/// them alike; "" where they stay as they are.
std::string DescribeTimes(const TimeOptions& time);

/// Nobody waits for a record that says it is of the day after tomorrow, or later: its time is
/// wrong, and those behind it would wait as well.
int64_t LastTimeWaitedFor(int64_t now_nanos);

const config::FieldTable<PaceOptions>& PaceFields();
const config::FieldTable<TimeOptions>& TimeFields();

/// Add what is wrong with a group by itself to its problems.
void CheckPace(const config::Section& group, const PaceOptions& pace);
void CheckTimes(const config::Section& group, const TimeOptions& time);

/// Adds what does not fit together to the problems of the section of the node. `is_following`: the
/// archive may grow. `goes_on_with`: the group of the node that has a later run go on where this
/// one ends; "" for none.
void CheckTogether(const config::Section& node, const PaceOptions& pace, const TimeOptions& time,
                   bool is_following, const std::string& goes_on_with);

/// Has every record that is shifted say by how much, in nanoseconds.
inline constexpr const char* kShiftAttribute = "df_engine.time_shift_nanos";

}  // namespace df::nodes::receivers::parquet
