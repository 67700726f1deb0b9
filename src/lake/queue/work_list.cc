#include "lake/queue/work_list.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "lake/catalog/absent_tables.h"
#include "lake/catalog/readiness.h"
#include "lake/format/parquet_exceptions.h"
#include "lake/queue/times_wanted.h"
#include "lake/queue/unowned_attributes.h"

namespace df::lake {
namespace {

bool HasChildren(const PartitionFiles& files, otap::Signal signal) {
  return std::any_of(otap::AllTables().begin(), otap::AllTables().end(),
                     [&](const otap::TableInfo& table) {
                       return table.has_signal(signal) && table.parent.has_value() &&
                              !files.of(table.kind).empty();
                     });
}

bool HasRoots(const PartitionListing& listing) {
  return std::any_of(otap::kAllSignals.begin(), otap::kAllSignals.end(), [&](otap::Signal signal) {
    return !listing.tables[otap::TableIndex(otap::RootTable(signal))].empty();
  });
}

bool HasFilesOf(const PartitionListing& listing, const std::vector<otap::Signal>& signals) {
  return std::any_of(
      otap::AllTables().begin(), otap::AllTables().end(), [&](const otap::TableInfo& table) {
        return !listing.tables[otap::TableIndex(table.kind)].empty() &&
               std::any_of(signals.begin(), signals.end(),
                           [&](otap::Signal signal) { return table.has_signal(signal); });
      });
}

}  // namespace

WorkList::WorkList(std::shared_ptr<storage::Store> store, std::string base, ReadOptions read,
                   FollowOptions follow, Clock clock)
    : store_(std::move(store)),
      base_(std::move(base)),
      read_(std::move(read)),
      follow_(follow),
      clock_(std::move(clock)),
      file_list_(std::make_unique<FolderList>(store_, base_, TimesWanted(read_))) {}

void WorkList::UseFileList(std::unique_ptr<FileListProvider> files) {
  file_list_ = std::move(files);
}

std::chrono::seconds WorkList::RetryDelay(int attempts) {
  return std::chrono::seconds(1) * (1 << std::clamp(attempts - 1, 0, 6));
}

void WorkList::UseLedger(std::shared_ptr<FileLedger> ledger) {
  const std::lock_guard lock(mutex_);
  ledger_ = std::move(ledger);
}

/// A file whose time is ahead of the clock is as old as what has passed since it was seen first.
std::chrono::nanoseconds WorkList::Age(const FileEntry& entry) const {
  const auto now = clock_().time_since_epoch();
  const std::chrono::nanoseconds age = now - std::chrono::nanoseconds(entry.modified_nanos);
  if (age.count() >= 0 || !is_following()) {
    return age;
  }
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(entry.path);
  return known == known_.end() ? age : now - known->second.arrived.time_since_epoch();
}

Result<WorkList::Taken> WorkList::Take() {
  uint64_t num_wakes = 0;  // before the look: what comes after that ends a wait
  {
    const std::lock_guard lock(wake_mutex_);
    num_wakes = num_wakes_;
  }
  std::unique_lock lock(mutex_);
  if (auto work = TakeReturned(); work.has_value()) {
    return Taken{.work = std::move(work), .wait_until = std::nullopt};
  }
  for (size_t i = later_.size(); i-- > 0;) {
    Later later = std::move(later_.front());
    later_.pop_front();
    if (later.due <= clock_()) {
      Enqueue(std::move(later.listing));
    } else {
      later_.push_back(std::move(later));
    }
  }
  listed_once_more_.wait(lock, [this] { return !queue_.empty() || !is_listing_; });
  bool is_scan_due = IsScanDue();
  if (queue_.empty() && !is_scan_due && IsLookDue()) {
    is_scan_due = !LookUnlocked(&lock);
  }
  if (queue_.empty() && is_scan_due) {
    ARROW_RETURN_NOT_OK(ScanUnlocked(&lock));
    lock.unlock();
    CompareWithSeals();  // of those that have no files any more
    lock.lock();
  }
  if (follow_.is_by_time) {
    Taken taken = TakeByTime(&lock);
    taken.num_wakes = num_wakes;
    return taken;
  }
  while (!queue_.empty()) {
    const PartitionListing listing = Dequeue();
    lock.unlock();
    std::optional<PartitionWork> work = Prepare(listing);
    if (work.has_value()) {
      return Taken{.work = std::move(work), .wait_until = std::nullopt};
    }
    lock.lock();
  }
  if (is_following()) {
    return Taken{.work = std::nullopt, .wait_until = WhenNext(), .num_wakes = num_wakes};
  }
  return Taken{.work = std::nullopt, .wait_until = WhenLater(), .num_wakes = num_wakes};
}

std::optional<WorkList::Time> WorkList::WhenLater() const {
  std::optional<Time> when;
  for (const Later& later : later_) {
    when = std::min(when.value_or(later.due), later.due);
  }
  return when;
}

/// A clock that was set back must not keep the next poll away.
bool WorkList::IsScanDue() const {
  const auto now = clock_();
  return !has_scanned_ || (is_following() && (now >= next_scan_ || now < last_scan_));
}

/// Lists without the lock: others report and give back meanwhile.
Status WorkList::ScanUnlocked(std::unique_lock<std::mutex>* lock) {
  is_listing_ = true;
  lock->unlock();
  auto listing = CatchParquet({}, [this] { return file_list_->List(read_.signals); });
  if (cache_ != nullptr && listing.ok()) {
    WriteCache();
    // What was not listed may be there.
    if (listing->num_folders_skipped == 0 && !std::exchange(has_pruned_cache_, true)) {
      cache_->Prune(*listing);
    }
  }
  if (listing.ok() && is_following()) {
    ReadCompactions(*listing);
  }
  const bool is_watched = is_following() && file_list_->IsWatched();
  lock->lock();
  is_watched_ = is_watched;
  is_listing_ = false;
  listed_once_more_.notify_all();
  return Scan(std::move(listing));
}

Status WorkList::Scan(Result<LakeListing> listing) {
  has_scanned_ = true;
  ++scan_number_;
  ++num_looks_.trees;
  held_back_.clear();
  last_scan_ = clock_();
  next_scan_ = last_scan_ + std::chrono::duration_cast<std::chrono::system_clock::duration>(
                                follow_.polling_interval.value_or(std::chrono::nanoseconds(0)));
  if (!listing.ok()) {
    if (!is_following()) {
      has_scanned_ = false;
      return listing.status();
    }
    if (reported_.insert(listing.status().message()).second) {
      report_.Add(listing.status());
    }
    return Status::OK();
  }
  FollowCompactions();
  if (scan_number_ == 1) {
    NameCompactedSince(*listing);
  }
  num_folders_skipped_ = std::max(num_folders_skipped_, listing->num_folders_skipped);
  has_found_files_ = has_found_files_ || num_folders_skipped_ > 0;
  first_scan_ = first_scan_ == 0 ? scan_number_ : first_scan_;
  for (const Status& problem : listing->problems) {
    if (reported_.insert(problem.message()).second) {
      report_.Add(problem);
    }
  }
  for (const Status& notice : listing->notices) {
    if (reported_.insert(notice.message()).second) {
      report_.AddNotice(notice);
    }
  }
  const uint64_t whole_before = std::exchange(whole_scan_, scan_number_);
  ListedFiles listed;
  std::vector<std::string_view> children;
  for (const PartitionListing& partition : listing->partitions) {
    for (const otap::TableInfo& table : otap::AllTables()) {
      for (const FileEntry& entry : partition.tables[otap::TableIndex(table.kind)]) {
        if (table.is_root()) {
          listed.Add(table.kind, entry);
          root_tables_.insert(table.kind);
        } else {
          children.push_back(entry.path);
        }
      }
    }
  }
  ledger_->OnListed(listed);
  ledger_->KeepChildren(children);
  listed_ = std::move(listed);
  std::set<std::string> have_roots;
  absent_tables_ = DescribeAbsentTables(*listing, read_.signals);
  seals_.OnListed(*listing, read_.signals, read_.wants_partition);
  if (read_.wants_partition) {
    const size_t num_listed = listing->partitions.size();
    std::erase_if(listing->partitions, [this](const PartitionListing& partition) {
      return !read_.wants_partition(partition.partition);
    });
    num_unwanted_ = static_cast<int64_t>(num_listed - listing->partitions.size());
    has_found_files_ = has_found_files_ || num_unwanted_ > 0;
    if (listing->partitions.empty() && num_unwanted_ > 0 && !is_following()) {
      report_.Add(MakeError(ErrorKind::kQuery, fmt::format("select.partitions wants none of {} "
                                                           "partitions",
                                                           num_unwanted_)));
    }
  }
  for (PartitionListing& partition : listing->partitions) {
    has_found_files_ = has_found_files_ || HasFilesOf(partition, read_.signals);
    NameClockAhead(partition);
    if (is_following()) {
      Remember(partition, whole_before);
    }
    // Child rows without any root file are counted and named: at once, or after the grace.
    const bool has_roots = HasRoots(partition) || have_roots_.contains(partition.partition);
    const bool is_bare = is_following() && !has_roots;
    if (has_roots) {
      have_roots.insert(partition.partition);
      bare_.erase(partition.partition);
    }
    if (!is_following() || HasNewFiles(partition) || IsToBeJudged(partition) ||
        seals_.Wants(partition.partition) ||
        (is_bare && IsBareSince(partition, clock_() - follow_.completeness_grace))) {
      Enqueue(std::move(partition));
    }
  }
  have_roots_ = std::move(have_roots);
  looked_at_.clear();
  look_again_.clear();  // all that wait are looked at now
  Forget(whole_before);
  return Status::OK();
}

/// `scan_before`: the last look at everything before this one.
void WorkList::Remember(const PartitionListing& partition, uint64_t scan_before) {
  const Time now = clock_();
  const auto looked_at = looked_at_.find(partition.partition);
  const uint64_t before =
      looked_at == looked_at_.end() ? scan_before : std::max(scan_before, looked_at->second);
  for (const auto& table : partition.tables) {
    for (const FileEntry& entry : table) {
      KnownFile& known = known_[entry.path];
      const bool is_same = known.seen_in != 0 && known.entry.size_bytes == entry.size_bytes &&
                           known.entry.modified_nanos == entry.modified_nanos &&
                           known.entry.number == entry.number &&
                           known.entry.num_rows == entry.num_rows &&
                           (known.problem.ok() || known.entry.changed_nanos == entry.changed_nanos);
      if (!is_same) {
        // Of files that were there before the first listing, their times say since when.
        const Time changed{std::chrono::duration_cast<Time::duration>(
            std::chrono::nanoseconds(std::max(entry.modified_nanos, entry.changed_nanos)))};
        known = {.entry = entry,
                 .arrived = scan_number_ == first_scan_ ? std::min(changed, now) : now,
                 .first_seen = scan_number_,
                 .before = before};
      }
      known.seen_in = scan_number_;
      if (known.content != nullptr) {
        known.content->seen_in = scan_number_;
      }
      if (known.presence != nullptr) {
        known.presence->seen_in = scan_number_;
      }
    }
  }
}

/// Whether every file of a partition was there as it is at that time already, and one of them was
/// not counted as bare.
bool WorkList::IsBareSince(const PartitionListing& listing, Time when) const {
  int64_t num_files = 0;
  for (const auto& table : listing.tables) {
    num_files += static_cast<int64_t>(table.size());
    for (const FileEntry& entry : table) {
      if (known_.at(entry.path).arrived > when) {
        return false;
      }
    }
  }
  const auto known = bare_.find(listing.partition);
  int64_t num_known = 0;
  if (known != bare_.end()) {
    for (const BareTable& table : known->second) {
      num_known += table.num_files;
    }
  }
  return num_files != num_known;
}

/// Forgets a file that is gone. Returns the next one.
std::map<std::string, WorkList::KnownFile>::iterator WorkList::ForgetFile(
    std::map<std::string, KnownFile>::iterator known) {
  if (const auto open = open_problems_.find(known->first); open != open_problems_.end()) {
    report_.AddUnlisted(open->second);  // it was never read
    open_problems_.erase(open);
  }
  ledger_->ForgetChild(known->first);
  return known_.erase(known);
}

void WorkList::Forget(uint64_t whole_before) {
  std::erase_if(bare_, [&](const auto& partition) {
    return std::none_of(partition.second.begin(), partition.second.end(),
                        [&](const BareTable& table) {
                          const auto known = known_.find(table.first_file);
                          return known != known_.end() && known->second.seen_in == scan_number_;
                        });
  });
  for (auto known = known_.begin(); known != known_.end();) {
    known = known->second.seen_in == scan_number_ ? std::next(known) : ForgetFile(known);
  }
  std::erase_if(delivered_as_others_,
                [this](const std::string& path) { return !known_.contains(path); });
  // One listing back: the footer of a renamed file is read after this.
  std::erase_if(presences_, [&](const auto& entry) { return entry.second.seen_in < whole_before; });
  const Time now = clock_();
  for (auto& [partition, sent] : sent_) {
    std::erase_if(sent, [&](const Sent& root) { return now - root.at > follow_.late_window; });
  }
  std::erase_if(sent_, [](const auto& entry) { return entry.second.empty(); });
  std::vector<uint64_t> gone;
  for (const auto& [key, content] : contents_) {
    if (content.seen_in != scan_number_) {
      gone.push_back(content.seen_in);
    }
  }
  if (gone.size() > kMostContentsGone) {
    const auto oldest_kept = gone.end() - static_cast<ptrdiff_t>(kMostContentsGone);
    std::nth_element(gone.begin(), oldest_kept, gone.end());
    std::erase_if(contents_, [&](const auto& entry) {
      return entry.second.seen_in != scan_number_ && entry.second.seen_in < *oldest_kept;
    });
  }
}

/// Whether there are root files to send, or other files that may have come too late.
bool WorkList::HasNewFiles(const PartitionListing& listing) const {
  const bool has_sent = sent_.contains(listing.partition);
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (!table.is_root() && !has_sent) {
      continue;
    }
    for (const FileEntry& entry : listing.tables[otap::TableIndex(table.kind)]) {
      const KnownFile& known = known_.at(entry.path);
      const bool is_new = !known.is_settled && (table.is_root() || known.first_seen > first_scan_);
      const bool is_wanted =
          std::any_of(read_.signals.begin(), read_.signals.end(),
                      [&](otap::Signal signal) { return table.has_signal(signal); });
      if (is_new && is_wanted) {
        return true;
      }
    }
  }
  return false;
}

