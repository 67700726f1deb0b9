// What was delivered of which root file, whatever the file is called by now.
#pragma once

#include <cstdint>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "lake/catalog/file_summary.h"
#include "lake/ledger/quarantine.h"
#include "lake/ledger/row_ranges.h"

namespace df::lake {

/// What a file is known by. Table, size and digest of the footer must be equal for two files to be
/// one; partition, path, time and number are hints that tell which of several it is.
struct FileId {
  otap::TableKind table = otap::TableKind::kLogs;
  std::string partition;
  std::string path;    ///< below the base
  std::string digest;  ///< of the footer
  int64_t size_bytes = 0;
  int64_t modified_nanos = 0;
  storage::FileNumber number;
  /// A hash of all its bytes. Nothing: not known, and another time then means other bytes.
  std::optional<std::string> content;
};

/// The root files that a listing found, as far as identity goes.
class ListedFiles {
 public:
  void Add(otap::TableKind table, const FileEntry& entry);
  /// Takes back what was added.
  void Remove(otap::TableKind table, const FileEntry& entry);
  /// Whether a file of that number, or without numbers of that path, and of that size is there.
  bool Has(otap::TableKind table, const storage::FileNumber& number, const std::string& path,
           int64_t size_bytes) const;
  size_t size() const { return size_; }

 private:
  using Key = std::tuple<otap::TableKind, storage::FileNumber, int64_t>;
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  std::unordered_set<Key, Hash> numbers_;
  std::unordered_map<std::string, int64_t> sizes_;  ///< by path, of files without number
  size_t size_ = 0;
};

class FileRecord;
class Lease;
class LeaseProvider;

/// Rows that were sent and have no outcome yet. One that is destroyed before Ack or Refuse counts
/// as not delivered.
class Delivery {
 public:
  Delivery() = default;
  Delivery(Delivery&& other) noexcept { *this = std::move(other); }
  Delivery& operator=(Delivery&& other) noexcept;
  ~Delivery() { End(Outcome::kLost); }

  /// They have arrived.
  void Ack() { End(Outcome::kAcked); }
  /// They were refused: not delivered, and not to be sent again by the one who claims the file.
  void Refuse() { End(Outcome::kRefused); }
  /// Whether they may go out now: where several processes share the work another one may have taken
  /// over their file since Send.
  bool MayBeSent() const;
  /// They were refused, and would be again. Where the ledger keeps a quarantine nobody sends them
  /// any more as soon as other rows of their table have arrived: until then it may be the sender
  /// who is refused, not these rows.
  void RefuseForGood(std::string_view reason);
  /// Some of them were refused permanently and others arrived, so it was for what they are.
  void RefuseInPart(std::string_view reason);

 private:
  friend class FileClaim;
  enum class Outcome : uint8_t { kAcked, kRefused, kLost };
  void End(Outcome outcome);

  std::shared_ptr<class FileClaim> claim_;
  int row_group_ = 0;
  int64_t first_row_ = 0;
  int64_t num_rows_ = 0;
};

class FileLedger;

/// The right to send a file; nobody else has it as long as one of its owners lives. Calls: from any
/// thread.
class FileClaim : public std::enable_shared_from_this<FileClaim> {
 public:
  /// `lease` is null where nobody shares the work.
  FileClaim(std::shared_ptr<FileRecord> record, const void* owner, std::mutex* mutex,
            std::shared_ptr<FileLedger> ledger, std::shared_ptr<Lease> lease);

  /// Rows that the owner must not send: they were delivered, sent without an outcome so far, or
  /// given up.
  RowRanges Taken() const;
  int64_t num_taken() const;
  /// Rows that were given up by this claim: refused, or unreadable.
  int64_t num_given_up() const;
  /// Says that rows are sent now.
  Delivery Send(int row_group, int64_t first_row, int64_t num_rows);
  /// Says that rows will not be sent.
  void GiveUp(const RowRanges& rows);
  /// Says that nobody should send rows any more, where the ledger keeps a quarantine.
  void Quarantine(const RowRanges& rows, QuarantineCause cause, std::string_view reason);
  /// Of Taken: rows in quarantine, and those that an operator has dropped from it.
  RowRanges Quarantined() const;
  RowRanges Dropped() const;

  /// Whether its rows may be sent now, where several processes share the work.
  bool MaySend() const;

  const void* owner() const { return owner_; }
  const std::shared_ptr<FileRecord>& record() const { return record_; }

 private:
  friend class Delivery;
  friend class FileLedger;
  void End(Delivery::Outcome outcome, int row_group, int64_t first_row, int64_t num_rows);
  void Suspect(const RowRanges& rows, std::string_view reason);
  void OnArrival();

