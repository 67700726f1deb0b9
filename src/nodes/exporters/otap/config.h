// Configuration of the OTAP exporter.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/compression.h"
#include "config/field_table.h"
#include "engine/node_config.h"
#include "nodes/exporters/otap/lane.h"
#include "otap_wire/producer.h"
#include "runtime/grpc/client.h"
#include "runtime/tls.h"

namespace df::nodes::exporters::otap {

/// What stands in the Arrow streams.
struct ArrowConfig {
  otap_wire::BufferCompression payload_compression = otap_wire::BufferCompression::kZstd;
  int64_t max_dictionary_size = 4 << 20;
};

/// Where the server is.
struct Endpoint {
  std::string host;
  uint16_t port = 0;
  bool has_tls = false;
};

/// Reads "http://host:port", "https://host:port" or "host:port". Errors: Invalid.
Result<Endpoint> ParseEndpoint(std::string_view text);

struct OtapConfig final : engine::NodeConfig {
  std::string grpc_endpoint;
  Compression compression_method = Compression::kNone;
  ArrowConfig arrow;
  int64_t streams_per_signal = 1;
  int64_t max_in_flight = 64;
  std::chrono::nanoseconds max_stream_lifetime = std::chrono::minutes(10);
  std::optional<std::chrono::nanoseconds> timeout = std::chrono::seconds(60);
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(3);
  std::chrono::nanoseconds http2_keepalive_interval = std::chrono::seconds(30);
  std::chrono::nanoseconds http2_keepalive_timeout = std::chrono::seconds(10);
  std::map<std::string, std::string> headers;
  std::optional<runtime::TlsSettings> tls;
};

const config::FieldTable<OtapConfig>& OtapFields();

/// Reads a section; problems go to it.
OtapConfig ReadOtapConfig(const config::Section& section);

LaneSettings MakeLaneSettings(const OtapConfig& config);
/// Errors: those of TlsContext::MakeClient.
Result<runtime::grpc::ClientSettings> MakeClientSettings(const OtapConfig& config);

}  // namespace df::nodes::exporters::otap
