// Configuration of the OTLP receiver.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/compression.h"
#include "config/field_table.h"
#include "engine/node_config.h"
#include "nodes/receivers/otlp/cors.h"
#include "runtime/tls.h"

namespace df::nodes::receivers::otlp {

/// OTLP over HTTP/1.1.
struct HttpConfig {
  std::string listening_addr;
  int64_t max_request_body_size = 4 << 20;
  bool accept_compressed_requests = true;
  bool wait_for_result = false;
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);
  int64_t max_concurrent_requests = 256;
  int64_t max_connections = 1024;
  std::chrono::nanoseconds idle_timeout = std::chrono::seconds(60);
  std::optional<runtime::TlsSettings> tls;
  std::optional<CorsConfig> cors;
};

/// OTLP over gRPC.
struct GrpcConfig {
  std::string listening_addr;
  int64_t max_decoding_message_size = 4 << 20;
  std::vector<Compression> request_compression = {Compression::kZstd, Compression::kGzip,
                                                  Compression::kDeflate};
  bool wait_for_result = false;
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);
  int64_t max_concurrent_requests = 256;
  int64_t max_connections = 1024;
  std::chrono::nanoseconds http2_keepalive_interval = std::chrono::seconds(30);
  std::chrono::nanoseconds http2_keepalive_timeout = std::chrono::seconds(10);
  std::optional<runtime::TlsSettings> tls;
};

struct ProtocolsConfig {
  std::optional<GrpcConfig> grpc;
  std::optional<HttpConfig> http;
};

struct OtlpConfig final : engine::NodeConfig {
  ProtocolsConfig protocols;
};

const config::FieldTable<OtlpConfig>& OtlpFields();

/// Checks keys against each other; problems go to the section.
void CheckOtlp(const config::Section& section, const OtlpConfig& config, int num_cores);

}  // namespace df::nodes::receivers::otlp
