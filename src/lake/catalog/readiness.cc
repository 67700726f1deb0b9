#include "lake/catalog/readiness.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include <fmt/format.h>

namespace df::lake {
SetCensus::SetCensus(const PartitionFiles& files) {
  std::unordered_set<std::string_view> named;
  for (const otap::Signal signal : otap::kAllSignals) {
    for (const FileSummaryPtr& root : files.of(otap::RootTable(signal))) {
      if (root->rows_of_set.has_value()) {
        named.insert(root->file_set);
      }
    }
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    const size_t index = otap::TableIndex(table.kind);
    for (const FileSummaryPtr& file : files.of(table.kind)) {
      const int64_t num_rows = file->num_rows();
      if (!file->file_set.empty()) {
        rows_[file->file_set][index] += num_rows;
      }
      has_others_[index] = has_others_[index] || (num_rows > 0 && !named.contains(file->file_set));
    }
  }
}

int64_t SetCensus::RowsOf(const std::string& file_set, otap::TableKind table) const {
  const auto found = rows_.find(file_set);
  return found == rows_.end() ? 0 : found->second[otap::TableIndex(table)];
}

bool SetCensus::HasWhole(const FileSummary& root) const {
  if (root.file_set.empty() || !root.rows_of_set.has_value()) {
    return false;
  }
  return std::all_of(root.rows_of_set->begin(), root.rows_of_set->end(), [&](const auto& wanted) {
    return RowsOf(root.file_set, wanted.first) == wanted.second;
  });
}

void CheckSet(const FileSummary& root, const PartitionFiles& files, const SetCensus& census,
              ReadReport* report) {
  if (root.file_set.empty() || !root.rows_of_set.has_value()) {
    return;
  }
  for (const auto& [table, num_wanted] : *root.rows_of_set) {
    const int64_t num_found = census.RowsOf(root.file_set, table);
    if (num_found == num_wanted || files.has_unreadable[otap::TableIndex(table)]) {
      continue;
    }
    const std::string_view name = otap::GetTable(table).directory;
    const bool is_short = num_found < num_wanted;
    const bool may_be_elsewhere = is_short && census.HasOthers(table);
    const Status difference =
        MakeError(ErrorKind::kMissingFile,
                  fmt::format("found {} rows of {} in the set of files of {}, expected {}: {}",
                              num_found, name, root.entry.path, num_wanted,
                              may_be_elsewhere ? "they may be in files of no set"
                              : is_short       ? "a file is missing"
                                               : "a file is there more than once"),
                  {.partition = files.partition, .table = std::string(name), .file = ""});
    if (may_be_elsewhere) {
      report->AddNotice(difference);
    } else {
      report->Add(difference);
    }
  }
}

std::chrono::system_clock::time_point ReadyAt(const FileSummary& root, const SetCensus& census,
                                              const ReadinessFacts& facts) {
  if (census.HasWhole(root)) {
    return facts.now;
  }
  const auto grace = std::chrono::duration_cast<std::chrono::system_clock::duration>(facts.grace);
  return std::min(std::max(facts.newest_arrived, facts.root_arrived) + grace,
                  facts.root_arrived + kMostGraces * grace);
}

bool MayReferTo(const FileSummary& child, const IdRange& ids) {
  return std::any_of(
      child.row_groups.begin(), child.row_groups.end(), [&](const RowGroupSummary& group) {
        return !group.parent_ids.has_value() ||
               (group.parent_ids->min <= ids.max && ids.min <= group.parent_ids->max);
      });
}

namespace {

/// The ids that rows of a file may name as their parents. Without statistics any may be meant.
IdRanges ParentIdsOf(const FileSummary& file) {
  IdRanges ids;
  for (const RowGroupSummary& group : file.row_groups) {
    if (group.num_rows > 0 && group.parent_ids.has_value()) {
      ids.Add(*group.parent_ids);
    } else if (group.num_rows > 0) {
      ids.AddEverything();
    }
  }
  return ids;
}

bool MayHaveOneOf(const RowGroupSummary& group, std::optional<IdRange> RowGroupSummary::* ids,
                  const IdRanges& wanted) {
  return group.num_rows > 0 && !wanted.empty() &&
         (!(group.*ids).has_value() || wanted.Overlaps(*(group.*ids)));
}

}  // namespace

IdRanges FindRootIds(const FileSummary& child, otap::TableKind root,
                     const std::function<std::vector<FileSummaryPtr>(otap::TableKind)>& files_of) {
  IdRanges found = ParentIdsOf(child);
  const otap::TableInfo* table = &otap::GetTable(child.kind);
  while (table->parent.has_value() && *table->parent != root) {
    table = &otap::GetTable(*table->parent);
    IdRanges next;
    for (const FileSummaryPtr& parent : files_of(table->kind)) {
      for (const RowGroupSummary& group : parent->row_groups) {
        // Files that name a set belong to its root, and to no other.
        if (parent->file_set.empty() && MayHaveOneOf(group, &RowGroupSummary::ids, found)) {
          next.Add(group.parent_ids.value_or(IdRange{0, UINT32_MAX}));
        }
      }
    }
    found = std::move(next);
  }
  return found;
}

bool MayBelongTo(const FileSummary& child, const FileSummary& root, const IdRanges& found) {
  const otap::TableInfo& table = otap::GetTable(child.kind);
  if ((table.signals & otap::GetTable(root.kind).signals) == 0) {
    return false;
  }
  if (!child.file_set.empty() || !root.file_set.empty()) {
    return child.file_set == root.file_set;
  }
  const bool is_nested = !table.parent.has_value() && root.has_partition_scope_ids;
  const auto ids = !is_nested                                      ? &RowGroupSummary::ids
                   : child.kind == otap::TableKind::kResourceAttrs ? &RowGroupSummary::resource_ids
                                                                   : &RowGroupSummary::scope_ids;
  return std::any_of(root.row_groups.begin(), root.row_groups.end(),
                     [&](const RowGroupSummary& group) { return MayHaveOneOf(group, ids, found); });
}

}  // namespace df::lake
