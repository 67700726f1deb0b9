#include "lake/write/staging_area.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <system_error>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/logging.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxAttempts = 3;
constexpr int kMostLooks = 100;
constexpr mode_t kFilePermissions = 0666;  // less the mask of the process

/// Returns 0, or the errno. A reader that looks whether an owner runs (FindStaged) shares the lock
/// for a moment: it is no owner, and goes away.
int LockAlone(int descriptor) {
  for (int look = 0; look < kMostLooks; ++look) {
    if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
      return 0;
    }
    if (errno != EWOULDBLOCK || flock(descriptor, LOCK_SH | LOCK_NB) != 0) {
      return errno;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return EWOULDBLOCK;
}

/// Opens and locks the lock of a folder. Returns the descriptor, or -errno; EWOULDBLOCK where
/// another has it, ENOENT where the folder is gone.
int LockFolder(const fs::path& folder, bool may_make) {
  const fs::path path = folder / kStagingLock;
  const int descriptor = open(
      path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | (may_make ? O_CREAT : 0), kFilePermissions);
  if (descriptor < 0) {
    return -errno;
  }
  struct stat facts{};
  int error = LockAlone(descriptor);
  // Whoever looked between the two calls may have removed the folder of an owner that had ended.
  if (error == 0 && (fstat(descriptor, &facts) != 0 || facts.st_nlink == 0)) {
    error = ENOENT;
  }
  if (error != 0) {
    close(descriptor);
    return -error;
  }
  return descriptor;
}

void RemoveFile(const fs::path& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    LogWarning("cannot remove '{}': {}", path.string(), std::strerror(errno));
  }
}

/// Removes a folder and those above it as long as they are empty, up to `top`.
void RemoveEmptyFolders(fs::path folder, const fs::path& top) {
  while (folder != top && folder.has_relative_path() && rmdir(folder.c_str()) == 0) {
    folder = folder.parent_path();
  }
}

std::vector<fs::path> FoldersIn(const fs::path& folder) {
  std::vector<fs::path> inner;
  std::error_code error;
  for (fs::directory_iterator entries(folder, error), end; !error && entries != end;
       entries.increment(error)) {
    std::error_code ignored;
    if (fs::is_directory(entries->symlink_status(ignored))) {
      inner.push_back(entries->path());
    }
  }
  return inner;
}

/// Removes the folders below one that hold no file.
void RemoveEmptyBelow(const fs::path& folder) {
  for (const fs::path& path : FoldersIn(folder)) {
    RemoveEmptyBelow(path);
    rmdir(path.c_str());
  }
}

}  // namespace

StagingFolder::StagingFolder(fs::path path, int lock)
    : path_(std::move(path)), lock_(lock), store_(MakeLocalStore(path_.string())) {}

StagingFolder::~StagingFolder() { close(lock_); }

Result<std::unique_ptr<StagingFolder>> StagingFolder::Make(const std::string& base,
                                                           const std::string& producer) {
  const fs::path path = fs::path(base) / kStagingFolder / producer;
  int lock = 0;
  for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
    DurableFolders folders(&SystemFileCalls());
    ARROW_RETURN_NOT_OK(folders.Make(path));
    lock = LockFolder(path, /*may_make=*/true);
    if (lock >= 0) {
      return std::unique_ptr<StagingFolder>(new StagingFolder(path, lock));
    }
  }
  return FileError(path, "cannot lock", lock);
}

Result<std::unique_ptr<StagingFolder>> StagingFolder::TakeOver(const fs::path& folder) {
  // An owner makes the lock before anything else, but a crash of the machine may have taken it.
  const int lock = LockFolder(folder, /*may_make=*/!FoldersIn(folder).empty());
  if (lock == -EWOULDBLOCK || lock == -ENOENT || lock == -ENOTDIR) {
    return std::unique_ptr<StagingFolder>();
  }
  if (lock < 0) {
    return FileError(folder, "cannot lock", lock);
  }
  return std::unique_ptr<StagingFolder>(new StagingFolder(folder, lock));
}

void StagingFolder::Remove(const std::vector<StagedSet>& sets) const {
  for (const StagedSet& set : sets) {
    for (const bool is_root : {true, false}) {
      for (const otap::TableInfo& table : otap::AllTables()) {
        const std::string& file = set.files[otap::TableIndex(table.kind)];
        if (table.is_root() == is_root && !file.empty()) {
          RemoveFile(path_ / file);
          RemoveEmptyFolders((path_ / file).parent_path(), path_);
        }
      }
    }
  }
}

void StagingFolder::RemoveIfEmpty() {
  RemoveEmptyBelow(path_);  // who was killed may have left some
  std::error_code error;
  for (fs::directory_iterator entries(path_, error), end; !error && entries != end;
       entries.increment(error)) {
    if (entries->path().filename() != kStagingLock) {
      return;
    }
  }
  if (!error) {
    RemoveFile(path_ / kStagingLock);  // held until it is gone
    RemoveEmptyFolders(path_, path_.parent_path().parent_path());
  }
}

StagingArea::~StagingArea() {
  if (folder_ != nullptr) {
    folder_->RemoveIfEmpty();
  }
}

Result<FileStore*> StagingArea::Open() {
  if (folder_ == nullptr) {
    ARROW_ASSIGN_OR_RAISE(folder_, StagingFolder::Make(base_, producer_));
  }
  return folder_->store();
}

int64_t StagingArea::size_bytes(otap::Signal signal) const {
  int64_t sum = 0;
  for (const StagedSet& set : sets_) {
    sum += set.signal == signal ? set.size_bytes : 0;
  }
  return sum;
}

std::vector<std::unique_ptr<SetMerge>> StagingArea::TakeMerges(otap::Signal signal,
                                                               FileStore* target,
                                                               const WriteOptions& options) {
  std::vector<StagedSet> taken;
  std::vector<StagedSet> left;
  for (StagedSet& set : sets_) {
    (set.signal == signal ? taken : left).push_back(std::move(set));
  }
  sets_ = std::move(left);
  return taken.empty() ? std::vector<std::unique_ptr<SetMerge>>()
                       : MakeMerges(std::move(taken), folder_->path().string(), target, options);
}

std::vector<std::unique_ptr<SetMerge>> MakeMerges(std::vector<StagedSet> sets,
                                                  const std::string& staging, FileStore* target,
                                                  const WriteOptions& options) {
  std::map<std::pair<otap::Signal, std::string>, std::vector<StagedSet>> by_partition;
  for (StagedSet& set : sets) {
    by_partition[{set.signal, set.partition}].push_back(std::move(set));
  }
  std::vector<std::unique_ptr<SetMerge>> merges;
  for (auto& [partition, of_partition] : by_partition) {
    merges.push_back(std::make_unique<SetMerge>(target, options, staging, std::move(of_partition)));
  }
  return merges;
}

}  // namespace df::lake
