// A file that holds whole requests only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "nodes/exporters/file/config.h"

namespace df::nodes::exporters::file {

/// Owner: the file, which it closes.
class OutputFile {
 public:
  /// Opens a file and makes its folders. Errors: kind io naming the path.
  static Result<std::unique_ptr<OutputFile>> Open(const std::string& path, OpenMode mode);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Hands `head` and `body` to the operating system, as one. When that fails, what was written of
  /// them is taken back, so that the next request can be read. Errors: kind io, retryable.
  Status Write(std::string_view head, std::string_view body);

  const std::string& path() const { return path_; }
  /// Bytes written through this object.
  int64_t size_bytes() const { return size_bytes_; }

 private:
  OutputFile(std::string path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_;
  int64_t size_bytes_ = 0;
};

}  // namespace df::nodes::exporters::file
