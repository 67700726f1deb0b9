// How old records are when they arrive, in numbers.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "otap/batch.h"

namespace df::nodes::exporters::perf {

/// Counts durations in buckets that are at most 1/16 wider than their lower end.
/// Cost: no allocation; an Add is a few instructions.
class AgeHistogram {
 public:
  /// Adds a duration >= 0 in nanoseconds.
  void Add(int64_t nanos) {
    ++buckets_[BucketOf(static_cast<uint64_t>(nanos))];
    ++count_;
    max_ = nanos > max_ ? nanos : max_;
  }

  /// Returns an upper end of the smallest durations that hold `share` of all, at most 1/16 too
  /// large and never above max; 0 when there are none. `share` is of (0, 1].
  int64_t Percentile(double share) const;

  int64_t count() const { return count_; }
  int64_t max() const { return max_; }

  AgeHistogram& operator+=(const AgeHistogram& other);

 private:
  static constexpr int kSubBits = 4;  // 16 buckets for each power of two
  static constexpr size_t kNumBuckets = (64 - kSubBits + 1) << kSubBits;

  static size_t BucketOf(uint64_t value) {
    if (value < (1U << kSubBits)) {
      return value;
    }
    const int shift = std::bit_width(value) - 1 - kSubBits;
    return (static_cast<size_t>(shift + 1) << kSubBits) + (value >> shift) - (1U << kSubBits);
  }
  static int64_t UpperEnd(size_t bucket);

  std::array<int64_t, kNumBuckets> buckets_{};
  int64_t count_ = 0;
  int64_t max_ = 0;
};

/// What a batch says about the age of its records.
struct AgeCounts {
  AgeHistogram recent;
  int64_t num_not_recent = 0;  ///< a day or more old, or from the future

  AgeCounts& operator+=(const AgeCounts& other);
};

/// Adds the age of each record that has a time: from the time of a log record or data point, or the
/// start of a span, to `now` (nanoseconds since 1970).
void AddAges(const otap::Batch& batch, int64_t now, AgeCounts* ages);

}  // namespace df::nodes::exporters::perf
