// Configuration of the OTAP receiver.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "config/field_table.h"
#include "engine/node_config.h"
#include "nodes/receivers/otap/stream_service.h"
#include "runtime/grpc/server.h"
#include "runtime/tls.h"

namespace df::nodes::receivers::otap {

struct OtapConfig final : engine::NodeConfig {
  std::string listening_addr;
  bool wait_for_result = true;
  int64_t max_concurrent_requests = 1000;
  int64_t max_concurrent_requests_per_stream = 16;
  std::optional<std::chrono::nanoseconds> timeout;
  int64_t max_decoding_message_size = 16 << 20;
  int64_t max_inflated_size = 256 << 20;
  int64_t max_dictionary_size = 64 << 20;
  int64_t max_connections = 1024;
  int64_t max_streams = 1024;
  std::chrono::nanoseconds http2_keepalive_interval = std::chrono::seconds(30);
  std::chrono::nanoseconds http2_keepalive_timeout = std::chrono::seconds(10);
  std::optional<runtime::TlsSettings> tls;
};

const config::FieldTable<OtapConfig>& OtapFields();

/// What the service and the server are made with.
ServiceSettings MakeServiceSettings(const OtapConfig& config);
/// Errors: those of TlsContext::MakeServer.
Result<runtime::grpc::ServerSettings> MakeServerSettings(const OtapConfig& config);

}  // namespace df::nodes::receivers::otap
