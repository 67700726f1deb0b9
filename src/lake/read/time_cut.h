// Cuts payloads where the time of their records has gone on.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "lake/scan/read_options.h"
#include "otap/batch.h"

namespace df::lake {

/// Returns the event time (select::EventTimes) of each root row, 0 where it has none or one after
/// `ignored_after`; a metric has the latest of its data points. Needs plain ids, each of one row.
/// Cost: O(rows and points).
std::vector<int64_t> RootEventTimes(const otap::Batch& batch,
                                    int64_t ignored_after = std::numeric_limits<int64_t>::max());

/// Returns the latest of them; nothing where no row has a time.
std::optional<int64_t> LatestEventTime(const otap::Batch& batch,
                                       int64_t ignored_after = std::numeric_limits<int64_t>::max());

/// Says how many rows may go out together, so that none has to wait for one that is due much later.
/// Rows keep their order: one that stands behind a later one is as late as that.
class TimeCut {
 public:
  /// Without a span there is no cut.
  explicit TimeCut(std::optional<PayloadSpan> span) : span_(span) {}

  bool cuts() const { return span_.has_value(); }

  /// Changes the span from the next cut on.
  void Limit(std::optional<PayloadSpan> span) { span_ = span; }

  /// Returns how many of the first root rows lie within the span: at least one.
  int64_t RowsWithin(const otap::Batch& batch);

  /// The rows that the last call was about go out.
  void Commit();

 private:
  std::optional<PayloadSpan> span_;
  int64_t latest_ = 0;   ///< of all rows so far; 0 before any
  int64_t reached_ = 0;  ///< by the rows of the last call that lie within
};

}  // namespace df::lake
