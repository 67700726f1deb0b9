#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/io/file.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/logging.h"
#include "lake/write/file_store.h"
#include "otap/schema.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStagedPrefix = ".part-";
constexpr std::string_view kStagedSuffix = ".parquet.tmp";
constexpr int kMaxDepth = 8;
constexpr int kMaxAttempts = 3;

Status IoError(const fs::path& path, std::string_view what, int error) {
  return MakeError(ErrorKind::kIo,
                   fmt::format("'{}': {}: {}", path.string(), what, std::strerror(error)), {},
                   /*retryable=*/true);
}

Status AsIo(const Status& status) { return WithContext(status, ErrorKind::kIo, {}, true); }

Status SyncDirectory(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    return IoError(path, "cannot open", errno);
  }
  const int error = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  return error == 0 ? Status::OK() : IoError(path, "cannot fsync", error);
}

/// Makes a folder and those above it; each is durable when the call returns.
Status MakeDirectories(const fs::path& path) {
  if (path.empty() || mkdir(path.c_str(), 0777) == 0) {
    return path.empty() ? Status::OK()
                        : SyncDirectory(path.has_parent_path() ? path.parent_path() : ".");
  }
  if (errno == EEXIST) {
    return Status::OK();
  }
  if (errno != ENOENT || path == path.parent_path()) {
    return IoError(path, "cannot create", errno);
  }
  ARROW_RETURN_NOT_OK(MakeDirectories(path.parent_path()));
  if (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
    return IoError(path, "cannot create", errno);
  }
  return SyncDirectory(path.has_parent_path() ? path.parent_path() : ".");
}

class LocalFile final : public StagedFile {
 public:
  LocalFile(fs::path staged, fs::path final)
      : staged_(std::move(staged)), final_(std::move(final)) {}

  ~LocalFile() override {
    if (!is_published_) {
      Remove();
    }
  }

  Status Open() {
    const int descriptor = open(staged_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0) {
      is_removed_ = true;
      return IoError(staged_, "cannot create", errno);
    }
    // The lock tells others that the file is not stale. Whoever looked between the two calls may
    // have taken it for that, so it must still have its name.
    struct stat facts{};
    if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 || fstat(descriptor, &facts) != 0 ||
        facts.st_nlink == 0) {
      const int error = errno;
      close(descriptor);
      return IoError(staged_, "cannot lock", error);
    }
    auto stream = arrow::io::FileOutputStream::Open(descriptor);
    if (!stream.ok()) {
      close(descriptor);
      return AsIo(stream.status());
    }
    descriptor_ = descriptor;
    stream_ = std::move(*stream);
    return Status::OK();
  }

  const std::shared_ptr<arrow::io::OutputStream>& stream() override { return stream_; }

  Status Sync() override {
    ARROW_RETURN_NOT_OK(AsIo(stream_->Flush()));
    return fsync(descriptor_) == 0 ? Status::OK() : IoError(staged_, "cannot fsync", errno);
  }

  Status Publish() override {
    if (rename(staged_.c_str(), final_.c_str()) != 0) {
      return IoError(staged_, "cannot rename", errno);
    }
    is_renamed_ = true;
    ARROW_RETURN_NOT_OK(SyncDirectory(final_.parent_path()));
    ARROW_RETURN_NOT_OK(AsIo(stream_->Close()));  // and with it goes the lock
    is_published_ = true;
    return Status::OK();
  }

  void Remove() override {
    if (std::exchange(is_removed_, true)) {
      return;
    }
    const fs::path& path = is_renamed_ ? final_ : staged_;
    if (unlink(path.c_str()) != 0 && errno != ENOENT) {
      LogWarning("cannot remove '{}': {}", path.string(), std::strerror(errno));
    }
    if (stream_ != nullptr && !stream_->closed() && !stream_->Close().ok()) {
      LogWarning("cannot close '{}'", path.string());
    }
  }

 private:
  fs::path staged_;
  fs::path final_;
  int descriptor_ = -1;  ///< of the stream
  std::shared_ptr<arrow::io::OutputStream> stream_;
  bool is_renamed_ = false;
  bool is_published_ = false;
  bool is_removed_ = false;
};

/// Removes a staged file that nobody has locked; returns whether it did.
bool RemoveIfStale(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) {
    return false;
  }
  const bool is_removed = flock(descriptor, LOCK_EX | LOCK_NB) == 0 && unlink(path.c_str()) == 0;
  close(descriptor);
  return is_removed;
}

Status RemoveStaleBelow(const fs::path& path, int depth, int64_t* num_removed) {
  std::error_code error;
  fs::directory_iterator entries(path, error);
  if (error.value() == ENOENT) {
    return Status::OK();
  }
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    std::error_code ignored;
    const fs::file_status status = entries->symlink_status(ignored);
    if (fs::is_directory(status) && depth < kMaxDepth) {
      ARROW_RETURN_NOT_OK(RemoveStaleBelow(entries->path(), depth + 1, num_removed));
    } else if (fs::is_regular_file(status) && name.starts_with(kStagedPrefix) &&
               name.ends_with(kStagedSuffix)) {
      *num_removed += RemoveIfStale(entries->path()) ? 1 : 0;
    }
  }
  return error ? IoError(path, "cannot list", error.value()) : Status::OK();
}

class LocalStore final : public FileStore {
 public:
  explicit LocalStore(fs::path base) : base_(std::move(base)) {}

  Result<std::unique_ptr<StagedFile>> Create(const std::string& directory,
                                             const std::string& name) override {
    const fs::path folder = base_ / directory;
    ARROW_RETURN_NOT_OK(MakeDirectories(folder));
    Status status;
    // Another engine that starts may take the file for stale before it is locked.
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      auto file = std::make_unique<LocalFile>(folder / ("." + name + ".tmp"), folder / name);
      status = file->Open();
      if (status.ok()) {
        return file;
      }
    }
    return status;
  }

  Result<int64_t> RemoveStale() override {
    int64_t num_removed = 0;
    for (const otap::TableInfo& table : otap::AllTables()) {
      ARROW_RETURN_NOT_OK(RemoveStaleBelow(base_ / table.directory, 0, &num_removed));
    }
    return num_removed;
  }

 private:
  fs::path base_;
};

}  // namespace

std::unique_ptr<FileStore> MakeLocalStore(std::string base) {
  return std::make_unique<LocalStore>(std::move(base));
}

}  // namespace df::lake
