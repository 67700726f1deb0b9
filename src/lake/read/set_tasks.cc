#include "lake/read/set_tasks.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "lake/catalog/own_files.h"
#include "lake/format/id_ranges.h"
#include "lake/format/table_file.h"

namespace df::lake {
namespace {

/// Range of all ids of a file, of whatever column; everything where statistics are missing.
IdRange IdsOfFile(const FileSummary& file) {
  const otap::TableInfo& table = otap::GetTable(file.kind);
  IdRange range = kEmptyIdRange;
  auto add = [&](bool has_column, const std::optional<IdRange>& ids) {
    if (has_column) {
      Extend(&range, ids.value_or(IdRange{0, UINT32_MAX}));
    }
  };
  for (const RowGroupSummary& group : file.row_groups) {
    if (group.num_rows == 0) {
      continue;
    }
    add(table.id_bits != 0, group.ids);
    add(!table.is_root(), group.parent_ids);
    add(table.is_root(), group.resource_ids);
    add(table.is_root(), group.scope_ids);
  }
  return range;
}

using Files = std::vector<FileSummaryPtr>;

/// Files that name a set, by set.
std::map<std::string, Files> SetsOf(const PartitionFiles& files) {
  std::map<std::string, Files> sets;
  for (const Files& table : files.tables) {
    for (const FileSummaryPtr& file : table) {
      if (!file->file_set.empty()) {
        sets[file->file_set].push_back(file);
      }
    }
  }
  return sets;
}

bool HaveIdsInCommon(const std::map<std::string, Files>& sets) {
  std::vector<IdRange> ranges;
  for (const auto& [name, files] : sets) {
    IdRange range = kEmptyIdRange;
    for (const FileSummaryPtr& file : files) {
      Extend(&range, IdsOfFile(*file));
    }
    if (range.min <= range.max) {
      ranges.push_back(range);
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const IdRange& a, const IdRange& b) { return a.min < b.min; });
  return std::adjacent_find(ranges.begin(), ranges.end(), [](const IdRange& a, const IdRange& b) {
           return b.min <= a.max;
         }) != ranges.end();
}

/// A task that is being put together.
struct Part {
  PartitionTask task;
  std::shared_ptr<PartitionFiles> files = std::make_shared<PartitionFiles>();
  bool is_set = true;
};

/// Deals the files of a task out to its sets, in the order of their root files. What is of none of
/// them is a part too.
std::vector<Part> DealOut(const PartitionTask& task, const std::map<std::string, Files>& sets) {
  const otap::TableKind root = otap::RootTable(task.signal);
  std::map<const FileSummary*, const std::string*> set_of;
  for (const auto& [name, files] : sets) {
    for (const FileSummaryPtr& file : files) {
      set_of[file.get()] = &name;
    }
  }
  std::map<const std::string*, size_t> place_of;
  std::vector<Part> parts;
  auto part_of = [&](const FileSummary* file) {
    const auto set = set_of.find(file);
    const std::string* name = set == set_of.end() ? nullptr : set->second;
    const auto [place, is_new] = place_of.emplace(name, parts.size());
    if (is_new) {
      parts.emplace_back();
      parts.back().is_set = name != nullptr;
      parts.back().task = {.signal = task.signal, .files = nullptr, .is_partial = task.is_partial};
      parts.back().files->partition = task.files->partition;
      parts.back().files->has_unreadable = task.files->has_unreadable;
    }
    return place->second;
  };
  std::vector<std::pair<size_t, size_t>> place_of_root;  // part, and place in it
  for (const FileSummaryPtr& file : task.files->of(root)) {
    Part& part = parts[part_of(file.get())];
    place_of_root.emplace_back(static_cast<size_t>(&part - parts.data()),
                               part.files->of(root).size());
    part.files->of(root).push_back(file);
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileSummaryPtr& file : task.files->of(table.kind)) {
      if (table.kind != root) {
        parts[part_of(file.get())].files->of(table.kind).push_back(file);
      }
    }
  }
  for (size_t i = 0; i < task.root_files.size(); ++i) {
    const auto& [part, place] = place_of_root[task.root_files[i]];
    PartitionTask& own = parts[part].task;
    own.root_files.push_back(place);
    if (!task.claims.empty()) {
      own.claims.push_back(task.claims[i]);
    }
    if (!task.taken.empty()) {
      own.taken.push_back(task.taken[i]);
    }
  }
  return parts;
}

/// Names the root rows of a part that is of no set.
void NameOthers(const Part& part, ReadReport* report) {
  const otap::TableInfo& table = otap::GetTable(otap::RootTable(part.task.signal));
  int64_t num_rows = 0;
  for (const size_t root : part.task.root_files) {
    num_rows += part.files->of(table.kind)[root]->num_rows();
  }
  if (num_rows > 0) {
    report->Add(MakeError(
        ErrorKind::kReconstruction,
        fmt::format("{} rows are in files of no set, or written anew, beside sets of several "
                    "writers that have ids in common: they go out without what the sets may have "
                    "of theirs",
                    num_rows),
        {.partition = part.files->partition,
         .table = std::string(table.directory),
         .file = part.files->of(table.kind)[part.task.root_files.front()]->entry.path}));
  }
}

}  // namespace

std::vector<PartitionTask> SplitBySets(storage::Store* store, const std::string& base,
                                       PartitionTask task, ReadReport* report) {
  std::vector<PartitionTask> tasks;
  std::map<std::string, Files> sets = SetsOf(*task.files);
  if (sets.size() > 1 && HaveIdsInCommon(sets)) {
    for (auto& [name, files] : sets) {
      std::erase_if(files,
                    [&](const FileSummaryPtr& file) { return !IsAsWritten(*store, base, *file); });
    }
  }
  if (sets.size() < 2 || !HaveIdsInCommon(sets)) {
    tasks.push_back(std::move(task));
    return tasks;
  }
  for (Part& part : DealOut(task, sets)) {
    if (!part.is_set) {
      NameOthers(part, report);
    }
    if (!part.task.root_files.empty() || !part.task.is_partial) {
      part.task.files = std::move(part.files);
      tasks.push_back(std::move(part.task));
    }
  }
  return tasks;
}

}  // namespace df::lake
