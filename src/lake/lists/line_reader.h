// Text files read line by line, with a bound on what is held.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <arrow/io/interfaces.h>
#include <arrow/result.h>

#include "base/error.h"

namespace df::lake {

/// Gives the lines of a file, front to back. Holds a piece of the file and one line.
class LineReader {
 public:
  LineReader(std::shared_ptr<arrow::io::InputStream> file, size_t max_line_bytes)
      : file_(std::move(file)), max_line_bytes_(max_line_bytes) {}

  struct Line {
    std::string_view text;     ///< without its end; valid until the next call
    int64_t number = 0;        ///< the first is 1
    bool is_too_long = false;  ///< `text` is its beginning
  };

  /// Returns the next line that is not blank; nothing at the end. Errors: IOError.
  Result<std::optional<Line>> Next();

 private:
  Result<bool> Fill();

  std::shared_ptr<arrow::io::InputStream> file_;
  size_t max_line_bytes_;
  std::string piece_;
  size_t position_ = 0;
  std::string line_;
  int64_t number_ = 0;
};

}  // namespace df::lake
