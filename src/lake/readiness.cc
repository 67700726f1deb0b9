#include "lake/readiness.h"

#include <algorithm>

#include <fmt/format.h>

namespace df::lake {
namespace {

int64_t RowsOfSet(const FileSummary& root, otap::TableKind table, const PartitionFiles& files) {
  int64_t num_rows = 0;
  for (const FileSummaryPtr& file : files.of(table)) {
    num_rows += file->file_set == root.file_set ? file->num_rows() : 0;
  }
  return num_rows;
}

/// Whether a table has rows in files of no set, or of one that no root file names: somebody has
/// written files anew.
bool HasRowsOfNoSet(otap::TableKind table, const PartitionFiles& files) {
  return std::any_of(files.of(table).begin(), files.of(table).end(), [&](const auto& file) {
    return file->num_rows() > 0 &&
           std::none_of(otap::kAllSignals.begin(), otap::kAllSignals.end(), [&](auto signal) {
             const auto& roots = files.of(otap::RootTable(signal));
             return std::any_of(roots.begin(), roots.end(), [&](const FileSummaryPtr& root) {
               return root->rows_of_set.has_value() && root->file_set == file->file_set;
             });
           });
  });
}

}  // namespace

bool HasWholeSet(const FileSummary& root, const PartitionFiles& files) {
  if (root.file_set.empty() || !root.rows_of_set.has_value()) {
    return false;
  }
  return std::all_of(root.rows_of_set->begin(), root.rows_of_set->end(), [&](const auto& wanted) {
    return RowsOfSet(root, wanted.first, files) == wanted.second;
  });
}

void CheckSet(const FileSummary& root, const PartitionFiles& files, ReadReport* report) {
  if (root.file_set.empty() || !root.rows_of_set.has_value()) {
    return;
  }
  for (const auto& [table, num_wanted] : *root.rows_of_set) {
    const int64_t num_found = RowsOfSet(root, table, files);
    if (num_found == num_wanted || files.has_unreadable[otap::TableIndex(table)]) {
      continue;
    }
    const std::string_view name = otap::GetTable(table).directory;
    const bool is_short = num_found < num_wanted;
    const bool may_be_elsewhere = is_short && HasRowsOfNoSet(table, files);
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

std::chrono::system_clock::time_point ReadyAt(const FileSummary& root, const PartitionFiles& files,
                                              const ReadinessFacts& facts) {
  if (HasWholeSet(root, files)) {
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
