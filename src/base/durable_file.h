// Folders and small files that a crash does not take back.
#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file_calls.h"

namespace df {

/// "'<path>': <what>: <cause of the system>", kind io, retryable. `error` is an errno, of either
/// sign.
Status FileError(const std::filesystem::path& path, std::string_view what, int error);

/// Writes all of it. Errors: kind io.
Status WriteAll(FileCalls* calls, int descriptor, const std::filesystem::path& path,
                std::string_view bytes);

/// Makes the names in a folder durable. Errors: kind io.
Status SyncDirectory(FileCalls* calls, const std::filesystem::path& path);

/// Makes folders, and remembers which. Calls: from one thread.
class DurableFolders {
 public:
  /// `calls` is borrowed. `permissions` are those of folders that are made, less the mask of the
  /// process.
  explicit DurableFolders(FileCalls* calls, mode_t permissions = 0777)
      : calls_(calls), permissions_(permissions) {}

  /// Makes a folder and those above it. When it returns, all of their names are durable, also of
  /// those that were there: whoever made them may not have seen to it. Of these it passes over what
  /// it may not sync. Errors: kind io.
  Status Make(const std::filesystem::path& path);

  /// The folders may have been removed since.
  void Forget() { known_.clear(); }

 private:
  Status MakeUnlessKnown(const std::filesystem::path& path);

  FileCalls* calls_;
  mode_t permissions_;
  std::set<std::filesystem::path> known_;
  bool is_gone_ = false;  // somebody has removed a folder that was known
};

/// Replaces a file as a whole: after a crash there is the old content or the new one. When it
/// returns the new one is durable, with its folders. Errors: kind io; the file is as it was, except
/// when the last sync failed.
Status ReplaceFile(FileCalls* calls, const std::filesystem::path& path, std::string_view bytes);

}  // namespace df
