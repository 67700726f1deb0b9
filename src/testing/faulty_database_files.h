// Files of SQLite databases that cannot be written while a test says so.
#pragma once

namespace df::testing {

/// Stands between SQLite and the files of every database of the process that is opened while this
/// lives. One at a time. Databases are closed before it goes.
class FaultyDatabaseFiles {
 public:
  FaultyDatabaseFiles();
  ~FaultyDatabaseFiles();
  FaultyDatabaseFiles(const FaultyDatabaseFiles&) = delete;
  FaultyDatabaseFiles& operator=(const FaultyDatabaseFiles&) = delete;

  /// What every write answers from now on: a code of SQLite, such as SQLITE_FULL (a full disk) or
  /// SQLITE_IOERR_WRITE; SQLITE_OK writes. Calls: from any thread.
  void FailWrites(int code);
};

}  // namespace df::testing
