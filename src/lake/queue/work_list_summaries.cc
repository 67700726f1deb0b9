// What is known of the files of a partition: by this list, by a cache, or by their footers.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "lake/catalog/copied_files.h"
#include "lake/catalog/footer_announcer.h"
#include "lake/queue/work_list.h"

namespace df::lake {

WorkList::~WorkList() {
  file_list_.reset();  // a watch of it tells the list of changes
  WriteCache();
}

Status WorkList::UseCache(std::shared_ptr<FooterCache> cache, UnknownSchemas unknown_schemas) {
  cache_ = std::move(cache);
  unknown_schemas_ = unknown_schemas;
  return cache_ == nullptr ? Status::OK() : cache_->RestoreSchemas(&schemas_);
}

void WorkList::WriteCache() {
  if (cache_ != nullptr) {
    (void)cache_->Write(&schemas_);  // the cache keeps why not, for the report
  }
}

bool WorkList::IsSummaryKnown(const FileEntry& entry) {
  const std::lock_guard lock(mutex_);
  const auto known = known_.find(entry.path);
  return known != known_.end() &&
         (known->second.summary != nullptr ||
          (!known->second.problem.ok() && clock_() < known->second.retry_at));
}

/// Returns what is known of a file, by its footer where nothing is.
Result<FileSummaryPtr> WorkList::FindOutAbout(const FileEntry& entry, otap::TableKind kind,
                                              const std::string& partition, FileSummaryPtr cached) {
  const Location location{.partition = partition,
                          .table = std::string(otap::GetTable(kind).directory),
                          .file = entry.path};
  if (const auto aside = ledger_->FindSetAside(entry); aside.has_value()) {
    return MakeError(ErrorKind::kParquet,
                     fmt::format("in quarantine, not tried again: {}", aside->reason), location);
  }
  const bool is_read = cached == nullptr;
  if (is_read) {
    const bool asks_schemas = cache_ != nullptr || unknown_schemas_ != UnknownSchemas::kAccept;
    ARROW_ASSIGN_OR_RAISE(cached, Summarise(*store_, base_, entry, kind, partition,
                                            asks_schemas ? &schemas_ : nullptr));
  }
  ledger_->ReleaseSetAside(entry.path);
  ARROW_RETURN_NOT_OK(CheckNumRows(*cached, entry, location));
  if (cached->schema == nullptr) {  // nobody asks, or there are too many to know them all
    return unknown_schemas_ == UnknownSchemas::kRefuse
               ? Result<FileSummaryPtr>(MakeError(
                     ErrorKind::kSchemaReconstruction,
                     fmt::format("the schema is not known, and {} others are: the file is not read",
                                 SchemaRegistry::kMostSchemas),
                     location))
               : cached;
  }
  ARROW_ASSIGN_OR_RAISE(const std::optional<Status> news,
                        schemas_.Admit(*cached, partition, unknown_schemas_));
  if (is_read && cache_ != nullptr) {
    cache_->Keep(*cached);
  }
  if (news.has_value()) {
    const std::lock_guard lock(mutex_);
    report_.AddNotice(*news);
  }
  return cached;
}

FileSummaryPtr WorkList::SummaryOf(const FileEntry& entry, otap::TableKind kind,
                                   const std::string& partition, FileSummaryPtr cached,
                                   Status* problem) {
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
  auto summary = FindOutAbout(entry, kind, partition, std::move(cached));
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
    if (summary.ok() && !otap::GetTable(kind).is_root()) {
      RecallPresence(&file);
    }
    if (!summary.ok()) {
      file.retry_at = IsRetryable(*problem) ? clock_() + RetryDelay(++file.attempts) : Time::max();
    }
  }
  return summary.ok() ? std::move(*summary) : nullptr;
}

/// Returns what the cache has of the files that are not known yet, by path.
std::map<std::string_view, FileSummaryPtr> WorkList::TakeFromCache(
    const PartitionListing& listing) {
  std::map<std::string_view, FileSummaryPtr> cached;
  if (cache_ == nullptr) {
    return cached;
  }
  std::vector<FooterCache::Wanted> wanted;
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileEntry& entry : listing.tables[otap::TableIndex(table.kind)]) {
      if (!is_following() || !IsSummaryKnown(entry)) {
        wanted.push_back({&entry, table.kind});
      }
    }
  }
  std::vector<FileSummaryPtr> found = cache_->FindAll(wanted, schemas_);
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (found[i] != nullptr) {
      cached.emplace(wanted[i].entry->path, std::move(found[i]));
    }
  }
  return cached;
}

