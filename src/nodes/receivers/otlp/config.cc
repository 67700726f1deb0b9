#include "nodes/receivers/otlp/config.h"

#include <fmt/format.h>

#include "delivery/tls_fields.h"
#include "runtime/address.h"

namespace df::nodes::receivers::otlp {
namespace {

constexpr config::Range kTimeout = {1'000'000, int64_t{3600} * 1'000'000'000};

template <typename S>
config::Field<S> Address(std::string S::* member) {
  return config::Custom<S, std::string>(
             "listening_addr", "address such as 127.0.0.1:4318", member,
             [](std::string_view text) -> Result<std::string> {
               ARROW_ASSIGN_OR_RAISE(const auto address, runtime::ParseSocketAddress(text));
               return address.ToString();
             },
             [](const std::string& text) { return text; }, "where to listen; port 0: any free one")
      .Required();
}

const config::FieldTable<HttpConfig>& HttpFields() {
  static const config::FieldTable<HttpConfig> kTable = {
      Address(&HttpConfig::listening_addr),
      config::Size("max_request_body_size", &HttpConfig::max_request_body_size,
                   {1, int64_t{1} << 30}, "largest body, as it is sent and as it is inflated"),
      config::Bool("accept_compressed_requests", &HttpConfig::accept_compressed_requests,
                   "take bodies in gzip, deflate, zstd, snappy and lz4"),
      config::Bool("wait_for_result", &HttpConfig::wait_for_result,
                   "answer when the items are delivered, not when they are on their way"),
      config::Duration("timeout", &HttpConfig::timeout,
                       "longest time for a request to arrive, and again to be answered", kTimeout),
      config::Integer("max_concurrent_requests", &HttpConfig::max_concurrent_requests, {1, 65'536},
                      "requests handled at a time; further ones are told to retry"),
      config::Integer(
          "max_connections", &HttpConfig::max_connections, {1, 65'536},
          "connections at a time; a further one replaces an idle or slow one, or is closed"),
      config::Duration("idle_timeout", &HttpConfig::idle_timeout,
                       "a connection without requests is closed after so long", kTimeout),
      config::OptionalGroup("tls", &HttpConfig::tls, delivery::TlsServerFields(),
                            "HTTPS, and whose certificates clients need", delivery::CheckTlsServer),
      config::OptionalGroup("cors", &HttpConfig::cors, CorsFields(),
                            "pages in browsers that may send; none without it"),
  };
  return kTable;
}

const config::FieldTable<GrpcConfig>& GrpcFields() {
  static const config::FieldTable<GrpcConfig> kTable = {
      Address(&GrpcConfig::listening_addr),
      config::Size("max_decoding_message_size", &GrpcConfig::max_decoding_message_size,
                   {1, int64_t{1} << 30}, "largest request, as it is sent and as it is inflated"),
      config::EnumList("request_compression", &GrpcConfig::request_compression,
                       {{"zstd", Compression::kZstd},
                        {"gzip", Compression::kGzip},
                        {"deflate", Compression::kDeflate},
                        {"snappy", Compression::kSnappy},
                        {"lz4", Compression::kLz4}},
                       "what requests may be compressed with"),
      config::Bool("wait_for_result", &GrpcConfig::wait_for_result,
                   "answer when the items are delivered, not when they are on their way"),
      config::Duration("timeout", &GrpcConfig::timeout,
                       "longest time from the header of a request to its answer", kTimeout),
      config::Integer("max_concurrent_requests", &GrpcConfig::max_concurrent_requests, {1, 65'536},
                      "requests handled at a time; further ones are told to retry"),
      config::Integer(
          "max_connections", &GrpcConfig::max_connections, {1, 65'536},
          "connections at a time; a further one replaces an idle or slow one, or is closed"),
      config::Duration("http2_keepalive_interval", &GrpcConfig::http2_keepalive_interval,
                       "a client that is silent for so long is asked for a sign of life", kTimeout),
      config::Duration("http2_keepalive_timeout", &GrpcConfig::http2_keepalive_timeout,
                       "its connection is closed when it takes longer to come", kTimeout),
      config::OptionalGroup("tls", &GrpcConfig::tls, delivery::TlsServerFields(),
                            "encryption, and whose certificates clients need",
                            delivery::CheckTlsServer),
  };
  return kTable;
}

const config::FieldTable<ProtocolsConfig>& ProtocolsFields() {
  static const config::FieldTable<ProtocolsConfig> kTable = {
      config::OptionalGroup("grpc", &ProtocolsConfig::grpc, GrpcFields(), "OTLP over gRPC"),
      config::OptionalGroup("http", &ProtocolsConfig::http, HttpFields(), "OTLP over HTTP/1.1"),
  };
  return kTable;
}

}  // namespace

const config::FieldTable<OtlpConfig>& OtlpFields() {
  static const config::FieldTable<OtlpConfig> kTable = {
      config::Group("protocols", &OtlpConfig::protocols, ProtocolsFields(), "how to be reached")
          .Required(),
  };
  return kTable;
}

namespace {

/// Adds what is wrong with the address of one protocol.
void CheckPort(const config::Section& protocols, const std::string& protocol,
               const std::string& address, int num_cores) {
  const auto section = protocols.Find(protocol);
  if (section.has_value() && num_cores > 1 && address.ends_with(":0")) {
    section->AddAtKey("listening_addr",
                      fmt::format("{} cores would each listen at a port of their own, expected a "
                                  "port above 0",
                                  num_cores));
  }
}

}  // namespace

void CheckOtlp(const config::Section& section, const OtlpConfig& config, int num_cores) {
  const auto protocols = section.Find("protocols");
  if (!protocols.has_value()) {
    return;
  }
  const std::optional<HttpConfig>& http = config.protocols.http;
  const std::optional<GrpcConfig>& grpc = config.protocols.grpc;
  if (!http.has_value() && !grpc.has_value()) {
    section.AddAtKey("protocols", "key 'protocols' names no protocol, expected grpc or http");
  }
  if (http.has_value()) {
    CheckPort(*protocols, "http", http->listening_addr, num_cores);
  }
  if (grpc.has_value()) {
    CheckPort(*protocols, "grpc", grpc->listening_addr, num_cores);
  }
  // Several sockets may listen at one port, and the system would spread clients over both.
  if (http.has_value() && grpc.has_value() && !grpc->listening_addr.ends_with(":0") &&
      http->listening_addr == grpc->listening_addr) {
    section.AddAtKey("protocols", fmt::format("grpc and http listen both at {}, expected an "
                                              "address for each",
                                              http->listening_addr));
  }
}

}  // namespace df::nodes::receivers::otlp
