#include "delivery/grpc_client_fields.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "delivery/tls_fields.h"
#include "runtime/try_connect.h"

namespace df::delivery {
namespace {

constexpr config::Range kDurations = {1'000'000, int64_t{86'400} * 1'000'000'000};
constexpr uint16_t kOtlpPort = 4317;
constexpr std::string_view kUserAgent = "df_engine";

config::Field<GrpcClientConfig> Endpoint(std::string name) {
  return config::Custom<GrpcClientConfig, std::string>(
      std::move(name), "endpoint such as http://127.0.0.1:4317", &GrpcClientConfig::grpc_endpoint,
      [](std::string_view text) -> Result<std::string> {
        ARROW_RETURN_NOT_OK(ParseGrpcEndpoint(text).status());
        return std::string(text);
      },
      [](const std::string& text) { return text; },
      "the server; https encrypts, as does a tls section where there is no scheme");
}

config::Field<GrpcClientConfig> CompressionOf(std::string name) {
  return config::Enum(std::move(name), &GrpcClientConfig::compression,
                      {{"none", Compression::kNone},
                       {"gzip", Compression::kGzip},
                       {"zstd", Compression::kZstd},
                       {"deflate", Compression::kDeflate}},
                      "of what is sent");
}

/// Whether the rules of HTTP/2 and gRPC leave a name to the user.
bool IsFreeHeader(std::string_view name) {
  constexpr std::array<std::string_view, 7> kTaken = {
      "te",         "content-type",  "user-agent", "host", "transfer-encoding",
      "connection", "content-length"};
  if (name.empty() || name.starts_with("grpc-") ||
      std::find(kTaken.begin(), kTaken.end(), name) != kTaken.end()) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-' ||
           letter == '_' || letter == '.';
  });
}

bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char letter) { return letter >= ' ' && letter <= '~'; });
}

}  // namespace

Result<GrpcEndpoint> ParseGrpcEndpoint(std::string_view text) {
  const Status error = Status::Invalid(fmt::format("found '{}'", text));
  GrpcEndpoint endpoint;
  endpoint.port = kOtlpPort;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    endpoint.has_tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  }
  if (rest.ends_with('/')) {
    rest.remove_suffix(1);
  }
  // A colon inside brackets belongs to an IPv6 address.
  const size_t colon = rest.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && rest.find(']', colon) == std::string_view::npos;
  if (has_port) {
    const std::string_view digits = rest.substr(colon + 1);
    const char* end = digits.data() + digits.size();
    const auto parsed = std::from_chars(digits.data(), end, endpoint.port);
    if (parsed.ec != std::errc() || parsed.ptr != end || endpoint.port == 0) {
      return error;
    }
    rest = rest.substr(0, colon);
  }
  if (rest.starts_with('[') && rest.ends_with(']')) {
    rest = rest.substr(1, rest.size() - 2);
  } else if (rest.find_first_of(":/@[]? ") != std::string_view::npos) {
    return error;
  }
  if (rest.empty()) {
    return error;
  }
  endpoint.host = rest;
  return endpoint;
}

const config::FieldTable<GrpcClientConfig>& GrpcClientFields() {
  static const config::FieldTable<GrpcClientConfig> kTable = {
      Endpoint("grpc_endpoint"),
      Endpoint("endpoint").OlderFormOf("grpc_endpoint"),
      CompressionOf("compression"),
      CompressionOf("compression_method").OlderFormOf("compression"),
      config::Duration("timeout", &GrpcClientConfig::timeout, "longest time for a call",
                       kDurations),
      config::Duration("connect_timeout", &GrpcClientConfig::connect_timeout,
                       "longest time to connect, agreeing on keys included", kDurations),
      config::Duration("http2_keepalive_interval", &GrpcClientConfig::http2_keepalive_interval,
                       "a server that is silent for so long is asked for a sign of life",
                       kDurations),
      config::Duration("http2_keepalive_timeout", &GrpcClientConfig::http2_keepalive_timeout,
                       "the connection is closed when it takes longer to come", kDurations),
      config::Bool("keep_alive_while_idle", &GrpcClientConfig::keep_alive_while_idle,
                   "ask also while no call is under way; many servers do not like that"),
      config::StringMap("headers", &GrpcClientConfig::headers, "sent with every call"),
      config::String("user_agent", &GrpcClientConfig::user_agent,
                     "stands before our own in the header user-agent")
          .PrintedWhenGiven(),
      StartCheckField<GrpcClientConfig>(),
      config::OptionalGroup("tls", &GrpcClientConfig::tls, TlsClientFields(),
                            "whom to trust, and who this client is", CheckTlsClient),
  };
  return kTable;
}

void CheckGrpcClient(const config::Section& section, const GrpcClientConfig& config) {
  if (!section.Find("grpc_endpoint").has_value() && !section.Find("endpoint").has_value()) {
    section.Add(
        "key 'grpc_endpoint' is missing, expected an endpoint such as "
        "http://127.0.0.1:4317");
  }
  for (const auto& [name, value] : config.headers) {
    if (!IsFreeHeader(name)) {
      section.AddAtKey("headers",
                       fmt::format("found header '{}', expected a name in lower case that is not "
                                   "one of HTTP/2 or gRPC",
                                   name));
    } else if (!IsPrintable(value)) {
      section.AddAtKey("headers",
                       fmt::format("the value of header '{}' is not printable ASCII", name));
    }
  }
  if (!IsPrintable(config.user_agent)) {
    section.AddAtKey("user_agent", "found text that is not printable ASCII");
  }
  if (config.tls.has_value() && config.grpc_endpoint.starts_with("http://")) {
    section.AddAtKey("tls", "found tls for an endpoint of http, expected one of https");
  }
}

Status CheckGrpcServer(const GrpcClientConfig& config,
                       const runtime::grpc::ClientSettings& settings) {
  return config.check_at_start == StartCheck::kNone
             ? Status::OK()
             : runtime::TryConnect(settings.http2.host, settings.http2.port, settings.http2.tls,
                                   config.connect_timeout);
}

Result<runtime::grpc::ClientSettings> MakeGrpcClientSettings(const GrpcClientConfig& config) {
  ARROW_ASSIGN_OR_RAISE(const GrpcEndpoint endpoint, ParseGrpcEndpoint(config.grpc_endpoint));
  runtime::grpc::ClientSettings settings;
  settings.http2.host = endpoint.host;
  settings.http2.port = endpoint.port;
  settings.http2.connect_timeout = config.connect_timeout;
  settings.http2.connection.keepalive_interval = config.http2_keepalive_interval;
  settings.http2.connection.keepalive_timeout = config.http2_keepalive_timeout;
  settings.http2.connection.keepalive_while_idle = config.keep_alive_while_idle;
  settings.compression = config.compression;
  settings.user_agent = config.user_agent.empty()
                            ? std::string(kUserAgent)
                            : fmt::format("{} {}", config.user_agent, kUserAgent);
  for (const auto& [name, value] : config.headers) {
    settings.metadata.push_back({name, value});
  }
  if (endpoint.has_tls || config.tls.has_value()) {
    ARROW_ASSIGN_OR_RAISE(
        settings.http2.tls,
        runtime::TlsContext::MakeClient(config.tls.value_or(runtime::TlsSettings{}), {"h2"}));
  }
  return settings;
}

}  // namespace df::delivery
