// Which partitions are to be replayed: shared by all workers of one receiver, over all cores.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/result.h>

#include "lake/catalog/catalog.h"
#include "lake/catalog/compactions.h"
#include "lake/catalog/folder_list.h"
#include "lake/catalog/footer_cache.h"
#include "lake/catalog/readiness.h"
#include "lake/catalog/schema_registry.h"
#include "lake/ledger/file_leases.h"
#include "lake/ledger/file_ledger.h"
#include "lake/queue/seal_check.h"
#include "lake/read/partition_reader.h"
#include "lake/report/read_report.h"
#include "lake/scan/read_options.h"
#include "select/time_range.h"
#include "storage/folder_watch.h"
#include "storage/store.h"

namespace df::lake {

/// What is done with the rows of child files that came after records that they may belong to.
enum class LateChildren : uint8_t {
  kName,   ///< they are counted and named
  kResend  ///< the records are sent once more, with them
};

/// How a tree is followed.
struct FollowOptions {
  /// Nothing: replay what is there and end. Else list again after this long.
  std::optional<std::chrono::nanoseconds> polling_interval;
  /// Following only: a root file that may lack children waits until its partition has been quiet
  /// for this long (ReadyAt).
  std::chrono::nanoseconds completeness_grace = std::chrono::seconds(10);
  /// Following only: children of a root file that went out are counted and named when they arrive
  /// within this time.
  std::chrono::nanoseconds late_window = std::chrono::minutes(10);
  LateChildren late_children = LateChildren::kName;
  /// Not following only: work goes out in the order of the first times of its records, files that
  /// lie side by side in time as work of their own. The first Take reads all footers.
  bool is_by_time = false;
};

/// One partition, handed to exactly one worker; by time, a part of one.
struct PartitionWork {
  std::shared_ptr<const PartitionFiles> files;
  std::vector<PartitionTask> tasks;  ///< one a signal that has something to replay
  bool is_rest = false;              ///< another work counts for the partition
};

/// Finds work. Every root file goes out once in the life of the ledger, as far as it was delivered
/// (FileLedger says which files are one); in that of the list, by its bytes: a renamed or
/// touched file is not new, a rewritten one is, a copy beside its original is one more. A file that
/// cannot be opened is tried again, less and less often, and reported when it is older than the
/// grace; the report forgets it when it opens after all. Without polling what the file system
/// refused is tried kMaxAttempts times in a few seconds, and all else reported at once. A root file
/// that could not be read to its end goes on where it stopped. Calls: from any thread. Listing and
/// footers are read by the thread that takes work; a root file of a followed tree is read once more
/// for the hash of its bytes.
class WorkList {
 public:
  using Clock = std::function<std::chrono::system_clock::time_point()>;

  /// `store` is shared with the readers of the work.
  WorkList(std::shared_ptr<storage::Store> store, std::string base, ReadOptions read,
           FollowOptions follow, Clock clock);

  /// Writes what the cache has not got yet.
  ~WorkList();

  /// Takes footers from a cache and keeps what is read there; it may be null. Errors: io, when what
  /// it knows of schemas cannot be read. Before the first Take.
  Status UseCache(std::shared_ptr<FooterCache> cache, UnknownSchemas unknown_schemas);

  /// May be null.
  const FooterCache* cache() const { return cache_.get(); }

  /// Takes the files of another list than the folders of the base. Before the first Take.
  void UseFileList(std::unique_ptr<FileListProvider> files);

  /// Has partitions in which files come looked at when `watch` tells of them, and those that are
  /// held back when they may be read: a listing of everything is then only the safety net. Which
  /// files may be read, and when, stays the same. Following only, with the folders of the base;
  /// before the first Take.
  void UseWatch(std::shared_ptr<storage::FolderWatch> watch);

  /// Changes how long it is until the tree is listed again, also the time until the next one.
  /// Following only.
  void SetPollingInterval(std::chrono::nanoseconds interval);

  /// Shares what was delivered with other lists of the tree. Before the first Take.
  void UseLedger(std::shared_ptr<FileLedger> ledger);

  /// What Take found.
  struct Taken {
    std::optional<PartitionWork> work;
    /// Set when there is nothing now: when to ask again. Neither work nor time: everything is
    /// replayed.
    std::optional<std::chrono::system_clock::time_point> wait_until;
    uint64_t num_wakes = 0;  ///< for Wait
  };

