// The folder in which a process keeps what outlives it.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "base/file_calls.h"

namespace df {

/// Tells whether a folder is fit for the state of this process, or may be made where it is missing:
/// no part of its path is a link, it is a folder of the user that runs the process, and nobody else
/// may read or write it. `path` is absolute. Changes nothing. Errors: config naming the part that
/// is not fit, what was found and what is expected; io where it cannot be looked at.
Status CheckStateDirectory(const std::filesystem::path& path);

/// Makes it and the folders above it, for the user alone; when it returns, their names are durable.
/// `calls` is borrowed. Errors: as CheckStateDirectory; io where it cannot be made.
Status MakeStateDirectory(FileCalls* calls, const std::filesystem::path& path);

}  // namespace df
