#include "lake/resource_resolver.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "lake/root_segments.h"

namespace df::lake {
namespace {

/// A batch start inside a segment, known by its id only.
struct HiddenStart {
  uint32_t row_id = 0;  ///< of the first row of the batch
  uint32_t offset = 0;
  bool is_certain = true;
};

/// What a segment turned into.
struct Resolved {
  uint32_t offset = 0;
  uint32_t least_offset = 0;
  std::optional<uint32_t> other_offset;
  std::optional<uint32_t> unpinned_offset;
  /// Its rows in front of the first id may be of another batch, with such an offset.
  IdRange bare_head = kEmptyIdRange;
  /// The same of its rows behind the last id.
  IdRange bare_tail = kEmptyIdRange;
  std::vector<HiddenStart> hidden;
  bool is_certain() const { return offset == least_offset && !other_offset.has_value(); }
};

int64_t Largest(const IdRange& nested) {
  return nested.min > nested.max ? -1 : int64_t{nested.max};
}

/// One attribute table as the segments of all signals see it.
class AttributeTable {
 public:
  AttributeTable(const ParentIdSet* parents, IdRange RootSegment::* nested)
      : parents_(parents), nested_(nested), steps_(parents->ids().size() + 1, 0), owned_(steps_) {}

  const ParentIdSet& parents() const { return *parents_; }
  const IdRange& NestedOf(const RootSegment& segment) const { return segment.*nested_; }

