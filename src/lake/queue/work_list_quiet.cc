// What a work list finds out about a partition of a followed tree that has come to rest.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "lake/queue/unowned_attributes.h"
#include "lake/queue/work_list.h"
#include "lake/scan/memory_budget.h"
#include "lake/scan/orphan_rows.h"
#include "lake/scan/unreferred_attributes.h"

namespace df::lake {
namespace {

std::string NameOf(const FileSummary& file) {
  return fmt::format("{}/{}", file.digest, file.entry.size_bytes);
}

}  // namespace

/// Whether a partition with root files has been quiet for the grace, all of them are sent or given
/// up, and files came since it was looked at last.
bool WorkList::IsToBeJudged(const PartitionListing& listing) const {
  if (!is_following()) {
    return false;
  }
  const auto quiet = quiet_.find(listing.partition);
  const uint64_t judged = quiet == quiet_.end() ? 0 : quiet->second.scan;
  const Time latest =
      clock_() - std::chrono::duration_cast<Time::duration>(follow_.completeness_grace);
  bool has_roots = false;
  bool has_new = false;
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileEntry& entry : listing.tables[otap::TableIndex(table.kind)]) {
      const auto known = known_.find(entry.path);
      if (known == known_.end() || known->second.arrived > latest ||
          (table.is_root() && !known->second.is_settled)) {
        return false;
      }
      has_roots = has_roots || table.is_root();
      has_new = has_new || known->second.first_seen > judged;
    }
  }
  return has_roots && has_new;
}

/// Reports what is still missing after the grace: rows whose parents did not come, and root files
/// that lost the ids of their resources or scopes. A parent that comes later withdraws the report.
void WorkList::Judge(const PartitionFiles& files, const PartitionListing& listing) {
  Quiet quiet;
  std::map<std::string, uint64_t> first_seen;  // by path
  uint64_t scan = 0;
  IdRanges gone;
  {
    const std::lock_guard lock(mutex_);
    quiet = quiet_[files.partition];
    scan = scan_number_;
    for (const auto& table : files.tables) {
      for (const FileSummaryPtr& file : table) {
        const auto known = known_.find(file->entry.path);
        first_seen[file->entry.path] = known == known_.end() ? 0 : known->second.first_seen;
      }
    }
    if (const auto sent = sent_.find(files.partition); sent != sent_.end()) {
      for (const Sent& root : sent->second) {
        if (!first_seen.contains(root.root->entry.path)) {
          gone.Add(IdsOf(*root.root).value_or(IdRange{0, UINT32_MAX}));
        }
      }
    }
  }
  const auto is_new = [&](const FileSummary& file) {
    return first_seen.at(file.entry.path) > quiet.scan;
  };
  bool is_whole = true;
  for (const otap::TableInfo& table : otap::AllTables()) {
    const bool is_wanted =
        std::any_of(read_.signals.begin(), read_.signals.end(),
                    [&](otap::Signal signal) { return table.has_signal(signal); });
    if (!table.parent.has_value() || !is_wanted) {
      continue;
    }
    std::vector<FileSummaryPtr> children;
    std::copy_if(files.of(table.kind).begin(), files.of(table.kind).end(),
                 std::back_inserter(children), [&](const FileSummaryPtr& file) {
                   return is_new(*file) || quiet.orphans.contains(NameOf(*file));
                 });
    if (children.empty()) {
      continue;
    }
    const bool is_of_root = otap::GetTable(*table.parent).is_root();
    const auto counted =
        files.has_unreadable[otap::TableIndex(*table.parent)]
            ? Result<std::vector<OrphanRows>>(Status::IOError("a parent file was not read"))
            : CountOrphans(*store_, base_, files.partition, children, files.of(*table.parent),
                           is_of_root ? gone : IdRanges());
    is_whole = is_whole && counted.ok();
    for (size_t i = 0; counted.ok() && i < children.size(); ++i) {
      if ((*counted)[i].num_rows > 0) {
        quiet.orphans[NameOf(*children[i])] = {.table = table.kind,
                                               .file = children[i]->entry.path,
                                               .num_rows = (*counted)[i].num_rows,
                                               .ids = (*counted)[i].ids};
      } else {
        quiet.orphans.erase(NameOf(*children[i]));
      }
    }
  }
  for (const otap::TableKind kind :
       {otap::TableKind::kResourceAttrs, otap::TableKind::kScopeAttrs}) {
    is_whole = JudgeNestedIds(files, kind, is_new) && is_whole;
  }
  is_whole = JudgeSets(files, listing, &quiet.orphans) && is_whole;
  quiet.scan = is_whole ? scan : quiet.scan;  // else the next listing asks again
  const std::lock_guard lock(mutex_);
  quiet_[files.partition] = std::move(quiet);
}