/// A child file that was touched or renamed came when it was there first.
void WorkList::RecallPresence(KnownFile* file) {
  const FileEntry& entry = file->entry;
  const std::string name = entry.number.is_known()
                               ? fmt::format("{}/{}", entry.number.device, entry.number.inode)
                               : entry.path;
  Presence& presence =
      presences_[fmt::format("{}/{}/{}", name, entry.size_bytes, file->summary->digest)];
  if (presence.first_seen == 0 || presence.seen_in < file->before) {
    presence.first_seen = file->first_seen;
  }
  presence.seen_in = std::max(presence.seen_in, file->seen_in);
  file->first_seen = std::min(file->first_seen, presence.first_seen);
  file->presence = &presence;
}

/// Names the attributes of resources and scopes that lie where no file of records is.
void WorkList::NameUnownedAttributes(const PartitionFiles& files, const PartitionListing& listing) {
  const auto unowned = FindUnownedAttributes(*store_, base_, files, listing);
  if (!unowned.ok()) {
    const std::lock_guard lock(mutex_);
    report_.Add(unowned.status());
    return;
  }
  for (const otap::TableKind kind :
       {otap::TableKind::kResourceAttrs, otap::TableKind::kScopeAttrs}) {
    std::vector<UnownedFile> of_table;
    std::copy_if(unowned->begin(), unowned->end(), std::back_inserter(of_table),
                 [kind](const UnownedFile& one) { return one.file->kind == kind; });
    if (of_table.empty()) {
      continue;
    }
    const std::lock_guard lock(mutex_);
    if (!of_table.front().is_of_set && root_tables_.size() < otap::kAllSignals.size()) {
      report_.AddNotice(DescribeUntold(kind, root_tables_));
    } else if (reported_
                   .insert(fmt::format("unowned {}/{}", otap::GetTable(kind).directory,
                                       files.partition))
                   .second) {
      report_.Add(DescribeUnowned(files.partition, of_table));
    }
  }
}