  /// Returns the next partition; lists the tree when its time has come. Errors: without polling,
  /// file_discovery when the base cannot be listed; with polling that is reported and tried again.
  Result<Taken> Take();

  /// Waits until the time that Take has told, until there may be something to take, or until
  /// `is_stopped`, which is asked after each Wake.
  void Wait(const Taken& taken, const std::function<bool()>& is_stopped);
  /// Ends those waits, or has them see that they are stopped.
  void Wake();
  /// Has `listener` called with each Wake, by whatever thread. Before the first Take.
  void OnWake(std::function<void()> listener) { on_wake_ = std::move(listener); }

  /// Looks at single partitions, and at the whole tree.
  struct Looks {
    int64_t partitions = 0;
    int64_t trees = 0;
  };
  Looks looks() const;

  /// Says what became of a work: its report is added to the total, and root files that failed in a
  /// way that may pass are offered again, at most kMaxAttempts times.
  /// Rows that are given up now are dropped in the report that is returned.
  ReadReport Done(const std::vector<RootOutcome>& outcomes, ReadReport report);

  /// Takes back a work whose batches did not all arrive because whoever sent them has failed; Take
  /// gives out again what has not arrived and nobody else has. `is_lost`: batches of it were sent
  /// and refused by the end of a node; else it was only left in the middle.
  void GiveBack(PartitionWork work, bool is_lost);

  /// Offers the files of a work once more, since its leases were lost or have expired: what has not
  /// arrived goes out again as soon as no other process has it.
  void OfferAgain(PartitionWork work);

  /// Partitions given back, not taken again, and not delivered by others; of these, those of which
  /// batches were lost.
  int64_t num_returned() const;
  int64_t num_lost() const;

  /// Everything that is known so far; problems found by listing included.
  ReadReport Report() const;

  /// Says which tables had no file when the tree was listed last.
  std::vector<std::string> AbsentTables() const;

  /// Root files known and not replayed yet, with the reason: held back because they are young or
  /// incomplete.
  int64_t num_held_back() const;

  /// Root files that other lists had delivered whole.
  int64_t num_delivered_before() const;

  /// Partitions found and not taken yet.
  int64_t num_waiting() const;
  /// Bytes of files that work was found in, in all listings, and of those in partitions that are
  /// not taken yet.
  struct Sizes {
    int64_t found_bytes = 0;
    int64_t waiting_bytes = 0;
  };
  Sizes sizes() const;
  /// By time: what statistics tell of the times of the records that were found, each since 1970;
  /// nothing where no file tells. Whole when Take has returned.
  struct FoundTimes {
    std::optional<int64_t> first;
    std::optional<int64_t> last;
    int64_t num_without_first = 0;  ///< root files whose first time is not known
    int64_t num_without_last = 0;
  };
  FoundTimes found_times() const;
  /// Calls `visit` with each of them; it does not call the list.
  void VisitWaiting(const std::function<void(const PartitionListing&)>& visit) const;

  /// Partitions of the last listing that the selection leaves out by their paths.
  int64_t num_unwanted() const;

  /// Folders of times that the selection does not need, and that were not listed: the most of any
  /// listing.
  int64_t num_folders_skipped() const;

  /// Whether a listing has shown any file of a table that the signals need.
  bool has_found_files() const;

  /// Whether the tree has been listed at all.
  bool has_listed() const;

  static constexpr int kMaxAttempts = 5;
  /// Contents whose files are gone that are remembered, the newest.
  static constexpr size_t kMostContentsGone = 65'536;

 private:
  using Time = std::chrono::system_clock::time_point;

  /// A list that finds a file claimed by another list, or in flight, asks again after this time.
  static constexpr std::chrono::milliseconds kBusyDelay{500};

