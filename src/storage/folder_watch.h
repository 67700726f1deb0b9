// Tells which folders have got new files.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "storage/directory.h"

namespace df::storage {

/// Why a change may come that no watch tells of: the tree has to be listed from time to time as
/// well.
enum class WatchGap : uint8_t {
  kOverflow,    ///< more has changed than the system, or the watch, keeps in mind
  kLimit,       ///< the system lets nobody watch more folders
  kFileSystem,  ///< a file system that other machines change, which nobody here is told of
  kUnwatchable  ///< the folder cannot be watched for another reason
};
inline constexpr std::array<std::string_view, 4> kWatchGapNames = {"overflow", "limit",
                                                                   "file_system", "unwatchable"};

/// What has changed since it was asked last. Paths are those that were added, or lie below them.
struct FolderChanges {
  std::set<std::string> folders;      ///< in which files have got their names or their last bytes
  std::set<std::string> new_folders;  ///< that have come to a folder; what they hold is not told
  bool has_lost_some = false;         ///< there was more than these: everything may have changed
};

/// Watches folders. Calls: from any thread, but OnChange.
class FolderWatch {
 public:
  virtual ~FolderWatch() = default;

  /// Has changes of a folder told from now on; one that is not there needs no watch. What was there
  /// before is to be listed after this. Files that are still being written are told of when they
  /// are closed, or get their names. A folder that goes away is not watched any more. Nothing is
  /// returned where it is not watched: gaps() counts that.
  virtual void Add(const std::string& path) = 0;

  /// Returns what has changed.
  virtual FolderChanges Take() = 0;

  /// Tells whether Take would return something.
  virtual bool HasChanges() const = 0;

  /// What was not, or is not, told, by WatchGap, since the watch began. Of folders each is counted
  /// once, as long as it cannot be watched.
  using Gaps = std::array<int64_t, kWatchGapNames.size()>;
  virtual Gaps gaps() const = 0;

  /// Returns one line for each kind of gap that there was: what is not watched, why, and what to do
  /// about it. A line stays the same from then on.
  virtual std::set<std::string> DescribeGaps() const = 0;

  /// Has `listener` called, by a thread of the watch, when HasChanges becomes true. Before the
  /// first Add.
  virtual void OnChange(std::function<void()> listener) = 0;
};

/// Watches each directory before it lists it: what comes later is told.
class WatchedDirectories final : public DirectoryReader {
 public:
  /// `watch` is borrowed.
  WatchedDirectories(std::unique_ptr<DirectoryReader> directories, FolderWatch* watch)
      : directories_(std::move(directories)), watch_(watch) {}

  Result<DirectoryListing> List(const std::string& path) override {
    watch_->Add(path);
    return directories_->List(path);
  }
  std::vector<FileNumber> NumbersUpFrom(const std::string& path) override {
    return directories_->NumbersUpFrom(path);
  }
  FileNumber NumberOf(const std::string& path) override { return directories_->NumberOf(path); }

 private:
  std::unique_ptr<DirectoryReader> directories_;
  FolderWatch* watch_;
};

}  // namespace df::storage
