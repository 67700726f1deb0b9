// What an input from outside looks like, and what reads it: cost has to grow as the input does.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <arrow/result.h>
#include <arrow/status.h>

namespace df::linearity {

/// Writes the input of size n into a folder. Size 0 is the same input without what repeats.
using Make = std::function<arrow::Status(int64_t n, const std::filesystem::path& folder)>;

/// What is counted. Returns how much came of it: rows, values, problems; about twice as much of an
/// input of twice the size.
using Call = std::function<arrow::Result<int64_t>()>;

/// Gets ready to read the input of a folder, which is not counted; returns what is. The call can be
/// made several times.
using Read = std::function<arrow::Result<Call>(const std::filesystem::path& folder)>;

/// Most bytes that may be allocated for each byte of input.
inline constexpr double kMostBytesPerByte = 100;

struct Shape {
  std::string name;  ///< "<what is read>/<what repeats>"
  int64_t n = 0;     ///< so large that n costs some ten million instructions
  Make make;
  Read read;
  /// Of inputs whose bytes stand for more than themselves.
  double most_bytes_per_byte = kMostBytesPerByte;
};

/// Every shape that CI holds to. A new one is a line of the table.
const std::vector<Shape>& AllShapes();

/// Shapes that cost too much on purpose; the harness has to find each of them.
const std::vector<Shape>& WrongShapes();

}  // namespace df::linearity
