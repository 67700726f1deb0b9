#include "lake/write/file_store.h"

#include <string_view>
#include <utility>

#include <arrow/filesystem/filesystem.h>
#include <fmt/format.h>

namespace df::lake {

Result<std::unique_ptr<FileStore>> MakeFileStore(const std::string& base_uri) {
  constexpr std::string_view kFileScheme = "file://";
  if (base_uri.find("://") == std::string::npos) {
    return MakeLocalStore(base_uri);
  }
  if (base_uri.starts_with(kFileScheme)) {
    std::string path = base_uri.substr(kFileScheme.size());
    if (!path.starts_with('/')) {
      return MakeError(ErrorKind::kConfig,
                       fmt::format("found '{}', expected file:// and an absolute path, as in "
                                   "file:///data",
                                   base_uri));
    }
    return MakeLocalStore(std::move(path));
  }
  std::string path;
  auto file_system = arrow::fs::FileSystemFromUri(base_uri, &path);
  if (!file_system.ok()) {
    return MakeError(ErrorKind::kConfig,
                     fmt::format("'{}': {}", base_uri, file_system.status().message()));
  }
  return MakeObjectStore(std::move(*file_system), std::move(path));
}

}  // namespace df::lake
