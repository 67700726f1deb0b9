// A place where files lie: a local file system or an object store.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <arrow/filesystem/type_fwd.h>
#include <arrow/io/type_fwd.h>
#include <arrow/type_fwd.h>
#include <arrow/util/future.h>

#include "base/error.h"
#include "storage/directory.h"
#include "storage/remote_file.h"
#include "storage/retry.h"
#include "storage/store_options.h"
#include "storage/store_uri.h"

namespace df::storage {

/// Lists and reads. Paths are those of StoreUri::path and what lies below. Calls: from any thread.
class Store {
 public:
  /// Files that are open give no more bytes.
  ~Store();

  /// Makes the store of a URI; nothing is asked of it yet but, of S3 without region and endpoint,
  /// where its bucket is.
  /// Errors: Invalid for settings that contradict each other, NotImplemented for a store whose
  /// library is missing.
  static Result<std::shared_ptr<Store>> Make(StoreUri uri, StoreOptions options = {});

  /// Makes a store over a file system: local, or one that stands for an object store. `clock` may
  /// be null.
  static std::shared_ptr<Store> Over(StoreUri uri, StoreOptions options,
                                     std::shared_ptr<arrow::fs::FileSystem> file_system,
                                     std::unique_ptr<RetryClock> clock = nullptr);

  /// The local file system.
  static std::shared_ptr<Store> Local();

  bool is_local() const { return uri_.is_local(); }
  const StoreUri& uri() const { return uri_; }

  /// Returns what people write for a path, as in "s3://bucket/prefix/file".
  std::string Describe(const std::string& path) const { return uri_.Describe(path); }

  /// Reads what the directories of a base hold: local ones when they are asked for, all objects
  /// with the prefix at once (of Azure: folder by folder). Errors: IOError when nothing is there,
  /// or it may not be seen.
  Result<std::unique_ptr<DirectoryReader>> ReadDirectories(const std::string& base);

  /// Tells whether there is a file or directory. Errors: IOError when that cannot be told.
  Result<bool> Exists(const std::string& path);

  /// Lists all files below a directory, paths as OpenFile takes them; none where nothing is there.
  /// Errors: IOError.
  Result<std::vector<std::string>> ListFiles(const std::string& directory);

  /// Begins to open files that will be opened next, each once, and to read their ends: with a store
  /// that is far away, one after the other takes long. What is too much is let go, by calls, the
  /// earliest first, and so is what a later listing may show another version of.
  void Prepare(const std::vector<std::string>& paths);

  /// Opens a file. One of an object store is asked for its size and version, unless it is small and
  /// was read whole since the last listing. All bytes that it gives out are of one version; where
  /// the store has another one by then, reading fails (IsReplaced). Errors: IOError.
  Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenFile(const std::string& path);

  /// Writes a whole file, which nobody sees before the store has all of it (Azure shows it empty
  /// until then), and asks for its size, where the keys allow that. One whose answer was lost is
  /// read and compared, if the keys allow that, before it is written again. Errors: IOError;
  /// whether the file can be seen then is not known.
  Status WriteFile(const std::string& path, const std::shared_ptr<arrow::Buffer>& bytes);

  /// Removes a file, also one that is not there. Errors: IOError.
  Status RemoveFile(const std::string& path);

  /// Tells whether a status of this store, whatever was added to it, stays as it is while nobody
  /// mends it: denied, not there, a wrong certificate. Of local files that is not told.
  bool Stays(const Status& status) const;

  /// Ends waits for requests that are to be made again; requests fail from now on, until Resume.
  void Stop() { context_->clock->Stop(); }
  void Resume() { context_->clock->Resume(); }

  /// How many bytes may be announced of files (RemoteFile::Announce), and how many of these yet.
  int64_t ahead_bytes() const { return options_.read.ahead_bytes; }
  int64_t ahead_left() const { return ahead_bytes() - context_->ahead_bytes; }

  /// What requests have cost. Of local files only those that were listed and looked at are counted.
  StoreCounts counts() const { return context_->counters.Now(); }

 private:
  Store(StoreUri uri, StoreOptions options, std::unique_ptr<RetryClock> clock);

  /// A file that was opened ahead, after a listing.
  struct Prepared {
    arrow::Future<std::shared_ptr<arrow::io::RandomAccessFile>> file;
    int64_t listing = 0;
    int64_t call = 0;  ///< of Prepare, from 1 on
  };

  Status Run(Operation operation, const std::function<Status()>& request);
  Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenNow(const std::string& path);
  Result<std::vector<arrow::fs::FileInfo>> ListBelow(const std::string& base, bool allow_not_found);
  Status CheckWritten(const std::string& path, int64_t num_bytes);
  bool HasArrived(const std::string& path, const arrow::Buffer& bytes);

  StoreUri uri_;
  StoreOptions options_;
  std::shared_ptr<RemoteContext> context_;
  std::shared_ptr<arrow::fs::FileSystem> file_system_;
  std::atomic<int64_t> listing_{
      0};  ///< rises when a listing begins and when it ends, and with every change
  std::mutex mutex_;
  std::unordered_map<std::string, Prepared> prepared_;
  std::atomic<int64_t> num_prepare_calls_{0};
};

}  // namespace df::storage
