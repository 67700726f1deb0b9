#include "storage/directory.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

#include <arrow/filesystem/filesystem.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "base/error.h"

namespace df::storage {
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

Result<std::vector<DirectoryEntry>> ListLocal(const std::string& path) {
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
    DirectoryEntry entry;
    entry.name = std::string(name);
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
    return Status::IOError(fmt::format("'{}': {}", path, std::strerror(errno)));
  }
  return entries;
}

}  // namespace

Result<std::vector<DirectoryEntry>> LocalDirectories::List(const std::string& path) {
  return ListLocal(path);
}

std::vector<FileNumber> LocalDirectories::NumbersUpFrom(const std::string& path) {
  std::vector<FileNumber> numbers;
  std::error_code error;
  std::filesystem::path folder = std::filesystem::canonical(path, error);
  if (error) {
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

ListedObjects::ListedObjects(const std::string& base,
                             const std::vector<arrow::fs::FileInfo>& objects)
    : base_(base) {
  directories_.try_emplace(base_);
  for (const arrow::fs::FileInfo& info : objects) {
    const std::string_view path = info.path();
    if (path.size() <= base_.size() + 1 || !path.starts_with(base_) || path[base_.size()] != '/') {
      continue;
    }
    const bool is_directory = info.type() == arrow::fs::FileType::Directory;
    if (!is_directory && info.type() != arrow::fs::FileType::File) {
      continue;
    }
    const size_t slash = path.find_last_of('/');
    if (!AddDirectories(is_directory ? path : path.substr(0, slash)) || path.size() == slash + 1) {
      ++num_unusable_;
      // Told of where a walk comes by, with all that no walk reaches as its name.
      size_t end = base_.size();
      for (size_t next = path.find('/', end + 1);
           next != std::string_view::npos && directories_.contains(path.substr(0, next));
           next = path.find('/', end + 1)) {
        end = next;
      }
      DirectoryEntry entry;
      entry.name = std::string(path.substr(end + 1));
      entry.error = EINVAL;
      if (!entry.name.empty()) {
        directories_.find(path.substr(0, end))->second.push_back(std::move(entry));
      }
      continue;
    }
    if (!is_directory) {
      DirectoryEntry entry;
      entry.name = std::string(path.substr(slash + 1));
      entry.size_bytes = info.size();
      entry.modified_nanos = info.mtime().time_since_epoch().count();
      directories_.find(path.substr(0, slash))->second.push_back(std::move(entry));
    }
  }
}

/// Makes a directory known to those above it; stores tell of some, or of none. Returns false for
/// names that cannot be walked.
bool ListedObjects::AddDirectories(std::string_view path) {
  if (directories_.contains(path)) {
    return true;
  }
  const size_t slash = path.find_last_of('/');
  const std::string_view name = path.substr(slash + 1);
  if (name.empty() || name == "." || name == ".." || !AddDirectories(path.substr(0, slash))) {
    return false;
  }
  directories_.try_emplace(std::string(path));
  DirectoryEntry entry;
  entry.name = std::string(name);
  entry.is_directory = true;
  directories_.find(path.substr(0, slash))->second.push_back(std::move(entry));
  return true;
}

Result<std::vector<DirectoryEntry>> ListedObjects::List(const std::string& path) {
  const auto found = directories_.find(path);
  if (found == directories_.end()) {
    return Status::IOError(fmt::format("'{}': nothing is there", path));
  }
  return found->second;
}

std::vector<FileNumber> ListedObjects::NumbersUpFrom(const std::string& /*path*/) { return {}; }

}  // namespace df::storage
