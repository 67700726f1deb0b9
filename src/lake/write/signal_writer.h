// Batches of one signal into files, one set after another.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "lake/write/file_store.h"
#include "lake/write/levelled_set.h"
#include "lake/write/partition_ids.h"
#include "lake/write/write_options.h"
#include "otap/batch.h"

namespace df::lake {

/// When a set of files is full.
struct FileLimits {
  int64_t rows = INT64_MAX;   ///< log records, spans or metrics
  int64_t bytes = INT64_MAX;  ///< of its largest file
};

/// Why a set of files was closed.
enum class CloseReason : uint8_t {
  kRows,
  kBytes,
  kAge,
  kPartition,  ///< the ids of the partition are used up
  kLevels,     ///< files of another day or hour are needed, and as many as may be are open
  kAllWait,    ///< whoever sends waits for these files
  kDrain,      ///< the pipeline is about to end
  kEnd,        ///< no more batches come
  kError,
};
inline constexpr size_t kNumCloseReasons = 9;

/// Returns "rows", "bytes" and so on, as they stand in metrics.
std::string_view Name(CloseReason reason);

/// Hears what becomes of batches, each known by the number that it was added with. Called on the
/// thread of the writer, from inside its calls.
class WriteListener {
 public:
  /// The batches are no longer held in memory; what becomes of them is still open.
  virtual void OnEncoded(std::span<const uint64_t> batches) = 0;

  /// The files that hold the batches are durable, and visible unless they were staged; with an
  /// error there are none.
  virtual void OnClosed(std::span<const uint64_t> batches, CloseReason reason,
                        const FileCounts& counts, const Status& status) = 0;

  /// The batch is in no file: it is not as the model has it.
  virtual void OnRefused(uint64_t batch, const Status& status) = 0;

 protected:
  ~WriteListener() = default;
};

/// Writes partitions named _part_id=<uuid>, a new one for each writer, below folders of times where
/// the options ask for them. The sets of all times are closed together; an error costs the batches
/// in them. Calls: from one thread, blocking on the file system.
class SignalWriter {
 public:
  struct Settings {
    WriteOptions options;
    FileLimits limits;
    uint32_t first_id = 0;  ///< of the first partition
    /// Milliseconds since the Unix epoch, for names of files.
    std::function<int64_t()> unix_millis;
  };

  /// `store`, `listener` and `staging` are borrowed. Where there is `staging`, sets that are
  /// smaller than a row group are durable there when the listener hears of them.
  SignalWriter(FileStore* store, otap::Signal signal, Settings settings, WriteListener* listener,
               StagingArea* staging = nullptr)
      : store_(store),
        staging_(staging),
        signal_(signal),
        settings_(std::move(settings)),
        listener_(listener),
        ids_(settings_.first_id) {}

  /// Adds a batch of the signal. The listener hears of it once it is refused or its files are
  /// closed, perhaps before the call returns.
  void Add(const otap::BatchPtr& batch, uint64_t number);

  /// Writes what is held in memory as a row group.
  void Encode();

  /// Closes the set that is open, if any.
  void Close(CloseReason reason);

  /// The batches of the set that is open, in the order in which they came.
  std::span<const uint64_t> open_batches() const { return batches_; }

  /// Bytes of batches in memory that are not encoded.
  int64_t pending_bytes() const { return set_ == nullptr ? 0 : set_->pending_bytes(); }

 private:
  /// Turns what is thrown, an allocation that failed, into an error of the set that is open.
  template <typename Call>
  void Contain(Call&& call);
  void AddToSet(const otap::BatchPtr& batch, uint64_t number);
  Status AddParts(std::vector<LevelPart> parts);
  void EncodeSet();
  void CloseSet(CloseReason reason);
  void Refuse(uint64_t number, const Status& status);
  bool IsRowGroupFull() const;
  void CloseWith(CloseReason reason, const Status& status);

  FileStore* store_;
  StagingArea* staging_;
  otap::Signal signal_;
  Settings settings_;
  WriteListener* listener_;
  PartitionIds ids_;
  std::unique_ptr<LevelledSet> set_;
  std::vector<uint64_t> batches_;   ///< of the set
  std::optional<uint64_t> adding_;  ///< a batch that the listener hears of, and in no set yet
  size_t num_encoded_ = 0;          ///< so many of them, from the front
  int64_t last_millis_ = 0;         ///< of the sets so far: each has a later one
  double bytes_ratio_ = 1;          ///< of bytes in the largest file to bytes in memory
  int64_t encoded_memory_ = 0;      ///< bytes that batches of the set took before they were encoded
};

}  // namespace df::lake
