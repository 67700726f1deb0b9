// Watches folders of a local file system.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

#include "base/error.h"
#include "storage/folder_watch.h"

namespace df::storage {

/// Watches with inotify. One thread waits for events; while nothing changes it does not run.
class InotifyWatch final : public FolderWatch {
 public:
  /// Most folders that are kept in mind until somebody takes them; more are an overflow.
  static constexpr size_t kMostFolders = 4096;

  /// Errors: IOError, where the system has no instance left (fs.inotify.max_user_instances).
  static Result<std::unique_ptr<InotifyWatch>> Make(size_t most_folders = kMostFolders);
  ~InotifyWatch() override;

  void Add(const std::string& path) override;
  FolderChanges Take() override;
  bool HasChanges() const override;
  Gaps gaps() const override;
  std::set<std::string> DescribeGaps() const override;
  void OnChange(std::function<void()> listener) override;

 private:
  InotifyWatch(int events, int stop, size_t most_folders);
  void Run();
  /// Keeps one event in mind. Needs the lock.
  void Keep(int watch, uint32_t mask, const std::string& name);
  /// Names the first gap of its kind. Needs the lock.
  void Miss(WatchGap gap, const std::string& path, int error);

  const int events_;  ///< descriptor of inotify
  const int stop_;    ///< an eventfd: the thread ends when it can be read
  const size_t most_folders_;
  mutable std::mutex mutex_;
  std::unordered_map<int, std::string> folders_;  ///< by watch
  std::map<std::string, WatchGap> unwatched_;
  FolderChanges changes_;
  Gaps gaps_{};
  std::map<WatchGap, std::string> lines_;
  std::function<void()> listener_;
  std::thread thread_;
};

/// Tells whether other machines may change a file system of this type (statfs), so that its changes
/// are not all told here.
bool IsChangedByOthers(int64_t file_system_type);

}  // namespace df::storage
