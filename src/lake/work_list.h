// Which partitions are to be replayed: shared by all workers of one receiver, over all cores.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <arrow/filesystem/filesystem.h>
#include <arrow/result.h>

#include "lake/catalog.h"
#include "lake/partition_reader.h"
#include "lake/read_options.h"
#include "lake/read_report.h"

namespace df::lake {

/// How a tree is followed.
struct FollowOptions {
  /// Nothing: replay what is there and end. Else list again after this long.
  std::optional<std::chrono::nanoseconds> polling_interval;
  /// Following only: a root file whose children may still be missing is held until it is this old.
  std::chrono::nanoseconds completeness_grace = std::chrono::seconds(10);
};

/// One partition, handed to exactly one worker.
struct PartitionWork {
  std::shared_ptr<const PartitionFiles> files;
  std::vector<PartitionTask> tasks;  ///< one a signal that has something to replay
};

/// Finds work. Every root file goes out once in the life of the list, by its content: a renamed
/// file is not new, a rewritten one is, a copy beside its original is one more. A file that cannot
/// be read as Parquet yet is tried again when it changes and reported when it has not changed for
/// the grace; without polling it is reported at once. Calls: from any thread. Listing and footers
/// are read by the thread that takes work.
class WorkList {
 public:
  using Clock = std::function<std::chrono::system_clock::time_point()>;

  /// `file_system` is shared with the readers of the work.
  WorkList(std::shared_ptr<arrow::fs::FileSystem> file_system, std::string base, ReadOptions read,
           FollowOptions follow, Clock clock);

  /// What Take found.
  struct Taken {
    std::optional<PartitionWork> work;
    /// Set when there is nothing now: when to ask again. Neither work nor time: everything is
    /// replayed.
    std::optional<std::chrono::system_clock::time_point> wait_until;
  };

  /// Returns the next partition; lists the tree when its time has come. Errors: without polling,
  /// file_discovery when the base cannot be listed; with polling that is reported and tried again.
  Result<Taken> Take();

  /// Says what became of a work: its report is added to the total, and root files that failed in a
  /// way that may pass are offered again, at most kMaxAttempts times.
  void Done(const PartitionWork& work, const std::vector<RootOutcome>& outcomes,
            const ReadReport& report);

  /// Takes back a work whose batches did not all arrive because whoever sent them has failed; Take
  /// gives it out again, whole. `is_lost`: batches of it were sent and refused by the end of a
  /// node; else it was only left in the middle.
  void GiveBack(PartitionWork work, bool is_lost);

  /// Partitions given back and not taken again; of these, those of which batches were lost.
  int64_t num_returned() const;
  int64_t num_lost() const;

  /// Everything that is known so far; problems found by listing included.
  ReadReport Report() const;

  /// Root files known and not replayed yet, with the reason: held back because they are young or
  /// incomplete.
  int64_t num_held_back() const;

  /// Partitions found and not taken yet.
  int64_t num_waiting() const;
  /// Calls `visit` with each of them; it does not call the list.
  void VisitWaiting(const std::function<void(const PartitionListing&)>& visit) const;

  /// Whether a listing has shown any file of a table that the signals need.
  bool has_found_files() const;

  /// Whether the tree has been listed at all.
  bool has_listed() const;

  static constexpr int kMaxAttempts = 5;
  /// Listings after which content whose files are gone is forgotten.
  static constexpr uint64_t kContentMemoryListings = 100;

 private:
  /// What is known of a path.
  struct KnownFile {
    int64_t size_bytes = 0;
    int64_t modified_nanos = 0;
    FileSummaryPtr summary;   ///< null when the footer could not be read
    Status problem;           ///< why not
    bool is_settled = false;  ///< roots: sent or given up, nothing to do until the file changes
    uint64_t seen_in = 0;     ///< number of the last listing that had it
  };
  /// What is known of the content of a root file, under whatever name.
  struct KnownContent {
    int64_t num_sent = 0;  ///< files with this content that were sent
    int attempts = 0;
    uint64_t seen_in = 0;
  };
  /// One partition while its work is being prepared.
  struct Preparation {
    const PartitionListing& listing;
    PartitionFiles files;
    bool has_pending_child = false;  ///< a child file is still being written
    std::vector<FileEntry> young;    ///< left out because of min_file_age
  };

  Status Scan();
  void Forget();
  bool HasNewRoots(const PartitionListing& listing) const;
  std::optional<PartitionWork> Prepare(const PartitionListing& listing);
  void LoadSummaries(Preparation* preparation);
  std::optional<PartitionTask> PrepareSignal(otap::Signal signal,
                                             const std::shared_ptr<PartitionFiles>& files,
                                             const Preparation& preparation);
  FileSummaryPtr SummaryOf(const FileEntry& entry, otap::TableKind kind,
                           const std::string& partition, Status* problem);
  bool IsHeldBack(const FileSummary& root, otap::Signal signal, const PartitionFiles& files,
                  const Preparation& preparation) const;
  bool HasAllChildren(const FileSummary& root, otap::Signal signal,
                      const PartitionFiles& files) const;
  bool Claim(const FileSummaryPtr& root, const std::string& partition, int64_t num_present);
  std::string ContentKey(const FileSummary& root, const std::string& partition) const;
  std::chrono::nanoseconds Age(int64_t modified_nanos) const;
  bool is_following() const { return follow_.polling_interval.has_value(); }

  std::shared_ptr<arrow::fs::FileSystem> file_system_;
  std::string base_;
  ReadOptions read_;
  FollowOptions follow_;
  Clock clock_;

  mutable std::mutex mutex_;
  bool has_scanned_ = false;
  std::chrono::system_clock::time_point next_scan_;
  uint64_t scan_number_ = 0;
  struct Returned {
    PartitionWork work;
    bool is_lost = false;
  };

  std::deque<Returned> returned_;
  std::deque<PartitionListing> queue_;
  std::map<std::string, KnownFile> known_;        ///< by path
  std::map<std::string, KnownContent> contents_;  ///< by table, partition and digest
  std::set<std::string> reported_;                ///< messages of listing problems
  ReadReport report_;
  int64_t num_held_back_ = 0;
  bool has_found_files_ = false;
};

}  // namespace df::lake