  /// What is known of the content of a root file, under any name.
  struct KnownContent {
    int64_t num_sent = 0;  ///< files with this content that were sent
    int attempts = 0;
    uint64_t seen_in = 0;  ///< number of the last listing that had a file of it
  };
  /// Since when a file is there, whatever its name and its time are now.
  struct Presence {
    uint64_t first_seen = 0;  ///< number of the first listing that showed it
    uint64_t seen_in = 0;     ///< of the last one; none between them was without it
    bool is_judged = false;   ///< whether it came too late
  };
  /// What is known of a path of a followed tree.
  struct KnownFile {
    FileEntry entry;
    Time arrived;             ///< when this content was there first, as far as is known
    uint64_t first_seen = 0;  ///< number of the listing that showed it first as it is
    uint64_t seen_in = 0;     ///< number of the last listing that had it
    uint64_t before = 0;      ///< of the last look at its partition before that in which it came
    FileSummaryPtr summary;   ///< null when the footer was not read
    Status problem;           ///< why it could not be read
    int attempts = 0;
    Time held_since;                  ///< roots: when it was first held by young files; or never
    Time retry_at;                    ///< with a problem: not to be opened before
    bool is_settled = false;          ///< roots: sent or given up; others: looked at for lateness
    bool is_recalled = false;         ///< roots: it was looked up what others have sent of it
    std::string content_key;          ///< roots: names its content; empty until it was needed
    KnownContent* content = nullptr;  ///< roots: of that key
    Presence* presence = nullptr;     ///< others: null until the footer was read
  };
  /// A root file that went out.
  struct Sent {
    FileSummaryPtr root;
    Time at;
    uint64_t scan = 0;  ///< number of the last listing before; 0: another list has sent it
  };
  /// One partition while its work is being prepared.
  struct Preparation {
    const PartitionListing& listing;
    PartitionFiles files;
    bool has_pending_child = false;  ///< a child file is still being written
    std::set<std::string> young;     ///< paths left out because of min_file_age
    std::optional<Time> again;       ///< without polling: when it is worth another look
    std::optional<Time> ready_at;    ///< following: when what is held back may be read
    void BecomesReady(Time when) { ready_at = std::min(ready_at.value_or(when), when); }
    std::shared_ptr<const PartitionListing> copy;  ///< of the listing; null until it is needed
    std::vector<std::shared_ptr<Lease>> leases;    ///< until the files are claimed
  };
  /// What the files of a signal in a partition tell about each of its root files.
  struct SignalFacts {
    ReadinessFacts readiness;
    bool has_young_child = false;
  };
  /// Without polling: a partition that is looked at again.
  struct Later {
    PartitionListing listing;
    Time due;
  };
  /// Without polling: what was done with a root file.
  struct OnceRoot {
    bool is_taken = false;
    int attempts = 0;
    Time retry_at;
    std::shared_ptr<const PartitionListing> listing;  ///< what it is one of
  };

