// What was in requests and is not in the columns that they were decoded to.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "engine/node.h"
#include "otlp/decode.h"
#include "telemetry/metric_set.h"

namespace df::delivery {

/// Counts it, names each field once in the log, and tells of all in the report.
/// Owner: shared with the requests that are passed on undecoded, which may be decoded later.
/// Calls: the loop.
class DecodeLosses {
 public:
  /// `node` is how lines of the log begin; `metrics` is borrowed.
  DecodeLosses(std::string node, telemetry::MetricSet* metrics);

  void Count(const otlp::DecodeStats& stats);

  void AddTo(engine::NodeReport* report) const;

  int64_t num_invalid_ids() const { return invalid_ids_; }
  int64_t num_unknown_fields() const { return unknown_.total(); }

 private:
  void CountUnknown(const std::string& field, int64_t count);

  std::string node_;
  telemetry::MetricSet* metrics_;
  int64_t invalid_ids_ = 0;
  int64_t empty_groups_ = 0;
  int64_t replaced_surrogates_ = 0;
  otlp::UnknownFields unknown_;
  std::map<std::string, telemetry::Counter*> counters_;  // by field; those named in the log
};

}  // namespace df::delivery
