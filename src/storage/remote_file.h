// A file of an object store.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
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

/// What a store says of a file without its bytes.
struct FileFacts {
  int64_t size_bytes = 0;
  std::string etag;      ///< tells contents of one path apart; "" where the store does not say
  std::string modified;  ///< as the store writes it
  bool operator==(const FileFacts&) const = default;
};

/// Asks a store for the facts of a file as it is now. Null: the store gives bytes of one version
/// only, or an error. Calls: from any thread.
using FactsNow = std::function<Result<FileFacts>()>;

/// Makes every read again as the store's RetryOptions say, an answer that ends early like a failed
/// one.
class RetriedFile final : public arrow::io::RandomAccessFile {
 public:
  /// `file` was opened when it had these `facts`; `path` is for messages.
  RetriedFile(std::shared_ptr<RemoteContext> context, std::string path,
              std::shared_ptr<arrow::io::RandomAccessFile> file, FileFacts facts, FactsNow now);

  const FileFacts& facts() const { return facts_; }

  /// Tells whether all that was read so far is of the version that was opened: no request for a
  /// range says of which version it wants bytes. Cost: one request. Errors: IOError (IsReplaced)
  /// when there is another version now, and then at every later call.
  Status CheckVersion();

  arrow::Result<int64_t> ReadAt(int64_t position, int64_t num_bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAt(int64_t position,
                                                       int64_t num_bytes) override;
  arrow::Result<int64_t> Read(int64_t num_bytes, void* out) override;
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t num_bytes) override;
  arrow::Result<int64_t> GetSize() override { return facts_.size_bytes; }
  arrow::Result<int64_t> Tell() const override { return position_; }
  Status Seek(int64_t position) override;
  Status Close() override;
  bool closed() const override { return file_->closed(); }

 private:
  Status Replaced(std::string_view found);

  std::shared_ptr<RemoteContext> context_;
  std::string path_;
  std::shared_ptr<arrow::io::RandomAccessFile> file_;
  FileFacts facts_;
  FactsNow now_;
  std::atomic<bool> is_replaced_{false};
  int64_t position_ = 0;
};

/// Reads with few requests: the end of the file at once, ranges that are announced together, and
/// nothing twice. All bytes that it gives out are of one version: what came with more than one
/// answer is given out when the store has said once more which version it has.
class RemoteFile final : public arrow::io::RandomAccessFile {
 public:
  /// `listing` is the one that the file was opened after.
  RemoteFile(std::shared_ptr<RemoteContext> context, const std::string& path,
             std::shared_ptr<RetriedFile> file, int64_t listing);
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
    std::atomic<bool> is_checked{false};  ///< all of it is of the version that was opened
  };

  arrow::Result<std::shared_ptr<arrow::Buffer>> Tail();
  std::shared_ptr<Announced> AnnouncedWith(int64_t position, int64_t num_bytes,
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
  bool has_read_ = false;                ///< bytes were fetched beside the tail
  std::deque<std::shared_ptr<Announced>> announced_;
};

}  // namespace df::storage
