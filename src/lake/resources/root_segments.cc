#include "lake/resources/root_segments.h"

#include <algorithm>
#include <utility>

namespace df::lake {
namespace {

class Cutter {
 public:
  void StartFile(size_t file, bool starts_batch) {
    file_ = file;
    row_ = after_id_ = 0;
    border_ = starts_batch || segments_.empty() ? StartReason::kFile : StartReason::kFileBorder;
    is_at_border_ = true;
  }

  void Add(const RootIds& rows) {
    for (int64_t i = 0; i < rows.num_rows();) {
      const NestedRow nested{Value(rows.resource_ids, i), Value(rows.scope_ids, i)};
      std::optional<uint32_t> id;
      if (rows.ids.is_valid(i)) {
        id = rows.ids.values[static_cast<size_t>(i)];
      }
      AddRow(nested, id);
      ++i;
      ++row_;
      if (id.has_value()) {
        i = AddSuccessors(rows, i, nested);
      }
    }
  }

  std::vector<RootSegment> Take() { return std::move(segments_); }

 private:
  static int64_t Value(const IdColumn& column, int64_t row) {
    return column.is_valid(row) ? int64_t{column.values[static_cast<size_t>(row)]} : -1;
  }

  std::optional<StartReason> ReasonOf(const NestedRow& nested, std::optional<uint32_t> id) const {
    if (is_at_border_ && border_ == StartReason::kFile) {
      return border_;
    }
    const bool scope_steps_back = StepsBack(nested.scope, previous_.scope);
    if (StepsBack(nested.resource, previous_.resource) ||
        (scope_steps_back && nested.resource == previous_.resource)) {
      return StartReason::kNestedIds;
    }
    if (is_at_border_) {
      return border_;
    }
    if (id.has_value() && segments_.back().first_id.has_value() &&
        *id != uint64_t{segments_.back().last_id} + 1) {
      return StartReason::kIdJump;
    }
    if (!segments_.empty() &&
        (BreaksOff(nested.resource, was_.resource) || BreaksOff(nested.scope, was_.scope))) {
      return StartReason::kNulls;
    }
    return scope_steps_back ? std::optional(StartReason::kScope) : std::nullopt;
  }

  void AddRow(const NestedRow& nested, std::optional<uint32_t> id) {
    if (const auto reason = ReasonOf(nested, id); reason.has_value()) {
      RootSegment segment;
      segment.is_doubtful = *reason != StartReason::kFile && !segments_.empty() && is_after_null_;
      if (segment.is_doubtful) {
        segments_.back().is_doubtful = true;
      }
      segment.file = file_;
      segment.first_row = row_;
      segment.behind_previous = last_id_.has_value() ? uint64_t{*last_id_} + 1 : 0;
      segment.reason = *reason;
      segment.starts_with_null = nested.resource < 0;
      const bool may_start_earlier =
          *reason == StartReason::kIdJump ||
          (*reason == StartReason::kNulls && segments_.back().first_id.has_value());
      segment.after_previous = may_start_earlier ? after_id_ : row_;
      segments_.push_back(segment);
      is_at_border_ = false;
      has_lead_limit_ = false;
      if (segment.is_certain_start()) {
        previous_ = {};
      }
    }
    RootSegment& segment = segments_.back();
    segment.first.resource = segment.first.resource < 0 ? nested.resource : segment.first.resource;
    segment.first.scope = segment.first.scope < 0 ? nested.scope : segment.first.scope;
    Widen(nested.resource, &segment.resources);
    Widen(nested.scope, &segment.scopes);
    segment.is_single_group = segment.is_single_group &&
                              (nested.resource < 0 || nested.resource == segment.first.resource) &&
                              (nested.scope < 0 || nested.scope == segment.first.scope);
    if (!id.has_value() && !segment.first_id.has_value()) {
      Widen(nested.resource, &segment.head_resources);
      Widen(nested.scope, &segment.head_scopes);
    }
    if (!id.has_value() && segment.first_id.has_value()) {
      segment.has_tail = true;
      Widen(nested.resource, &segment.tail_resources);
      Widen(nested.scope, &segment.tail_scopes);
    }
    if (id.has_value()) {
      segment.first_id_row = segment.first_id.has_value() ? segment.first_id_row : row_;
      segment.has_rising_ids = segment.has_rising_ids && (!last_id_.has_value() || *id > *last_id_);
      last_id_ = *id;
      after_id_ = row_ + 1;
      segment.first_id = segment.first_id.value_or(*id);
      segment.last_id = *id;
      segment.tail_row = row_ + 1;
      segment.has_tail = false;
      segment.tail_resources = segment.tail_scopes = kEmptyIdRange;
      segment.body_resources = segment.resources;
      segment.body_scopes = segment.scopes;
      if (!std::exchange(has_lead_limit_, !segment.is_single_group)) {
        segment.lead_limit_id = *id;
      }
    }
    is_after_null_ = (nested.resource < 0 && previous_.resource >= 0) ||
                     (nested.scope < 0 && previous_.scope >= 0);
    was_ = nested;
    previous_ = {nested.resource < 0 ? previous_.resource : nested.resource,
                 nested.scope < 0 ? previous_.scope : nested.scope};
  }

