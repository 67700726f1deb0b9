#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include <arrow/io/memory.h>
#include <fmt/format.h>

#include "base/logging.h"
#include "lake/write/file_store.h"
#include "lake/write/time_levels_marker.h"

namespace df::lake {
namespace {

/// Object stores differ in what can be seen of an upload under way, so it is one call that begins
/// when all bytes are there.
class ObjectFile final : public StagedFile {
 public:
  ObjectFile(std::shared_ptr<storage::Store> store, std::string path,
             std::shared_ptr<arrow::io::BufferOutputStream> bytes)
      : store_(std::move(store)),
        path_(std::move(path)),
        bytes_(bytes),
        stream_(std::move(bytes)) {}

  const std::shared_ptr<arrow::io::OutputStream>& stream() override { return stream_; }

  Status Sync() override { return Status::OK(); }

  Status Publish() override {
    const Location location{.file = path_};
    return WithContext(Put(), ErrorKind::kIo, location, /*retryable=*/true);
  }

  void Remove() override {
    if (!is_begun_) {
      return;
    }
    is_begun_ = false;
    if (const Status status = store_->RemoveFile(path_); !status.ok()) {
      LogWarning("cannot remove '{}': {}", path_, status.message());
    }
  }

 private:
  Status Put() {
    ARROW_ASSIGN_OR_RAISE(const auto buffer, bytes_->Finish());
    is_begun_ = true;
    return store_->WriteFile(path_, buffer);
  }

  std::shared_ptr<storage::Store> store_;
  std::string path_;
  std::shared_ptr<arrow::io::BufferOutputStream> bytes_;
  std::shared_ptr<arrow::io::OutputStream> stream_;
  bool is_begun_ = false;
};

class ObjectStore final : public FileStore {
 public:
  explicit ObjectStore(std::shared_ptr<storage::Store> store) : store_(std::move(store)) {}

  Result<std::unique_ptr<StagedFile>> Create(const std::string& directory,
                                             const std::string& name) override {
    ARROW_ASSIGN_OR_RAISE(auto bytes, arrow::io::BufferOutputStream::Create());
    return std::make_unique<ObjectFile>(
        store_, fmt::format("{}/{}/{}", store_->uri().path, directory, name), std::move(bytes));
  }

  Status MarkTimeLevels(const std::string& table) override {
    if (marked_.contains(table)) {
      return Status::OK();
    }
    const Status status = Mark(fmt::format("{}/{}", store_->uri().path, table));
    if (status.ok()) {
      marked_.insert(table);
    }
    return WithContext(status, ErrorKind::kIo, {.table = table}, /*retryable=*/true);
  }

  storage::StoreCounts counts() const override { return store_->counts(); }

  /// An upload that was not finished leaves nothing that could be listed here; of Azure an empty
  /// file may be left, which readers take for one that is still being written.
  Result<int64_t> RemoveStale() override { return 0; }

 private:
  Status Mark(const std::string& folder) {
    const std::string marker = fmt::format("{}/{}", folder, kTimeLevelsMarker);
    ARROW_ASSIGN_OR_RAISE(const bool is_marked, store_->Exists(marker));
    if (is_marked) {
      return Status::OK();
    }
    const std::string days = fmt::format("{}/{}", folder, kDayFolderPrefix);
    ARROW_ASSIGN_OR_RAISE(const auto files, store_->ListFiles(folder));
    if (std::any_of(files.begin(), files.end(),
                    [&](const std::string& path) { return path.starts_with(days); })) {
      NameUnmarkedLevels(store_->Describe(folder));
      return Status::OK();
    }
    return store_->WriteFile(marker, arrow::Buffer::FromString(std::string(kTimeLevelsText)));
  }

  std::shared_ptr<storage::Store> store_;
  std::set<std::string> marked_;  ///< tables whose folders were looked at
};

}  // namespace

std::unique_ptr<FileStore> MakeObjectStore(std::shared_ptr<storage::Store> store) {
  return std::make_unique<ObjectStore>(std::move(store));
}

}  // namespace df::lake
