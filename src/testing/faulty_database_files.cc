#include "testing/faulty_database_files.h"

#include <atomic>
#include <list>
#include <mutex>

#include <sqlite3.h>

namespace df::testing {
namespace {

constexpr const char* kName = "df-faulty";

/// Methods of a file, and those that they stand before. SQLite sees the first part.
struct Methods {
  sqlite3_io_methods faulty;
  const sqlite3_io_methods* real;
};

std::atomic<int> write_code = SQLITE_OK;
sqlite3_vfs* real_files = nullptr;
sqlite3_vfs faulty_files;

int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  const int code = write_code;
  return code != SQLITE_OK ? code
                           : reinterpret_cast<const Methods*>(file->pMethods)
                                 ->real->xWrite(file, bytes, size, offset);
}

/// Files of one kind share their methods; so do those that stand before them.
const sqlite3_io_methods* Before(const sqlite3_io_methods* real) {
  static std::mutex mutex;
  static std::list<Methods> known;
  const std::lock_guard lock(mutex);
  for (const Methods& methods : known) {
    if (methods.real == real) {
      return &methods.faulty;
    }
  }
  known.push_back({*real, real});
  known.back().faulty.xWrite = Write;
  return &known.back().faulty;
}

int Open(sqlite3_vfs* /*files*/, const char* name, sqlite3_file* file, int flags, int* opened) {
  const int code = real_files->xOpen(real_files, name, file, flags, opened);
  if (code == SQLITE_OK && file->pMethods != nullptr) {
    file->pMethods = Before(file->pMethods);
  }
  return code;
}

}  // namespace

FaultyDatabaseFiles::FaultyDatabaseFiles() {
  write_code = SQLITE_OK;
  real_files = sqlite3_vfs_find(nullptr);
  faulty_files = *real_files;
  faulty_files.zName = kName;
  faulty_files.xOpen = Open;
  sqlite3_vfs_register(&faulty_files, /*makeDflt=*/1);
}

FaultyDatabaseFiles::~FaultyDatabaseFiles() {
  sqlite3_vfs_unregister(&faulty_files);
  sqlite3_vfs_register(real_files, /*makeDflt=*/1);
}

void FaultyDatabaseFiles::FailWrites(int code) { write_code = code; }

}  // namespace df::testing
