// What became of every root row that a receiver was to send.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "engine/account.h"
#include "lake/catalog/file_summary.h"
#include "lake/ledger/row_ranges.h"
#include "lake/read/payload.h"
#include "nodes/receivers/parquet/row_states.h"
#include "otlp/compare/item_digests.h"

namespace df::nodes::receivers::parquet {

/// Shared by all instances of a receiver, so that it outlives those that fail. Knows each row by
/// its file and place, which is why a row that is read or sent again counts once.
/// Calls: from any thread. Cost: files that were delivered whole are kept as sums only.
class DeliveryLedger {
 public:
  struct File;
  using FilePtr = std::shared_ptr<File>;

  /// A root file is to be read, for the first time or again. Returns nothing new of `is_new` when
  /// it is known already.
  FilePtr Open(const std::string& partition, const lake::FileSummary& file, bool* is_new);

  /// Rows of a new file that an earlier pipeline of this name had delivered.
  void OnDeliveredBefore(File* file, const lake::RowRanges& rows);
  /// Rows of a new file that are in quarantine since before, or were dropped from it.
  void OnQuarantinedBefore(File* file, const lake::RowRanges& quarantined,
                           const lake::RowRanges& dropped);
  void OnRead(File* file, const lake::Origin& origin);
  void OnSent(File* file, const lake::Origin& origin, int64_t num_items);
  /// The sending of a batch has ended, with so many items delivered and refused. Which rows were
  /// refused is not known where only some were: all of them count as refused then.
  /// `num_dead_letters` of the refused items are durable among the dead letters: none of the rows
  /// has to be sent again then. A batch whose outcome is not known stays in flight.
  void OnOutcome(File* file, const lake::Origin& origin, int64_t num_delivered, int64_t num_refused,
                 int64_t num_dead_letters);

  /// Has Describe tell digests. Before anything is sent.
  void KeepDigests() { keeps_digests_ = true; }
  /// Items of a batch that was delivered whole.
  void OnDigest(otap::Signal signal, const otlp::ItemSum& sum);
  /// Items that were delivered and whose digest is not known.
  void OnWithoutDigest(otap::Signal signal, int64_t num_items);

  /// A stretch of rows was read of which none goes out.
  void OnLeftOut(File* file, const lake::Origin& origin);
  /// None of these rows goes out, read or not; of those that were read, OnLeftOut has said more.
  void OnSelectedOut(File* file, const lake::RowRanges& rows);

  /// The reader has come to the end of the file: rows that it has not given out cannot be read.
  void OnEnd(File* file);

  /// Nothing of the file is read or sent any more, unless it is opened again.
  void Release(const FilePtr& file);

  /// Fills the signals and the lists of files and ranges.
  void Describe(engine::SourceAccount* account) const;

  /// Files that are kept though they were not delivered whole; of those beyond only the sums are
  /// known.
  static constexpr size_t kMaxFiles = 10'000;

 private:
  struct Items {
    int64_t sent = 0;
    int64_t delivered = 0;
    int64_t refused = 0;
    int64_t dead_letters = 0;
  };
  /// Of one signal: rows of files that are not kept, and items of all.
  struct Totals {
    std::array<int64_t, kNumRowStates> rows{};
    int64_t unanswered = 0;  ///< in none of the states
    int64_t unreadable = 0;  ///< of the unread ones
    int64_t files = 0;
    int64_t files_delivered = 0;
    int64_t bytes = 0;
    Items items;
  };

  struct Digest {
    otlp::ItemSum sum;
    int64_t num_without = 0;
  };

  static void AddTo(const File& file, Totals* totals);
  static void ListRanges(const File& file, engine::SourceAccount* account);
  void Forget(const FilePtr& file);

  mutable std::mutex mutex_;
  std::map<std::string, FilePtr> files_;  ///< by path and content
  size_t num_released_ = 0;               ///< of them: not delivered whole
  int64_t num_forgotten_ = 0;
  std::array<Totals, otap::kAllSignals.size()> totals_{};
  bool keeps_digests_ = false;
  std::array<Digest, otap::kAllSignals.size()> digests_{};
};

}  // namespace df::nodes::receivers::parquet