  std::shared_ptr<FileRecord> record_;
  const void* owner_;
  std::mutex* mutex_;
  std::shared_ptr<FileLedger> ledger_;
  const std::shared_ptr<Lease> lease_;
  RowRanges taken_;
  RowRanges given_up_;
};

/// A root file and the rows of it that have arrived. Only FileLedger and FileClaim look inside.
class FileRecord {
 private:
  friend class FileLedger;
  friend class FileClaim;
  FileId id_;
  int64_t num_rows_ = 0;
  bool is_whole_ = false;  ///< all rows are delivered; `acked_` is empty then
  RowRanges acked_;
  RowRanges quarantined_;
  RowRanges dropped_;  ///< by an operator, from the quarantine
  std::weak_ptr<FileClaim> claim_;
  std::list<std::shared_ptr<FileRecord>>::iterator gone_;  ///< place among those gone
  bool is_gone_ = false;
  int64_t number_ = 0;          ///< of those of the ledger
  bool is_changed_ = false;     ///< it is among those that TakeChanges returns
  bool knows_children_ = true;  ///< what was sent of it was sent with children that were seen
  std::string delivered_as_;    ///< its path, once something of it was delivered
};
using FileRecordPtr = std::shared_ptr<FileRecord>;

/// What was delivered of a root file.
struct DeliveredFile {
  FileId id;
  int64_t num_rows = 0;
  bool is_whole = false;
  RowRanges rows;      ///< where it was not delivered whole
  int64_t number = 0;  ///< names it among the files of its ledger, from 1 on; 0: it has none yet
};

/// A child file that a look at its partition has found: what of its table went out then went out
/// with it.
struct SeenChild {
  uint64_t path_hash = 0;  ///< of the path below the base
  uint64_t content = 0;    ///< of its size and the digest of its footer
};

/// Remembers as long as it lives, in memory only. Calls: from any thread.
///
/// A file that was touched, renamed, moved to another partition (where the file system numbers
/// files), or taken away and brought back is the one that it was. A file rewritten with other bytes
/// is new, also when its footer and its size are what they were (told by a hash of its content). A
/// copy beside its original is one more.
///
/// Memory: one record a file that is listed. Files that are not listed any more are remembered as
/// long as they are no more than the most that were ever listed at a time, or kMinGone; those that
/// have been gone longest are forgotten first.
class FileLedger : public std::enable_shared_from_this<FileLedger> {
 public:
  static constexpr size_t kMinGone = 10'000;

  /// Returns the record of a file as it stands in the listing, a new one when it was never seen.
  FileRecordPtr Recognise(const FileId& id, int64_t num_rows, const ListedFiles& listed);

  /// Tells whether a file was delivered whole by an earlier process, by its path, size, time and
  /// footer: it need not be read for that. The file is known by its number from then on.
  bool RecogniseRestored(const FileId& id);

  /// Returns the claim of `owner` on a file; null while another owner has one, or, where processes
  /// share the work, while this one has no lease of the file. What was delivered counts as taken.
  std::shared_ptr<FileClaim> Claim(const FileRecordPtr& record, const void* owner);

  /// Tells whether every row has been delivered.
  bool IsDelivered(const FileRecordPtr& record) const;

  /// Tells whether something was delivered under this path before that is not of this record: the
  /// file was written anew, or its time has changed since.
  bool HasDeliveredUnder(const std::string& path, const FileRecordPtr& record) const;

  /// Says that all rows have arrived, in another file.
  void MarkDelivered(const FileRecordPtr& record);

  /// Says what is listed now. Files that are gone may be forgotten.
  void OnListed(const ListedFiles& listed);

  /// Returns the files of which something was delivered.
  std::vector<DeliveredFile> Delivered() const;

  /// Returns the paths of the files that were delivered whole.
  std::set<std::string> DeliveredPaths() const;

  /// Takes on what an earlier process has delivered. Such files are told by their paths, sizes,
  /// times and footers. What is known of a file already stays. Numbers stay, where there are some.
  void Restore(std::vector<DeliveredFile> files);

  /// Shares the work with other processes from now on: `leases`, which is borrowed and outlives all
  /// calls, says what may be claimed. Numbers of files and entries are above `first_number` from
  /// then on. After Restore and KeepQuarantine, before anything is claimed.
  void ShareBy(LeaseProvider* leases, int64_t first_number);
  /// Null where nobody shares the work.
  LeaseProvider* leases() const;

  /// Takes on what other processes have delivered and put into quarantine since. What this one has
  /// delivered that they have not is among the changes once more.
  void Learn(std::vector<DeliveredFile> files, std::vector<QuarantineEntry> entries);

  /// Keeps a quarantine from now on, which begins with what an earlier process has put there. After
  /// Restore, before anything is sent.
  void KeepQuarantine(std::vector<QuarantineEntry> restored);
  /// What an earlier process has put there.
  std::vector<QuarantineEntry> QuarantinedBefore() const;
  /// Says that a file cannot be opened: it is damaged. Where the ledger keeps a quarantine.
  void SetAside(otap::TableKind table, const FileEntry& entry, std::string_view reason);
  /// Returns what an earlier process has put there of a file that it could not open, as long as
  /// the file is what it was; nothing otherwise.
  std::optional<QuarantineEntry> FindSetAside(const FileEntry& entry) const;

