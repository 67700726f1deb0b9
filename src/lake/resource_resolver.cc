#include "lake/resource_resolver.h"

#include <algorithm>
#include <map>
#include <utility>

namespace df::lake {
namespace {

/// Nested ids of a row; -1 = null.
struct Nested {
  int64_t resource = -1;
  int64_t scope = -1;
};

enum class StartReason : uint8_t { kFile, kNestedIds, kIdJump };

/// Rows between two starts that a scan finds.
struct Segment {
  int64_t first_row = 0;
  StartReason reason = StartReason::kFile;
  std::optional<uint32_t> first_id;
  uint32_t last_id = 0;
  Nested first;
  int64_t max_resource = -1;
  int64_t max_scope = -1;
  bool is_single_group = true;
  uint32_t lead_last_id = 0;  ///< last id while the nested ids are still those of the first row
};

/// Cuts a file where a batch must have started: the nested ids step back or their nullness changes,
/// or an id is not the successor of the one before.
class Cutter {
 public:
  void Add(const RootIds& rows) {
    for (int64_t i = 0; i < rows.num_rows(); ++i, ++row_) {
      const Nested nested{Value(rows.resource_ids, i), Value(rows.scope_ids, i)};
      std::optional<uint32_t> id;
      if (rows.ids.is_valid(i)) {
        id = rows.ids.values[static_cast<size_t>(i)];
      }
      AddRow(nested, id);
    }
  }
  std::vector<Segment> Take() { return std::move(segments_); }

 private:
  static int64_t Value(const IdColumn& column, int64_t row) {
    return column.is_valid(row) ? int64_t{column.values[static_cast<size_t>(row)]} : -1;
  }

  void AddRow(const Nested& nested, std::optional<uint32_t> id) {
    if (segments_.empty()) {
      Start(StartReason::kFile);
    } else if (StepsBack(nested.resource, previous_.resource) ||
               StepsBack(nested.scope, previous_.scope)) {
      Start(StartReason::kNestedIds);
    } else if (id.has_value() && segments_.back().first_id.has_value() &&
               *id != segments_.back().last_id + 1) {
      Start(StartReason::kIdJump);
    }
    Segment& segment = segments_.back();
    KeepFirst(nested, &segment.first);
    segment.max_resource = std::max(segment.max_resource, nested.resource);
    segment.max_scope = std::max(segment.max_scope, nested.scope);
    segment.is_single_group =
        segment.max_resource == segment.first.resource && segment.max_scope == segment.first.scope;
    if (id.has_value()) {
      segment.first_id = segment.first_id.value_or(*id);
      segment.last_id = *id;
      if (segment.is_single_group) {
        segment.lead_last_id = *id;
      }
    }
    previous_ = {nested.resource < 0 ? previous_.resource : nested.resource,
                 nested.scope < 0 ? previous_.scope : nested.scope};
  }

  /// Both ids count up over a batch, over all its resources. A row without one says nothing.
  static bool StepsBack(int64_t id, int64_t previous) { return id >= 0 && id < previous; }

  static void KeepFirst(const Nested& nested, Nested* first) {
    first->resource = first->resource < 0 ? nested.resource : first->resource;
    first->scope = first->scope < 0 ? nested.scope : first->scope;
  }

  void Start(StartReason reason) {
    Segment segment;
    segment.first_row = row_;
    segment.reason = reason;
    segments_.push_back(segment);
    previous_ = {};
  }

  std::vector<Segment> segments_;
  Nested previous_;
  int64_t row_ = 0;
};

/// A batch start inside a segment, known by its id only.
struct HiddenStart {
  uint32_t id = 0;
  bool is_ambiguous = false;
};

/// What a segment turned into.
struct Resolved {
  uint32_t offset = 0;
  bool is_ambiguous = false;
  std::vector<HiddenStart> hidden;
};

uint64_t ClaimEnd(uint32_t offset, int64_t max_nested) {
  return uint64_t{offset} + static_cast<uint64_t>(std::max<int64_t>(max_nested, 0));
}

class Resolver {
 public:
  Resolver(std::vector<Segment> segments, const ResolverContext& context)
      : segments_(std::move(segments)), context_(context), resolved_(segments_.size()) {}

