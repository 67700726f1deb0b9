// How often this process has asked for memory.
#pragma once

#include <cstdint>

namespace df::bench {

/// Returns how many times malloc, calloc, realloc, aligned_alloc and posix_memalign were called,
/// by anybody in the process and by way of `new` too.
int64_t NumAllocations();

}  // namespace df::bench
