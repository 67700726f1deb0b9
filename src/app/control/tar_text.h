// Some texts as one tar file.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace df::app {

/// A name, of at most 99 bytes, and what is in the file.
using TarEntry = std::pair<std::string, std::string>;

/// Returns a tar file in the format of POSIX (ustar), which only its owner reads when it is
/// unpacked. `unix_seconds` is the time of every file. Errors: Invalid for a name that is too long.
Result<std::string> TarText(const std::vector<TarEntry>& entries, int64_t unix_seconds);

}  // namespace df::app