  /// Counts a segment among the possible owners of what batches of it may refer to.
  void AddReach(const RootSegment& segment, uint64_t least_offset, uint64_t largest_offset) {
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
  /// Counts the parents that a segment explains among its own ids.
  void AddOwn(const RootSegment& segment) {
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
  void EndReaches() {
    for (size_t i = 1; i < steps_.size(); ++i) {
      steps_[i] += steps_[i - 1];
      owned_[i] += owned_[i - 1];
    }
  }
  bool IsReached(uint32_t parent) const { return owned_[parents_->IndexOf(parent)] > 0; }
  /// No two segments may own the parent.
  bool IsExclusive(uint32_t parent) const { return steps_[parents_->IndexOf(parent)] <= 1; }

  bool HasFor(const RootSegment& segment, uint64_t least_offset, uint64_t offset) const {
    const IdRange& nested = NestedOf(segment);
    return nested.min <= nested.max &&
           parents_->HasAnyIn(least_offset + nested.min, offset + nested.max);
  }
  bool HasExclusive(uint64_t parent) const {
    return parents_->Has(parent) && IsExclusive(static_cast<uint32_t>(parent));
  }

 private:
  const ParentIdSet* parents_;
  IdRange RootSegment::* nested_;
  std::vector<int32_t> steps_;  ///< segments that may reach a parent, by its place
  std::vector<int32_t> owned_;
};

using Tables = std::array<AttributeTable, 2>;

/// Resolves the segments of one signal.
class Resolver {
 public:
  Resolver(const std::vector<RootSegment>& segments, const ResolverInput& input,
           const Tables& tables)
      : segments_(segments), input_(input), tables_(tables), resolved_(segments.size()) {}

  std::vector<Resolved> Run() {
    for (size_t i = 0; i < segments_.size(); ++i) {
      if (segments_[i].first_id.has_value()) {
        ResolveWithIds(i);
      }
    }
    std::optional<uint32_t> last_id;
    for (size_t i = 0; i < segments_.size();) {
      size_t end = i;
      while (end < segments_.size() && !segments_[end].first_id.has_value()) {
        ++end;
      }
      if (end > i) {
        ResolveWithoutIds(i, end, last_id);
      }
      if (end < segments_.size()) {
        last_id = segments_[end].last_id;
      }
      i = end + 1;
    }
    for (size_t i = 0; i < segments_.size(); ++i) {
      if (segments_[i].is_doubtful) {
        const size_t before = i > 0 ? i - 1 : i;
        Resolved doubt;
        doubt.least_offset = std::min(resolved_[before].least_offset, resolved_[i].least_offset);
        doubt.other_offset = resolved_[before].offset;
        doubt.offset = std::max(resolved_[i].offset, segments_[i].last_id);
        resolved_[i] = doubt;
      }
    }
    MarkFallingIds();
    return std::move(resolved_);
  }

 private:
  bool Matters(const RootSegment& segment, const Resolved& result) const {
    return std::any_of(tables_.begin(), tables_.end(), [&](const AttributeTable& table) {
      return table.HasFor(segment, result.least_offset, result.offset) ||
             (result.other_offset.has_value() &&
              table.HasFor(segment, *result.other_offset, *result.other_offset));
    });
  }

  /// A batch none of whose rows has an id may stand in front of the first id, or behind the last.
  /// Its attribute rows are of no batch that is seen.
  void FindBareHead(const RootSegment& segment, Resolved* result) const {
    if (segment.behind_previous < *segment.first_id) {
      result->bare_head = FindBare({segment.head_resources, segment.head_scopes},
                                   segment.behind_previous, uint64_t{*segment.first_id} - 1);
    }
  }

  void FindBareTail(size_t index, Resolved* result) const {
    const RootSegment& segment = segments_[index];
    uint64_t last = UINT32_MAX;
    for (size_t next = index + 1; next < segments_.size(); ++next) {
      if (segments_[next].first_id.has_value()) {
        last = *segments_[next].first_id - std::min<uint32_t>(*segments_[next].first_id, 1);
        break;
      }
    }
    if (segment.last_id < last) {
      result->bare_tail = FindBare({segment.tail_resources, segment.tail_scopes},
                                   uint64_t{segment.last_id} + 1, last);
    }
  }

  /// Returns the offsets that such a batch may have, from `first` to `last`, by the attribute rows
  /// that the nested ids of its rows lead to.
  IdRange FindBare(const std::array<IdRange, 2>& nested, uint64_t first, uint64_t last) const {
    IdRange offsets = kEmptyIdRange;
    for (size_t t = 0; t < tables_.size(); ++t) {
      if (nested[t].min > nested[t].max) {
        continue;
      }
      for (const uint32_t parent :
           tables_[t].parents().In(first + nested[t].min, last + nested[t].max)) {
        if (!tables_[t].IsReached(parent)) {
          offsets = {std::min(offsets.min, parent - std::min(parent, nested[t].max)),
                     std::max(offsets.max, parent - std::min(parent, nested[t].min))};
        }
      }
    }
    return offsets;
  }

  /// The attribute rows of the largest nested id that has some are there and nobody else's: a
  /// smaller offset would leave them without owner.
  bool IsPinned(const RootSegment& segment, uint32_t offset, bool by_lead) const {
    if (!segment.starts_at_zero()) {
      return false;  // its first rows are gone, or its ids are of another kind
    }
    for (const AttributeTable& table : tables_) {
      const bool is_resource = &table == tables_.data();
      const int64_t lead = is_resource ? segment.first.resource : segment.first.scope;
      const int64_t largest = by_lead ? lead : Largest(table.NestedOf(segment));
      if (largest >= 0 && table.HasExclusive(uint64_t{offset} + static_cast<uint64_t>(largest))) {
        return true;
      }
    }
    return false;
  }

  void ResolveWithIds(size_t index) {
    const RootSegment& segment = segments_[index];
    Resolved& result = resolved_[index];
    const uint32_t first_id = *segment.first_id;
    result.offset = first_id;
    FindBareTail(index, &result);
    if (!segment.is_certain_start() && index > 0 && ResolveUncertainStart(index)) {
      return;
    }
    FindHiddenStarts(segment, &result);
    const uint64_t least = segment.least_offset;
    const bool is_tight = segment.is_certain_start() &&
                          (first_id <= least || (first_id > 0 && input_.ends_batch(first_id - 1)));
    const bool is_pinned = IsPinned(segment, first_id, !result.hidden.empty());
    FindBareHead(segment, &result);
    if (!is_tight) {
      result.unpinned_offset = static_cast<uint32_t>(std::min<uint64_t>(least, first_id));
    }
    result.least_offset = is_tight || is_pinned
                              ? first_id
                              : static_cast<uint32_t>(std::min<uint64_t>(least, first_id));
    if (!input_.is_evidence_complete && (segment.is_single_group || !is_pinned)) {
      // A batch whose attributes are missing could start anywhere among the rows of one group.
      result.least_offset = static_cast<uint32_t>(std::min<uint64_t>(least, first_id));
      result.other_offset = first_id;
      result.offset = segment.last_id;
      result.hidden.clear();
    }
    if (!result.is_certain() && !Matters(segment, result)) {
      result.least_offset = result.offset;
      result.other_offset.reset();
      result.unpinned_offset.reset();
    }
  }

  /// A gap in the ids may come from rows that were filtered out of one batch, and a file of another
  /// writer may go on with the batch of the file before it. Returns true when the question is
  /// settled, or cannot be.
  bool ResolveUncertainStart(size_t index) {
    const RootSegment& segment = segments_[index];
    const RootSegment& previous = segments_[index - 1];
    const Resolved& before = resolved_[index - 1];
    Resolved& result = resolved_[index];
    if (!previous.first_id.has_value()) {
      result.least_offset = 0;
      result.offset = *segment.first_id;
      return true;
    }
    const uint32_t previous_offset =
        before.hidden.empty() ? before.offset : before.hidden.back().offset;
    const bool is_previous_certain =
        before.hidden.empty() ? before.is_certain() : before.hidden.back().is_certain;
    const uint64_t least = segment.least_offset;
    for (const AttributeTable& table : tables_) {
      const int64_t largest = Largest(table.NestedOf(segment));
      const int64_t most = std::max(largest, Largest(table.NestedOf(previous)));
      if (largest < 0) {
        continue;
      }
      // Past everything that the batch before could refer to.
      const uint64_t beyond = std::max(uint64_t{*segment.first_id},
                                       uint64_t{previous_offset} + static_cast<uint64_t>(most) + 1);
      const auto own =
          table.parents().In(beyond, uint64_t{*segment.first_id} + static_cast<uint64_t>(largest));
      if (is_previous_certain && segment.starts_at_zero() &&
          std::any_of(own.begin(), own.end(),
                      [&](uint32_t parent) { return table.IsExclusive(parent); })) {
        return false;
      }
    }
    result.offset = *segment.first_id;
    result.least_offset = is_previous_certain
                              ? static_cast<uint32_t>(std::min<uint64_t>(least, *segment.first_id))
                              : std::min(before.least_offset, *segment.first_id);
    result.other_offset =
        is_previous_certain ? previous_offset : before.other_offset.value_or(before.least_offset);
    if (!segment.is_single_group || segment.first.resource <= 0) {
      result.offset = segment.lead_limit_id > result.offset ? segment.lead_limit_id : result.offset;
    }
    return true;
  }

  /// Attribute rows between the last one that the segment explains and its last id prove that more
  /// batches started in it. Their rows cannot be told by nested ids, so all but the last consist of
  /// the leading group alone.
  void FindHiddenStarts(const RootSegment& segment, Resolved* result) const {
    int64_t lowest = -1;  // the last batch, which holds all groups, starts no earlier
    for (const AttributeTable& table : tables_) {
      const int64_t largest = std::max<int64_t>(Largest(table.NestedOf(segment)), 0);
      const auto found = table.parents().In(
          uint64_t{result->offset} + static_cast<uint64_t>(largest) + 1, segment.last_id);
      lowest = found.empty() ? lowest : std::max(lowest, int64_t{found.back()} - largest);
    }
    if (lowest < 0) {
      return;
    }
    const NestedRow lead{std::max<int64_t>(segment.first.resource, 0),
                         std::max<int64_t>(segment.first.scope, 0)};
    std::array<uint64_t, 2> ends{};  // by table: the last parent that the batches so far explain
    std::array<std::vector<uint32_t>, 2> unexplained;
    std::vector<uint32_t> all;
    for (size_t t = 0; t < tables_.size(); ++t) {
      ends[t] =
          uint64_t{result->offset} + static_cast<uint64_t>(t == 0 ? lead.resource : lead.scope);
      const auto found = tables_[t].parents().In(ends[t] + 1, segment.last_id);
      unexplained[t].assign(found.begin(), found.end());
      all.insert(all.end(), found.begin(), found.end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    const bool starts_at_zero = lead.resource == 0 && lead.scope == 0;
    const auto shift = static_cast<uint32_t>(segment.is_single_group ? lead.resource : 0);
    bool is_placed = false;
    for (const uint32_t parent : all) {
      // Rows without records behind the last of a batch would leave attribute rows there too.
      // Every resource of a batch that starts unseen has attributes; that much is assumed.
      bool is_certain = std::binary_search(unexplained[0].begin(), unexplained[0].end(), parent) &&
                        parent > ends[0] + 1 && tables_[0].IsExclusive(parent);
      is_certain = is_certain && starts_at_zero;
      HiddenStart start{parent - std::min(parent, shift), parent - std::min(parent, shift),
                        is_certain};
      if (!segment.is_single_group &&
          (int64_t{parent} >= lowest || parent > segment.lead_limit_id)) {
        // The last batch holds all groups. Its start lies at or before the first unexplained
        // attribute row of its own.
        if (std::exchange(is_placed, true)) {
          continue;
        }
        start.is_certain =
            is_certain && int64_t{parent} == lowest && parent <= segment.lead_limit_id;
        start.offset = static_cast<uint32_t>(std::max<int64_t>(lowest, *segment.first_id));
        start.offset = start.row_id = std::min(start.offset, segment.lead_limit_id);
      }
      result->hidden.push_back(start);
      for (size_t t = 0; t < tables_.size(); ++t) {
        const uint64_t nested = static_cast<uint64_t>(t == 0 ? lead.resource : lead.scope);
        ends[t] = is_certain ? std::max(ends[t], uint64_t{start.offset} + nested)
                             : std::max(ends[t], uint64_t{parent});
      }
    }
  }

  /// Batches whose rows have no ids advance the offset by one each.
  void ResolveWithoutIds(size_t begin, size_t end, std::optional<uint32_t> previous) {
    std::optional<uint32_t> next;
    bool may_be_of_next = false;  // rows without ids may stand in front of the others of a batch
    if (end < segments_.size()) {
      next = segments_[end].first_id;
      may_be_of_next = segments_[end].reason != StartReason::kFile;
    }
    const uint64_t first = previous.has_value() ? uint64_t{*previous} + 1 : 0;
    uint64_t last = UINT32_MAX;
    if (next.has_value()) {
      last = std::max<uint64_t>(first, uint64_t{*next} - (may_be_of_next || *next == 0 ? 0 : 1));
    }
    const uint64_t count = end - begin;
    uint64_t most = 0;
    for (size_t i = begin; i < end; ++i) {
      most = std::max({most,
                       static_cast<uint64_t>(std::max<int64_t>(Largest(segments_[i].resources), 0)),
                       static_cast<uint64_t>(std::max<int64_t>(Largest(segments_[i].scopes), 0))});
    }
    const bool is_counted =
        input_.is_only_signal && input_.is_evidence_complete &&
        (next.has_value()
             ? uint64_t{*next} - std::min<uint64_t>(first, *next) == count
             : count == 1 && !tables_[0].parents().HasAnyIn(first + most + 1, UINT32_MAX) &&
                   !tables_[1].parents().HasAnyIn(first + most + 1, UINT32_MAX));
    for (size_t i = begin; i < end; ++i) {
      Resolved& result = resolved_[i];
      result.offset = static_cast<uint32_t>(std::min<uint64_t>(last, UINT32_MAX));
      result.least_offset = static_cast<uint32_t>(std::min<uint64_t>(first, UINT32_MAX));
      if (!segments_[i].is_certain_start() && i > 0) {
        result.other_offset = resolved_[i - 1].offset;
        result.least_offset = std::min(result.least_offset, resolved_[i - 1].least_offset);
      } else if (is_counted) {
        result.offset = result.least_offset = static_cast<uint32_t>(first + (i - begin));
      }
      if (!Matters(segments_[i], result)) {
        result.offset = result.least_offset;
        result.other_offset.reset();
      }
    }
  }

  /// Ids of a signal rise from batch to batch. Where they do not, another writer has been here, and
  /// nothing is certain among the ids that came twice.
  void MarkFallingIds() {
    uint32_t largest = 0;
    for (size_t i = 0; i < segments_.size(); ++i) {
      const RootSegment& segment = segments_[i];
      if (!segment.first_id.has_value()) {
        continue;
      }
      if (!segment.has_rising_ids) {
        const uint32_t low = std::min(*segment.first_id, segment.last_id);
        largest = std::max({largest, *segment.first_id, segment.last_id});
        for (size_t j = 0; j <= i; ++j) {
          if (segments_[j].first_id.has_value() && segments_[j].last_id >= low) {
            resolved_[j] = {};
            resolved_[j].offset = largest;
            resolved_[j].other_offset = 0;
          }
        }
      }
      largest = std::max(largest, segment.last_id);
    }
  }

  const std::vector<RootSegment>& segments_;
  const ResolverInput& input_;
  const Tables& tables_;
  std::vector<Resolved> resolved_;
};

/// Where a hidden start stands: the row of its id, and the row behind the id before it. Rows
/// between the two have no id and may belong to either batch.
struct Place {
  int64_t row = -1;
  int64_t after_previous = -1;
};

Status Locate(const RootFileSource& file, std::map<uint32_t, Place>* wanted) {
  int64_t row = 0;
  int64_t after_previous = 0;
  for (int group = 0; group < file.num_row_groups; ++group) {
    ARROW_ASSIGN_OR_RAISE(const RootIds rows, file.read(group));
    for (int64_t i = 0; i < rows.num_rows(); ++i, ++row) {
      if (!rows.ids.is_valid(i)) {
        continue;
      }
      const auto found = wanted->find(rows.ids.values[static_cast<size_t>(i)]);
      if (found != wanted->end() && found->second.row < 0) {
        found->second = {row, after_previous};
      }
      after_previous = row + 1;
    }
  }
  return Status::OK();
}

/// Rows without id in front of a batch are of it or of the one before: they claim nothing that one
/// of the two does not.
void AppendBetween(int64_t first_row, uint64_t least_offset, ResourceStretch* next,
                   std::vector<ResourceStretch>* stretches) {
  const ResourceStretch& before = stretches->back();
  ResourceStretch between = *next;
  between.first_row = first_row;
  between.other_offset = before.other_offset.value_or(before.offset);
  between.least_offset = before.is_certain() ? between.least_offset
                                             : std::min(between.least_offset, before.least_offset);
  between.least_offset =
      static_cast<uint32_t>(std::min<uint64_t>(between.least_offset, least_offset));
  between.unpinned_offset.reset();
  between.resources = between.scopes = kEmptyIdRange;
  for (IdRange ResourceStretch::* nested :
       {&ResourceStretch::resources, &ResourceStretch::scopes}) {
    IdRange& own = next->*nested;
    if (own.min <= own.max && (before.*nested).min <= (before.*nested).max) {
      own.min = std::min(own.min, (before.*nested).max);
    }
  }
  stretches->push_back(between);
}

/// Cuts a segment into stretches at its hidden starts.
void AppendStretches(const RootSegment& segment, const Resolved& resolved,
                     const std::map<uint32_t, Place>& places,
                     std::vector<ResourceStretch>* stretches) {
  ResourceStretch stretch{.join = StretchJoin::kInferred,
                          .first_row = segment.first_row,
                          .offset = resolved.offset,
                          .least_offset = resolved.least_offset,
                          .other_offset = resolved.other_offset,
                          .unpinned_offset = resolved.unpinned_offset,
                          .resources = segment.resources,
                          .scopes = segment.scopes};
  if (segment.after_previous < segment.first_row && !stretches->empty()) {
    AppendBetween(segment.after_previous, segment.behind_previous, &stretch, stretches);
  }
  if (resolved.bare_head.min <= resolved.bare_head.max) {
    ResourceStretch head = stretch;
    head.other_offset = stretch.offset;
    head.least_offset = resolved.bare_head.min;
    head.offset = resolved.bare_head.max;
    head.unpinned_offset.reset();
    head.resources = segment.head_resources;
    head.scopes = segment.head_scopes;
    stretches->push_back(head);
    stretch.first_row = segment.first_id_row;
  }
  stretches->push_back(stretch);
  for (const HiddenStart& hidden : resolved.hidden) {
    const Place& place = places.at(hidden.row_id);
    ResourceStretch& before = stretches->back();
    if (place.row < 0) {
      // Attributes point at an id that no row has: the rows around it cannot be told apart.
      before.other_offset = before.other_offset.value_or(before.least_offset);
      before.offset = std::max(before.offset, hidden.offset);
      continue;
    }
    ResourceStretch next = stretch;
    next.unpinned_offset.reset();
    next.first_row = place.row;
    next.offset = next.least_offset = hidden.offset;
    next.other_offset.reset();
    if (!hidden.is_certain) {
      next.other_offset = before.other_offset.value_or(before.offset);
      next.least_offset = before.is_certain() ? hidden.offset : before.least_offset;
    }
    if (place.after_previous < place.row && place.after_previous > before.first_row) {
      AppendBetween(place.after_previous, next.least_offset, &next, stretches);
    }
    stretches->push_back(next);
  }
  if (resolved.bare_tail.min <= resolved.bare_tail.max) {
    ResourceStretch tail = stretches->back();
    const bool was_certain = tail.is_certain();
    tail.first_row = segment.tail_row;
    tail.other_offset = tail.other_offset.value_or(tail.offset);
    tail.least_offset =
        was_certain ? resolved.bare_tail.min : std::min(tail.least_offset, resolved.bare_tail.min);
    tail.offset = std::max(tail.offset, resolved.bare_tail.max);
    tail.unpinned_offset.reset();
    tail.resources = segment.tail_resources;
    tail.scopes = segment.tail_scopes;
    stretches->push_back(tail);
  }
}

}  // namespace

Result<ResolvedStretches> ResolveResources(const ResolverInput& input) {
  std::vector<std::vector<RootSegment>> cuts;
  Tables tables = {AttributeTable(input.resources, &RootSegment::resources),
                   AttributeTable(input.scopes, &RootSegment::scopes)};
  for (const auto& files : input.signals) {
    ARROW_ASSIGN_OR_RAISE(auto segments, CutRoots(files));
    cuts.push_back(std::move(segments));
  }
  BoundOffsets(&cuts);
  for (const auto& segments : cuts) {
    uint64_t least = 0;
    for (const RootSegment& segment : segments) {
      const uint64_t first = segment.first_id.has_value() ? segment.least_offset : least;
      const uint64_t last =
          segment.first_id.has_value() ? std::max(segment.lead_limit_id, *segment.first_id) : first;
      for (AttributeTable& table : tables) {
        table.AddReach(segment, first, last);
        table.AddOwn(segment);
      }
      least = segment.first_id.has_value() ? uint64_t{segment.last_id} + 1 : least;
    }
  }
  for (AttributeTable& table : tables) {
    table.EndReaches();
  }
  ResolvedStretches stretches(input.signals.size());
  for (size_t signal = 0; signal < input.signals.size(); ++signal) {
    const auto& files = input.signals[signal];
    stretches[signal].resize(files.size());
    const std::vector<Resolved> resolved = Resolver(cuts[signal], input, tables).Run();
    std::vector<std::map<uint32_t, Place>> places(files.size());
    for (size_t i = 0; i < resolved.size(); ++i) {
      for (const HiddenStart& hidden : resolved[i].hidden) {
        places[cuts[signal][i].file][hidden.row_id] = {};
      }
    }
    for (size_t file = 0; file < files.size(); ++file) {
      if (!places[file].empty()) {
        ARROW_RETURN_NOT_OK(Locate(files[file], &places[file]));
      }
    }
    for (size_t i = 0; i < resolved.size(); ++i) {
      const size_t file = cuts[signal][i].file;
      AppendStretches(cuts[signal][i], resolved[i], places[file], &stretches[signal][file]);
    }
  }
  return stretches;
}

}  // namespace df::lake
