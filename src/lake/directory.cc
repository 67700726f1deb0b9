#include "lake/directory.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/error.h"

namespace df::lake {
namespace {

/// Whether the same call may succeed later, with nobody changing names or permissions.
bool MayPass(int error) {
  return error != ENOENT && error != ENOTDIR && error != EACCES && error != EPERM &&
         error != ELOOP && error != ENAMETOOLONG;
}

arrow::Result<std::vector<DirectoryEntry>> ListLocal(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(path.c_str()), closedir);
  if (directory == nullptr) {
    return MakeError(ErrorKind::kFileDiscovery, fmt::format("'{}': {}", path, std::strerror(errno)),
                     {}, MayPass(errno));
  }
  std::vector<DirectoryEntry> entries;
  while (true) {
    errno = 0;
    const dirent* found = readdir(directory.get());
    if (found == nullptr) {
      break;
    }
    const std::string_view name(found->d_name);
    struct stat facts{};
    // An entry that is gone, or a link to nothing, is no entry.
    if (name == "." || name == ".." ||
        fstatat(dirfd(directory.get()), found->d_name, &facts, 0) != 0 ||
        (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode))) {
      continue;
    }
    entries.push_back(
        {.name = std::string(name),
         .is_directory = S_ISDIR(facts.st_mode),
         .size_bytes = facts.st_size,
         .modified_nanos = facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec});
  }
  if (errno != 0) {
    return arrow::Status::IOError(fmt::format("'{}': {}", path, std::strerror(errno)));
  }
  return entries;
}

}  // namespace

arrow::Result<std::vector<DirectoryEntry>> ListDirectory(arrow::fs::FileSystem& file_system,
                                                         const std::string& path) {
  if (file_system.type_name() == "local") {
    return ListLocal(path);
  }
  arrow::fs::FileSelector selector;
  selector.base_dir = path;
  ARROW_ASSIGN_OR_RAISE(const auto infos, file_system.GetFileInfo(selector));
  std::vector<DirectoryEntry> entries;
  for (const arrow::fs::FileInfo& info : infos) {
    if (info.type() == arrow::fs::FileType::File || info.type() == arrow::fs::FileType::Directory) {
      entries.push_back({.name = info.base_name(),
                         .is_directory = info.type() == arrow::fs::FileType::Directory,
                         .size_bytes = info.size(),
                         .modified_nanos = info.mtime().time_since_epoch().count()});
    }
  }
  return entries;
}

}  // namespace df::lake