/// Has later processes leave a damaged file alone. One that is written to the end later is another
/// by its size and time. Needs the lock.
void WorkList::SetAside(otap::TableKind kind, const FileEntry& entry, const Status& problem) {
  if (KindOf(problem) == ErrorKind::kParquet && !ledger_->FindSetAside(entry).has_value()) {
    ledger_->SetAside(kind, entry, problem.message());
  }
}

/// Whether an operator has given up a file that could not be opened.
bool WorkList::IsDropped(const FileEntry& entry) {
  const auto aside = ledger_->FindSetAside(entry);
  if (!aside.has_value() || !aside->is_dropped) {
    return false;
  }
  const std::lock_guard lock(mutex_);
  if (const auto known = known_.find(entry.path); known != known_.end()) {
    known->second.is_settled = true;
  }
  return true;
}

void WorkList::LoadSummaries(Preparation* preparation) {
  preparation->files.has_unreadable = preparation->listing.is_incomplete;
  auto cached = TakeFromCache(preparation->listing);
  FooterAnnouncer announcer(store_.get(), base_, preparation->listing, [&](const auto& entry) {
    const bool is_young = read_.min_file_age.has_value() && Age(entry) < *read_.min_file_age;
    return !is_young && !cached.contains(entry.path) && !(is_following() && IsSummaryKnown(entry));
  });
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileEntry& entry : preparation->listing.tables[otap::TableIndex(table.kind)]) {
      if (read_.min_file_age.has_value() && Age(entry) < *read_.min_file_age) {
        const auto left = *read_.min_file_age - Age(entry);
        preparation->BecomesReady(clock_() + std::chrono::ceil<Time::duration>(left));
        preparation->young.insert(entry.path);
        continue;
      }
      announcer.Next(entry);
      if (IsDropped(entry)) {
        preparation->files.has_unreadable[otap::TableIndex(table.kind)] = true;
        continue;
      }
      Status problem;
      const auto found = cached.find(entry.path);
      FileSummaryPtr summary =
          SummaryOf(entry, table.kind, preparation->listing.partition,
                    found == cached.end() ? nullptr : std::move(found->second), &problem);
      if (summary != nullptr) {
        preparation->files.of(table.kind).push_back(std::move(summary));
        continue;
      }
      preparation->files.has_unreadable[otap::TableIndex(table.kind)] = true;
      const std::lock_guard lock(mutex_);
      const auto known = known_.find(entry.path);
      if (known == known_.end()) {
        if (TryLater(entry, problem, preparation)) {
          continue;
        }
        if (reported_.insert(problem.message()).second) {
          report_.AddUnlisted(problem);
          SetAside(table.kind, entry, problem);
        }
      } else if (IsRetryable(problem) &&
                 clock_() - known->second.arrived < follow_.completeness_grace) {
        preparation->has_pending_child = preparation->has_pending_child || !table.is_root();
        preparation->BecomesReady(known->second.retry_at);
      } else {
        open_problems_.insert_or_assign(entry.path, problem);
        known->second.is_settled = !IsRetryable(problem);
        if (IsRetryable(problem)) {
          preparation->BecomesReady(known->second.retry_at);
        }
        if (known->second.is_settled) {
          SetAside(table.kind, entry, problem);
        }
      }
    }
  }
  CountForSeals(*preparation);
  SortFiles(&preparation->files);
  const std::vector<CopiedFile> copies = TakeOutCopies(*store_, base_, &preparation->files);
  const std::lock_guard lock(mutex_);
  for (const CopiedFile& copy : copies) {
    if (reported_.insert(copy.notice.message()).second) {
      report_.AddNotice(copy.notice);
    }
    if (const auto known = known_.find(copy.file->entry.path); known != known_.end()) {
      known->second.is_settled = true;
    }
  }
}

/// Counts a partition, unless files of it are looked at again later.
void WorkList::CountForSeals(const Preparation& preparation) {
  if (!preparation.young.empty() || preparation.has_pending_child ||
      preparation.again.has_value()) {
    return;
  }
  const auto& unreadable = preparation.files.has_unreadable;
  {
    const std::lock_guard lock(mutex_);
    seals_.Add(preparation.listing, preparation.files,
               std::none_of(unreadable.begin(), unreadable.end(), [](bool is) { return is; }));
  }
  CompareWithSeals();
}

void WorkList::CompareWithSeals() {
  std::unique_lock lock(mutex_);
  const std::vector<CountedLevel> counted = seals_.TakeCounted();
  lock.unlock();
  std::vector<Status> problems;
  std::vector<Status> notices;
  for (const CountedLevel& level : counted) {
    CompareWithSeal(*store_, base_, level, read_.wants_partition, &problems, &notices);
  }
  lock.lock();
  for (const Status& problem : problems) {
    report_.Add(problem);
  }
  for (const Status& notice : notices) {
    report_.AddNotice(notice);
  }
}

}  // namespace df::lake
