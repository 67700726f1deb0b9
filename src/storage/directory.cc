#include "storage/directory.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include <arrow/filesystem/filesystem.h>
#include <arrow/util/io_util.h>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

namespace df::storage {
namespace {

/// What one call says of a directory at most: some hundred names.
constexpr size_t kDirectoryBytes = 32768;

/// Whether the same call may succeed later, with nobody changing names or permissions.
bool MayPass(int error) {
  return error != ENOENT && error != ENOTDIR && error != EACCES && error != EPERM &&
         error != ELOOP && error != ENAMETOOLONG;
}

/// A descriptor that is closed.
class OpenDirectory {
 public:
  explicit OpenDirectory(const std::string& path)
      : descriptor_(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
  OpenDirectory(const OpenDirectory&) = delete;
  OpenDirectory& operator=(const OpenDirectory&) = delete;
  ~OpenDirectory() {
    if (descriptor_ >= 0) {
      close(descriptor_);
    }
  }
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// Looks at an entry, unless its type says that it is a directory: that one is looked at when it is
/// listed. Returns nothing for what is left out.
std::optional<DirectoryEntry> LookAt(int directory, const char* name, unsigned char type) {
  DirectoryEntry entry;
  entry.name = name;
  if (type == DT_DIR) {
    entry.is_directory = true;
    return entry;
  }
  if (type != DT_REG && type != DT_LNK && type != DT_UNKNOWN) {
    return std::nullopt;
  }
  struct stat facts{};
  entry.is_link = type == DT_LNK;
  if (type == DT_UNKNOWN) {
    entry.is_link =
        fstatat(directory, name, &facts, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(facts.st_mode);
  }
  if (fstatat(directory, name, &facts, 0) != 0) {
    if (errno == ENOENT && !entry.is_link) {
      return std::nullopt;  // gone since
    }
    entry.error = errno;
    return entry;
  }
  entry.is_directory = S_ISDIR(facts.st_mode);
  if (entry.is_directory) {
    return entry;
  }
  if (!S_ISREG(facts.st_mode)) {
    return std::nullopt;
  }
  entry.size_bytes = facts.st_size;
  entry.modified_nanos = facts.st_mtim.tv_sec * 1'000'000'000 + facts.st_mtim.tv_nsec;
  entry.changed_nanos = facts.st_ctim.tv_sec * 1'000'000'000 + facts.st_ctim.tv_nsec;
  entry.number = {.device = facts.st_dev, .inode = facts.st_ino};
  entry.has_names = facts.st_nlink > 1;
  return entry;
}

Result<DirectoryListing> ListLocal(const std::string& path) {
  const OpenDirectory directory(path);
  struct stat own{};
  if (directory.get() < 0 || fstat(directory.get(), &own) != 0) {
    if (errno == ENOENT) {
      return arrow::internal::IOErrorFromErrno(
          ENOENT, fmt::format("'{}': {}", path, std::strerror(ENOENT)));
    }
    return MakeError(ErrorKind::kFileDiscovery, fmt::format("'{}': {}", path, std::strerror(errno)),
                     {}, MayPass(errno));
  }
  DirectoryListing listing{.number = {.device = own.st_dev, .inode = own.st_ino}, .entries = {}};
  alignas(dirent64) std::array<char, kDirectoryBytes> bytes;
  while (true) {
    const ssize_t num_bytes = getdents64(directory.get(), bytes.data(), bytes.size());
    if (num_bytes < 0) {
      return Status::IOError(fmt::format("'{}': {}", path, std::strerror(errno)));
    }
    if (num_bytes == 0) {
      return listing;
    }
    for (ssize_t position = 0; position < num_bytes;) {
      const auto* found = reinterpret_cast<const dirent64*>(bytes.data() + position);
      position += found->d_reclen;
      const std::string_view name(found->d_name);
      if (name == "." || name == "..") {
        continue;
      }
      if (auto entry = LookAt(directory.get(), found->d_name, found->d_type); entry.has_value()) {
        listing.entries.push_back(*std::move(entry));
      }
    }
  }
}

}  // namespace

Result<DirectoryListing> LocalDirectories::List(const std::string& path) { return ListLocal(path); }

FileNumber LocalDirectories::NumberOf(const std::string& path) {
  struct stat facts{};
  return stat(path.c_str(), &facts) == 0 ? FileNumber{.device = facts.st_dev, .inode = facts.st_ino}
                                         : FileNumber{};
}

std::vector<FileNumber> LocalDirectories::NumbersUpFrom(const std::string& path) {
  std::vector<FileNumber> numbers;
  std::error_code error;
  std::filesystem::path folder = std::filesystem::canonical(path, error);
  if (error) {
    return numbers;
  }
  while (true) {
    if (const FileNumber number = NumberOf(folder.string()); number.is_known()) {
      numbers.push_back(number);
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

Result<DirectoryListing> ListedObjects::List(const std::string& path) {
  const auto found = directories_.find(path);
  if (found == directories_.end()) {
    return Status::IOError(fmt::format("'{}': nothing is there", path));
  }
  return DirectoryListing{.number = {}, .entries = found->second};
}

std::vector<FileNumber> ListedObjects::NumbersUpFrom(const std::string& /*path*/) { return {}; }

FileNumber ListedObjects::NumberOf(const std::string& /*path*/) { return {}; }

}  // namespace df::storage
