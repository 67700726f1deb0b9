// The items that a server does not take for their size.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "otap/batch.h"
#include "telemetry/instrument.h"

namespace df::delivery {

/// Names the only record of a batch: "metric 'http.duration'", "span 0102.. of trace 0a0b..", "log
/// record of 2026-11-28T01:02:03.000000004Z".
std::string NameOfRecord(const otap::Batch& batch);

/// Counts such items and names the first ones, in the log and in the report of their node.
class TooLargeItems {
 public:
  /// The counter is borrowed.
  TooLargeItems(std::string node, telemetry::Counter* counter)
      : node_(std::move(node)), counter_(counter) {}

  /// A part of one record, of so many bytes, was refused with `reason`.
  void Add(const std::string& name, int64_t bytes, int64_t num_items, const std::string& reason);

  int64_t num_items() const { return num_items_; }
  /// Adds lines for the report; none where there is no such item.
  void AppendTo(std::vector<std::string>* lines) const;

 private:
  std::string node_;
  telemetry::Counter* counter_;
  int64_t num_records_ = 0;
  int64_t num_items_ = 0;
  std::vector<std::string> named_;
};

}  // namespace df::delivery
