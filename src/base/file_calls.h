// The calls to the operating system that bring files to the disk, behind an interface: tests let
// any of them fail, and look at what a crash between any two of them would leave.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <sys/types.h>

namespace df {

/// What fstat says of an open file.
struct FileFacts {
  int64_t size_bytes = 0;
  int64_t num_links = 0;
  bool is_regular = false;
};

enum class FileLock : uint8_t { kShared, kExclusive };

/// As the calls of POSIX, but for the result: what they return, or -errno. None is repeated when a
/// signal interrupts it. Calls: from any thread, one at a time for each descriptor.
class FileCalls {
 public:
  virtual ~FileCalls() = default;

  virtual int Open(const std::string& path, int flags, mode_t permissions) = 0;
  virtual int Close(int descriptor) = 0;
  /// Writes both parts as one, or the beginning of them.
  virtual int64_t Write(int descriptor, std::string_view first, std::string_view second) = 0;
  virtual int64_t ReadAt(int descriptor, char* buffer, size_t size, int64_t offset) = 0;
  virtual int Sync(int descriptor) = 0;
  virtual int Truncate(int descriptor, int64_t size_bytes) = 0;
  virtual int Stat(int descriptor, FileFacts* facts) = 0;
  /// Does not wait: -EWOULDBLOCK where another has the lock.
  virtual int Lock(int descriptor, FileLock lock) = 0;
  virtual int MakeDirectory(const std::string& path, mode_t permissions) = 0;
  virtual int Rename(const std::string& from, const std::string& to) = 0;
  virtual int Unlink(const std::string& path) = 0;
};

/// The operating system.
FileCalls& SystemFileCalls();

}  // namespace df
