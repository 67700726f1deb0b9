// All metrics at one moment, as the formats write them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "telemetry/histogram.h"
#include "telemetry/instrument.h"

namespace df::telemetry {

/// What a metric set is about.
struct SetIdentity {
  std::string scope;      ///< "df.node"
  Attributes attributes;  ///< "pipeline.id", "node.id", "core.id"..
  int64_t start_unix_nanos = 0;
};

/// One number or histogram.
struct MetricPoint {
  std::shared_ptr<const SetIdentity> set;
  Attributes attributes;     ///< besides those of the set
  int64_t value = 0;         ///< not of histograms; nanoseconds when the unit is "s"
  HistogramValue histogram;  ///< of histograms; nanoseconds when the unit is "s"
};

/// A metric with the points of all sets that have it.
struct MetricFamily {
  InstrumentKind kind = InstrumentKind::kCounter;
  std::string name;
  std::string unit;
  std::string description;
  std::vector<MetricPoint> points;  ///< by scope, attributes of the set, own attributes

  /// Numbers are shown as fractions: nanoseconds as seconds.
  bool is_time() const { return unit == "s"; }
};

/// Order: by name.
struct MetricSnapshot {
  int64_t unix_nanos = 0;
  std::vector<MetricFamily> families;

  /// Returns a family, or null.
  const MetricFamily* Find(std::string_view name) const;

  /// Returns the sum of the values (counts of a histogram) of all points of a family whose set and
  /// own attributes together contain `attributes`; 0 when there is none.
  int64_t Sum(std::string_view name, const Attributes& attributes = {}) const;
};

/// Returns nanoseconds as seconds.
inline double ToSeconds(int64_t nanoseconds) { return static_cast<double>(nanoseconds) / 1e9; }

/// Writes every number that is not zero, one line a set: for people, and for what a process says
/// at its end.
std::string ToText(const MetricSnapshot& snapshot);

}  // namespace df::telemetry
