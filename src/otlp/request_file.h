// Files of export requests, each behind a 4-byte big-endian length.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

namespace df::otlp {

/// Calls `visit` with each request of a file, in order; stops at its first error.
/// Errors: IOError when the file cannot be read; Invalid naming the offset when the last request
/// is cut off; errors of `visit`.
arrow::Status VisitRequests(const std::string& path,
                            const std::function<arrow::Status(std::string_view)>& visit);

/// Returns the files that an argument names: itself, all files below a directory, or what a shell
/// pattern matches; sorted. Errors: IOError when there is none.
arrow::Result<std::vector<std::string>> ExpandPath(const std::string& argument);

/// Returns what stands in front of a request of so many bytes. Errors: Invalid when 32 bits cannot
/// say it.
arrow::Result<std::array<char, 4>> RequestHead(size_t size_bytes);

}  // namespace df::otlp
