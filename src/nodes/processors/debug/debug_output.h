// Where the debug processors of all cores print.
#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/error.h"

namespace df::nodes::processors::debug {

/// Prints whole blocks, so that those of several cores do not mix. Synchronises itself.
class DebugOutput {
 public:
  /// Opens "console" or a file, whose folders are made. Errors: kind io naming the path.
  static Result<std::unique_ptr<DebugOutput>> Open(const std::string& output);
  ~DebugOutput();
  DebugOutput(const DebugOutput&) = delete;
  DebugOutput& operator=(const DebugOutput&) = delete;

  /// Prints a block and hands it to the operating system. Errors: kind io.
  Status Print(std::string_view block);

 private:
  DebugOutput(std::string name, std::FILE* file) : name_(std::move(name)), file_(file) {}

  std::mutex mutex_;
  std::string name_;
  std::FILE* file_;
};

}  // namespace df::nodes::processors::debug
