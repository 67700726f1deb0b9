// How much memory this process has asked for.
#pragma once

#include <cstdint>

namespace df::linearity {

/// Returns the bytes that were asked of malloc and its siblings so far, by anybody in the process
/// and by way of `new` too. What was freed is not taken off.
int64_t AllocatedBytes();

}  // namespace df::linearity
