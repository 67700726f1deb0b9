#include "lake/work_list.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace df::lake {
namespace {

bool MayReferTo(const FileSummary& child, const std::optional<IdRange>& roots) {
  if (!roots.has_value()) {
    return true;
  }
  return std::any_of(
      child.row_groups.begin(), child.row_groups.end(), [&](const RowGroupSummary& group) {
        return !group.parent_ids.has_value() ||
               (group.parent_ids->min <= roots->max && roots->min <= group.parent_ids->max);
      });
}

bool HasChildren(const PartitionFiles& files, otap::Signal signal) {
  return std::any_of(otap::AllTables().begin(), otap::AllTables().end(),
                     [&](const otap::TableInfo& table) {
                       return table.has_signal(signal) && table.parent.has_value() &&
                              !files.of(table.kind).empty();
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

WorkList::WorkList(std::shared_ptr<arrow::fs::FileSystem> file_system, std::string base,
                   ReadOptions read, FollowOptions follow, Clock clock)
    : file_system_(std::move(file_system)),
      base_(std::move(base)),
      read_(std::move(read)),
      follow_(follow),
      clock_(std::move(clock)) {}

std::chrono::nanoseconds WorkList::Age(int64_t modified_nanos) const {
  return clock_().time_since_epoch() - std::chrono::nanoseconds(modified_nanos);
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
  for (const Status& problem : listing->problems) {
    if (reported_.insert(problem.message()).second) {
      report_.Add(problem);
    }
  }
  for (PartitionListing& partition : listing->partitions) {
    has_found_files_ = has_found_files_ || HasFilesOf(partition, read_.signals);
    if (is_following()) {
      for (const auto& table : partition.tables) {
        for (const FileEntry& entry : table) {
          if (const auto known = known_.find(entry.path); known != known_.end()) {
            known->second.seen_in = scan_number_;
          }
        }
      }
    }
    // Child rows without any root file are read for once: to be counted and named.
    if (!is_following() || HasNewRoots(partition)) {
      queue_.push_back(std::move(partition));
    }
  }
  Forget();
  return Status::OK();
}

void WorkList::Forget() {
  std::erase_if(known_, [&](const auto& entry) { return entry.second.seen_in != scan_number_; });
  std::erase_if(contents_, [&](const auto& entry) {
    return entry.second.seen_in + kContentMemoryListings < scan_number_;
  });
}

bool WorkList::HasNewRoots(const PartitionListing& listing) const {
  for (const otap::Signal signal : read_.signals) {
    for (const FileEntry& entry : listing.tables[otap::TableIndex(otap::RootTable(signal))]) {
      const auto known = known_.find(entry.path);
      if (known == known_.end() || !known->second.is_settled ||
          known->second.size_bytes != entry.size_bytes ||
          known->second.modified_nanos != entry.modified_nanos) {
        return true;
      }
    }
  }
  return false;
}

FileSummaryPtr WorkList::SummaryOf(const FileEntry& entry, otap::TableKind kind,
                                   const std::string& partition, Status* problem) {
  if (is_following()) {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(entry.path);
    if (known != known_.end() && known->second.size_bytes == entry.size_bytes &&
        known->second.modified_nanos == entry.modified_nanos) {
      *problem = known->second.problem;
      return known->second.summary;
    }
  }
  auto summary = Summarise(*file_system_, base_, entry, kind, partition);
  *problem = summary.status();
  const std::lock_guard lock(mutex_);
  if (summary.ok()) {
    report_.repaired_columns += (*summary)->num_repaired_columns;
  }
  if (is_following()) {
    known_[entry.path] = {.size_bytes = entry.size_bytes,
                          .modified_nanos = entry.modified_nanos,
                          .summary = summary.ok() ? *summary : nullptr,
                          .problem = summary.status(),
                          .is_settled = false,
                          .seen_in = scan_number_};
  }
  return summary.ok() ? std::move(*summary) : nullptr;
}

void WorkList::LoadSummaries(Preparation* preparation) {
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileEntry& entry : preparation->listing.tables[otap::TableIndex(table.kind)]) {
      if (read_.min_file_age.has_value() && Age(entry.modified_nanos) < *read_.min_file_age) {
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
      if (is_following() && IsRetryable(problem) &&
          Age(entry.modified_nanos) < follow_.completeness_grace) {
        preparation->has_pending_child = preparation->has_pending_child || !table.is_root();
        continue;
      }
      const std::lock_guard lock(mutex_);
      if (reported_.insert(problem.message()).second) {
        report_.Add(problem);
        ++report_.files_failed;
      }
      if (const auto known = known_.find(entry.path); known != known_.end()) {
        known->second.is_settled = true;
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
  std::map<std::string, int64_t> num_present;
  for (const FileSummaryPtr& root : roots) {
    ++num_present[ContentKey(*root, files->partition)];
  }
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
    if (Claim(roots[i], files->partition, num_present[ContentKey(*roots[i], files->partition)])) {
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

bool WorkList::Claim(const FileSummaryPtr& root, const std::string& partition,
                     int64_t num_present) {
  if (!is_following()) {
    return true;  // one listing, every file in it once
  }
  // A listing that races a rename may show both names: only count those that still exist.
  if (num_present > 1) {
    const auto info = file_system_->GetFileInfo(FullPath(base_, root->entry.path));
    if (!info.ok() || info->type() != arrow::fs::FileType::File) {
      return false;
    }
  }
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(root->entry.path);
  if (known != known_.end() && std::exchange(known->second.is_settled, true)) {
    return false;
  }
  KnownContent& content = contents_[ContentKey(*root, partition)];
  content.seen_in = scan_number_;
  if (content.num_sent >= num_present) {
    return false;
  }
  ++content.num_sent;
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
  if (!is_following() || Age(root.entry.modified_nanos) >= follow_.completeness_grace) {
    return false;
  }
  return preparation.has_pending_child || !HasAllChildren(root, signal, files);
}

/// Exporters make children visible before their parents, but not in every table and not with every
/// store: a root file is complete when the files of each child table reach its last id.
bool WorkList::HasAllChildren(const FileSummary& root, otap::Signal signal,
                              const PartitionFiles& files) const {
  const std::optional<IdRange> ids = IdsOf(root);
  if (!ids.has_value()) {
    return true;  // no row has children
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (!table.has_signal(signal) || table.parent != otap::RootTable(signal)) {
      continue;
    }
    const auto& children = files.of(table.kind);
    if (children.empty()) {
      // Log ids exist only for attributes; other tables may rightly be absent.
      if (table.kind == otap::TableKind::kLogAttrs) {
        return false;
      }
      continue;
    }
    const bool reaches =
        std::any_of(children.begin(), children.end(), [&](const FileSummaryPtr& child) {
          return MayReferTo(*child, IdRange{ids->max, ids->max}) ||
                 std::any_of(child->row_groups.begin(), child->row_groups.end(),
                             [&](const RowGroupSummary& group) {
                               return group.parent_ids.has_value() &&
                                      group.parent_ids->min <= group.parent_ids->max &&
                                      group.parent_ids->max >= ids->max;
                             });
        });
    if (!reaches) {
      return false;
    }
  }
  return true;
}

std::string WorkList::ContentKey(const FileSummary& root, const std::string& partition) const {
  return fmt::format("{}/{}/{}", otap::GetTable(root.kind).directory, partition, root.digest);
}

void WorkList::Done(const PartitionWork& work, const std::vector<RootOutcome>& outcomes,
                    const ReadReport& report) {
  const std::lock_guard lock(mutex_);
  report_.Merge(report);
  for (const RootOutcome& outcome : outcomes) {
    if (!is_following() || outcome.status.ok() || !IsRetryable(outcome.status) ||
        outcome.rows_emitted > 0) {
      continue;
    }
    KnownContent& content = contents_[ContentKey(*outcome.file, work.files->partition)];
    if (++content.attempts < kMaxAttempts) {
      --content.num_sent;
      if (const auto known = known_.find(outcome.file->entry.path); known != known_.end()) {
        known->second.is_settled = false;
      }
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
  return report_;
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
