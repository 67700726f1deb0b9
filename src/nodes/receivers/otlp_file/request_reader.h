// The requests of a file, one after the other.
#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "otap/schema.h"

namespace df::nodes::receivers::otlp_file {

/// A request as it stands in a file.
struct FileRequest {
  std::string bytes;
  int64_t place = 0;  ///< JSON: its line, from 1; protobuf: the offset of its length
};

/// Reads a file. Memory: one request, of a bounded size. Calls: from one thread.
class RequestReader {
 public:
  /// Errors: IOError when the file cannot be opened.
  static Result<RequestReader> Open(const std::string& path, bool is_json, int64_t max_bytes);

  /// Returns the next request; nothing at the end. Errors: Invalid naming the place for a request
  /// that is too large or cut off; IOError. After an error of JSON lines the next one may be read.
  Result<std::optional<FileRequest>> Next();

  /// Whether Next may find more after an error.
  bool goes_on() const { return goes_on_; }

 private:
  RequestReader(std::ifstream file, bool is_json, int64_t max_bytes)
      : file_(std::move(file)), is_json_(is_json), max_bytes_(max_bytes) {}

  Result<std::optional<FileRequest>> NextLine();
  Result<std::optional<FileRequest>> NextFrame();

  std::ifstream file_;
  bool is_json_;
  int64_t max_bytes_;
  int64_t line_ = 0;
  int64_t offset_ = 0;
  bool goes_on_ = true;
};

bool IsJsonName(const std::string& path);

/// The signal that the name of a file tells: logs-0.binpb, x-spans.pb, metrics.otlp.
std::optional<otap::Signal> SignalOfName(const std::string& path);

/// The signal that a request in JSON is of, by the first of its keys that says so.
std::optional<otap::Signal> SignalOfJson(std::string_view json);

}  // namespace df::nodes::receivers::otlp_file
