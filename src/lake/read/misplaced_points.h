// Data points that their metric has no place for.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "lake/read/payload.h"
#include "lake/report/read_report.h"
#include "otap/misplaced_points.h"
#include "otap/schema.h"

namespace df::lake {

/// The type of a metric says which table its data points are in. Points in another one, and those
/// of a type that is not known, cannot be sent as points of this metric: they are taken out with
/// what hangs below them, counted and named.
class MisplacedPoints {
 public:
  /// Takes them out of a payload. Errors: those of Arrow. Cost: O(rows) of metrics and points.
  Status Take(Payload* payload);

  /// The payload has gone out: moves their numbers to those of dropped rows.
  void Commit(ReadReport* report);

  /// Names them, a line for each table and type, and metrics of types that are not known.
  void Name(const std::string& partition, ReadReport* report) const;

 private:
  std::array<int64_t, otap::kTableCount> num_left_out_{};  ///< of the payload in hand
  otap::MisplacedPoints misplaced_;
};

}  // namespace df::lake