  /// Takes the rows from `i` on that only count the id of the row before them up by one: they have
  /// its nested ids, so they change nothing but where the segment ends. Returns the row behind
  /// them.
  int64_t AddSuccessors(const RootIds& rows, int64_t i, const NestedRow& nested) {
    const int64_t first = i;
    uint64_t id = *last_id_;
    while (i < rows.num_rows() && rows.ids.is_valid(i) &&
           rows.ids.values[static_cast<size_t>(i)] == id + 1 &&
           Value(rows.resource_ids, i) == nested.resource &&
           Value(rows.scope_ids, i) == nested.scope) {
      ++id;
      ++i;
    }
    if (i > first) {
      RootSegment& segment = segments_.back();
      last_id_ = segment.last_id = static_cast<uint32_t>(id);
      row_ += i - first;
      after_id_ = segment.tail_row = row_;
      if (segment.is_single_group) {
        segment.lead_limit_id = segment.last_id;
      }
    }
    return i;
  }

  /// Resources count up over a batch. Some writers number its scopes over all of them, so that they
  /// count up, too; others may have two resources share a scope, and no batch starts where the
  /// second of them comes. A row without an id says nothing.
  static bool StepsBack(int64_t id, int64_t previous) { return id >= 0 && id < previous; }

  /// A null behind an id, and the first id of a batch behind a null: one batch has no such rows
  /// where the group without a struct counts, too.
  static bool BreaksOff(int64_t id, int64_t was) {
    return (id < 0 && was >= 0) || (id == 0 && was < 0);
  }

  static void Widen(int64_t id, IdRange* range) {
    if (id >= 0) {
      *range = {std::min(range->min, static_cast<uint32_t>(id)),
                std::max(range->max, static_cast<uint32_t>(id))};
    }
  }

  std::vector<RootSegment> segments_;
  size_t file_ = 0;
  int64_t row_ = 0;
  bool is_at_border_ = false;  ///< no row of the file has come yet
  StartReason border_ = StartReason::kFile;
  NestedRow previous_;          ///< the last that are not null
  NestedRow was_;               ///< of the row before
  bool is_after_null_ = false;  ///< the row before lacks an id that rows before it have
  bool has_lead_limit_ = false;
  std::optional<uint32_t> last_id_;
  int64_t after_id_ = 0;  ///< row behind the last one with an id
};

}  // namespace

void BoundOffsets(std::vector<std::vector<RootSegment>>* signals) {
  std::vector<RootSegment*> with_ids;
  for (auto& segments : *signals) {
    for (RootSegment& segment : segments) {
      if (segment.first_id.has_value()) {
        with_ids.push_back(&segment);
      }
    }
  }
  std::sort(with_ids.begin(), with_ids.end(),
            [](const RootSegment* a, const RootSegment* b) { return *a->first_id < *b->first_id; });
  uint64_t least = 0;
  for (RootSegment* segment : with_ids) {
    segment->least_offset = std::min<uint64_t>(least, *segment->first_id);
    least = std::max(least, uint64_t{segment->last_id} + 1);
  }
}

Result<std::vector<RootSegment>> CutRoots(const std::vector<RootFileSource>& files) {
  Cutter cutter;
  for (size_t file = 0; file < files.size(); ++file) {
    cutter.StartFile(file, files[file].starts_batch);
    for (int group = 0; group < files[file].num_row_groups; ++group) {
      ARROW_ASSIGN_OR_RAISE(const RootIds rows, files[file].read(group));
      cutter.Add(rows);
    }
  }
  return cutter.Take();
}

}  // namespace df::lake