  const std::vector<Segment>& segments() const { return segments_; }
  std::vector<Resolved>& resolved() { return resolved_; }

  void Run() {
    for (size_t i = 0; i < segments_.size(); ++i) {
      if (segments_[i].first_id.has_value()) {
        ResolveWithIds(i);
      }
    }
    for (size_t i = 0; i < segments_.size();) {
      size_t end = i;
      while (end < segments_.size() && !segments_[end].first_id.has_value()) {
        ++end;
      }
      if (end > i) {
        ResolveWithoutIds(i, end);
      }
      i = std::max(end, i + 1);
    }
    MarkOverlaps();
  }

 private:
  bool HasAttributes(const Segment& segment, uint32_t offset) const {
    return (segment.max_resource >= 0 &&
            context_.resources->HasAnyIn(offset, ClaimEnd(offset, segment.max_resource))) ||
           (segment.max_scope >= 0 &&
            context_.scopes->HasAnyIn(offset, ClaimEnd(offset, segment.max_scope)));
  }

  void ResolveWithIds(size_t index) {
    const Segment& segment = segments_[index];
    Resolved& result = resolved_[index];
    result.offset = *segment.first_id;
    FindHiddenStarts(segment, &result);
    // With attribute files missing, a batch of the same single group could start anywhere in the
    // segment.
    result.is_ambiguous = !context_.is_evidence_complete && segment.is_single_group;
    // A gap in the ids may also come from rows that were filtered out of one batch. It is a start
    // when attribute rows lie where only a batch that starts here can reach.
    if (segment.reason == StartReason::kIdJump && segments_[index - 1].first_id.has_value()) {
      const Segment& previous = segments_[index - 1];
      const uint32_t previous_offset = resolved_[index - 1].offset;
      const bool is_proven =
          HasOwnAttributes(*context_.resources, result.offset, segment.max_resource,
                           ClaimEnd(previous_offset, previous.max_resource)) ||
          HasOwnAttributes(*context_.scopes, result.offset, segment.max_scope,
                           ClaimEnd(previous_offset, previous.max_scope));
      const bool matters =
          HasAttributes(segment, result.offset) || HasAttributes(previous, previous_offset);
      result.is_ambiguous = result.is_ambiguous || (matters && !is_proven);
    }
  }

  static bool HasOwnAttributes(const ParentIdSet& parents, uint32_t offset, int64_t max_nested,
                               uint64_t previous_claim_end) {
    return max_nested >= 0 && parents.HasAnyIn(std::max(uint64_t{offset}, previous_claim_end + 1),
                                               ClaimEnd(offset, max_nested));
  }

  /// Attribute rows between the last one that the segment explains and its last id prove that more
  /// batches started in it. Their rows cannot be told by nested ids, so all but the last consist of
  /// the leading group alone.
  void FindHiddenStarts(const Segment& segment, Resolved* result) const {
    const auto resources =
        context_.resources->In(ClaimEnd(result->offset, segment.max_resource) + 1, segment.last_id);
    const auto scopes =
        context_.scopes->In(ClaimEnd(result->offset, segment.max_scope) + 1, segment.last_id);
    if (resources.empty() && scopes.empty()) {
      return;
    }
    std::vector<uint32_t> unexplained;
    std::set_union(resources.begin(), resources.end(), scopes.begin(), scopes.end(),
                   std::back_inserter(unexplained));
    if (segment.is_single_group) {
      // Nested ids of a batch of one group are those of the leading group; encoders count from 0.
      const auto shift = static_cast<uint32_t>(std::max<int64_t>(segment.first.resource, 0));
      for (const uint32_t id : unexplained) {
        result->hidden.push_back(
            {id - std::min(id, shift), segment.first.resource > 0 || segment.first.scope > 0});
      }
      return;
    }
    // The last batch holds all groups. Its start lies at or before the first unexplained attribute
    // row of its own.
    int64_t lowest = 0;
    if (!resources.empty()) {
      lowest =
          std::max(lowest, int64_t{resources.back()} - std::max<int64_t>(segment.max_resource, 0));
    }
    if (!scopes.empty()) {
      lowest = std::max(lowest, int64_t{scopes.back()} - std::max<int64_t>(segment.max_scope, 0));
    }
    bool is_placed = false;
    for (const uint32_t id : unexplained) {
      if (int64_t{id} < lowest && id <= segment.lead_last_id) {
        result->hidden.push_back({id, false});
      } else if (!is_placed) {
        is_placed = true;
        const bool is_certain = int64_t{id} == lowest && id <= segment.lead_last_id;
        const auto start = static_cast<uint32_t>(std::max<int64_t>(lowest, *segment.first_id));
        result->hidden.push_back({std::min(start, segment.lead_last_id), !is_certain});
      }
    }
  }

