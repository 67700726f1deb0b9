#include "lake/resource_resolver.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "lake/batch_starts.h"
#include "lake/root_segments.h"

namespace df::lake {
namespace {

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

/// Resolves the segments of one signal.
class Resolver {
 public:
  Resolver(const std::vector<RootSegment>& segments, const ResolverInput& input,
           const AttributeTables& tables)
      : segments_(segments), input_(input), tables_(tables), resolved_(segments.size()) {}

  std::vector<Resolved> Run() {
    for (size_t i = 0; i < segments_.size(); ++i) {
      if (segments_[i].first_id.has_value()) {
        ResolveWithIds(i);
        ApplyDoubt(i);
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
      ApplyDoubt(i);
    }
    MarkFallingIds();
    return std::move(resolved_);
  }

 private:
  /// Rows that lack a nested id stand around the start of the segment: they may be of the one in
  /// front of it.
  void ApplyDoubt(size_t index) {
    if (segments_[index].is_doubtful) {
      const Resolved& before = resolved_[index > 0 ? index - 1 : index];
      Resolved doubt;
      doubt.least_offset = std::min(before.least_offset, resolved_[index].least_offset);
      doubt.other_offset = before.other_offset.value_or(before.offset);
      doubt.offset = std::max({before.offset, resolved_[index].offset, segments_[index].last_id});
      doubt.bare_tail = resolved_[index].bare_tail;
      resolved_[index] = doubt;
    }
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
      const int64_t largest =
          by_lead ? lead : LargestOf(is_resource ? segment.body_resources : segment.body_scopes);
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
    const auto least = static_cast<uint32_t>(std::min<uint64_t>(segment.least_offset, first_id));
    result.offset = result.least_offset = first_id;
    FindBareTail(index, &result);
    result.hidden = FindHiddenStarts(segment, tables_);
    const bool continues = Continues(index);
    if (continues) {
      Continue(index);
    } else if (!segment.is_certain_start() && index > 0 && !IsProvedStart(index)) {
      MayContinue(index);
    } else {
      FindBareHead(segment, &result);
    }
    AddBorders(index, &result);
    const bool is_pinned = IsPinned(segment, first_id, !result.hidden.empty());
    const IdRange earlier =
        continues ? kEmptyIdRange : FindEarlierOffsets(segment, tables_, result.hidden.empty());
    if (earlier.min <= earlier.max) {
      if (is_pinned && first_id > uint64_t{earlier.max} + kMostUnseen) {
        result.unpinned_offset = earlier.min;
      } else {
        result.least_offset = std::min(result.least_offset, earlier.min);
      }
    }
    if (!input_.is_evidence_complete && (segment.is_single_group || !is_pinned)) {
      // A batch whose attributes are missing could start anywhere among the rows of one group.
      result.least_offset = std::min(result.least_offset, least);
      result.other_offset = result.other_offset.value_or(first_id);
      result.offset = segment.last_id;
      result.hidden.clear();
    }
  }

  /// The possible offsets of the last rows of a segment.
  struct Offsets {
    uint32_t low = 0;
    uint32_t high = 0;
    std::optional<uint32_t> other;  ///< none when low is certain
  };

  Offsets LastOffsets(size_t index) const {
    const Resolved& resolved = resolved_[index];
    uint32_t low = resolved.least_offset;
    uint32_t high = resolved.offset;
    bool is_certain = resolved.is_certain();
    for (const HiddenStart& hidden : resolved.hidden) {
      low = hidden.is_certain ? hidden.offset : low;
      high = std::max(high, hidden.offset);
      is_certain = hidden.is_certain;
    }
    if (is_certain) {
      return {low, low, std::nullopt};
    }
    return {low, high, resolved.other_offset.value_or(low)};
  }

  /// A file of another writer goes on with the batch of the file before it: no id is missing
  /// between the two, and there are no attributes that a batch which starts there would have.
  bool Continues(size_t index) const {
    const RootSegment& segment = segments_[index];
    return segment.reason == StartReason::kFileBorder && index > 0 &&
           segments_[index - 1].first_id.has_value() &&
           *segment.first_id == uint64_t{segments_[index - 1].last_id} + 1 &&
           !segment.starts_with_null && segment.first.resource >= 0 &&
           !tables_[0].parents().Has(uint64_t{*segment.first_id} +
                                     static_cast<uint64_t>(segment.first.resource));
  }

  void Continue(size_t index) {
    const Offsets before = LastOffsets(index - 1);
    Resolved& result = resolved_[index];
    result.least_offset = before.low;
    result.offset = before.high;
    result.other_offset = before.other;
  }

  /// Rows without id on the two sides of a border between files of another writer may be of the
  /// batch on the other side.
  void AddBorders(size_t index, Resolved* result) const {
    const RootSegment& segment = segments_[index];
    if (segment.reason == StartReason::kFileBorder && segment.first_id_row > segment.first_row) {
      const Offsets before = index > 0 ? LastOffsets(index - 1) : Offsets{};
      result->bare_head.min =
          std::min({result->bare_head.min, before.low, before.other.value_or(before.low)});
      result->bare_head.max = *segment.first_id;
    }
    if (index + 1 < segments_.size() && segments_[index + 1].reason == StartReason::kFileBorder &&
        segment.has_tail) {
      result->bare_tail.min = std::min(result->bare_tail.min, segment.last_id);
      result->bare_tail.max =
          std::max(result->bare_tail.max, segments_[index + 1].first_id.value_or(UINT32_MAX));
    }
  }

  /// A gap in the ids may come from rows that were filtered out of one batch, and a file of another
  /// writer may go on with the batch of the file before it. Attributes of the first resource past
  /// everything that the batch before could refer to prove that another one starts.
  bool IsProvedStart(size_t index) const {
    const RootSegment& segment = segments_[index];
    const RootSegment& previous = segments_[index - 1];
    const Resolved& before = resolved_[index - 1];
    if (!previous.first_id.has_value() || !segment.starts_at_zero()) {
      return false;
    }
    uint64_t most_offset = before.offset;
    for (const HiddenStart& hidden : before.hidden) {
      most_offset = std::max<uint64_t>(most_offset, hidden.offset);
    }
    const int64_t most =
        std::max({LargestOf(segment.resources), LargestOf(previous.resources), int64_t{0}});
    return *segment.first_id > most_offset + static_cast<uint64_t>(most) + kMostUnseen &&
           tables_[0].HasExclusive(*segment.first_id);
  }

  /// The first rows may be of the batch before them.
  void MayContinue(size_t index) {
    const RootSegment& segment = segments_[index];
    Resolved& result = resolved_[index];
    if (!segments_[index - 1].first_id.has_value()) {
      result.least_offset = 0;
      result.other_offset = 0;
      return;
    }
    const Offsets before = LastOffsets(index - 1);
    result.least_offset =
        before.other.has_value() ? std::min(before.low, *segment.first_id) : *segment.first_id;
    result.other_offset = before.other.value_or(before.low);
    result.offset = std::max(*segment.first_id, before.high);
    if (segment.reason == StartReason::kNulls) {
      result.offset = std::max(result.offset, segment.lead_limit_id);
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
      most = std::max(
          {most, static_cast<uint64_t>(std::max<int64_t>(LargestOf(segments_[i].resources), 0)),
           static_cast<uint64_t>(std::max<int64_t>(LargestOf(segments_[i].scopes), 0))});
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
        result.other_offset = resolved_[i - 1].other_offset.value_or(resolved_[i - 1].offset);
        result.least_offset = std::min(result.least_offset, resolved_[i - 1].least_offset);
      } else if (is_counted) {
        result.offset = result.least_offset = static_cast<uint32_t>(first + (i - begin));
      }
      ApplyDoubt(i);
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
  const AttributeTables& tables_;
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
  between.is_between = true;
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
                          .scopes = segment.scopes,
                          .last_id = segment.last_id};
  if (segment.after_previous < segment.first_row && !stretches->empty()) {
    AppendBetween(segment.after_previous, segment.behind_previous, &stretch, stretches);
  }
  if (resolved.bare_head.min <= resolved.bare_head.max) {
    ResourceStretch head = stretch;
    if (stretch.is_certain()) {
      head.least_offset = resolved.bare_head.min;
      head.offset = resolved.bare_head.max;
    }
    head.least_offset = std::min(head.least_offset, resolved.bare_head.min);
    head.offset = std::max(head.offset, resolved.bare_head.max);
    head.other_offset = stretch.other_offset.value_or(stretch.offset);
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
    before.last_id = hidden.row_id - 1;
    next.unpinned_offset.reset();
    next.first_row = place.row;
    next.offset = next.least_offset = hidden.offset;
    next.other_offset.reset();
    if (!hidden.is_certain) {
      next.other_offset = before.other_offset.value_or(before.offset);
      next.least_offset = before.is_certain() ? hidden.row_id : before.least_offset;
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
  AttributeTables tables = {AttributeTable(input.resources, &RootSegment::resources),
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
