// What tells the bytes of two files apart.
#pragma once

#include <string>

#include <arrow/filesystem/filesystem.h>
#include <arrow/result.h>

namespace df::lake {

/// Hashes all bytes of a file, piece by piece. Shape: 16 hex digits. Errors: those of the file
/// system.
arrow::Result<std::string> HashBytes(arrow::fs::FileSystem& file_system, const std::string& path);

}  // namespace df::lake
