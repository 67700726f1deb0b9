// Consecutive rows of a row group.
#pragma once

#include <cstdint>
#include <vector>

namespace df::lake {

struct RowStretch {
  int64_t first = 0;
  int64_t end = 0;  ///< behind the last
};

/// Ascending and apart.
using RowStretches = std::vector<RowStretch>;

inline int64_t CountRows(const RowStretches& rows) {
  int64_t sum = 0;
  for (const RowStretch& stretch : rows) {
    sum += stretch.end - stretch.first;
  }
  return sum;
}

}  // namespace df::lake