  bool IsScanDue() const;
  std::optional<Time> WhenLater() const;
  Status ScanUnlocked(std::unique_lock<std::mutex>* lock);
  Status Scan(Result<LakeListing> listing);
  void ReadCompactions(const LakeListing& listing);
  void FollowCompactions();
  void NameCompactedSince(const LakeListing& listing);
  bool IsDeliveredAs(const std::string& path) const;
  void Remember(const PartitionListing& partition, uint64_t scan_before);
  bool IsLookDue() const;
  bool LookUnlocked(std::unique_lock<std::mutex>* lock);
  void TakeIn(LakeListing listing);
  void ListAnew(const PartitionListing& partition);
  void LookAgain(const std::string& partition, Time when);
  Time WhenNext() const;
  void NameClockAhead(const PartitionListing& partition);
  void Forget(uint64_t whole_before);
  std::map<std::string, KnownFile>::iterator ForgetFile(
      std::map<std::string, KnownFile>::iterator known);
  bool HasNewFiles(const PartitionListing& listing) const;
  void RecallPresence(KnownFile* file);
  void JudgeChildren(const PartitionFiles& files, Preparation* preparation);
  std::vector<Sent> SentOf(const PartitionFiles& files);
  std::vector<FileSummaryPtr> LateFor(const FileSummary& child, uint64_t first_seen,
                                      const PartitionFiles& files,
                                      const std::vector<Sent>& sent) const;
  bool IsKnownBefore(const FileSummary& file, uint64_t scan) const;
  bool Resend(const FileSummary& child, const std::vector<FileSummaryPtr>& roots,
              const std::string& partition);
  void NameLate(const FileSummary& child, const std::string& partition);
  static FileId IdOf(const FileSummary& root, const std::string& partition);
  std::optional<PartitionWork> Prepare(const PartitionListing& listing);
  void LoadSummaries(Preparation* preparation);
  void SetAside(otap::TableKind kind, const FileEntry& entry, const Status& problem);
  bool IsDropped(const FileEntry& entry);
  void CountForSeals(const Preparation& preparation);
  void CompareWithSeals();
  std::optional<PartitionTask> PrepareSignal(otap::Signal signal,
                                             const std::shared_ptr<PartitionFiles>& files,
                                             Preparation* preparation);
  bool IsSummaryKnown(const FileEntry& entry);
  FileSummaryPtr SummaryOf(const FileEntry& entry, otap::TableKind kind,
                           const std::string& partition, FileSummaryPtr cached, Status* problem);
  Result<FileSummaryPtr> FindOutAbout(const FileEntry& entry, otap::TableKind kind,
                                      const std::string& partition, FileSummaryPtr cached);
  std::map<std::string_view, FileSummaryPtr> TakeFromCache(const PartitionListing& listing);
  void WriteCache();
  SignalFacts FactsOf(otap::Signal signal, const Preparation& preparation) const;
  bool IsHeldBack(const FileSummary& root, const SetCensus& census, SignalFacts facts,
                  Preparation* preparation);
  std::shared_ptr<FileClaim> Claim(const FileSummaryPtr& root, const std::string& partition,
                                   int64_t num_present, Preparation* preparation);
  void OfferFiles(const PartitionTask& task, const std::vector<FileRecordPtr>& records);
  void LeaseRoots(const std::vector<FileSummaryPtr>& roots, const std::string& partition,
                  Preparation* preparation);
  std::vector<FileSummaryPtr> ToBeLeased(const std::vector<FileSummaryPtr>& roots,
                                         const std::string& partition) const;
  std::shared_ptr<FileClaim> ClaimOnce(const FileSummaryPtr& root, const std::string& partition,
                                       Preparation* preparation);
  bool IsRestored(const FileSummary& root, const std::string& partition);
  void NameRepeated(const FileSummary& root);
  std::shared_ptr<FileClaim> ClaimRecord(const FileRecordPtr& record, const FileSummary& root,
                                         bool* is_busy);
  FileRecordPtr RecordOf(const FileSummary& root, const std::string& partition,
                         std::optional<std::string> content) const;
  bool TryLater(const FileEntry& entry, const Status& problem, Preparation* preparation);
  /// How long to wait before the next attempt: 1 s, 2 s, 4 s.. 64 s.
  static std::chrono::seconds RetryDelay(int attempts);
  bool RetryFile(const RootOutcome& outcome);
  void ForgetContent(const FileSummary& root);
  std::optional<PartitionWork> TakeReturned();
  std::string ContentKey(const FileSummary& root, const std::string& partition);
  std::map<const FileSummary*, int64_t> CountContents(const std::vector<FileSummaryPtr>& roots,
                                                      const std::string& partition);
  std::chrono::nanoseconds Age(const FileEntry& entry) const;
  bool is_following() const { return follow_.polling_interval.has_value(); }

  std::shared_ptr<storage::Store> store_;
  std::string base_;
  ReadOptions read_;
  FollowOptions follow_;
  Clock clock_;
  std::unique_ptr<FileListProvider> file_list_;  ///< only the thread that lists uses it

  std::shared_ptr<FooterCache> cache_;
  SchemaRegistry schemas_;
  UnknownSchemas unknown_schemas_ = UnknownSchemas::kAccept;
  bool has_pruned_cache_ = false;  ///< only the thread that lists reads and sets it
  /// Compactions that were looked at, and those that are to be; of the thread that lists, too.
  std::set<std::string> compactions_seen_;
  std::vector<Compaction> compactions_new_;
  std::set<std::string> delivered_as_others_;  ///< paths of root files that a compaction has made

