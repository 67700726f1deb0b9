#include "lake/resources/batch_starts.h"

#include <algorithm>

namespace df::lake {

int64_t LargestOf(const IdRange& nested) {
  return nested.min > nested.max ? -1 : int64_t{nested.max};
}

AttributeTable::AttributeTable(const ParentIdSet* parents, IdRange RootSegment::* nested)
    : parents_(parents), nested_(nested), steps_(parents->ids().size() + 1, 0), owned_(steps_) {}

void AttributeTable::AddReach(const RootSegment& segment, uint64_t least_offset,
                              uint64_t largest_offset) {
  const IdRange& nested = NestedOf(segment);
  if (nested.min > nested.max) {
    return;
  }
  const auto reached = parents_->In(least_offset + nested.min, largest_offset + nested.max);
  const auto begin = static_cast<size_t>(reached.data() - parents_->ids().data());
  if (!reached.empty()) {
    ++steps_[begin];
    --steps_[begin + reached.size()];
  }
}

void AttributeTable::AddOwn(const RootSegment& segment) {
  const IdRange& nested = NestedOf(segment);
  if (!segment.first_id.has_value() || nested.min > nested.max) {
    return;
  }
  const auto own = parents_->In(
      *segment.first_id,
      std::min<uint64_t>(uint64_t{segment.lead_limit_id} + nested.max, segment.last_id));
  const auto begin = static_cast<size_t>(own.data() - parents_->ids().data());
  if (!own.empty()) {
    ++owned_[begin];
    --owned_[begin + own.size()];
  }
}

void AttributeTable::EndReaches() {
  for (size_t i = 1; i < steps_.size(); ++i) {
    steps_[i] += steps_[i - 1];
    owned_[i] += owned_[i - 1];
  }
}

namespace {

/// First and largest nested ids of a segment in one table.
struct Groups {
  uint64_t first = 0;
  uint64_t largest = 0;
  uint64_t body = 0;  ///< largest of the rows up to the last id
};

Groups GroupsOf(const RootSegment& segment, const AttributeTable& table, bool is_resource) {
  const int64_t first = is_resource ? segment.first.resource : segment.first.scope;
  return {static_cast<uint64_t>(std::max<int64_t>(first, 0)),
          static_cast<uint64_t>(std::max<int64_t>(LargestOf(table.NestedOf(segment)), 0)),
          static_cast<uint64_t>(std::max<int64_t>(
              LargestOf(is_resource ? segment.body_resources : segment.body_scopes), 0))};
}

/// Attribute rows that no batch found so far explains, and that nobody else can own: a batch is
/// there whose first rows are not where the nested ids would put them. The rows that may be its
/// own are of one or the other.
std::optional<HiddenStart> FindUnexplained(const RootSegment& segment,
                                           const AttributeTables& tables, uint64_t last_start) {
  std::optional<HiddenStart> found;
  for (const AttributeTable& table : tables) {
    const bool is_resource = &table == tables.data();
    const uint64_t largest = GroupsOf(segment, table, is_resource).largest;
    for (const uint32_t parent :
         table.parents().In(last_start + largest + kMostUnseen + 1, segment.last_id)) {
      if (!table.IsExclusive(parent)) {
        continue;
      }
      const auto row_id = static_cast<uint32_t>(
          std::max<uint64_t>(parent - std::min<uint64_t>(parent, largest), last_start + 1));
      found = HiddenStart{std::min(row_id, found.value_or(HiddenStart{row_id}).row_id),
                          std::max(parent, found.value_or(HiddenStart{}).offset), false};
    }
  }
  return found;
}

}  // namespace

std::vector<HiddenStart> FindHiddenStarts(const RootSegment& segment,
                                          const AttributeTables& tables) {
  const ParentIdSet& resources = tables[0].parents();
  const Groups groups = GroupsOf(segment, tables[0], true);
  const uint64_t first_id = *segment.first_id;
  const uint64_t limit = segment.is_single_group ? segment.last_id : segment.lead_limit_id;
  // Every batch that starts unseen has attributes for each of its resources, and all but the last
  // of the segment have the first one only. So the last start has attributes for the largest, too.
  std::vector<HiddenStart> hidden;
  const uint32_t null_limit =
      segment.resources.min > segment.resources.max ? segment.last_id : segment.lead_limit_id;
  if (segment.starts_with_null && null_limit > first_id) {
    // A resource that is null has no attributes that could tell.
    hidden.push_back({*segment.first_id + 1, null_limit, false});
    if (segment.resources.min > segment.resources.max) {
      return hidden;
    }
  }
  std::vector<uint32_t> starts;
  size_t num_starts = 0;
  for (const uint32_t parent : resources.In(first_id + 1 + groups.first, limit + groups.first)) {
    const auto start = static_cast<uint32_t>(parent - groups.first);
    starts.push_back(start);
    if (segment.is_single_group || resources.Has(uint64_t{start} + groups.body)) {
      num_starts = starts.size();
    }
  }
  starts.resize(num_starts);
  uint64_t before = first_id;
  const uint64_t explained = segment.is_single_group ? 0 : groups.largest;
  for (const uint32_t start : starts) {
    // Resources without rows leave attributes behind those that have some.
    const bool is_certain = segment.starts_at_zero() && start > before + explained + kMostUnseen &&
                            tables[0].IsExclusive(start);
    hidden.push_back({start, start, is_certain});
    before = start;
  }
  if (!segment.is_single_group && !hidden.empty() && hidden.back().is_certain &&
      !resources.Has(uint64_t{hidden.back().offset} + groups.body)) {
    hidden.back().is_certain = false;
  }
  if (const auto unexplained = FindUnexplained(segment, tables, before); unexplained.has_value()) {
    hidden.push_back(*unexplained);
  }
  return hidden;
}

IdRange FindEarlierOffsets(const RootSegment& segment, const AttributeTables& tables,
                           bool is_whole) {
  IdRange offsets = kEmptyIdRange;
  const ParentIdSet& resources = tables[0].parents();
  const Groups groups = GroupsOf(segment, tables[0], true);
  if (*segment.first_id <= segment.least_offset) {
    return offsets;
  }
  if (segment.starts_with_null || segment.first.resource < 0) {  // nothing to go by
    return {static_cast<uint32_t>(segment.least_offset), *segment.first_id - 1};
  }
  for (const uint32_t parent : resources.In(segment.least_offset + groups.first,
                                            uint64_t{*segment.first_id} - 1 + groups.first)) {
    const auto offset = static_cast<uint32_t>(parent - groups.first);
    if (!is_whole || resources.Has(uint64_t{offset} + groups.body)) {
      offsets = {std::min(offsets.min, offset), std::max(offsets.max, offset)};
    }
  }
  return offsets;
}

}  // namespace df::lake
