#include "lake/work_list.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "lake/absent_tables.h"
#include "lake/content_hash.h"
#include "lake/readiness.h"

namespace df::lake {
namespace {

bool HasChildren(const PartitionFiles& files, otap::Signal signal) {
  return std::any_of(otap::AllTables().begin(), otap::AllTables().end(),
                     [&](const otap::TableInfo& table) {
                       return table.has_signal(signal) && table.parent.has_value() &&
                              !files.of(table.kind).empty();
                     });
}

/// A clock that is this far behind another one is set well enough.
constexpr std::chrono::seconds kClockSlack(2);

/// How long to wait before the next attempt: 1 s, 2 s, 4 s.. 64 s.
std::chrono::seconds Backoff(int attempts) {
  return std::chrono::seconds(1) * (1 << std::clamp(attempts - 1, 0, 6));
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

WorkList::WorkList(std::shared_ptr<arrow::fs::FileSystem> file_system, std::string base,
                   ReadOptions read, FollowOptions follow, Clock clock)
    : file_system_(std::move(file_system)),
      base_(std::move(base)),
      read_(std::move(read)),
      follow_(follow),
      clock_(std::move(clock)) {}

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
  std::unique_lock lock(mutex_);
  if (!returned_.empty()) {
    Taken taken{.work = std::move(returned_.front().work), .wait_until = std::nullopt};
    returned_.pop_front();
    return taken;
  }
  if (queue_.empty() && (!has_scanned_ || (is_following() && clock_() >= next_scan_))) {
    ARROW_RETURN_NOT_OK(Scan());
  }
  while (!queue_.empty()) {
    const PartitionListing listing = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    std::optional<PartitionWork> work = Prepare(listing);
    if (work.has_value()) {
      return Taken{.work = std::move(work), .wait_until = std::nullopt};
    }
    lock.lock();
  }
  if (!is_following()) {
    return Taken{};
  }
  return Taken{.work = std::nullopt, .wait_until = next_scan_};
}

Status WorkList::Scan() {
  has_scanned_ = true;
  ++scan_number_;
  num_held_back_ = 0;
  next_scan_ = clock_() + std::chrono::duration_cast<std::chrono::system_clock::duration>(
                              follow_.polling_interval.value_or(std::chrono::nanoseconds(0)));
  auto listing = ListLake(*file_system_, base_, read_.signals);
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
  for (PartitionListing& partition : listing->partitions) {
    has_found_files_ = has_found_files_ || HasFilesOf(partition, read_.signals);
    NameClockAhead(partition);
    if (is_following()) {
      Remember(partition);
    }
    // Child rows without any root file are read for once: to be counted and named.
    if (!is_following() || HasNewFiles(partition)) {
      queue_.push_back(std::move(partition));
    }
  }
  Forget();
  return Status::OK();
}

void WorkList::NameClockAhead(const PartitionListing& partition) {
  const auto limit = std::chrono::nanoseconds((clock_() + kClockSlack).time_since_epoch()).count();
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileEntry& entry : partition.tables[otap::TableIndex(table.kind)]) {
      if (entry.modified_nanos > limit &&
          reported_.insert(fmt::format("ahead {}/{}", table.directory, partition.partition))
              .second) {
        report_.AddNotice(MakeError(
            ErrorKind::kFileDiscovery,
            fmt::format("modified {} s ahead of the clock of this machine; the age of such files "
                        "counts from when they are seen first",
                        (entry.modified_nanos - limit) / 1'000'000'000 + kClockSlack.count()),
            {.partition = partition.partition,
             .table = std::string(table.directory),
             .file = entry.path}));
      }
    }
  }
}

void WorkList::Remember(const PartitionListing& partition) {
  const Time now = clock_();
  for (const auto& table : partition.tables) {
    for (const FileEntry& entry : table) {
      KnownFile& known = known_[entry.path];
      const bool is_same = known.seen_in != 0 && known.entry.size_bytes == entry.size_bytes &&
                           known.entry.modified_nanos == entry.modified_nanos &&
                           known.entry.number == entry.number &&
                           (known.problem.ok() || known.entry.changed_nanos == entry.changed_nanos);
      if (!is_same) {
        // Of files that were there before the first listing, their times say since when.
        const Time changed{std::chrono::duration_cast<Time::duration>(
            std::chrono::nanoseconds(std::max(entry.modified_nanos, entry.changed_nanos)))};
        known = {.entry = entry,
                 .arrived = scan_number_ == first_scan_ ? std::min(changed, now) : now,
                 .first_seen = scan_number_};
      }
      known.seen_in = scan_number_;
      if (known.content != nullptr) {
        known.content->seen_in = scan_number_;
      }
    }
  }
}

void WorkList::Forget() {
  std::erase_if(known_, [&](const auto& entry) {
    const KnownFile& known = entry.second;
    if (known.seen_in == scan_number_) {
      return false;
    }
    if (const auto open = open_problems_.find(entry.first); open != open_problems_.end()) {
      report_.Add(open->second);  // it was never read
      ++report_.files_failed;
      open_problems_.erase(open);
    }
    return true;
  });
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

/// Returns the files that some listing up to `scan` has shown as they are.
std::vector<FileSummaryPtr> WorkList::KnownBefore(const std::vector<FileSummaryPtr>& files,
                                                  uint64_t scan) const {
  std::vector<FileSummaryPtr> before;
  std::copy_if(files.begin(), files.end(), std::back_inserter(before),
               [&](const FileSummaryPtr& file) {
                 const auto known = known_.find(file->entry.path);
                 return known != known_.end() && known->second.first_seen <= scan;
               });
  return before;
}

void WorkList::NameLateChildren(const PartitionFiles& files) {
  const std::lock_guard lock(mutex_);
  const auto found = sent_.find(files.partition);
  if (found == sent_.end()) {
    return;
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileSummaryPtr& child : files.of(table.kind)) {
      const auto known = known_.find(child->entry.path);
      if (table.is_root() || known == known_.end() ||
          std::exchange(known->second.is_settled, true)) {
        continue;
      }
      const bool is_late =
          std::any_of(found->second.begin(), found->second.end(), [&](const Sent& sent) {
            return sent.scan < known->second.first_seen &&
                   MayBelongTo(
                       *child, *sent.root,
                       [&] { return KnownBefore(files.of(*table.parent), sent.scan); });
          });
      if (is_late && child->num_rows() > 0) {
        report_.late_rows += child->num_rows();
        report_.Add(MakeError(
            ErrorKind::kMissingFile,
            fmt::format("the file came after records that its {} rows may belong to had been sent; "
                        "they were not sent with these",
                        child->num_rows()),
            {.partition = files.partition,
             .table = std::string(table.directory),
             .file = child->entry.path}));
      }
    }
  }
}

FileSummaryPtr WorkList::SummaryOf(const FileEntry& entry, otap::TableKind kind,
                                   const std::string& partition, Status* problem) {
  if (is_following()) {
    const std::lock_guard lock(mutex_);
    if (const auto known = known_.find(entry.path); known != known_.end()) {
      const KnownFile& file = known->second;
      if (file.summary != nullptr || (!file.problem.ok() && clock_() < file.retry_at)) {
        *problem = file.problem;
        return file.summary;
      }
    }
  }
  auto summary = Summarise(*file_system_, base_, entry, kind, partition);
  *problem = summary.status();
  const std::lock_guard lock(mutex_);
  if (summary.ok()) {
    ReportLayout(**summary, &report_);
  }
  if (const auto known = known_.find(entry.path); known != known_.end()) {
    KnownFile& file = known->second;
    file.summary = summary.ok() ? *summary : nullptr;
    file.problem = summary.status();
    open_problems_.erase(entry.path);
    if (!summary.ok()) {
      file.retry_at = IsRetryable(*problem) ? clock_() + Backoff(++file.attempts) : Time::max();
    }
  }
  return summary.ok() ? std::move(*summary) : nullptr;
}

void WorkList::LoadSummaries(Preparation* preparation) {
  preparation->files.has_unreadable = preparation->listing.is_incomplete;
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileEntry& entry : preparation->listing.tables[otap::TableIndex(table.kind)]) {
      if (read_.min_file_age.has_value() && Age(entry) < *read_.min_file_age) {
        preparation->young.push_back(entry);
        continue;
      }
      Status problem;
      FileSummaryPtr summary =
          SummaryOf(entry, table.kind, preparation->listing.partition, &problem);
      if (summary != nullptr) {
        preparation->files.of(table.kind).push_back(std::move(summary));
        continue;
      }
      preparation->files.has_unreadable[otap::TableIndex(table.kind)] = true;
      const std::lock_guard lock(mutex_);
      const auto known = known_.find(entry.path);
      if (known == known_.end()) {
        if (reported_.insert(problem.message()).second) {
          report_.Add(problem);
          ++report_.files_failed;
        }
      } else if (IsRetryable(problem) &&
                 clock_() - known->second.arrived < follow_.completeness_grace) {
        preparation->has_pending_child = preparation->has_pending_child || !table.is_root();
      } else {
        open_problems_.insert_or_assign(entry.path, problem);
        known->second.is_settled = !IsRetryable(problem);
      }
    }
  }
  SortFiles(&preparation->files);
}

