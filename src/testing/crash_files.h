// Files in memory that know what a crash would leave of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_calls.h"

namespace df::testing {

/// What a file system may make of a crash, within what it promises.
enum class Crash : uint8_t {
  kOnlyWhatWasSynced,  ///< names as of the last sync of their folder, bytes as of that of the file
  kNamesWereEarly,     ///< every name is there, bytes as of the last sync of the file
  kBytesWereTorn,      ///< every name is there, and half of the bytes that were not synced
};

/// A file system below "/", with a folder "/tmp" that is durable. Remembers what was synced, calls
/// back after every call, and can ignore a sync or let a call fail. Calls: from any thread.
class CrashFiles final : public FileCalls {
 public:
  /// Is told of every call that is about to be made ("open", "write", "sync", "truncate", "lock",
  /// "mkdir", "rename", "unlink") and of its path; returns 0 or the error that it fails with, such
  /// as -EIO.
  using Fault = std::function<int(std::string_view call, const std::string& path)>;

  CrashFiles();
  ~CrashFiles() override;

  int Open(const std::string& path, int flags, mode_t permissions) override;
  int Close(int descriptor) override;
  int64_t Write(int descriptor, std::string_view first, std::string_view second) override;
  int64_t ReadAt(int descriptor, char* buffer, size_t size, int64_t offset) override;
  int Sync(int descriptor) override;
  int Truncate(int descriptor, int64_t size_bytes) override;
  int Stat(int descriptor, FileFacts* facts) override;
  int Lock(int descriptor, FileLock lock) override;
  int MakeDirectory(const std::string& path, mode_t permissions) override;
  int Rename(const std::string& from, const std::string& to) override;
  int Unlink(const std::string& path) override;

  void SetFault(Fault fault);
  /// A write of more than so many bytes writes these and no more.
  void LimitWrites(size_t max_bytes);
  /// Called after each call that changed or synced something, without a lock.
  void OnStep(std::function<void()> step);
  /// Syncs of the file or folder that was the `ordinal`th to be synced (from 0) do nothing.
  void IgnoreSyncsOf(size_t ordinal);
  /// Paths at their first sync, in that order.
  std::vector<std::string> synced_paths() const;

  /// What is there now. Empty when there is no such file.
  std::string Content(const std::string& path) const;
  bool Exists(const std::string& path) const;

  /// Writes what a crash now would leave of a folder to a folder of the real file system.
  void LeaveAfter(Crash crash, const std::string& folder,
                  const std::filesystem::path& target) const;

 private:
  struct Node;
  using NodePtr = std::shared_ptr<Node>;
  struct OpenFile {
    NodePtr node;
    std::string path;
    bool appends = false;
    int64_t position = 0;
    bool is_locked = false;
  };

  NodePtr Find(const std::string& path) const;
  NodePtr FindFolderOf(const std::string& path, std::string* name) const;
  int Ask(std::string_view call, const std::string& path) const;
  void Step() const;
  void Unlock(OpenFile* file);
  static void Leave(Crash crash, const Node& node, const std::filesystem::path& target);

  mutable std::mutex mutex_;
  NodePtr root_;
  std::map<int, OpenFile> open_;
  int next_descriptor_ = 1'000'000;
  Fault fault_;
  size_t max_write_ = SIZE_MAX;
  std::function<void()> step_;
  std::vector<std::string> synced_paths_;
  std::vector<NodePtr> synced_nodes_;
  size_t ignored_ = SIZE_MAX;
};

}  // namespace df::testing
