#include "nodes/processors/debug/debug_output.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace df::nodes::processors::debug {
namespace {

Status IoError(std::string_view what, const std::string& name, int error) {
  return MakeError(ErrorKind::kIo, fmt::format("{} {}: {}", what, name, std::strerror(error)));
}

}  // namespace

Result<std::unique_ptr<DebugOutput>> DebugOutput::Open(const std::string& output) {
  if (output == "console") {
    return std::unique_ptr<DebugOutput>(new DebugOutput("standard output", stdout));
  }
  const std::filesystem::path folder = std::filesystem::path(output).parent_path();
  std::error_code error;
  if (!folder.empty() && !std::filesystem::create_directories(folder, error) && error) {
    return IoError("cannot make the folder", folder.string(), error.value());
  }
  std::FILE* file = std::fopen(output.c_str(), "we");
  if (file == nullptr) {
    return IoError("cannot open", output, errno);
  }
  return std::unique_ptr<DebugOutput>(new DebugOutput(output, file));
}

DebugOutput::~DebugOutput() {
  if (file_ != stdout) {
    std::fclose(file_);
  }
}

Status DebugOutput::Print(std::string_view block) {
  const std::lock_guard lock(mutex_);
  if (std::fwrite(block.data(), 1, block.size(), file_) != block.size() ||
      std::fflush(file_) != 0) {
    const int error = errno;
    std::clearerr(file_);
    return IoError("cannot print to", name_, error);
  }
  return Status::OK();
}

}  // namespace df::nodes::processors::debug
