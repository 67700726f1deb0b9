// What a replay has delivered, kept in a file from process to process.
#pragma once

#include <cstdint>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "lake/catalog/database.h"
#include "lake/ledger/file_ledger.h"

namespace df::lake {

/// What a checkpoint is of: with another base or selection it says nothing.
struct CheckpointSubject {
  std::string base;       ///< as CanonicalBase
  std::string selection;  ///< its fingerprint; "" for everything
};

/// A SQLite database, <directory>/<name>.sqlite, and <name>.lock beside it, which is locked as long
/// as this lives. Calls: from one thread at a time, blocking on the file system.
class Checkpoint {
 public:
  /// Letters, digits, '.', '_' and '-', at most 100, not beginning with '.'.
  static bool IsName(std::string_view name);

  /// Opens a checkpoint, a new one where there is none. Folders are made, for the user alone.
  /// Errors: io, a passing one where another process has it; Invalid where it is of another
  /// subject, of a newer version, or damaged: it stays as it is.
  static Result<std::unique_ptr<Checkpoint>> Open(const std::string& directory,
                                                  const std::string& name,
                                                  const CheckpointSubject& subject);
  ~Checkpoint();
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  /// Reads what was saved. Errors: io; Invalid where an entry cannot be read, naming it.
  Result<std::vector<DeliveredFile>> Load() const;

  /// Saves changes, all or none: when it returns OK they are durable. Files are told by their
  /// numbers. Files whose names are not UTF-8 are left out, and counted in num_left_out(): they are
  /// sent again. Errors: io; the same changes may be saved again.
  Status Save(const FileLedger::Changes& changes);

  int64_t num_left_out() const { return std::ssize(left_out_); }
  const std::string& path() const { return path_; }

 private:
  Checkpoint(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  Status Prepare(const CheckpointSubject& subject);
  Status CheckSubject(const CheckpointSubject& subject) const;
  Status Write(const FileLedger::Changes& changes);

  std::string path_;
  int lock_;
  std::unique_ptr<Database> database_;
  std::set<int64_t> left_out_;  ///< numbers of files
};

}  // namespace df::lake
