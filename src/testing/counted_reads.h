// Counts what is read of files, for tests of how little that is.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <arrow/filesystem/localfs.h>
#include <arrow/io/interfaces.h>

#include "storage/store.h"

namespace df::testing {

/// Passes everything on to another file, and adds the bytes that it gives to a sum.
class CountedFile final : public arrow::io::RandomAccessFile {
 public:
  CountedFile(std::shared_ptr<arrow::io::RandomAccessFile> file,
              std::shared_ptr<std::atomic<int64_t>> num_bytes)
      : file_(std::move(file)), num_bytes_(std::move(num_bytes)) {}

  using RandomAccessFile::ReadAt;
  arrow::Result<int64_t> ReadAt(int64_t position, int64_t num_bytes, void* out) override {
    return Count(file_->ReadAt(position, num_bytes, out));
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position,
                                                       int64_t num_bytes) override {
    auto bytes = file_->ReadAt(position, num_bytes);
    *num_bytes_ += bytes.ok() ? (*bytes)->size() : 0;
    return bytes;
  }
  arrow::Result<int64_t> Read(int64_t num_bytes, void* out) override {
    return Count(file_->Read(num_bytes, out));
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t num_bytes) override {
    auto bytes = file_->Read(num_bytes);
    *num_bytes_ += bytes.ok() ? (*bytes)->size() : 0;
    return bytes;
  }
  arrow::Result<int64_t> GetSize() override { return file_->GetSize(); }
  arrow::Result<int64_t> Tell() const override { return file_->Tell(); }
  arrow::Status Seek(int64_t position) override { return file_->Seek(position); }
  arrow::Status Close() override { return file_->Close(); }
  bool closed() const override { return file_->closed(); }

 private:
  arrow::Result<int64_t> Count(arrow::Result<int64_t> got) {
    *num_bytes_ += got.ok() ? *got : 0;
    return got;
  }

  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  std::shared_ptr<std::atomic<int64_t>> num_bytes_;
};

/// The local file system, with the sum of what is read of its files.
class CountedFileSystem final : public arrow::fs::LocalFileSystem {
 public:
  using LocalFileSystem::OpenInputFile;
  arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> OpenInputFile(
      const std::string& path) override {
    ARROW_ASSIGN_OR_RAISE(auto file, LocalFileSystem::OpenInputFile(path));
    return std::make_shared<CountedFile>(std::move(file), num_bytes_);
  }
  int64_t num_bytes() const { return *num_bytes_; }

 private:
  std::shared_ptr<std::atomic<int64_t>> num_bytes_ = std::make_shared<std::atomic<int64_t>>(0);
};

}  // namespace df::testing
