#include <memory>
#include <string>
#include <utility>

#include <arrow/filesystem/filesystem.h>
#include <arrow/io/memory.h>

#include "base/logging.h"
#include "lake/write/file_store.h"

namespace df::lake {
namespace {

/// Object stores differ in what can be seen of an upload under way, so it is one call that begins
/// when all bytes are there.
class ObjectFile final : public StagedFile {
 public:
  ObjectFile(std::shared_ptr<arrow::fs::FileSystem> file_system, std::string path,
             std::shared_ptr<arrow::io::BufferOutputStream> bytes)
      : file_system_(std::move(file_system)),
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
    if (const Status status = file_system_->DeleteFile(path_); !status.ok()) {
      LogWarning("cannot remove '{}': {}", path_, status.message());
    }
  }

 private:
  Status Put() {
    ARROW_ASSIGN_OR_RAISE(const auto buffer, bytes_->Finish());
    is_begun_ = true;
    ARROW_ASSIGN_OR_RAISE(const auto object, file_system_->OpenOutputStream(path_));
    ARROW_RETURN_NOT_OK(object->Write(buffer));
    return object->Close();
  }

  std::shared_ptr<arrow::fs::FileSystem> file_system_;
  std::string path_;
  std::shared_ptr<arrow::io::BufferOutputStream> bytes_;
  std::shared_ptr<arrow::io::OutputStream> stream_;
  bool is_begun_ = false;
};

class ObjectStore final : public FileStore {
 public:
  ObjectStore(std::shared_ptr<arrow::fs::FileSystem> file_system, std::string base)
      : file_system_(std::move(file_system)), base_(std::move(base)) {}

  Result<std::unique_ptr<StagedFile>> Create(const std::string& directory,
                                             const std::string& name) override {
    const std::string folder = base_ + "/" + directory;
    const Location location{.file = folder};
    ARROW_RETURN_NOT_OK(
        WithContext(file_system_->CreateDir(folder), ErrorKind::kIo, location, true));
    ARROW_ASSIGN_OR_RAISE(auto bytes, arrow::io::BufferOutputStream::Create());
    return std::make_unique<ObjectFile>(file_system_, folder + "/" + name, std::move(bytes));
  }

  /// An upload that was not finished leaves nothing that could be listed here.
  Result<int64_t> RemoveStale() override { return 0; }

 private:
  std::shared_ptr<arrow::fs::FileSystem> file_system_;
  std::string base_;
};

}  // namespace

std::unique_ptr<FileStore> MakeObjectStore(std::shared_ptr<arrow::fs::FileSystem> file_system,
                                           std::string base) {
  return std::make_unique<ObjectStore>(std::move(file_system), std::move(base));
}

}  // namespace df::lake
