#include "lake/format/id_ranges.h"

#include <algorithm>

#include <fmt/format.h>

namespace df::lake {

void IdRanges::Add(IdRange range) {
  if (range.min > range.max) {
    return;
  }
  // Ranges mostly come one behind the other.
  if (!ranges_.empty() && range.min >= ranges_.back().min &&
      range.min <= uint64_t{ranges_.back().max} + 1) {
    ranges_.back().max = std::max(ranges_.back().max, range.max);
    return;
  }
  is_normal_ = is_normal_ && (ranges_.empty() || ranges_.back().max < range.min);
  ranges_.push_back(range);
}

void IdRanges::Normalise() const {
  if (is_normal_) {
    return;
  }
  std::sort(ranges_.begin(), ranges_.end(),
            [](const IdRange& a, const IdRange& b) { return a.min < b.min; });
  size_t last = 0;
  for (size_t i = 1; i < ranges_.size(); ++i) {
    if (ranges_[i].min <= uint64_t{ranges_[last].max} + 1) {
      ranges_[last].max = std::max(ranges_[last].max, ranges_[i].max);
    } else {
      ranges_[++last] = ranges_[i];
    }
  }
  ranges_.resize(last + 1);
  is_normal_ = true;
}

bool IdRanges::Overlaps(IdRange range) const {
  Normalise();
  const auto behind = std::upper_bound(ranges_.begin(), ranges_.end(), range.max,
                                       [](uint32_t id, const IdRange& r) { return id < r.min; });
  return range.min <= range.max && behind != ranges_.begin() && (behind - 1)->max >= range.min;
}

void IdRuns::Add(uint32_t id) {
  if (!runs_.empty()) {
    Run& last = runs_.back();
    const bool is_near = id <= uint64_t{last.ids.max} + 1 && uint64_t{id} + 1 >= last.ids.min;
    if (is_near || runs_.size() == kMaxRuns) {
      Extend(&last.ids, id);
      ++last.num_rows;
      return;
    }
  }
  runs_.push_back({{id, id}, 1});
}

void Extend(IdRange* range, uint32_t id) { Extend(range, IdRange{id, id}); }

void Extend(IdRange* range, IdRange other) {
  *range = {std::min(range->min, other.min), std::max(range->max, other.max)};
}

std::string ToText(IdRange range) {
  return range.min == range.max ? fmt::format("id {}", range.min)
                                : fmt::format("ids {} to {}", range.min, range.max);
}

}  // namespace df::lake
