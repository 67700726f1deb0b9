// The data of a metric, found in its bytes without decoding it.
#pragma once

#include <cstdint>
#include <string_view>

#include "otlp/decode/proto_reader.h"
#include "otlp/fields.h"

namespace df::otlp {

/// Tells whether a field of a metric holds its data points.
constexpr bool IsMetricData(uint32_t tag) {
  switch (tag) {
    case BytesTag(metric_fields::kGauge):
    case BytesTag(metric_fields::kSum):
    case BytesTag(metric_fields::kHistogram):
    case BytesTag(metric_fields::kExpHistogram):
    case BytesTag(metric_fields::kSummary):
      return true;
    default:
      return false;
  }
}

struct MetricData {
  int64_t num_points = 0;    ///< of the last kind of data, whose parts are merged
  int64_t num_messages = 0;  ///< of any kind; more than one in odd requests only
};

/// Returns false where the bytes are malformed.
bool ReadMetricData(std::string_view metric, MetricData* data);

}  // namespace df::otlp
