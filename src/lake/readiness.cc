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

bool MayBelongTo(const FileSummary& child, const FileSummary& root,
                 const std::function<std::vector<FileSummaryPtr>(otap::TableKind)>& files_of) {
  const otap::TableInfo& table = otap::GetTable(child.kind);
  if ((table.signals & otap::GetTable(root.kind).signals) == 0) {
    return false;
  }
  if (!child.file_set.empty() || !root.file_set.empty()) {
    return child.file_set == root.file_set;
  }
  // Without statistics any row may be meant.
  const auto may_refer_to = [&](const FileSummary& file,
                                std::optional<IdRange> RowGroupSummary::* ids) {
    return std::any_of(file.row_groups.begin(), file.row_groups.end(),
                       [&](const RowGroupSummary& group) {
                         return group.num_rows > 0 &&
                                (!(group.*ids).has_value() || MayReferTo(child, *(group.*ids)));
                       });
  };
  if (table.parent.has_value() && *table.parent != root.kind) {
    const std::vector<FileSummaryPtr> files = files_of(*table.parent);
    return std::any_of(files.begin(), files.end(), [&](const FileSummaryPtr& parent) {
      return may_refer_to(*parent, &RowGroupSummary::ids) && MayBelongTo(*parent, root, files_of);
    });
  }
  if (!table.parent.has_value() && root.has_partition_scope_ids) {
    return may_refer_to(root, child.kind == otap::TableKind::kResourceAttrs
                                  ? &RowGroupSummary::resource_ids
                                  : &RowGroupSummary::scope_ids);
  }
  return may_refer_to(root, &RowGroupSummary::ids);
}

}  // namespace df::lake
