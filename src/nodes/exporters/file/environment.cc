#include "engine/environment.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "lake/write/try_write.h"
#include "nodes/exporters/file/config.h"

namespace df::nodes::exporters::file {
namespace {

/// The part of a path in front of the first folder or file whose name has a placeholder.
std::filesystem::path FolderOf(const std::string& path) {
  return std::filesystem::path(path.substr(0, path.find('{'))).parent_path();
}

Status TryFile(const FileConfig& config) {
  const bool is_one_file = config.path.find('{') == std::string::npos;
  std::error_code error;
  if (is_one_file && std::filesystem::exists(config.path, error)) {
    if (config.open_mode == OpenMode::kCreateNew) {
      return Status::IOError("it exists, and open_mode: create_new makes new files only");
    }
    return access(config.path.c_str(), W_OK) == 0
               ? Status::OK()
               : Status::IOError(fmt::format("cannot write it: {}", std::strerror(errno)));
  }
  const std::filesystem::path folder = FolderOf(config.path);
  return lake::TryWrite(folder.empty() ? "." : folder.string());
}

void AddChecks(const config::Section& section, engine::EnvironmentChecks* checks) {
  const FileConfig config = config::Read(FileFields(), section);
  engine::EnvironmentCheck check = engine::MakeCheck(section, "path", "write", config.path);
  check.run = [config](const engine::CheckConditions&) {
    return engine::FindingOf(TryFile(config));
  };
  checks->push_back(std::move(check));
}

}  // namespace

extern const engine::NodeEnvironment kEnvironment;
const engine::NodeEnvironment kEnvironment = {.urn = "urn:otel:exporter:file",
                                              .add_checks = AddChecks};

}  // namespace df::nodes::exporters::file
