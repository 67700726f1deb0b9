#include "lake/resources/resource_resolver.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "lake/resources/batch_starts.h"
#include "lake/resources/resolved_segment.h"
#include "lake/resources/root_segments.h"

namespace df::lake {
namespace {

/// So many batches that are seen whole tell how long they are.
constexpr size_t kLeastBatches = 8;

/// Resolves the segments of one signal.
class Resolver {
 public:
  Resolver(const std::vector<RootSegment>& segments, const ResolverInput& input,
           const AttributeTables& tables)
      : segments_(segments), input_(input), tables_(tables), resolved_(segments.size()) {}

  std::vector<ResolvedSegment> Run() {
    JudgeBorders();
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
    DoubtLongBatches();
    MarkFallingIds();
    return std::move(resolved_);
  }

 private:
  /// Finds out whether files of another writer hold whole batches: there are attributes at most of
  /// their borders.
  void JudgeBorders() {
    int64_t num_starts = 0;
    int64_t num_others = 0;
    for (size_t i = 1; i < segments_.size(); ++i) {
      if (IsSmoothBorder(i)) {
        (HasAttributesAt(0, i, segments_[i].first.resource) ? num_starts : num_others) += 1;
      }
    }
    has_whole_batches_ = num_starts >= 2 && num_others <= num_starts;
  }

  /// A border between files of another writer where no id is missing.
  bool IsSmoothBorder(size_t index) const {
    const RootSegment& segment = segments_[index];
    return segment.reason == StartReason::kFileBorder && index > 0 &&
           segments_[index - 1].first_id.has_value() && segment.first_id.has_value() &&
           *segment.first_id == uint64_t{segments_[index - 1].last_id} + 1 &&
           !segment.starts_with_null && segment.first.resource >= 0;
  }

  /// Whether a batch that starts with a segment would have attributes for a nested id.
  bool HasAttributesAt(size_t table, size_t index, int64_t nested) const {
    return nested >= 0 && tables_[table].parents().Has(uint64_t{*segments_[index].first_id} +
                                                       static_cast<uint64_t>(nested));
  }

  /// Rows between two starts that are seen.
  struct Piece {
    size_t segment = 0;
    size_t last_segment = 0;
    std::optional<size_t> hidden;  ///< the start, when it is one of the segment's hidden ones
    uint64_t first_id = 0;
    uint64_t last_id = 0;
    uint64_t num_ids() const { return last_id - first_id + 1; }
  };

  std::vector<Piece> FindPieces() const {
    std::vector<Piece> pieces;
    for (size_t i = 0; i < segments_.size(); ++i) {
      const RootSegment& segment = segments_[i];
      if (!segment.first_id.has_value() || !segment.has_rising_ids) {
        continue;
      }
      if (pieces.empty() || !resolved_[i].continues) {
        pieces.push_back({.segment = i, .hidden = std::nullopt, .first_id = *segment.first_id});
      }
      for (size_t hidden = 0; hidden < resolved_[i].hidden.size(); ++hidden) {
        const uint32_t start = resolved_[i].hidden[hidden].row_id;
        pieces.back().last_segment = i;
        pieces.back().last_id = start - 1;
        pieces.push_back({.segment = i, .hidden = hidden, .first_id = start});
      }
      pieces.back().last_segment = i;
      pieces.back().last_id = segment.last_id;
    }
    return pieces;
  }

