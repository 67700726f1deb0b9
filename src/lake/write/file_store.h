// Where files are written: whole and durable, or not at all.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <arrow/io/type_fwd.h>

#include "base/error.h"
#include "base/file_calls.h"
#include "storage/store.h"

namespace df::lake {

/// A file that nobody sees yet. Owner: one that was not published is removed when it falls.
class StagedFile {
 public:
  virtual ~StagedFile() = default;

  /// Takes the bytes of the file, front to back.
  virtual const std::shared_ptr<arrow::io::OutputStream>& stream() = 0;

  /// Returns once every byte is where a crash cannot take it, as far as the storage can promise
  /// that before the file has its name. Errors: kind io, retryable.
  virtual Status Sync() = 0;

  /// Opens the bytes for reading, after Sync and before Publish. Errors: kind io; NotImplemented
  /// where the storage has no such place.
  virtual Result<std::shared_ptr<arrow::io::RandomAccessFile>> ReadBack() {
    return Status::NotImplemented("files that are not published cannot be read");
  }

  /// Gives the file its name, durably. Needs Sync. Errors: kind io, retryable; whether the file can
  /// be seen then is not known.
  virtual Status Publish() = 0;

  /// Takes the file back, also one that was published. What cannot be removed is logged.
  virtual void Remove() = 0;
};

/// Calls: from one thread at a time.
class FileStore {
 public:
  virtual ~FileStore() = default;

  /// Makes a file below the base, with its folders. `directory` is relative, `name` ends in
  /// .parquet. Errors: kind io, retryable.
  virtual Result<std::unique_ptr<StagedFile>> Create(const std::string& directory,
                                                     const std::string& name) = 0;

  /// Makes sure that folders of times below a table can be trusted (kTimeLevelsMarker), before one
  /// is made: the folder of the table says so, or has no folder date=.. of somebody else. Where it
  /// has, readers look into all of them; that is logged once. Errors: kind io, retryable.
  virtual Status MarkTimeLevels(const std::string& /*table*/) { return Status::OK(); }

  /// Proves that files can be made here: makes one that no reader takes for data, with the base if
  /// need be, writes, syncs and renames it, and removes it. A store that cannot take back what it
  /// has written proves nothing. Errors: kind io.
  virtual Status Prove() { return Status::OK(); }

  /// The folder of a store that is on the local file system.
  virtual std::optional<std::string> local_base() const { return std::nullopt; }

  /// What requests have cost so far; zeros where files need none. Calls: from any thread.
  virtual storage::StoreCounts counts() const { return {}; }

  /// Removes what writers left behind that ended before they published a set of files, also those
  /// of its files that have their names. Returns how many files. Errors: kind io; what could be
  /// removed is gone.
  virtual Result<int64_t> RemoveStale() = 0;
};

/// Makes the store of a tree. Errors: kind config.
Result<std::unique_ptr<FileStore>> MakeFileStore(const storage::StoreUri& uri,
                                                 const storage::StoreOptions& options = {});

/// Files of the local file system: written under a name that starts with a dot and ends in .tmp,
/// fsynced, renamed, and the folder fsynced. A file under way is locked (flock): one that is not is
/// stale. `calls` is borrowed.
std::unique_ptr<FileStore> MakeLocalStore(std::string base, FileCalls* calls = &SystemFileCalls());

/// Files of an object store: held in memory, and put in one go when they are published.
std::unique_ptr<FileStore> MakeObjectStore(std::shared_ptr<storage::Store> store);

}  // namespace df::lake