std::optional<PartitionWork> WorkList::Prepare(const PartitionListing& listing) {
  Preparation preparation{.listing = listing,
                          .files = {},
                          .has_pending_child = false,
                          .young = {},
                          .again = std::nullopt,
                          .copy = nullptr};
  preparation.files.partition = listing.partition;
  {
    const std::lock_guard lock(mutex_);
    held_back_.erase(listing.partition);
  }
  LoadSummaries(&preparation);
  if (preparation.again.has_value()) {
    const std::lock_guard lock(mutex_);
    later_.push_back({.listing = listing, .due = *preparation.again});
    return std::nullopt;
  }
  auto files = std::make_shared<PartitionFiles>(std::move(preparation.files));
  if (is_following() && !HasRoots(listing)) {
    CountBareChildren(*files);
    return std::nullopt;
  }
  JudgeChildren(*files, &preparation);
  if (!is_following()) {
    NameUnownedAttributes(*files, listing);
  }
  PartitionWork work{.files = files, .tasks = {}};
  for (const otap::Signal signal : read_.signals) {
    std::optional<PartitionTask> task = PrepareSignal(signal, files, &preparation);
    if (task.has_value()) {
      work.tasks.push_back(std::move(*task));
    }
  }
  if (preparation.again.has_value()) {
    const std::lock_guard lock(mutex_);
    later_.push_back({.listing = listing, .due = *preparation.again});
  }
  if (preparation.ready_at.has_value()) {
    const std::lock_guard lock(mutex_);
    LookAgain(listing.partition, *preparation.ready_at);
  }
  if (!work.tasks.empty()) {
    return work;
  }
  std::unique_lock lock(mutex_);
  if (preparation.young.empty() && !preparation.has_pending_child && IsToBeJudged(listing)) {
    lock.unlock();
    Judge(*files, listing);
  }
  return std::nullopt;
}

