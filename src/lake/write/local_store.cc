#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/io/file.h>
#include <arrow/io/interfaces.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/durable_file.h"
#include "base/logging.h"
#include "lake/write/file_store.h"
#include "lake/write/time_levels_marker.h"
#include "lake/write/unfinished_sets.h"
#include "otap/schema.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStagedPrefix = ".part-";
constexpr std::string_view kStagedSuffix = ".parquet.tmp";
constexpr int kMaxDepth = 8;
constexpr int kMaxAttempts = 3;
constexpr mode_t kFilePermissions = 0666;  // less the mask of the process

/// Takes bytes straight to the file: those who write Parquet hand over whole pages.
class DescriptorStream final : public arrow::io::OutputStream {
 public:
  DescriptorStream(FileCalls* calls, int descriptor, fs::path path)
      : calls_(calls), descriptor_(descriptor), path_(std::move(path)) {}
  ~DescriptorStream() override {
    if (!is_closed_) {
      calls_->Close(descriptor_);
    }
  }

  using Writable::Write;
  Status Write(const void* data, int64_t size) override {
    if (is_closed_) {
      return Status::Invalid("the file is closed");
    }
    const std::string_view bytes(static_cast<const char*>(data), static_cast<size_t>(size));
    ARROW_RETURN_NOT_OK(WriteAll(calls_, descriptor_, path_, bytes));
    position_ += size;
    return Status::OK();
  }
  Status Sync() {
    const int error = calls_->Sync(descriptor_);
    return error < 0 ? FileError(path_, "cannot fsync", error) : Status::OK();
  }
  Status Close() override {
    if (std::exchange(is_closed_, true)) {
      return Status::OK();
    }
    const int error = calls_->Close(descriptor_);
    return error < 0 ? FileError(path_, "cannot close", error) : Status::OK();
  }
  Result<int64_t> Tell() const override { return position_; }
  bool closed() const override { return is_closed_; }

 private:
  FileCalls* calls_;
  int descriptor_;
  fs::path path_;
  int64_t position_ = 0;
  bool is_closed_ = false;
};

class LocalFile final : public StagedFile {
 public:
  LocalFile(FileCalls* calls, fs::path staged, fs::path final)
      : calls_(calls), staged_(std::move(staged)), final_(std::move(final)) {}

  ~LocalFile() override {
    if (!is_published_) {
      Remove();
    }
  }

  Status Open() {
    const int descriptor =
        calls_->Open(staged_.string(), O_WRONLY | O_CREAT | O_EXCL, kFilePermissions);
    if (descriptor < 0) {
      is_removed_ = true;
      return FileError(staged_, "cannot create", descriptor);
    }
    auto stream = std::make_shared<DescriptorStream>(calls_, descriptor, staged_);
    // The lock tells others that the file is not stale. Whoever looked between the two calls may
    // have taken it for that, so it must still have its name.
    FileFacts facts;
    int error = calls_->Lock(descriptor, FileLock::kExclusive);
    if (error >= 0) {
      error = calls_->Stat(descriptor, &facts);
    }
    if (error < 0 || facts.num_links == 0) {
      return FileError(staged_, "cannot lock", error < 0 ? error : ENOENT);
    }
    descriptor_stream_ = stream.get();
    stream_ = std::move(stream);
    return Status::OK();
  }

  const std::shared_ptr<arrow::io::OutputStream>& stream() override { return stream_; }

  Status Sync() override { return descriptor_stream_->Sync(); }

  Result<std::shared_ptr<arrow::io::RandomAccessFile>> ReadBack() override {
    auto file = arrow::io::ReadableFile::Open(staged_.string());
    ARROW_RETURN_NOT_OK(
        WithContext(file.status(), ErrorKind::kIo, {.file = staged_.string()}, true));
    return *std::move(file);
  }

  Status Publish() override {
    if (const int error = calls_->Rename(staged_.string(), final_.string()); error < 0) {
      return FileError(staged_, "cannot rename", error);
    }
    is_renamed_ = true;
    ARROW_RETURN_NOT_OK(SyncDirectory(calls_, final_.parent_path()));
    ARROW_RETURN_NOT_OK(stream_->Close());  // and with it goes the lock
    is_published_ = true;
    return Status::OK();
  }

  void Remove() override {
    if (std::exchange(is_removed_, true)) {
      return;
    }
    const fs::path& path = is_renamed_ ? final_ : staged_;
    if (const int error = calls_->Unlink(path.string()); error < 0 && error != -ENOENT) {
      LogWarning("cannot remove '{}': {}", path.string(), std::strerror(-error));
    }
    if (stream_ != nullptr && !stream_->closed() && !stream_->Close().ok()) {
      LogWarning("cannot close '{}'", path.string());
    }
  }

 private:
  FileCalls* calls_;
  fs::path staged_;
  fs::path final_;
  DescriptorStream* descriptor_stream_ = nullptr;
  std::shared_ptr<arrow::io::OutputStream> stream_;  ///< the same
  bool is_renamed_ = false;
  bool is_published_ = false;
  bool is_removed_ = false;
};