  /// Batches whose rows have no ids advance the offset by one each.
  void ResolveWithoutIds(size_t begin, size_t end) {
    std::optional<uint32_t> previous = context_.previous_last_id;
    if (begin > 0) {
      previous = segments_[begin - 1].last_id;
    }
    std::optional<uint32_t> next = context_.next_first_id;
    if (end < segments_.size()) {
      next = segments_[end].first_id;
    }
    const uint64_t first = previous.has_value() ? uint64_t{*previous} + 1 : 0;
    const uint64_t last = next.has_value() ? uint64_t{*next} - (*next > 0 ? 1 : 0) : UINT32_MAX;
    int64_t max_resource = 0;
    int64_t max_scope = 0;
    for (size_t i = begin; i < end; ++i) {
      max_resource = std::max(max_resource, segments_[i].max_resource);
      max_scope = std::max(max_scope, segments_[i].max_scope);
    }
    const bool has_attributes =
        context_.resources->HasAnyIn(first, last + static_cast<uint64_t>(max_resource)) ||
        context_.scopes->HasAnyIn(first, last + static_cast<uint64_t>(max_scope));
    const uint64_t count = end - begin;
    const bool is_counted = context_.is_only_signal &&
                            (next.has_value() ? uint64_t{*next} - first == count : count == 1);
    for (size_t i = begin; i < end; ++i) {
      resolved_[i].offset = static_cast<uint32_t>(first + (i - begin));
      resolved_[i].is_ambiguous = has_attributes && !is_counted;
    }
  }

  /// A batch with more resources or scopes than ids reaches into the ids of what follows: attribute
  /// rows there have two possible owners.
  void MarkOverlaps() {
    for (size_t i = 0; i < segments_.size(); ++i) {
      const Segment& segment = segments_[i];
      const uint32_t offset =
          resolved_[i].hidden.empty() ? resolved_[i].offset : resolved_[i].hidden.back().id;
      const uint64_t own_end = segment.first_id.has_value() ? segment.last_id : offset;
      MarkOverlap(i, own_end, ClaimEnd(offset, segment.max_resource), *context_.resources);
      MarkOverlap(i, own_end, ClaimEnd(offset, segment.max_scope), *context_.scopes);
    }
  }

  void MarkOverlap(size_t index, uint64_t own_end, uint64_t claim_end, const ParentIdSet& parents) {
    for (const uint32_t parent : parents.In(own_end + 1, claim_end)) {
      std::optional<uint32_t> next = context_.next_first_id;
      if (index + 1 < segments_.size()) {
        next = resolved_[index + 1].offset;
      }
      const bool is_next = next.has_value() && parent >= *next;
      if (is_next && index + 1 < segments_.size()) {
        resolved_[index + 1].is_ambiguous = true;
      }
      if (is_next || context_.may_be_other_signal(parent)) {
        resolved_[index].is_ambiguous = true;
      }
    }
  }

