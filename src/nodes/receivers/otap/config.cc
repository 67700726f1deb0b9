#include "nodes/receivers/otap/config.h"

#include <charconv>
#include <string_view>

#include <fmt/format.h>

#include "delivery/tls_fields.h"

namespace df::nodes::receivers::otap {
namespace {

constexpr config::Range kDurations = {1'000'000, int64_t{86'400} * 1'000'000'000};
constexpr config::Range kCounts = {1, 1 << 20};

Result<std::string> CheckAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  uint16_t port = 0;
  if (colon != std::string_view::npos && colon > 0) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    if (parsed.ec == std::errc() && parsed.ptr == end) {
      return std::string(text);
    }
  }
  return Status::Invalid(fmt::format("found '{}'", text));
}

config::Field<OtapConfig> WithoutEffect(std::string name, std::string reason) {
  return config::WithoutEffect<OtapConfig>(std::move(name), "any", std::move(reason), nullptr,
                                           [](const config::Section&) {});
}

}  // namespace

const config::FieldTable<OtapConfig>& OtapFields() {
  static const config::FieldTable<OtapConfig> table = {
      config::Custom<OtapConfig, std::string>(
          "listening_addr", "address such as 127.0.0.1:4317", &OtapConfig::listening_addr,
          CheckAddress, [](const std::string& text) { return text; },
          "where to listen; port 0: any free one")
          .Required(),
      config::Bool("wait_for_result", &OtapConfig::wait_for_result,
                   "answer when a batch is delivered, not when it is on its way"),
      config::Integer("max_concurrent_requests", &OtapConfig::max_concurrent_requests, kCounts,
                      "batches without outcome; while there are as many, no stream is read"),
      config::Integer("max_concurrent_requests_per_stream",
                      &OtapConfig::max_concurrent_requests_per_stream, kCounts,
                      "batches of one stream without outcome; with as many it is not read"),
      config::OptionalDuration("timeout", &OtapConfig::timeout,
                               "a batch without outcome for so long is answered as too late",
                               kDurations),
      config::Size("max_decoding_message_size", &OtapConfig::max_decoding_message_size,
                   {1, int64_t{1} << 30}, "largest message, as it comes and without gRPC's coding"),
      config::Size("max_inflated_size", &OtapConfig::max_inflated_size, {1, int64_t{1} << 40},
                   "most that the columns of one message may inflate to"),
      config::Size("max_dictionary_size", &OtapConfig::max_dictionary_size,
                   {1 << 10, int64_t{1} << 40},
                   "a stream whose dictionaries have grown larger is ended"),
      config::Integer(
          "max_connections", &OtapConfig::max_connections, kCounts,
          "connections at a time; a further one replaces an idle or slow one, or is closed"),
      config::Integer("max_streams", &OtapConfig::max_streams, kCounts,
                      "streams at a time, of all connections; more are refused"),
      config::Duration("http2_keepalive_interval", &OtapConfig::http2_keepalive_interval,
                       "a silent client is asked for a sign of life so often", kDurations),
      config::Duration("http2_keepalive_timeout", &OtapConfig::http2_keepalive_timeout,
                       "a connection is closed when it takes longer to come", kDurations),
      config::OptionalGroup("tls", &OtapConfig::tls, delivery::TlsServerFields(),
                            "encryption, and whose certificates clients need",
                            delivery::CheckTlsServer),
      WithoutEffect("compression_method", "gzip, zstd, deflate and none are all taken"),
      WithoutEffect("response_stream_channel_size",
                    "max_concurrent_requests_per_stream says how many answers there may be"),
      WithoutEffect("message_size",
                    "max_concurrent_requests_per_stream says how many answers there may be"),
  };
  return table;
}

ServiceSettings MakeServiceSettings(const OtapConfig& config) {
  ServiceSettings settings;
  settings.wait_for_result = config.wait_for_result;
  settings.max_in_flight = config.max_concurrent_requests;
  settings.max_in_flight_per_stream = config.max_concurrent_requests_per_stream;
  settings.timeout = config.timeout;
  settings.limits.message_bytes = config.max_decoding_message_size;
  settings.limits.inflated_bytes = config.max_inflated_size;
  settings.limits.dictionary_bytes = config.max_dictionary_size;
  return settings;
}

Result<runtime::grpc::ServerSettings> MakeServerSettings(const OtapConfig& config) {
  runtime::grpc::ServerSettings settings;
  settings.http2.address = config.listening_addr;
  settings.http2.max_connections = config.max_connections;
  settings.http2.max_streams = config.max_streams;
  settings.http2.connection.keepalive_interval = config.http2_keepalive_interval;
  settings.http2.connection.keepalive_timeout = config.http2_keepalive_timeout;
  settings.max_message_bytes = config.max_decoding_message_size;
  if (config.tls.has_value()) {
    ARROW_ASSIGN_OR_RAISE(settings.http2.tls, runtime::TlsContext::MakeServer(*config.tls, {"h2"}));
  }
  return settings;
}

}  // namespace df::nodes::receivers::otap
