#include "delivery/table_cutter.h"

#include <algorithm>

#include "otap/filter.h"
#include "otap/rows.h"
#include "otap/split.h"

namespace df::delivery {
namespace {

/// Parts are not exactly as large as the estimate says.
constexpr double kAimedShare = 0.9;

/// How many of `count` records go into one part.
int64_t RecordsInPart(int64_t count, int64_t encoded_bytes, int64_t max_bytes) {
  const double share = kAimedShare * static_cast<double>(max_bytes) /
                       static_cast<double>(std::max<int64_t>(encoded_bytes, 1));
  const auto wanted = static_cast<int64_t>(static_cast<double>(count) * std::min(share, 1.0));
  return std::clamp<int64_t>(wanted, 1, (count + 1) / 2);
}

/// By root rows: metrics without data points have no items to count by.
Result<std::vector<otap::BatchPtr>> CutRoots(const otap::BatchPtr& batch, int64_t rows_in_part) {
  std::vector<otap::BatchPtr> parts;
  const int64_t num_rows = batch->num_root_rows();
  for (int64_t begin = 0; begin < num_rows; begin += rows_in_part) {
    otap::RowSet rows(num_rows);
    for (int64_t row = begin; row < std::min(begin + rows_in_part, num_rows); ++row) {
      rows.Set(row);
    }
    ARROW_ASSIGN_OR_RAISE(auto part, otap::FilterRoots(batch, std::move(rows)));
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace

bool CanBeCut(const otap::Batch& batch) {
  return batch.num_items() > 1 || batch.num_root_rows() > 1;
}

Result<std::vector<otap::BatchPtr>> CutTables(const otap::BatchPtr& batch, int64_t encoded_bytes,
                                              int64_t max_bytes) {
  if (batch->num_items() > 1) {
    ARROW_ASSIGN_OR_RAISE(auto parts, otap::Split(batch, RecordsInPart(batch->num_items(),
                                                                       encoded_bytes, max_bytes)));
    if (parts.size() > 1) {
      return parts;
    }
  }
  // Halves: each is a walk over all rows.
  return CutRoots(batch, (batch->num_root_rows() + 1) / 2);
}

}  // namespace df::delivery
