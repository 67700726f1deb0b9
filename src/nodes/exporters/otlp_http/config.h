// Configuration of the OTLP/HTTP exporter.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/compression.h"
#include "config/field_table.h"
#include "delivery/grpc_client_fields.h"
#include "delivery/request_limit.h"
#include "engine/node_config.h"
#include "otap/schema.h"
#include "otlp/export_response.h"
#include "runtime/tls.h"

namespace df::nodes::exporters::otlp_http {

struct OtlpHttpConfig final : engine::NodeConfig {
  std::string endpoint;  ///< "/v1/logs" and so on go behind it; empty where each signal has its own
  std::string logs_endpoint;
  std::string traces_endpoint;
  std::string metrics_endpoint;
  otlp::Encoding encoding = otlp::Encoding::kProtobuf;
  Compression compression = Compression::kNone;
  std::map<std::string, std::string> headers;
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(3);
  int64_t max_in_flight = 5;
  int64_t client_pool_size = 8;
  int64_t max_request_bytes = delivery::kDefaultMaxRequestBytes;  ///< before compression
  int64_t max_response_body_length = 10 << 20;
  std::optional<runtime::TlsSettings> tls;
  delivery::StartCheck check_at_start = delivery::StartCheck::kNone;

  /// Where requests of a signal go; empty where nothing says so.
  std::string EndpointOf(df::otap::Signal signal) const;
};

const config::FieldTable<OtlpHttpConfig>& OtlpHttpFields();

/// Checks keys against each other; problems go to the section.
void CheckOtlpHttp(const config::Section& section, const OtlpHttpConfig& config);

}  // namespace df::nodes::exporters::otlp_http