  std::vector<Segment> segments_;
  const ResolverContext& context_;
  std::vector<Resolved> resolved_;
};

/// Where a hidden start stands: the row of its id, and the row behind the id before it. Rows
/// between the two have no id and may belong to either batch.
struct Place {
  int64_t row = -1;
  int64_t after_previous = -1;
};

Result<std::map<uint32_t, Place>> Locate(std::map<uint32_t, Place> wanted, int num_row_groups,
                                         const std::function<Result<RootIds>(int)>& read) {
  int64_t row = 0;
  int64_t after_previous = 0;
  for (int group = 0; group < num_row_groups; ++group) {
    ARROW_ASSIGN_OR_RAISE(const RootIds rows, read(group));
    for (int64_t i = 0; i < rows.num_rows(); ++i, ++row) {
      if (!rows.ids.is_valid(i)) {
        continue;
      }
      const auto found = wanted.find(rows.ids.values[static_cast<size_t>(i)]);
      if (found != wanted.end() && found->second.row < 0) {
        found->second = {row, after_previous};
      }
      after_previous = row + 1;
    }
  }
  return wanted;
}

}  // namespace

ParentIdSet::ParentIdSet(std::vector<uint32_t> ids) : ids_(std::move(ids)) {
  std::sort(ids_.begin(), ids_.end());
  ids_.erase(std::unique(ids_.begin(), ids_.end()), ids_.end());
  ids_.shrink_to_fit();
}

std::span<const uint32_t> ParentIdSet::In(uint64_t first, uint64_t last) const {
  if (first > last || first > UINT32_MAX) {
    return {};
  }
  const auto begin = std::lower_bound(ids_.begin(), ids_.end(), static_cast<uint32_t>(first));
  const auto end = std::upper_bound(begin, ids_.end(),
                                    static_cast<uint32_t>(std::min<uint64_t>(last, UINT32_MAX)));
  return {begin, end};
}

Result<std::vector<ResourceStretch>> ResolveResources(
    int num_row_groups, const std::function<Result<RootIds>(int)>& read,
    const ResolverContext& context) {
  Cutter cutter;
  for (int group = 0; group < num_row_groups; ++group) {
    ARROW_ASSIGN_OR_RAISE(const RootIds rows, read(group));
    cutter.Add(rows);
  }
  Resolver resolver(cutter.Take(), context);
  resolver.Run();

  std::map<uint32_t, Place> places;
  for (const Resolved& resolved : resolver.resolved()) {
    for (const HiddenStart& hidden : resolved.hidden) {
      places[hidden.id] = {};
    }
  }
  if (!places.empty()) {
    ARROW_ASSIGN_OR_RAISE(places, Locate(std::move(places), num_row_groups, read));
  }

  std::vector<ResourceStretch> stretches;
  for (size_t i = 0; i < resolver.segments().size(); ++i) {
    const Resolved& resolved = resolver.resolved()[i];
    bool is_ambiguous = resolved.is_ambiguous;
    stretches.push_back({resolver.segments()[i].first_row, resolved.offset, is_ambiguous});
    for (const HiddenStart& hidden : resolved.hidden) {
      const Place& place = places[hidden.id];
      if (place.row < 0) {  // attributes point at an id that no row has: the rows behind it cannot
                            // be told apart
        stretches.back().is_ambiguous = true;
        continue;
      }
      is_ambiguous = is_ambiguous || hidden.is_ambiguous;
      if (place.after_previous < place.row && place.after_previous > stretches.back().first_row) {
        stretches.push_back({place.after_previous, hidden.id, true});
      }
      stretches.push_back({place.row, hidden.id, is_ambiguous});
    }
  }
  if (!context.file_starts_batch && !stretches.empty() && context.previous_last_id.has_value()) {
    // The writer may have cut a batch at the file border: its first rows may belong to the file
    // before.
    const bool has_attributes = !context.resources->empty() || !context.scopes->empty();
    const Segment& head = resolver.segments().front();
    const bool starts_visibly =
        head.first_id.has_value() && (context.resources->HasAnyIn(*head.first_id, *head.first_id) ||
                                      context.scopes->HasAnyIn(*head.first_id, *head.first_id));
    stretches.front().is_ambiguous =
        stretches.front().is_ambiguous || (has_attributes && !starts_visibly);
  }
  return stretches;
}

}  // namespace df::lake
