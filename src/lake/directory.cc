#include "lake/directory.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
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

bool IsLink(int directory, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) {
    return entry.d_type == DT_LNK;
  }
  struct stat facts{};
  return fstatat(directory, entry.d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
         S_ISLNK(facts.st_mode);
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
    if (name == "." || name == "..") {
      continue;
    }
    DirectoryEntry entry{.name = std::string(name)};
    struct stat facts{};
    entry.is_link = IsLink(dirfd(directory.get()), *found);
    if (fstatat(dirfd(directory.get()), found->d_name, &facts, 0) != 0) {
      if (errno == ENOENT && !entry.is_link) {
        continue;  // gone since
      }
      entry.error = errno;
      entry.is_directory = found->d_type == DT_DIR;
      entries.push_back(std::move(entry));
      continue;
    }
    if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode)) {
      continue;
    }
    entry.is_directory = S_ISDIR(facts.st_mode);
    entry.size_bytes = facts.st_size;
    entry.modified_nanos = facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec;
    entry.changed_nanos = facts.st_ctim.tv_sec * 1'000'000'000 + facts.st_ctim.tv_nsec;
    entry.number = {.device = facts.st_dev, .inode = facts.st_ino};
    entry.has_names = !entry.is_directory && facts.st_nlink > 1;
    entries.push_back(std::move(entry));
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

std::vector<FileNumber> NumbersUpFrom(arrow::fs::FileSystem& file_system, const std::string& path) {
  std::vector<FileNumber> numbers;
  std::error_code error;
  std::filesystem::path folder = std::filesystem::canonical(path, error);
  if (file_system.type_name() != "local" || error) {
    return numbers;
  }
  while (true) {
    struct stat facts{};
    if (stat(folder.c_str(), &facts) == 0) {
      numbers.push_back({.device = facts.st_dev, .inode = facts.st_ino});
    }
    if (folder == folder.root_path()) {
      return numbers;
    }
    folder = folder.parent_path();
  }
}

}  // namespace df::lake
