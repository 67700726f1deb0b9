// Times as people write them, and ranges of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace df::select {

/// A time, or so long before the moment at which it is asked for.
struct TimePoint {
  int64_t nanos = 0;  ///< since 1970, or before now
  bool is_relative = false;

  int64_t Resolve(int64_t now_nanos) const;
};

/// Reads "2025-01-31T12:00:00Z" (RFC 3339, with a zone), "1738324800s" (or ms, us, ns since 1970),
/// plain nanoseconds since 1970, "now", or "-2h". Errors: Invalid with what was found.
Result<TimePoint> ParseTimePoint(std::string_view text);

/// Writes a time so that it reads back as the same.
std::string ShowTimePoint(const TimePoint& point);

/// Half-open: from the first to before the second, in nanoseconds since 1970. What is not set is
/// not bounded.
struct TimeRange {
  std::optional<int64_t> from;
  std::optional<int64_t> to;

  bool is_everything() const { return !from.has_value() && !to.has_value(); }
  bool Has(int64_t nanos) const {
    return (!from.has_value() || nanos >= *from) && (!to.has_value() || nanos < *to);
  }
  /// Tells whether a time between two, both ends included, may be in the range.
  bool MayHave(int64_t least, int64_t most) const {
    return (!from.has_value() || most >= *from) && (!to.has_value() || least < *to);
  }
};

}  // namespace df::select
