// A file of an object store.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/io/caching.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/future.h>

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
  /// What was announced of files and is held.
  std::atomic<int64_t> ahead_bytes{0};
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
  arrow::Result<int64_t> ReadMarked(int64_t position, int64_t num_bytes, uint8_t* out);
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

  /// Keeps announced bytes in memory until it is destroyed, or all ranges have been read to their
  /// ends. Its destructor waits for requests that have not been answered yet.
  using Hold = std::shared_ptr<void>;

  /// Begins to fetch ranges that will be read; ranges that overlap others are not fetched ahead.
  /// `hole_bytes`: as in ReadOptions, where it is to be other than that.
  Hold Announce(std::vector<arrow::io::ReadRange> ranges,
                std::optional<int64_t> hole_bytes = std::nullopt);

  /// Tells whether a range was announced and is kept.
  bool IsAnnounced(arrow::io::ReadRange range);

  /// How many bytes may be announced yet, of all files of the store together. Whoever announces
  /// more holds more.
  int64_t ahead_left() const;

  const ReadOptions& options() const { return context_->options; }

  /// What the store said of the version that was opened.
  const FileFacts& facts() const { return file_->facts(); }

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
  using Cache = arrow::io::internal::ReadRangeCache;

  /// Ranges that were announced together.
  struct Announced {
    explicit Announced(std::shared_ptr<RemoteContext> owner) : context(std::move(owner)) {}
    Announced(const Announced&) = delete;
    Announced& operator=(const Announced&) = delete;
    ~Announced();
    /// Lets the bytes go.
    void Drop();

    std::shared_ptr<RemoteContext> context;
    std::vector<arrow::io::ReadRange> ranges;  ///< by offset, without overlaps, one request at most
    int64_t num_bytes = 0;
    std::shared_ptr<Cache> cache;  ///< null when all of it was read
    /// All of it is there, and of the version that was opened.
    arrow::Future<> checked;
    std::vector<bool> is_read;  ///< by range: to its end
    size_t num_unread = 0;      ///< ranges
  };
  /// Where bytes lie: in some ranges one behind the other.
  struct Place {
    std::shared_ptr<Announced> announced;  ///< null: nowhere
    std::shared_ptr<Cache> cache;
    size_t first_range = 0;
  };

  arrow::Result<std::shared_ptr<arrow::Buffer>> Tail();
  Place Find(int64_t position, int64_t num_bytes);
  arrow::Result<std::shared_ptr<arrow::Buffer>> ReadAnnounced(const Place& place, int64_t position,
                                                              int64_t num_bytes);
  void MarkRead(const Place& place, int64_t end);

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
  std::vector<std::weak_ptr<Announced>> announced_;
};

}  // namespace df::storage