std::optional<PartitionWork> WorkList::Prepare(const PartitionListing& listing) {
  Preparation preparation{.listing = listing, .files = {}, .has_pending_child = false, .young = {}};
  preparation.files.partition = listing.partition;
  LoadSummaries(&preparation);
  auto files = std::make_shared<PartitionFiles>(std::move(preparation.files));
  NameLateChildren(*files);
  PartitionWork work{.files = files, .tasks = {}};
  for (const otap::Signal signal : read_.signals) {
    std::optional<PartitionTask> task = PrepareSignal(signal, files, preparation);
    if (task.has_value()) {
      work.tasks.push_back(std::move(*task));
    }
  }
  return work.tasks.empty() ? std::nullopt : std::optional(std::move(work));
}

std::optional<PartitionTask> WorkList::PrepareSignal(otap::Signal signal,
                                                     const std::shared_ptr<PartitionFiles>& files,
                                                     const Preparation& preparation) {
  const otap::TableKind root_kind = otap::RootTable(signal);
  const auto& roots = files->of(root_kind);
  PartitionTask task{.signal = signal, .files = files, .root_files = {}, .is_partial = false};
  const auto num_present = CountContents(roots, files->partition);
  int64_t num_held = 0;
  for (const FileEntry& entry : preparation.young) {
    const auto& listed = preparation.listing.tables[otap::TableIndex(root_kind)];
    num_held += std::any_of(listed.begin(), listed.end(),
                            [&](const FileEntry& e) { return e.path == entry.path; });
  }
  for (size_t i = 0; i < roots.size(); ++i) {
    if (IsHeldBack(*roots[i], signal, *files, preparation)) {
      ++num_held;
      continue;
    }
    const auto present = num_present.find(roots[i].get());
    if (Claim(roots[i], files->partition, present == num_present.end() ? 1 : present->second)) {
      task.root_files.push_back(i);
    }
  }
  const std::lock_guard lock(mutex_);
  num_held_back_ += num_held;
  // While a tree is followed, rows may belong to root files that are still to come.
  task.is_partial = is_following() || task.root_files.size() < roots.size() || num_held > 0;
  const bool has_children_only = !task.is_partial && HasChildren(*files, signal);
  return task.root_files.empty() && !has_children_only ? std::nullopt
                                                       : std::optional(std::move(task));
}