std::optional<PartitionTask> WorkList::PrepareSignal(otap::Signal signal,
                                                     const std::shared_ptr<PartitionFiles>& files,
                                                     Preparation* preparation) {
  const otap::TableKind root_kind = otap::RootTable(signal);
  const auto& roots = files->of(root_kind);
  PartitionTask task{.signal = signal, .files = files, .root_files = {}, .is_partial = false};
  const auto num_present = CountContents(roots, files->partition);
  int64_t num_held = 0;
  for (const FileEntry& entry : preparation->listing.tables[otap::TableIndex(root_kind)]) {
    num_held += preparation->young.contains(entry.path) ? 1 : 0;
  }
  const SetCensus census(*files);
  const SignalFacts facts = FactsOf(signal, *preparation);
  std::vector<size_t> ready;
  std::vector<FileSummaryPtr> wanted;
  for (size_t i = 0; i < roots.size(); ++i) {
    if (IsHeldBack(*roots[i], census, facts, preparation)) {
      ++num_held;
    } else {
      ready.push_back(i);
      wanted.push_back(roots[i]);
    }
  }
  LeaseRoots(wanted, files->partition, preparation);
  for (const size_t i : ready) {
    const auto present = num_present.find(roots[i].get());
    auto claim = Claim(roots[i], files->partition,
                       present == num_present.end() ? 1 : present->second, preparation);
    if (claim != nullptr) {
      task.root_files.push_back(i);
      task.taken.push_back(claim->Taken());
      task.is_partial = task.is_partial || !task.taken.back().empty();
      task.claims.push_back(std::move(claim));
    }
  }
  preparation->leases.clear();  // the claims have them
  const std::lock_guard lock(mutex_);
  if (num_held > 0) {
    held_back_[files->partition] += num_held;
  }
  // While a tree is followed, rows may belong to root files that are still to come.
  task.is_partial =
      task.is_partial || is_following() || task.root_files.size() < roots.size() || num_held > 0;
  const bool has_children_only = !task.is_partial && HasChildren(*files, signal);
  return task.root_files.empty() && !has_children_only ? std::nullopt
                                                       : std::optional(std::move(task));
}

}  // namespace df::lake
