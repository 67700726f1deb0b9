#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "app/receipt.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;

Status Failure(const std::string& path, std::string_view what) {
  return Status::IOError(
      fmt::format("receipt {}: cannot be {}: {}", path, what, std::strerror(errno)));
}

/// A descriptor that is closed at the end.
class OpenFile {
 public:
  OpenFile(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0666)) {}
  ~OpenFile() {
    if (fd_ >= 0) {
      close(fd_);
    }
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  int fd() const { return fd_; }

  bool Write(std::string_view text) const {
    while (!text.empty()) {
      const ssize_t size = write(fd_, text.data(), text.size());
      if (size < 0 && errno == EINTR) {
        continue;
      }
      if (size < 0) {
        return false;
      }
      text.remove_prefix(static_cast<size_t>(size));
    }
    return true;
  }

 private:
  int fd_;
};

std::string TemporaryName(const std::string& path) {
  return fmt::format("{}.tmp-{}", path, getpid());
}

std::string FolderOf(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

}  // namespace

Result<ReceiptFile> ReceiptFile::Make(const std::string& path) {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);  // of a link its target, where there is one
  const std::string target = error ? path : real.string();
  const fs::file_status status = fs::status(target, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    errno = EISDIR;
    if (fs::is_directory(status) || access(target.c_str(), W_OK) != 0) {
      return Failure(path, "written");
    }
    return ReceiptFile(target, false);
  }
  const std::string temporary = TemporaryName(target);
  if (OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC).fd() < 0) {
    return Failure(path, "written");
  }
  unlink(temporary.c_str());
  return ReceiptFile(target, true);
}

Status ReceiptFile::Write(std::string_view text) const {
  const std::string name = is_replaced_ ? TemporaryName(path_) : path_;
  {
    const OpenFile file(name, O_WRONLY | (is_replaced_ ? O_CREAT | O_TRUNC : 0));
    const bool is_written = file.fd() >= 0 && file.Write(text);
    if (!is_written || (is_replaced_ && fsync(file.fd()) != 0)) {
      const Status failure = Failure(path_, "written");
      if (is_replaced_) {
        unlink(name.c_str());
      }
      return failure;
    }
  }
  if (!is_replaced_) {
    return Status::OK();
  }
  if (rename(name.c_str(), path_.c_str()) != 0) {
    const Status failure = Failure(path_, "put in place");
    unlink(name.c_str());
    return failure;
  }
  const OpenFile folder(FolderOf(path_), O_RDONLY | O_DIRECTORY);
  if (folder.fd() < 0 || fsync(folder.fd()) != 0) {
    return Failure(path_, "made durable");
  }
  return Status::OK();
}

}  // namespace df::app
