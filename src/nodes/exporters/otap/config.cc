#include "nodes/exporters/otap/config.h"

#include <charconv>

#include <fmt/format.h>

#include "engine/tls_fields.h"

namespace df::nodes::exporters::otap {
namespace {

using config::Section;
using otap_wire::BufferCompression;

constexpr config::Range kDurations = {1'000'000, int64_t{86'400} * 1'000'000'000};

const config::FieldTable<ArrowConfig>& ArrowFields() {
  static const config::FieldTable<ArrowConfig> table = {
      config::Enum("payload_compression", &ArrowConfig::payload_compression,
                   {{"none", BufferCompression::kNone},
                    {"lz4", BufferCompression::kLz4},
                    {"zstd", BufferCompression::kZstd}},
                   "compression of columns"),
      config::Size("max_dictionary_size", &ArrowConfig::max_dictionary_size,
                   {1 << 10, int64_t{1} << 30},
                   "a table whose dictionaries are larger begins its Arrow stream anew"),
  };
  return table;
}

config::Field<OtapConfig> QueueCapacity() {
  return config::Integer("stream_queue_capacity", &OtapConfig::max_in_flight, {1, 1 << 16},
                         "older form of max_in_flight")
      .OlderFormOf("max_in_flight");
}

/// Whether a header may be set, by the rules of HTTP/2 and gRPC.
bool IsHeaderName(std::string_view name) {
  if (name.empty() || name.starts_with("grpc-") || name == "te" || name == "content-type" ||
      name == "user-agent" || name == "host" || name == "connection") {
    return false;
  }
  for (const char letter : name) {
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
    if (!is_plain && letter != '-' && letter != '_' && letter != '.') {
      return false;
    }
  }
  return true;
}

void CheckHeaders(const Section& section, const OtapConfig& config) {
  for (const auto& [name, value] : config.headers) {
    if (!IsHeaderName(name)) {
      section.Add(fmt::format(
          "found header '{}', expected a lower-case name that is not one of HTTP/2 or gRPC", name));
    }
    for (const char letter : value) {
      if (letter < 0x20 || letter > 0x7e) {
        section.Add(fmt::format("found a value of header '{}' that is not printable ASCII", name));
        break;
      }
    }
  }
}

}  // namespace

Result<Endpoint> ParseEndpoint(std::string_view text) {
  const Status error = Status::Invalid(fmt::format("found '{}'", text));
  Endpoint endpoint;
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
  const size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) {
    return error;
  }
  std::string_view host = rest.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find_first_of(":/@") != std::string_view::npos) {
    return error;
  }
  const char* end = rest.data() + rest.size();
  const auto parsed = std::from_chars(rest.data() + colon + 1, end, endpoint.port);
  if (host.empty() || parsed.ec != std::errc() || parsed.ptr != end || endpoint.port == 0) {
    return error;
  }
  endpoint.host = host;
  return endpoint;
}

const config::FieldTable<OtapConfig>& OtapFields() {
  static const config::FieldTable<OtapConfig> table = {
      config::Custom<OtapConfig, std::string>(
          "grpc_endpoint", "endpoint such as http://127.0.0.1:4317", &OtapConfig::grpc_endpoint,
          [](std::string_view text) -> Result<std::string> {
            ARROW_RETURN_NOT_OK(ParseEndpoint(text).status());
            return std::string(text);
          },
          [](const std::string& text) { return text; },
          "the server; https encrypts, as does a tls section where there is no scheme")
          .Required(),
      config::Enum("compression_method", &OtapConfig::compression_method,
                   {{"none", Compression::kNone},
                    {"gzip", Compression::kGzip},
                    {"zstd", Compression::kZstd},
                    {"deflate", Compression::kDeflate}},
                   "compression of whole messages, besides that of their columns"),
      config::Group("arrow", &OtapConfig::arrow, ArrowFields(), "the Arrow streams"),
      config::Integer("streams_per_signal", &OtapConfig::streams_per_signal, {1, 64},
                      "streams of each signal, all over one connection"),
      config::Integer("max_in_flight", &OtapConfig::max_in_flight, {1, 1 << 16},
                      "batches of one stream without answer; more wait"),
      QueueCapacity(),
      config::Duration("max_stream_lifetime", &OtapConfig::max_stream_lifetime,
                       "an older stream is replaced; 0: never",
                       {0, int64_t{365} * 86'400 * 1'000'000'000}),
      config::OptionalDuration("timeout", &OtapConfig::timeout,
                               "a batch without answer for so long is nacked; null: never",
                               kDurations),
      config::Duration("connect_timeout", &OtapConfig::connect_timeout,
                       "longest wait for a connection", kDurations),
      config::Duration("http2_keepalive_interval", &OtapConfig::http2_keepalive_interval,
                       "a silent server is asked for a sign of life so often", kDurations),
      config::Duration("http2_keepalive_timeout", &OtapConfig::http2_keepalive_timeout,
                       "a connection is closed when it takes longer to come", kDurations),
      config::StringMap("headers", &OtapConfig::headers, "sent once with every stream"),
      config::OptionalGroup("tls", &OtapConfig::tls, engine::TlsClientFields(),
                            "whom to trust, and who this client is", engine::CheckTlsClient),
  };
  return table;
}

OtapConfig ReadOtapConfig(const Section& section) {
  OtapConfig config = config::Read(OtapFields(), section);
  if (const auto headers = section.Find("headers"); headers.has_value()) {
    CheckHeaders(*headers, config);
  }
  if (config.tls.has_value() && config.grpc_endpoint.starts_with("http://")) {
    section.AddAtKey("tls", "found tls for an endpoint of http, expected one of https");
  }
  return config;
}

LaneSettings MakeLaneSettings(const OtapConfig& config) {
  LaneSettings settings;
  settings.max_in_flight = config.max_in_flight;
  settings.max_stream_lifetime = config.max_stream_lifetime;
  settings.timeout = config.timeout;
  settings.producer.compression = config.arrow.payload_compression;
  settings.producer.dictionary_bytes = config.arrow.max_dictionary_size;
  return settings;
}

Result<runtime::grpc::ClientSettings> MakeClientSettings(const OtapConfig& config) {
  ARROW_ASSIGN_OR_RAISE(const Endpoint endpoint, ParseEndpoint(config.grpc_endpoint));
  runtime::grpc::ClientSettings settings;
  settings.http2.host = endpoint.host;
  settings.http2.port = endpoint.port;
  settings.http2.connect_timeout = config.connect_timeout;
  settings.http2.connection.keepalive_interval = config.http2_keepalive_interval;
  settings.http2.connection.keepalive_timeout = config.http2_keepalive_timeout;
  settings.compression = config.compression_method;
  settings.user_agent = "df_engine";
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

}  // namespace df::nodes::exporters::otap
