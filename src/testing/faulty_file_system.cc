#include "testing/faulty_file_system.h"

#include <string>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>

namespace df::testing {
namespace {

arrow::Status Fault() { return arrow::Status::IOError("Input/output error"); }

class FaultyFile final : public arrow::io::RandomAccessFile {
 public:
  FaultyFile(std::shared_ptr<arrow::io::RandomAccessFile> file, ReadFaults* faults)
      : file_(std::move(file)), faults_(faults) {}

  arrow::Status Close() override { return file_->Close(); }
  bool closed() const override { return file_->closed(); }
  arrow::Result<int64_t> Tell() const override { return file_->Tell(); }
  arrow::Status Seek(int64_t position) override { return file_->Seek(position); }
  arrow::Result<int64_t> GetSize() override {
    return faults_->Next() && faults_->form == ReadFaults::Form::kError ? Fault()
                                                                        : file_->GetSize();
  }
  arrow::Result<int64_t> Read(int64_t size, void* out) override {
    ARROW_ASSIGN_OR_RAISE(size, Allowed(size));
    return file_->Read(size, out);
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t size) override {
    ARROW_ASSIGN_OR_RAISE(size, Allowed(size));
    return file_->Read(size);
  }
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t size, void* out) override {
    ARROW_ASSIGN_OR_RAISE(size, Allowed(size));
    return file_->ReadAt(position, size, out);
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position, int64_t size) override {
    const int64_t call = faults_->num_calls;
    ARROW_ASSIGN_OR_RAISE(size, Allowed(size));
    ARROW_ASSIGN_OR_RAISE(auto bytes, file_->ReadAt(position, size));
    const bool fails = call >= faults_->first && call - faults_->first < faults_->count;
    return fails && faults_->form == ReadFaults::Form::kFlipped ? Flip(*bytes, call) : bytes;
  }

 private:
  /// How many of the bytes asked for may be read.
  arrow::Result<int64_t> Allowed(int64_t size) {
    if (!faults_->Next()) {
      return size;
    }
    switch (faults_->form) {
      case ReadFaults::Form::kShort:
        return size / 2;
      case ReadFaults::Form::kFlipped:
        return size;
      case ReadFaults::Form::kError:
        break;
    }
    return Fault();
  }

  static std::shared_ptr<arrow::Buffer> Flip(const arrow::Buffer& bytes, int64_t call) {
    std::string text = bytes.ToString();
    const size_t from = text.size() * static_cast<size_t>(call * 37 % 100) / 100;
    const size_t at = text.find(std::string(64, ReadFaults::kFiller), from);
    if (at != std::string::npos) {
      text[at + 32] ^= 1;
    }
    return arrow::Buffer::FromString(std::move(text));
  }

  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  ReadFaults* faults_;
};

}  // namespace

bool ReadFaults::Next() {
  const int64_t call = num_calls++;
  const bool fails = call >= first && call - first < count;
  num_failed += fails ? 1 : 0;
  return fails;
}

arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> FaultyFileSystem::OpenInputFile(
    const std::string& path) {
  if (faults_->Next() && faults_->form == ReadFaults::Form::kError) {
    return Fault();
  }
  ARROW_ASSIGN_OR_RAISE(auto file, arrow::fs::LocalFileSystem::OpenInputFile(path));
  return std::make_shared<FaultyFile>(std::move(file), faults_);
}

}  // namespace df::testing
