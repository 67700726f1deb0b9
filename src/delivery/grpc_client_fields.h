// The keys of nodes that call a gRPC server.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/compression.h"
#include "config/field_table.h"
#include "runtime/grpc/client.h"
#include "runtime/tls.h"

namespace df::delivery {

/// What a node that sends over the network proves before it is started.
enum class StartCheck : uint8_t {
  kNone,     ///< nothing: a server may come later
  kConnect,  ///< that its server can be connected to
};

/// The key `check_at_start`, of a node with such a member.
template <typename Config>
config::Field<Config> StartCheckField() {
  return config::Enum("check_at_start", &Config::check_at_start,
                      {{"none", StartCheck::kNone}, {"connect", StartCheck::kConnect}},
                      "connect: the pipeline starts, or is changed, only if the server can be "
                      "connected to then");
}

/// What such a node has in common with the others; its configuration is derived from it.
struct GrpcClientConfig {
  std::string grpc_endpoint;
  Compression compression = Compression::kNone;
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(3);
  std::chrono::nanoseconds http2_keepalive_interval = std::chrono::seconds(30);
  std::chrono::nanoseconds http2_keepalive_timeout = std::chrono::seconds(10);
  bool keep_alive_while_idle = false;
  std::map<std::string, std::string> headers;
  std::string user_agent;
  std::optional<runtime::TlsSettings> tls;
  StartCheck check_at_start = StartCheck::kNone;
};

const config::FieldTable<GrpcClientConfig>& GrpcClientFields();

/// Checks the keys against each other; problems go to the section, which is that of the node.
void CheckGrpcClient(const config::Section& section, const GrpcClientConfig& config);

/// Loads the certificates. Errors: those of TlsContext::MakeClient.
Result<runtime::grpc::ClientSettings> MakeGrpcClientSettings(const GrpcClientConfig& config);

/// Does what `check_at_start` says. Waits for it. Errors: why the server cannot be connected to.
Status CheckGrpcServer(const GrpcClientConfig& config,
                       const runtime::grpc::ClientSettings& settings);

/// Where a server is.
struct GrpcEndpoint {
  std::string host;
  uint16_t port = 0;
  bool has_tls = false;
};

/// Reads "http://host:port", "https://host:port" or "host:port"; without a port it is that of
/// OTLP, 4317. Errors: Invalid.
Result<GrpcEndpoint> ParseGrpcEndpoint(std::string_view text);

}  // namespace df::delivery
