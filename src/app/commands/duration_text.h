// Durations for people.
#pragma once

#include <cstdint>
#include <string>

namespace df::app {

/// Returns "766.7ms" or "1.25s": three or four digits that matter.
std::string ShowDuration(int64_t nanos);

}  // namespace df::app
