// A file of an object store.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <arrow/io/caching.h>
#include <arrow/io/interfaces.h>

#include "base/error.h"
#include "storage/retry.h"
#include "storage/store_options.h"
#include "storage/store_uri.h"
#include "storage/tail_cache.h"

namespace df::storage {

/// What a file needs of its store; shared by its files.
struct RemoteContext {
  StoreUri uri;
  ReadOptions options;
  StoreCounters counters;
  std::unique_ptr<RetryClock> clock;
  std::unique_ptr<Retry> retry;
  TailCache tails;
  /// Whole files, by path and listing.
  TailCache files;
};

/// Makes every read again as the store's RetryOptions say, an answer that ends early like a failed
/// one.
class RetriedFile final : public arrow::io::RandomAccessFile {
 public:
  /// `file` has `size_bytes`; `path` is for messages.
  RetriedFile(std::shared_ptr<RemoteContext> context, std::string path,
              std::shared_ptr<arrow::io::RandomAccessFile> file, int64_t size_bytes);

  arrow::Result<int64_t> ReadAt(int64_t position, int64_t num_bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position,
                                                       int64_t num_bytes) override;
  arrow::Result<int64_t> Read(int64_t num_bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t num_bytes) override;
  arrow::Result<int64_t> GetSize() override { return size_bytes_; }
  arrow::Result<int64_t> Tell() const override { return position_; }
  Status Seek(int64_t position) override;
  Status Close() override;
  bool closed() const override { return file_->closed(); }

 private:
  std::shared_ptr<RemoteContext> context_;
  std::string path_;
  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  int64_t size_bytes_;
  int64_t position_ = 0;
};

/// Reads with few requests: the end of the file at once, ranges that are announced together, and
/// nothing twice.
class RemoteFile final : public arrow::io::RandomAccessFile {
 public:
  /// `version` tells contents of one path apart, "" where the store does not say; `listing` is the
  /// one that the file was opened after.
  RemoteFile(std::shared_ptr<RemoteContext> context, std::string path, std::string version,
             std::shared_ptr<RetriedFile> file, int64_t size_bytes, int64_t listing);
  ~RemoteFile() override;

  /// Returns the key of a whole file in RemoteContext::files.
  static std::string KeyOf(const std::string& path, int64_t listing);

  /// Begins to fetch ranges that will be read. They stay in memory until later ones are announced.
  Status WillNeed(const std::vector<arrow::io::ReadRange>& ranges) override;

  arrow::Result<int64_t> ReadAt(int64_t position, int64_t num_bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position,
                                                       int64_t num_bytes) override;
  arrow::Result<int64_t> Read(int64_t num_bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t num_bytes) override;
  arrow::Result<int64_t> GetSize() override { return size_bytes_; }
  arrow::Result<int64_t> Tell() const override { return position_; }
  Status Seek(int64_t position) override;
  Status Close() override;
  bool closed() const override { return is_closed_; }

 private:
  /// Ranges that were announced together.
  struct Announced {
    std::vector<arrow::io::ReadRange> ranges;  ///< by offset, without overlaps
    std::shared_ptr<arrow::io::internal::ReadRangeCache> cache;
  };

  arrow::Result<std::shared_ptr<arrow::Buffer>> Tail();
  std::shared_ptr<arrow::io::internal::ReadRangeCache> CacheOf(int64_t position, int64_t num_bytes,
                                                               arrow::io::ReadRange* whole);

  std::shared_ptr<RemoteContext> context_;
  std::string key_;        ///< of the tail cache; "" where it cannot be kept
  std::string whole_key_;  ///< of the cache of whole files; "" where it is longer than its end
  std::shared_ptr<RetriedFile> file_;
  int64_t size_bytes_;
  int64_t position_ = 0;
  bool is_closed_ = false;
  std::mutex mutex_;
  std::shared_ptr<arrow::Buffer> tail_;  ///< the last bytes of the file, once they are needed
  std::deque<Announced> announced_;
};

}  // namespace df::storage
