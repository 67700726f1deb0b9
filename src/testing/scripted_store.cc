#include "testing/scripted_store.h"

#include <functional>
#include <stdexcept>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/util/key_value_metadata.h>
#include <fmt/format.h>

namespace df::testing {
namespace {

class ScriptedFile final : public arrow::io::RandomAccessFile {
 public:
  ScriptedFile(ScriptedStore* store, std::string path,
               std::shared_ptr<arrow::io::RandomAccessFile> file)
      : store_(store),
        path_(std::move(path)),
        file_(std::move(file)),
        version_(store->VersionOf(path_)) {}

  arrow::Result<int64_t> ReadAt(int64_t position, int64_t num_bytes, void* out) override {
    const arrow::Result<bool> asked = store_->Ask("read", path_);
    store_->Record({path_, position, num_bytes});
    const bool is_unsaid = asked.status().IsCancelled();
    ARROW_RETURN_NOT_OK(is_unsaid ? arrow::Status::OK() : asked.status());
    const bool is_short = is_unsaid || *asked;
    // As a request for a range does: of whatever is there now.
    ARROW_ASSIGN_OR_RAISE(const auto now, store_->OpenBytes(path_));
    if (position >= now->GetSize().ValueOrDie()) {
      return arrow::Status::IOError("AWS Error UNKNOWN (HTTP status 416) during GetObject");
    }
    ARROW_ASSIGN_OR_RAISE(const int64_t got,
                          now->ReadAt(position, is_short ? num_bytes / 2 : num_bytes, out));
    return is_unsaid ? num_bytes : got;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t, int64_t) override {
    return arrow::Status::NotImplemented("not asked for");
  }
  arrow::Result<int64_t> Read(int64_t, void*) override {
    return arrow::Status::NotImplemented("not asked for");
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t) override {
    return arrow::Status::NotImplemented("not asked for");
  }
  arrow::Result<std::shared_ptr<const arrow::KeyValueMetadata>> ReadMetadata() override {
    return arrow::key_value_metadata({{"ETag", version_}});
  }
  arrow::Result<int64_t> GetSize() override { return file_->GetSize(); }
  arrow::Result<int64_t> Tell() const override { return file_->Tell(); }
  arrow::Status Seek(int64_t position) override { return file_->Seek(position); }
  arrow::Status Close() override { return file_->Close(); }
  bool closed() const override { return file_->closed(); }

 private:
  ScriptedStore* store_;
  std::string path_;
  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  std::string version_;
};

/// Ends itself when it is destroyed, as the streams of stores do.
class ScriptedOutput final : public arrow::io::OutputStream {
 public:
  ScriptedOutput(ScriptedStore* store, std::string path,
                 std::shared_ptr<arrow::io::OutputStream> file)
      : store_(store), path_(std::move(path)), file_(std::move(file)) {}
  ~ScriptedOutput() override {
    if (!is_ended_) {
      static_cast<void>(Close());
    }
  }

  arrow::Status Write(const void* bytes, int64_t num_bytes) override {
    written_.append(static_cast<const char*>(bytes), static_cast<size_t>(num_bytes));
    return arrow::Status::OK();
  }
  using OutputStream::Write;
  arrow::Result<int64_t> Tell() const override { return std::ssize(written_); }
  arrow::Status Close() override {
    bool is_carried_out = false;
    const auto asked = store_->Ask("close", path_, &is_carried_out);
    if (!asked.ok() && !is_carried_out) {
      return asked.status();
    }
    is_ended_ = true;
    const bool is_short = asked.ok() && *asked;
    ARROW_RETURN_NOT_OK(file_->Write(written_.substr(0, written_.size() / (is_short ? 2 : 1))));
    ARROW_RETURN_NOT_OK(file_->Close());
    return asked.status();
  }
  arrow::Status Abort() override {
    is_ended_ = true;
    return file_->Close();
  }
  bool closed() const override { return is_ended_; }

 private:
  ScriptedStore* store_;
  std::string path_;
  std::shared_ptr<arrow::io::OutputStream> file_;
  std::string written_;
  bool is_ended_ = false;
};

}  // namespace

arrow::Result<bool> ScriptedStore::Ask(std::string_view operation, const std::string& path,
                                       bool* is_carried_out) {
  const Answer answer = script_(operation, path);
  if (is_carried_out != nullptr) {
    *is_carried_out = answer == Answer::kLost || answer == Answer::kAskedTwice;
  }
  switch (answer) {
    case Answer::kWhole:
      return false;
    case Answer::kFails:
    case Answer::kLost:
      return arrow::Status::IOError("AWS Error NETWORK_CONNECTION during a scripted request");
    case Answer::kThrottled:
      return arrow::Status::IOError("AWS Error SLOW_DOWN during a scripted request");
    case Answer::kDenied:
      return arrow::Status::IOError("AWS Error ACCESS_DENIED during a scripted request");
    case Answer::kShortUnsaid:
      return arrow::Status::Cancelled("short, unsaid");
    case Answer::kForgotten:
    case Answer::kAskedTwice:
      return arrow::Status::IOError("AWS Error NO_SUCH_UPLOAD (HTTP status 404) as scripted");
    case Answer::kThrows:
      throw std::runtime_error("as scripted");
    case Answer::kShort:
      break;
  }
  return true;
}

void ScriptedStore::Record(RangeRequest request) {
  const std::lock_guard lock(mutex_);
  requests_.push_back(std::move(request));
}

std::vector<RangeRequest> ScriptedStore::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

arrow::Result<arrow::fs::FileInfoVector> ScriptedStore::GetFileInfo(
    const arrow::fs::FileSelector& selector) {
  ARROW_RETURN_NOT_OK(Ask("list", selector.base_dir));
  return MockFileSystem::GetFileInfo(selector);
}

arrow::Result<arrow::fs::FileInfo> ScriptedStore::GetFileInfo(const std::string& path) {
  ARROW_RETURN_NOT_OK(Ask("look", path));
  return MockFileSystem::GetFileInfo(path);
}

arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> ScriptedStore::OpenBytes(
    const std::string& path) {
  return MockFileSystem::OpenInputFile(path);
}

std::string ScriptedStore::VersionOf(const std::string& path) {
  const auto file = OpenBytes(path).ValueOrDie();
  const auto bytes = file->ReadAt(0, file->GetSize().ValueOrDie()).ValueOrDie();
  return fmt::format("{:x}-{}", std::hash<std::string>()(bytes->ToString()), version_.load());
}

arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> ScriptedStore::OpenInputFile(
    const std::string& path) {
  ARROW_RETURN_NOT_OK(Ask("open", path));
  ARROW_ASSIGN_OR_RAISE(auto file, MockFileSystem::OpenInputFile(path));
  return std::make_shared<ScriptedFile>(this, path, std::move(file));
}

arrow::Result<std::shared_ptr<arrow::io::OutputStream>> ScriptedStore::OpenOutputStream(
    const std::string& path, const std::shared_ptr<const arrow::KeyValueMetadata>& metadata) {
  ARROW_RETURN_NOT_OK(Ask("write", path));
  ARROW_RETURN_NOT_OK(CreateDir(path.substr(0, path.find_last_of('/')), true));
  ARROW_ASSIGN_OR_RAISE(auto file, MockFileSystem::OpenOutputStream(path, metadata));
  return std::make_shared<ScriptedOutput>(this, path, std::move(file));
}

}  // namespace df::testing