  mutable std::mutex mutex_;
  bool has_scanned_ = false;
  bool is_listing_ = false;  ///< somebody is, without the lock
  std::condition_variable listed_once_more_;
  std::chrono::system_clock::time_point last_scan_;
  std::chrono::system_clock::time_point next_scan_;
  uint64_t scan_number_ = 0;
  uint64_t first_scan_ = 0;  ///< the first listing that did not fail
  uint64_t whole_scan_ = 0;  ///< the last listing of the whole tree that did not fail
  bool is_watched_ = false;  ///< what changes is told: held back partitions are looked at again
  Looks num_looks_;
  std::map<std::string, uint64_t> looked_at_;  ///< by partition: the last look since whole_scan_
  std::map<std::string, Time> look_again_;     ///< by partition: when what is held back is ready
  Time last_look_;
  Time next_look_;  ///< not before: what looks cost is a share of the time
  struct Returned {
    PartitionWork work;                               ///< without claims
    std::vector<std::vector<FileRecordPtr>> records;  ///< by task: of its root files
    bool is_lost = false;
  };
  bool IsLeft(const Returned& returned) const;
  /// Child files of a table in a partition without any root file.
  struct BareTable {
    otap::TableKind table = otap::TableKind::kLogAttrs;
    int64_t num_files = 0;
    int64_t num_rows = 0;
    std::string first_file;
  };
  /// Rows of a child file whose parents did not come.
  struct OrphanFile {
    otap::TableKind table = otap::TableKind::kLogAttrs;
    std::string file;
    std::string file_set;  ///< of those that belong to a set, not to a row
    int64_t num_rows = 0;
    IdRange ids = kEmptyIdRange;
  };
  /// What is known of a partition since it came to rest.
  struct Quiet {
    uint64_t scan = 0;  ///< number of the last listing whose files were looked at
    std::map<std::string, OrphanFile> orphans;  ///< by digest and size
  };
  bool IsToBeJudged(const PartitionListing& listing) const;
  void Judge(const PartitionFiles& files, const PartitionListing& listing);
  bool JudgeNestedIds(const PartitionFiles& files, otap::TableKind kind,
                      const std::function<bool(const FileSummary&)>& is_new);
  bool JudgeSets(const PartitionFiles& files, const PartitionListing& listing,
                 std::map<std::string, OrphanFile>* orphans) const;
  void ReportQuiet(ReadReport* report) const;
  void RecallOrphans(const FileSummary& root, const std::string& partition);
  bool IsBareSince(const PartitionListing& listing, Time when) const;
  void CountBareChildren(const PartitionFiles& files);
  void NameUnownedAttributes(const PartitionFiles& files, const PartitionListing& listing);

  std::deque<Returned> returned_;
  void Enqueue(PartitionListing listing);
  PartitionListing Dequeue();

  /// Work by time that is not taken yet.
  struct WaitingLane {
    PartitionWork work;
    int64_t size_bytes = 0;  ///< its share of those of the partition
  };
  void AddTimes(const PartitionTask& task, const select::TimeRange& wanted);
  void AddLanes(PartitionWork work, int64_t size_bytes);
  std::optional<PartitionWork> TakeLane();
  Taken TakeByTime(std::unique_lock<std::mutex>* lock);
  void VisitLanes(const std::function<void(const PartitionListing&)>& visit) const;

  std::multimap<std::pair<int64_t, int64_t>, WaitingLane> lanes_;  ///< by first and last time
  FoundTimes found_times_;
  int num_preparing_ = 0;  ///< takers that read footers without the lock

  std::deque<PartitionListing> queue_;
  Sizes sizes_;
  std::map<std::string, KnownFile> known_;        ///< by path
  std::map<std::string, Presence> presences_;     ///< by number (or path), size and digest
  std::map<std::string, KnownContent> contents_;  ///< by table, partition, digest and hash
  std::map<std::string, Status> open_problems_;   ///< by path: files that cannot be read so far
  std::map<std::string, std::vector<BareTable>> bare_;  ///< by partition
  std::map<std::string, Quiet> quiet_;                  ///< by partition
  std::set<otap::TableKind> root_tables_;          ///< of which the tree has a file, or had one
  std::set<std::string> have_roots_;               ///< partitions that have root files, or had some
  std::map<std::string, std::vector<Sent>> sent_;  ///< by partition, within the late window
  std::set<std::string> reported_;                 ///< messages of listing problems
  std::shared_ptr<FileLedger> ledger_ = std::make_shared<FileLedger>();
  ListedFiles listed_;
  std::deque<Later> later_;
  std::map<FileRecordPtr, OnceRoot> once_roots_;
  std::map<std::string, int> once_attempts_;  ///< by path: footers that could not be read
  int64_t num_delivered_before_ = 0;
  ReadReport report_;
  SealCheck seals_;
  std::vector<std::string> absent_tables_;
  std::map<std::string, int64_t> held_back_;  ///< root files, by partition
  int64_t num_unwanted_ = 0;
  int64_t num_folders_skipped_ = 0;
  bool has_found_files_ = false;

  mutable std::mutex wake_mutex_;  ///< the thread of a watch takes it, and no other one
  std::condition_variable woken_;
  uint64_t num_wakes_ = 0;
  std::function<void()> on_wake_ = [] {};
};

}  // namespace df::lake