  /// Where no file of attributes goes past the rows of a batch, the attributes of another one that
  /// starts among them may be in a file that is missing. Rows that are twice as many as those of
  /// any batch that is seen whole are taken for such.
  void DoubtLongBatches() {
    if (input_.resource_files.empty()) {
      return;
    }
    const std::vector<Piece> pieces = FindPieces();
    std::vector<const Piece*> open;
    uint64_t longest = 0;
    size_t num_closed = 0;
    for (const Piece& piece : pieces) {
      const auto largest = static_cast<uint64_t>(
          std::max<int64_t>(LargestOf(segments_[piece.segment].resources), 0));
      const uint64_t own_end = piece.first_id + largest + kMostUnseen + 1;
      if (own_end <= piece.last_id &&
          !input_.resource_files.Overlaps(
              {static_cast<uint32_t>(own_end), static_cast<uint32_t>(piece.last_id)})) {
        open.push_back(&piece);
      } else {
        longest = std::max(longest, piece.num_ids());
        ++num_closed;
      }
    }
    for (const Piece* piece : open) {
      if (num_closed < kLeastBatches || piece->num_ids() < 2 * longest) {
        continue;
      }
      if (piece->hidden.has_value()) {
        resolved_[piece->segment].hidden[*piece->hidden].is_certain = false;
      } else {
        ResolvedSegment& result = resolved_[piece->segment];
        result.other_offset = result.other_offset.value_or(result.offset);
      }
      for (size_t i = piece->segment + 1; i <= piece->last_segment; ++i) {
        resolved_[i].other_offset = resolved_[i].other_offset.value_or(resolved_[i].offset);
      }
    }
  }

  /// Rows that lack a nested id stand around the start of the segment: they may be of the one in
  /// front of it.
  void ApplyDoubt(size_t index) {
    if (segments_[index].is_doubtful) {
      const ResolvedSegment& before = resolved_[index > 0 ? index - 1 : index];
      ResolvedSegment doubt;
      doubt.least_offset = std::min(before.least_offset, resolved_[index].least_offset);
      doubt.other_offset = before.other_offset.value_or(before.offset);
      doubt.offset = std::max({before.offset, resolved_[index].offset, segments_[index].last_id});
      doubt.bare_tail = resolved_[index].bare_tail;
      resolved_[index] = doubt;
    }
  }

  /// A batch none of whose rows has an id may stand in front of the first id, or behind the last.
  /// Its attribute rows are of no batch that is seen.
  void FindBareHead(const RootSegment& segment, ResolvedSegment* result) const {
    if (segment.behind_previous < *segment.first_id) {
      result->bare_head = FindBare({segment.head_resources, segment.head_scopes},
                                   segment.behind_previous, uint64_t{*segment.first_id} - 1);
    }
  }

  void FindBareTail(size_t index, ResolvedSegment* result) const {
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
    ResolvedSegment& result = resolved_[index];
    const uint32_t first_id = *segment.first_id;
    const auto least = static_cast<uint32_t>(std::min<uint64_t>(segment.least_offset, first_id));
    result.offset = result.least_offset = first_id;
    FindBareTail(index, &result);
    result.hidden = FindHiddenStarts(segment, tables_);
    const bool continues = Continues(index);
    result.continues = continues;
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
    const ResolvedSegment& resolved = resolved_[index];
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
  /// Where all other files hold whole batches, those may be in a file that is missing.
  bool Continues(size_t index) const {
    if (!IsSmoothBorder(index) || HasAttributesAt(0, index, segments_[index].first.resource)) {
      return false;
    }
    const uint32_t first_id = *segments_[index].first_id;
    if (has_whole_batches_ && !input_.resource_files.empty() &&
        !input_.resource_files.Overlaps({first_id, first_id})) {
      return false;
    }
    const auto seen =
        static_cast<uint64_t>(std::max<int64_t>(LargestOf(segments_[index - 1].scopes), 0));
    return !HasAttributesAt(1, index, segments_[index].first.scope) ||
           first_id <= LastOffsets(index - 1).high + seen + kMostUnseen;
  }

  void Continue(size_t index) {
    const Offsets before = LastOffsets(index - 1);
    ResolvedSegment& result = resolved_[index];
    result.least_offset = before.low;
    result.offset = before.high;
    result.other_offset = before.other;
  }

  /// Rows without id on the two sides of a border between files of another writer may be of the
  /// batch on the other side.
  void AddBorders(size_t index, ResolvedSegment* result) const {
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
    const ResolvedSegment& before = resolved_[index - 1];
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
    ResolvedSegment& result = resolved_[index];
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
      ResolvedSegment& result = resolved_[i];
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
  std::vector<ResolvedSegment> resolved_;
  bool has_whole_batches_ = false;
};

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
    const std::vector<ResolvedSegment> resolved = Resolver(cuts[signal], input, tables).Run();
    std::vector<std::map<uint32_t, HiddenPlace>> places(files.size());
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
