#include "lake/resources/resolved_segment.h"

#include <algorithm>

namespace df::lake {
namespace {

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

}  // namespace

Status Locate(const RootFileSource& file, std::map<uint32_t, HiddenPlace>* wanted) {
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

void AppendStretches(const RootSegment& segment, const ResolvedSegment& resolved,
                     const std::map<uint32_t, HiddenPlace>& places,
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
    const HiddenPlace& place = places.at(hidden.row_id);
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

}  // namespace df::lake
