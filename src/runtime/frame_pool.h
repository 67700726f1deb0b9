// Memory of coroutine frames, so that a hop through a node costs no trip to the allocator.
#pragma once

#include <cstddef>

namespace df::runtime {

/// Returns memory for a frame. Freed frames of the same thread are used again.
/// Calls: from any thread; a frame may be freed by another thread than the one that took it.
void* AllocateFrame(std::size_t size_bytes);

/// Gives back what AllocateFrame returned for the same size.
void FreeFrame(void* frame, std::size_t size_bytes) noexcept;

}  // namespace df::runtime