/// Counts the root files of each content where it is not 1. Only files with equal footers are
/// compared byte by byte.
std::map<const FileSummary*, int64_t> WorkList::CountContents(
    const std::vector<FileSummaryPtr>& roots, const std::string& partition) {
  std::map<const FileSummary*, int64_t> counts;
  if (!is_following()) {
    return counts;
  }
  std::map<std::string_view, std::vector<const FileSummary*>> by_digest;
  for (const FileSummaryPtr& root : roots) {
    by_digest[root->digest].push_back(root.get());
  }
  for (const auto& [digest, same] : by_digest) {
    if (same.size() == 1) {
      continue;
    }
    std::map<std::string, std::vector<const FileSummary*>> by_content;
    for (const FileSummary* root : same) {
      by_content[ContentKey(*root, partition)].push_back(root);
    }
    for (const auto& [key, equal] : by_content) {
      for (const FileSummary* root : equal) {
        counts[root] = static_cast<int64_t>(equal.size());
      }
    }
  }
  return counts;
}

bool WorkList::Claim(const FileSummaryPtr& root, const std::string& partition,
                     int64_t num_present) {
  if (!is_following()) {
    return true;  // one listing, every file in it once
  }
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(root->entry.path);
    if (known != known_.end() && known->second.is_settled) {
      return false;
    }
  }
  // A listing that races a rename may show both names: only count those that still exist.
  if (num_present > 1) {
    const auto info = file_system_->GetFileInfo(FullPath(base_, root->entry.path));
    if (!info.ok() || info->type() != arrow::fs::FileType::File) {
      return false;
    }
  }
  const std::string key = ContentKey(*root, partition);
  const std::lock_guard lock(mutex_);
  KnownContent& content = contents_[key];
  content.seen_in = scan_number_;
  if (const auto known = known_.find(root->entry.path); known != known_.end()) {
    known->second.content = &content;
    if (std::exchange(known->second.is_settled, true)) {
      return false;
    }
  }
  if (content.num_sent >= num_present) {
    return false;
  }
  ++content.num_sent;
  sent_[partition].push_back({.root = root, .at = clock_(), .scan = scan_number_});
  return true;
}

