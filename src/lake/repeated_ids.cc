#include "lake/repeated_ids.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "lake/table_file.h"

namespace df::lake {
namespace {

struct Group {
  IdRange ids;
  size_t file = 0;
  int row_group = 0;
};

std::vector<Group> GroupsOf(const std::vector<FileSummaryPtr>& files) {
  std::vector<Group> groups;
  for (size_t file = 0; file < files.size(); ++file) {
    for (size_t i = 0; i < files[file]->row_groups.size(); ++i) {
      const std::optional<IdRange>& ids = files[file]->row_groups[i].ids;
      if (ids.has_value() && ids->min <= ids->max) {
        groups.push_back({*ids, file, static_cast<int>(i)});
      }
    }
  }
  std::sort(groups.begin(), groups.end(),
            [](const Group& a, const Group& b) { return a.ids.min < b.ids.min; });
  return groups;
}

/// Adds the ids of a row group, each once. A missing id column may have been filled with zeros:
/// several are no ids.
Status AddIds(otap::TableKind kind, const FileSummary& file, int row_group, ReadContext* context,
              std::vector<uint32_t>* all) {
  const Location location{.partition = context->partition,
                          .table = std::string(otap::GetTable(kind).directory),
                          .file = file.entry.path};
  ARROW_ASSIGN_OR_RAISE(const std::shared_ptr<TableFile> opened,
                        TableFile::Open(*context->file_system,
                                        FullPath(context->base, file.entry.path), kind, location));
  ARROW_ASSIGN_OR_RAISE(const IdColumn column, opened->ReadIds(row_group, LeafIndex(kind, "id")));
  std::vector<uint32_t> ids;
  ids.reserve(static_cast<size_t>(column.num_valid));
  for (size_t row = 0; row < column.values.size(); ++row) {
    if (column.is_valid(static_cast<int64_t>(row))) {
      ids.push_back(column.values[row]);
    }
  }
  std::sort(ids.begin(), ids.end());
  if (ids.size() > 1 && ids[1] == 0) {
    ids.erase(ids.begin(), std::upper_bound(ids.begin(), ids.end(), 0U));
  }
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  all->insert(all->end(), ids.begin(), ids.end());
  return Status::OK();
}

}  // namespace

ParentIdSet FindRepeatedIds(otap::TableKind kind, const std::vector<FileSummaryPtr>& files,
                            ReadContext* context) {
  const std::vector<Group> groups = GroupsOf(files);
  std::vector<uint32_t> repeated;
  for (size_t begin = 0; begin < groups.size();) {
    size_t end = begin + 1;
    uint32_t last = groups[begin].ids.max;
    while (end < groups.size() && groups[end].ids.min <= last) {
      last = std::max(last, groups[end].ids.max);
      ++end;
    }
    if (end - begin > 1) {
      std::vector<uint32_t> ids;
      for (size_t i = begin; i < end; ++i) {
        const Status status =
            AddIds(kind, *files[groups[i].file], groups[i].row_group, context, &ids);
        if (!status.ok()) {
          continue;  // named when its rows are read
        }
      }
      std::sort(ids.begin(), ids.end());
      for (size_t i = 1; i < ids.size(); ++i) {
        if (ids[i] == ids[i - 1]) {
          repeated.push_back(ids[i]);
        }
      }
    }
    begin = end;
  }
  return ParentIdSet(std::move(repeated));
}

}  // namespace df::lake
