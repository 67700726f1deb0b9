// Times as people write them at a prompt.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace df::app {

/// Reads a time, in nanoseconds since 1970; without a zone it is one of UTC. Shapes: those of
/// select::ParseTimePoint, and "2026-11-26", "2026-11-26 14:00", "14:00", "14:00:30",
/// "yesterday 14:00", "today", "yesterday". A time of day alone is the first one at or after
/// `after`, or the last one before `now_nanos` where that is not set. Errors: Invalid with what was
/// found and what is expected.
Result<int64_t> ParseMoment(std::string_view text, int64_t now_nanos,
                            std::optional<int64_t> after = std::nullopt);

/// Writes a time as "2026-11-26 14:59:45.600Z": with as many digits of a second as it has, and
/// three at least.
std::string ShowMoment(int64_t nanos);

}  // namespace df::app