  /// Says that a file could be opened that an earlier process could not open, since it is another
  /// one by now: nothing of it is in quarantine any more.
  void ReleaseSetAside(const std::string& path);

  /// Beyond so many entries reasons are not told apart, so that there is one a file.
  static constexpr size_t kMostReasons = 100'000;
  static constexpr size_t kLongestReason = 1000;  ///< in bytes

  /// What has come and gone since the call before.
  struct Changes {
    std::vector<DeliveredFile> delivered;  ///< files of which more was delivered, or that moved
    std::vector<int64_t> forgotten;        ///< numbers of files that are not remembered any more
    std::vector<QuarantineEntry> quarantined;  ///< entries that are new, or have more rows
    std::vector<int64_t> released;             ///< numbers of entries that do not hold any more
    std::vector<SeenChild> children;           ///< child files that were seen
    std::vector<uint64_t> children_gone;       ///< hashes of their paths
    bool empty() const {
      return delivered.empty() && forgotten.empty() && quarantined.empty() && released.empty() &&
             children.empty() && children_gone.empty();
    }
  };
  /// Has TakeChanges return something. Before anything is delivered.
  void KeepChanges();
  /// What is forgotten may be among what was delivered: it is to be taken away last. Children that
  /// are gone are to be taken away first.
  Changes TakeChanges();

  size_t num_records() const;

  /// Takes on the child files that earlier processes have seen. Records of files with numbers from
  /// `first_number` on were sent while child files were kept; of others it is not known which
  /// children they were sent with. Before Restore.
  void RestoreChildren(const std::vector<SeenChild>& children, int64_t first_number);
  /// Tells whether a child file was seen as it is.
  bool HasSeen(const FileSummary& child) const;
  /// Says that a child file was seen. Before anything is claimed that may be sent with it.
  void See(const FileSummary& child);
  /// Says that a child file is gone.
  void ForgetChild(std::string_view path);
  /// Forgets children that are not among `paths`, once there are more than twice as many of those
  /// (and than kMinGone).
  void KeepChildren(const std::vector<std::string_view>& paths);

  /// Tells whether records of a file as it stands have arrived, and those of its children that were
  /// there then are known. Never where several processes share the work.
  bool WasSent(const FileId& id, const ListedFiles& listed) const;
  /// Has all records of a file sent once more; those in quarantine stay there. Returns how many,
  /// nothing while some of them are in flight, or where nobody knows the file.
  std::optional<int64_t> Reopen(const FileId& id, const ListedFiles& listed);

 private:
  friend class FileClaim;
  void AddRestored(DeliveredFile file);
  void LearnFile(DeliveredFile file);
  void OnChange(const FileRecordPtr& record);
  void Quarantine(const FileRecordPtr& record, const RowRanges& rows, QuarantineCause cause,
                  std::string_view reason);
  void Suspect(const FileRecordPtr& record, const RowRanges& rows, std::string_view reason);
  void OnArrival(otap::TableKind table);
  QuarantineEntry* EntryOf(QuarantineEntry entry);
  void CountPath(FileRecord* record);
  void UncountPath(FileRecord* record);
  static DeliveredFile Describe(const FileRecord& record);
  using Key = std::pair<otap::TableKind, std::string>;
  static bool IsListed(const FileRecord& record, const ListedFiles& listed);
  FileRecordPtr Find(const FileId& id, const ListedFiles& listed) const;
  void Forget(const FileRecordPtr& record);

  mutable std::mutex mutex_;
  std::map<Key, std::vector<FileRecordPtr>> records_;
  std::list<FileRecordPtr> gone_;  ///< longest gone first
  size_t num_records_ = 0;
  size_t most_listed_ = 0;
  std::unordered_map<std::string, int> delivered_paths_;  ///< records of each
  int64_t last_number_ = 0;
  bool keeps_changes_ = false;
  std::vector<FileRecordPtr> changed_;
  std::vector<int64_t> forgotten_;
  std::unordered_map<uint64_t, uint64_t> children_;  ///< contents, by hash of the path
  std::set<uint64_t> children_changed_;              ///< hashes of paths, seen or gone
  int64_t first_with_children_ = std::numeric_limits<int64_t>::max();
  bool keeps_quarantine_ = false;
  std::map<int64_t, QuarantineEntry> quarantine_;  ///< by number
  int64_t last_entry_ = 0;
  int64_t last_restored_ = 0;                 ///< number of the last entry of earlier processes
  std::map<std::string, int64_t> set_aside_;  ///< entries of earlier processes, by path
  /// Entries of this process, by path, number of the file, cause and reason.
  std::map<std::tuple<std::string, int64_t, QuarantineCause, std::string>, int64_t> entry_numbers_;
  std::set<int64_t> changed_entries_;
  /// Rows that were refused permanently since other rows of their table have arrived.
  struct Suspected {
    FileRecordPtr record;
    RowRanges rows;
    std::string reason;
  };
  std::map<otap::TableKind, std::vector<Suspected>> suspected_;
  std::vector<int64_t> released_;
  LeaseProvider* leases_ = nullptr;
};

}  // namespace df::lake