bool WorkList::IsHeldBack(const FileSummary& root, otap::Signal signal, const PartitionFiles& files,
                          const Preparation& preparation) const {
  // Young files of other tables are not read yet, so the roots that may need them wait.
  for (const FileEntry& entry : preparation.young) {
    for (const otap::TableInfo& table : otap::AllTables()) {
      const auto& listed = preparation.listing.tables[otap::TableIndex(table.kind)];
      if (!table.is_root() && table.has_signal(signal) &&
          std::any_of(listed.begin(), listed.end(),
                      [&](const FileEntry& e) { return e.path == entry.path; })) {
        return true;
      }
    }
  }
  if (!is_following()) {
    return false;
  }
  const std::lock_guard lock(mutex_);
  const auto arrived = [&](const FileEntry& entry) {
    const auto known = known_.find(entry.path);
    return known == known_.end() ? Time::min() : known->second.arrived;
  };
  const auto known = known_.find(root.entry.path);
  if (known == known_.end() || known->second.is_settled) {
    return false;
  }
  const Time now = clock_();
  if (preparation.has_pending_child || now < known->second.retry_at) {
    return true;
  }
  ReadinessFacts facts{.now = now,
                       .root_arrived = known->second.arrived,
                       .newest_arrived = Time::min(),
                       .grace = follow_.completeness_grace};
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileEntry& entry : preparation.listing.tables[otap::TableIndex(table.kind)]) {
      if (table.has_signal(signal)) {
        facts.newest_arrived = std::max(facts.newest_arrived, arrived(entry));
      }
    }
  }
  return now < ReadyAt(root, files, facts);
}

/// Names the content of a root file. A file that cannot be read is named by its footer: reading it
/// will say why.
std::string WorkList::ContentKey(const FileSummary& root, const std::string& partition) {
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(root.entry.path);
    if (known != known_.end() && !known->second.content_key.empty()) {
      return known->second.content_key;
    }
  }
  const auto hash = HashBytes(*file_system_, FullPath(base_, root.entry.path));
  std::string key = fmt::format("{}/{}/{}/{}", otap::GetTable(root.kind).directory, partition,
                                root.digest, hash.ok() ? *hash : "");
  const std::lock_guard lock(mutex_);
  if (const auto known = known_.find(root.entry.path); known != known_.end() && hash.ok()) {
    known->second.content_key = key;
  }
  return key;
}

void WorkList::Done(const std::vector<RootOutcome>& outcomes, const ReadReport& report) {
  const std::lock_guard lock(mutex_);
  report_.Merge(report);
  for (const RootOutcome& outcome : outcomes) {
    if (!is_following() || outcome.status.ok() || !IsRetryable(outcome.status) ||
        outcome.rows_emitted > 0) {
      continue;
    }
    const auto known = known_.find(outcome.file->entry.path);
    if (known == known_.end() || known->second.content == nullptr) {
      continue;
    }
    KnownContent& content = *known->second.content;
    if (++content.attempts < kMaxAttempts) {
      --content.num_sent;
      known->second.is_settled = false;
      known->second.retry_at = clock_() + Backoff(content.attempts);
    }
  }
}

void WorkList::GiveBack(PartitionWork work, bool is_lost) {
  const std::lock_guard lock(mutex_);
  returned_.push_back({std::move(work), is_lost});
}

int64_t WorkList::num_returned() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(returned_.size());
}

int64_t WorkList::num_lost() const {
  const std::lock_guard lock(mutex_);
  return std::count_if(returned_.begin(), returned_.end(),
                       [](const Returned& returned) { return returned.is_lost; });
}

ReadReport WorkList::Report() const {
  const std::lock_guard lock(mutex_);
  ReadReport report = report_;
  for (const auto& [path, problem] : open_problems_) {
    report.Add(problem);
    ++report.files_failed;
  }
  return report;
}

std::vector<std::string> WorkList::AbsentTables() const {
  const std::lock_guard lock(mutex_);
  return absent_tables_;
}

int64_t WorkList::num_held_back() const {
  const std::lock_guard lock(mutex_);
  return num_held_back_;
}

int64_t WorkList::num_waiting() const {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(queue_.size());
}

void WorkList::VisitWaiting(const std::function<void(const PartitionListing&)>& visit) const {
  const std::lock_guard lock(mutex_);
  for (const PartitionListing& listing : queue_) {
    visit(listing);
  }
}

bool WorkList::has_found_files() const {
  const std::lock_guard lock(mutex_);
  return has_found_files_;
}

bool WorkList::has_listed() const {
  const std::lock_guard lock(mutex_);
  return has_scanned_;
}

}  // namespace df::lake
