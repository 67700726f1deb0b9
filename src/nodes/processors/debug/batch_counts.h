// What a batch holds, in numbers.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "otap/batch.h"

namespace df::nodes::processors::debug {

/// Counts of batches of one signal.
struct BatchCounts {
  int64_t batches = 0;
  int64_t items = 0;                              ///< log records, spans, or data points
  std::array<int64_t, otap::kTableCount> rows{};  ///< by TableIndex

  void Add(const otap::Batch& batch);
  BatchCounts& operator+=(const BatchCounts& other);

  /// Returns "12 log records, 40 attributes": items and everything that belongs to them; what is
  /// zero is left out, except the items. Shape: one line.
  std::string Describe(otap::Signal signal) const;
};

}  // namespace df::nodes::processors::debug