/// Removes what writers have left that ended before they published.
class StaleFiles {
 public:
  explicit StaleFiles(const fs::path& base) : base_(base), sets_(base) {}
  Status RemoveBelow(const fs::path& path, int depth);
  int64_t num_removed() const { return num_removed_; }

 private:
  Status RemoveIfStale(const fs::path& path);

  const fs::path& base_;
  UnfinishedSets sets_;
  int64_t num_removed_ = 0;
};

/// Removes a staged file that nobody has locked, behind what was published of its set: if this is
/// killed too, the next one finds it again.
Status StaleFiles::RemoveIfStale(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) {
    return Status::OK();
  }
  Status status;
  if (flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
    const auto of_set = sets_.RemoveSetOf(path.lexically_relative(base_));
    num_removed_ += of_set.ValueOr(0);
    status = of_set.status();
    num_removed_ += unlink(path.c_str()) == 0 ? 1 : 0;
  }
  close(descriptor);
  return status;
}

Status StaleFiles::RemoveBelow(const fs::path& path, int depth) {
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
      ARROW_RETURN_NOT_OK(RemoveBelow(entries->path(), depth + 1));
    } else if (fs::is_regular_file(status) && name.starts_with(kStagedPrefix) &&
               name.ends_with(kStagedSuffix)) {
      ARROW_RETURN_NOT_OK(RemoveIfStale(entries->path()));
    }
  }
  return error ? FileError(path, "cannot list", error.value()) : Status::OK();
}

class LocalStore final : public FileStore {
 public:
  LocalStore(fs::path base, FileCalls* calls)
      : base_(std::move(base)), calls_(calls), folders_(calls) {}

  Result<std::unique_ptr<StagedFile>> Create(const std::string& directory,
                                             const std::string& name) override {
    const fs::path folder = base_ / directory;
    Status status;
    // Another engine that starts may take the file for stale before it is locked, and people remove
    // folders.
    for (int attempt = 0; attempt < kMaxAttempts; ++attempt) {
      ARROW_RETURN_NOT_OK(folders_.Make(folder));
      auto file =
          std::make_unique<LocalFile>(calls_, folder / ("." + name + ".tmp"), folder / name);
      status = file->Open();
      if (status.ok()) {
        return file;
      }
      folders_.Forget();
    }
    return status;
  }

  Status MarkTimeLevels(const std::string& table) override {
    const fs::path folder = base_ / table;
    const fs::path marker = folder / kTimeLevelsMarker;
    std::error_code error;
    // People remove folders, so it is looked at each time.
    if (fs::exists(marker, error)) {
      return Status::OK();
    }
    fs::directory_iterator entries(folder, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
      if (entries->path().filename().string().starts_with(kDayFolderPrefix)) {
        if (unmarked_.insert(table).second) {
          NameUnmarkedLevels(folder.string());
        }
        return Status::OK();
      }
    }
    if (error && error != std::errc::no_such_file_or_directory) {
      return FileError(folder, "cannot list", error.value());
    }
    ARROW_RETURN_NOT_OK(folders_.Make(folder));
    return ReplaceFile(calls_, marker, kTimeLevelsText);
  }

  Status Prove() override {
    // Stores of several pipelines may do so at the same time. Both names are those of stale files,
    // should the process be killed in between.
    static std::atomic<uint64_t> number{0};
    const std::string name = fmt::format("{}proof-{}-{}", kStagedPrefix, getpid(), ++number);
    if (const Status made = folders_.Make(base_); !made.ok()) {
      return made.WithMessage(
          fmt::format("'{}' cannot be made durable: {}", base_.string(), made.message()));
    }
    LocalFile file(calls_, base_ / fmt::format("{}-a{}", name, kStagedSuffix),
                   base_ / fmt::format("{}-b{}", name, kStagedSuffix));
    ARROW_RETURN_NOT_OK(file.Open());
    Status status = file.stream()->Write("df_engine can write here", 24);
    if (status.ok()) {
      status = file.Sync();
    }
    if (status.ok()) {
      status = file.Publish();
    }
    file.Remove();
    return status;
  }

  std::optional<std::string> local_base() const override { return base_.string(); }

  Result<int64_t> RemoveStale() override {
    StaleFiles stale(base_);
    ARROW_RETURN_NOT_OK(stale.RemoveBelow(base_, kMaxDepth));
    for (const otap::TableInfo& table : otap::AllTables()) {
      ARROW_RETURN_NOT_OK(stale.RemoveBelow(base_ / table.directory, 0));
    }
    return stale.num_removed();
  }

 private:
  fs::path base_;
  FileCalls* calls_;
  DurableFolders folders_;
  std::set<std::string> unmarked_;  ///< tables that were named
};

}  // namespace

std::unique_ptr<FileStore> MakeLocalStore(std::string base, FileCalls* calls) {
  return std::make_unique<LocalStore>(std::move(base), calls);
}

}  // namespace df::lake
