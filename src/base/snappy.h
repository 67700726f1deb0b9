// Snappy as it travels: a block, or blocks in frames.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace df {

/// Returns what was compressed. Bytes that begin with the identifier of Snappy's framing format are
/// read as frames, whose checksums are checked; others as one block.
/// Errors: CapacityError when it is more than `max_bytes`, found before more than that is kept;
/// Invalid when the bytes are broken or cut off.
Result<std::string> DecompressSnappy(std::string_view bytes, int64_t max_bytes);

}  // namespace df
