// What a work list makes of changes that it is told of between two listings of the tree.
#include <algorithm>
#include <iterator>
#include <utility>

#include "lake/format/parquet_exceptions.h"
#include "lake/queue/times_wanted.h"
#include "lake/queue/work_list.h"

namespace df::lake {
namespace {

/// A look is followed by a pause of so many times as long as it took: folders with very many files
/// that change all the time take a tenth of a thread.
constexpr int kPausePerLook = 9;

/// `files` are sorted by path.
bool IsIn(const std::vector<FileEntry>& files, const std::string& path) {
  const auto found = std::lower_bound(
      files.begin(), files.end(), path,
      [](const FileEntry& entry, const std::string& wanted) { return entry.path < wanted; });
  return found != files.end() && found->path == path;
}

}  // namespace

void WorkList::UseWatch(std::shared_ptr<storage::FolderWatch> watch) {
  watch->OnChange([this] { Wake(); });
  file_list_ = std::make_unique<FolderList>(store_, base_, TimesWanted(read_), std::move(watch));
}

void WorkList::SetPollingInterval(std::chrono::nanoseconds interval) {
  {
    const std::lock_guard lock(mutex_);
    *follow_.polling_interval = interval;
    next_scan_ = last_scan_ + std::chrono::duration_cast<Time::duration>(interval);
  }
  Wake();
}

void WorkList::Wake() {
  {
    const std::lock_guard lock(wake_mutex_);
    ++num_wakes_;
  }
  woken_.notify_all();
  on_wake_();
}

/// Not until a time of the clock: it may be set back.
void WorkList::Wait(const Taken& taken, const std::function<bool()>& is_stopped) {
  std::unique_lock lock(wake_mutex_);
  woken_.wait_for(lock, *taken.wait_until - clock_(),
                  [&] { return num_wakes_ != taken.num_wakes || is_stopped(); });
}

WorkList::Looks WorkList::looks() const {
  const std::lock_guard lock(mutex_);
  return num_looks_;
}

/// Whether something has changed, or may be read now, and the pause after the last look is over.
bool WorkList::IsLookDue() const {
  if (!is_following() || !has_scanned_) {
    return false;
  }
  const Time now = clock_();
  const bool is_pause_over = now >= next_look_ || now < last_look_;
  return is_pause_over &&
         (file_list_->HasChanges() ||
          std::any_of(look_again_.begin(), look_again_.end(),
                      [now](const auto& partition) { return partition.second <= now; }));
}

/// Returns when Take may find something that nobody tells of.
WorkList::Time WorkList::WhenNext() const {
  Time when = next_scan_;
  for (const auto& [partition, time] : look_again_) {
    when = std::min(when, std::max(time, next_look_));
  }
  return file_list_->HasChanges() ? std::min(when, next_look_) : when;
}

/// Has a partition looked at again, though nothing changes in it: what it holds back may be read
/// then. Without a watch the next listing of everything does that. Needs the lock.
void WorkList::LookAgain(const std::string& partition, Time when) {
  if (is_watched_ && when < next_scan_) {
    const auto [entry, is_new] = look_again_.emplace(partition, when);
    entry->second = std::min(entry->second, when);
  }
}

/// Lists what has changed, without the lock. Returns false where everything has to be listed.
bool WorkList::LookUnlocked(std::unique_lock<std::mutex>* lock) {
  last_look_ = clock_();
  std::set<std::string> ready;
  for (const auto& [partition, when] : look_again_) {
    if (when <= last_look_) {
      ready.insert(partition);
    }
  }
  std::erase_if(look_again_, [&](const auto& entry) { return ready.contains(entry.first); });
  is_listing_ = true;
  lock->unlock();
  auto changed = CatchParquet({}, [&] { return file_list_->ListChanged(read_.signals, ready); });
  const bool is_watched = file_list_->IsWatched();
  lock->lock();
  is_listing_ = false;
  is_watched_ = is_watched;
  listed_once_more_.notify_all();
  next_look_ = clock_() + kPausePerLook * std::max(clock_() - last_look_, Time::duration(0));
  if (!changed.ok() || !changed->has_value()) {
    return false;
  }
  ++num_looks_.partitions;
  TakeIn(**std::move(changed));
  return true;
}

/// Takes partitions on as a listing of everything would. Needs the lock.
void WorkList::TakeIn(LakeListing listing) {
  ++scan_number_;
  for (PartitionListing& partition : listing.partitions) {
    if (read_.wants_partition && !read_.wants_partition(partition.partition)) {
      continue;
    }
    ListAnew(partition);
    NameClockAhead(partition);
    Remember(partition, whole_scan_);
    looked_at_[partition.partition] = scan_number_;
    has_found_files_ = true;
    if (HasNewFiles(partition)) {
      Enqueue(std::move(partition));
    }
  }
}

/// Replaces what the last listing said of the files of a partition. Needs the lock.
void WorkList::ListAnew(const PartitionListing& partition) {
  for (const otap::TableInfo& table : otap::AllTables()) {
    const std::vector<FileEntry>& files = partition.tables[otap::TableIndex(table.kind)];
    std::string folder = std::string(table.directory) + "/";
    folder += partition.partition.empty() ? "" : partition.partition + "/";
    for (auto known = known_.lower_bound(folder);
         known != known_.end() && known->first.starts_with(folder);) {
      if (known->first.find('/', folder.size()) != std::string::npos) {
        ++known;  // of a partition below
        continue;
      }
      if (table.is_root()) {
        listed_.Remove(table.kind, known->second.entry);
      }
      known = IsIn(files, known->first) ? std::next(known) : ForgetFile(known);
    }
    if (!table.is_root() || files.empty()) {
      continue;
    }
    root_tables_.insert(table.kind);
    have_roots_.insert(partition.partition);
    bare_.erase(partition.partition);
    for (const FileEntry& entry : files) {
      listed_.Add(table.kind, entry);
    }
  }
}

}  // namespace df::lake
