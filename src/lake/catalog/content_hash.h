// What tells the bytes of two files apart.
#pragma once

#include <string>

#include <arrow/result.h>

#include "storage/store.h"

namespace df::lake {

/// Hashes all bytes of a file, piece by piece. Shape: 16 hex digits. Errors: those of the file
/// system.
arrow::Result<std::string> HashBytes(storage::Store& store, const std::string& path);

}  // namespace df::lake