/// Names new root files none of whose rows has a resource or scope although attributes are there
/// that no row refers to. Returns whether everything could be read.
bool WorkList::JudgeNestedIds(const PartitionFiles& files, otap::TableKind kind,
                              const std::function<bool(const FileSummary&)>& is_new) {
  if (files.of(kind).empty()) {
    return true;
  }
  const bool is_resource = kind == otap::TableKind::kResourceAttrs;
  const auto statistics =
      is_resource ? &RowGroupSummary::resource_ids : &RowGroupSummary::scope_ids;
  MemoryBudget budget(read_.memory_limit_bytes);
  ReadContext context;
  context.budget = &budget;
  context.store = store_.get();
  context.base = base_;
  context.partition = files.partition;
  for (const otap::Signal signal : read_.signals) {
    const otap::TableKind root = otap::RootTable(signal);
    const FileSummary* first = nullptr;
    int64_t num_files = 0;
    for (const FileSummaryPtr& file : files.of(root)) {
      const bool may_have = std::any_of(file->row_groups.begin(), file->row_groups.end(),
                                        [&](const RowGroupSummary& group) {
                                          const std::optional<IdRange>& ids = group.*statistics;
                                          return ids.has_value() && ids->min <= ids->max;
                                        });
      if (may_have || file->num_rows() == 0 || !is_new(*file)) {
        continue;
      }
      const auto has_ids = HasNestedIds(*file, is_resource ? "resource" : "scope", context);
      if (!has_ids.ok()) {
        return false;
      }
      first = first == nullptr && !*has_ids ? file.get() : first;
      num_files += *has_ids ? 0 : 1;
    }
    if (first == nullptr) {
      continue;
    }
    const auto unreferred = FindUnreferredAttributes(files, kind, read_.signals, context);
    if (!unreferred.ok()) {
      return false;
    }
    if (unreferred->num_rows > 0) {
      const std::lock_guard lock(mutex_);
      report_.Add(
          DescribeLostIds(kind, num_files == 1 ? "" : fmt::format(" in {} files", num_files),
                          *unreferred,
                          {.partition = files.partition,
                           .table = std::string(otap::GetTable(root).directory),
                           .file = first->entry.path}),
          num_files);
    }
  }
  return true;
}

/// Counts attributes of resources and scopes in sets of files without their file of records.
/// Returns whether everything could be read.
bool WorkList::JudgeSets(const PartitionFiles& files, const PartitionListing& listing,
                         std::map<std::string, OrphanFile>* orphans) const {
  const auto unowned = FindUnownedAttributes(*store_, base_, files, listing);
  if (!unowned.ok()) {
    return false;
  }
  std::erase_if(*orphans,
                [](const auto& orphan) { return !otap::GetTable(orphan.second.table).parent; });
  for (const UnownedFile& one : *unowned) {
    (*orphans)[NameOf(*one.file)] = {.table = one.file->kind,
                                     .file = one.file->entry.path,
                                     .file_set = one.file->file_set,
                                     .num_rows = one.file->num_rows()};
  }
  return true;
}

/// Rows that may be of a root file that goes out now are counted again when the partition rests.
void WorkList::RecallOrphans(const FileSummary& root, const std::string& partition) {
  const auto quiet = quiet_.find(partition);
  if (quiet == quiet_.end()) {
    return;
  }
  const IdRange ids = IdsOf(root).value_or(IdRange{0, UINT32_MAX});
  for (auto& [name, file] : quiet->second.orphans) {
    if (!file.file_set.empty() && file.file_set == root.file_set) {
      file.num_rows = 0;
    }
    if (otap::GetTable(file.table).parent == root.kind && file.ids.min <= ids.max &&
        ids.min <= file.ids.max) {
      file.num_rows = 0;
    }
  }
}

/// Adds what was found out about partitions that came to rest.
void WorkList::ReportQuiet(ReadReport* report) const {
  for (const auto& [partition, quiet] : quiet_) {
    std::map<otap::TableKind, OrphanFile> sums;
    for (const auto& [name, file] : quiet.orphans) {
      if (file.num_rows == 0) {
        continue;
      }
      OrphanFile& sum = sums[file.table];
      sum.file = sum.num_rows == 0 ? file.file : std::min(sum.file, file.file);
      sum.num_rows += file.num_rows;
      Extend(&sum.ids, file.ids);
    }
    for (const auto& [table, sum] : sums) {
      const otap::TableInfo& info = otap::GetTable(table);
      TableCounts& counts = report->table(table);
      counts.rows_listed += sum.num_rows;
      counts.AddDropped(DropReason::kOrphan, sum.num_rows);
      const std::string what =
          info.parent.has_value()
              ? fmt::format("whose parent_id names no row of {} ({})",
                            otap::GetTable(*info.parent).directory, ToText(sum.ids))
              : std::string("in sets of files that have no file of records");
      report->Add(MakeError(
          ErrorKind::kMissingFile,
          fmt::format("found {} rows of {} {} although the partition has been quiet for the grace, "
                      "expected each to belong to one",
                      sum.num_rows, info.directory, what),
          {.partition = partition, .table = std::string(info.directory), .file = sum.file}));
    }
  }
}

}  // namespace df::lake
