#include "lake/scan/orphan_rows.h"

#include <algorithm>
#include <utility>

#include "lake/scan/parent_id_set.h"

namespace df::lake {
namespace {

/// The ids that statistics give parents, as ranges that do not touch.
std::vector<IdRange> CoveredBy(const std::vector<FileSummaryPtr>& parents) {
  std::vector<IdRange> ranges;
  for (const FileSummaryPtr& file : parents) {
    for (const RowGroupSummary& group : file->row_groups) {
      if (group.ids.has_value() && group.ids->min <= group.ids->max) {
        ranges.push_back(*group.ids);
      }
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const IdRange& a, const IdRange& b) { return a.min < b.min; });
  std::vector<IdRange> covered;
  for (const IdRange& range : ranges) {
    if (!covered.empty() && range.min <= uint64_t{covered.back().max} + 1) {
      covered.back().max = std::max(covered.back().max, range.max);
    } else {
      covered.push_back(range);
    }
  }
  return covered;
}

bool Contains(const std::vector<IdRange>& covered, const IdRange& ids) {
  const auto behind = std::upper_bound(covered.begin(), covered.end(), ids.min,
                                       [](uint32_t id, const IdRange& r) { return id < r.min; });
  return behind != covered.begin() && ids.max <= (behind - 1)->max;
}

/// Calls `visit` with each id of a column that is not null, in the row groups that `wants` chooses.
template <typename Wants, typename Visit>
Status ForEachId(storage::Store& store, const std::string& base, const std::string& partition,
                 const FileSummary& summary, std::string_view column, Wants&& wants,
                 Visit&& visit) {
  ARROW_ASSIGN_OR_RAISE(
      const auto file, OpenSummarised(store, base, summary,
                                      {.partition = partition,
                                       .table = std::string(otap::GetTable(summary.kind).directory),
                                       .file = summary.entry.path}));
  const auto num_groups =
      std::min(file->num_row_groups(), static_cast<int>(summary.row_groups.size()));
  for (int group = 0; group < num_groups; ++group) {
    if (!wants(summary.row_groups[static_cast<size_t>(group)])) {
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(const IdColumn ids,
                          file->ReadIds(group, LeafIndex(summary.kind, column)));
    for (int64_t row = 0; row < file->num_rows(group); ++row) {
      if (ids.is_valid(row)) {
        visit(ids.values[static_cast<size_t>(row)]);
      }
    }
  }
  return Status::OK();
}

}  // namespace

Result<std::vector<OrphanRows>> CountOrphans(storage::Store& store, const std::string& base,
                                             const std::string& partition,
                                             const std::vector<FileSummaryPtr>& children,
                                             const std::vector<FileSummaryPtr>& parents,
                                             const IdRanges& gone) {
  const std::vector<IdRange> covered = CoveredBy(parents);
  const auto is_open = [&](const RowGroupSummary& group) {
    return group.num_rows > 0 &&
           (!group.parent_ids.has_value() || !Contains(covered, *group.parent_ids));
  };
  IdRanges asked;
  for (const FileSummaryPtr& child : children) {
    for (const RowGroupSummary& group : child->row_groups) {
      if (is_open(group)) {
        asked.Add(group.parent_ids.value_or(IdRange{0, UINT32_MAX}));
      }
    }
  }
  std::vector<OrphanRows> orphans(children.size());
  if (asked.empty()) {
    return orphans;
  }
  const auto is_near = [&](const RowGroupSummary& group) {
    return group.num_rows > 0 && (!group.ids.has_value() || asked.Overlaps(*group.ids));
  };
  std::vector<uint32_t> found;
  for (const FileSummaryPtr& parent : parents) {
    if (std::any_of(parent->row_groups.begin(), parent->row_groups.end(), is_near)) {
      ARROW_RETURN_NOT_OK(ForEachId(store, base, partition, *parent, "id", is_near,
                                    [&](uint32_t id) { found.push_back(id); }));
    }
  }
  const ParentIdSet ids(std::move(found));
  for (size_t i = 0; i < children.size(); ++i) {
    const FileSummary& child = *children[i];
    if (std::any_of(child.row_groups.begin(), child.row_groups.end(), is_open)) {
      ARROW_RETURN_NOT_OK(
          ForEachId(store, base, partition, child, "parent_id", is_open, [&](uint32_t id) {
            if (!ids.Has(id) && !gone.Overlaps({id, id})) {
              ++orphans[i].num_rows;
              Extend(&orphans[i].ids, id);
            }
          }));
    }
  }
  return orphans;
}

}  // namespace df::lake
