#include "lake/write/try_write.h"

#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "lake/write/file_store.h"

namespace df::lake {

Status TryWrite(const std::string& folder, FileCalls* calls) {
  std::error_code error;
  std::filesystem::path nearest = std::filesystem::absolute(folder, error).lexically_normal();
  while (!error && !std::filesystem::exists(nearest, error) && nearest.has_relative_path()) {
    nearest = nearest.parent_path();
  }
  if (error) {
    return Status::IOError(
        fmt::format("cannot look at '{}': {}", nearest.string(), error.message()));
  }
  if (!std::filesystem::is_directory(nearest, error)) {
    return Status::IOError(fmt::format("'{}' is no folder", nearest.string()));
  }
  return MakeLocalStore(nearest.string(), calls)->Prove();
}

}  // namespace df::lake
