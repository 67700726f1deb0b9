// Configuration of the OTAP exporter.
#pragma once

#include <chrono>
#include <cstdint>

#include "config/field_table.h"
#include "delivery/grpc_client_fields.h"
#include "delivery/request_limit.h"
#include "engine/node_config.h"
#include "nodes/exporters/otap/lane.h"
#include "otap_wire/producer.h"

namespace df::nodes::exporters::otap {

/// What stands in the Arrow streams.
struct ArrowConfig {
  otap_wire::BufferCompression payload_compression = otap_wire::BufferCompression::kZstd;
  int64_t max_dictionary_size = 4 << 20;
};

struct OtapConfig final : engine::NodeConfig, delivery::GrpcClientConfig {
  /// An answer comes when the batch has reached its destination, which may collect first.
  OtapConfig() { timeout = std::chrono::seconds(60); }

  ArrowConfig arrow;
  int64_t streams_per_signal = 1;
  int64_t max_in_flight = 64;
  int64_t max_request_bytes = delivery::kDefaultMaxRequestBytes;  ///< before compression
  std::chrono::nanoseconds max_stream_lifetime = std::chrono::minutes(10);
};

const config::FieldTable<OtapConfig>& OtapFields();

LaneSettings MakeLaneSettings(const OtapConfig& config);

}  // namespace df::nodes::exporters::otap
