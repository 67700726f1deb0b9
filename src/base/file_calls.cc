#include "base/file_calls.h"

#include <array>
#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace df {
namespace {

template <typename Number>
Number OrError(Number result) {
  return result < 0 ? static_cast<Number>(-errno) : result;
}

iovec Part(std::string_view bytes) {
  // writev reads only; its interface is older than const.
  return {const_cast<char*>(bytes.data()), bytes.size()};
}

class PosixCalls final : public FileCalls {
 public:
  int Open(const std::string& path, int flags, mode_t permissions) override {
    return OrError(open(path.c_str(), flags | O_CLOEXEC, permissions));
  }
  int Close(int descriptor) override { return OrError(close(descriptor)); }
  int64_t Write(int descriptor, std::string_view first, std::string_view second) override {
    const std::array parts = {Part(first), Part(second)};
    return OrError(int64_t{writev(descriptor, parts.data(), static_cast<int>(parts.size()))});
  }
  int64_t ReadAt(int descriptor, char* buffer, size_t size, int64_t offset) override {
    return OrError(int64_t{pread(descriptor, buffer, size, offset)});
  }
  int Sync(int descriptor) override { return OrError(fsync(descriptor)); }
  int Truncate(int descriptor, int64_t size_bytes) override {
    return OrError(ftruncate(descriptor, size_bytes));
  }
  int Stat(int descriptor, FileFacts* facts) override {
    struct stat found{};
    if (fstat(descriptor, &found) != 0) {
      return -errno;
    }
    facts->size_bytes = found.st_size;
    facts->num_links = static_cast<int64_t>(found.st_nlink);
    facts->is_regular = S_ISREG(found.st_mode);
    return 0;
  }
  int Lock(int descriptor, FileLock lock) override {
    return OrError(flock(descriptor, (lock == FileLock::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB));
  }
  int MakeDirectory(const std::string& path, mode_t permissions) override {
    return OrError(mkdir(path.c_str(), permissions));
  }
  int Rename(const std::string& from, const std::string& to) override {
    return OrError(rename(from.c_str(), to.c_str()));
  }
  int Unlink(const std::string& path) override { return OrError(unlink(path.c_str())); }
};

}  // namespace

FileCalls& SystemFileCalls() {
  static PosixCalls calls;
  return calls;
}

}  // namespace df
