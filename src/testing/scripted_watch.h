// A watch that tells what a test says.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "storage/folder_watch.h"

namespace df::testing {

/// Calls: from any thread.
class ScriptedWatch final : public storage::FolderWatch {
 public:
  void Add(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    ++num_adds_;
    added_.insert(path);
    during_add_();
  }
  storage::FolderChanges Take() override {
    const std::lock_guard lock(mutex_);
    return std::exchange(changes_, {});
  }
  bool HasChanges() const override {
    const std::lock_guard lock(mutex_);
    return changes_.has_lost_some || !changes_.folders.empty() || !changes_.new_folders.empty();
  }
  Gaps gaps() const override {
    const std::lock_guard lock(mutex_);
    return gaps_;
  }
  std::set<std::string> DescribeGaps() const override {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  void OnChange(std::function<void()> listener) override { listener_ = std::move(listener); }

  /// A file has come to a folder, a folder has come, or more than is kept in mind.
  void TellFile(const std::string& folder) {
    Change([&] { changes_.folders.insert(folder); });
  }
  void TellFolder(const std::string& folder) {
    Change([&] { changes_.new_folders.insert(folder); });
  }
  void Overflow() {
    Change([&] {
      changes_ = {.folders = {}, .new_folders = {}, .has_lost_some = true};
      Count(storage::WatchGap::kOverflow, "more has changed at once than is kept in mind");
    });
  }
  /// Has something happen while a directory is about to be listed.
  void DuringAdd(std::function<void()> call) { during_add_ = std::move(call); }
  /// Says that it does not watch something.
  void Miss(storage::WatchGap gap, const std::string& line) {
    const std::lock_guard lock(mutex_);
    Count(gap, line);
  }

  /// Directories are watched each time before they are listed.
  int64_t num_adds() const {
    const std::lock_guard lock(mutex_);
    return num_adds_;
  }
  bool IsAdded(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    return added_.contains(path);
  }

 private:
  void Count(storage::WatchGap gap, const std::string& line) {
    ++gaps_[static_cast<size_t>(gap)];
    lines_.insert(line);
  }
  void Change(const std::function<void()>& change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    listener_();
  }

  mutable std::mutex mutex_;
  std::function<void()> listener_;
  std::function<void()> during_add_ = [] {};
  storage::FolderChanges changes_;
  Gaps gaps_{};
  std::set<std::string> lines_;
  int64_t num_adds_ = 0;
  std::set<std::string> added_;
};

}  // namespace df::testing
