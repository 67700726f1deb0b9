// The data of a metric, found in its bytes without decoding it.
#pragma once

#include <cstdint>
#include <string_view>

#include "otlp/decode/proto_reader.h"
#include "otlp/schema/messages.h"

namespace df::otlp {

/// Tells whether a field of a metric holds its data points.
constexpr bool IsMetricData(uint32_t tag) {
  return DataTypeOf(tag >> 3U) != MetricType::kNone &&
         static_cast<WireType>(tag & 7U) == WireType::length_delimited;
}

struct MetricData {
  int64_t num_points = 0;    ///< of the last kind of data, whose parts are merged
  int64_t num_messages = 0;  ///< of any kind; more than one in odd requests only
};

/// Returns false where the bytes are malformed.
bool ReadMetricData(std::string_view metric, MetricData* data);

}  // namespace df::otlp
