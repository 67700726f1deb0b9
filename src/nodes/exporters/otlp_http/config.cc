#include "nodes/exporters/otlp_http/config.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"
#include "delivery/tls_fields.h"
#include "runtime/http1/url.h"

namespace df::nodes::exporters::otlp_http {
namespace {

constexpr config::Range kTimeout = {1'000'000, int64_t{3600} * 1'000'000'000};

/// Headers that say how the request is sent: only who sends it can know.
constexpr std::array<std::string_view, 10> kReserved = {
    "host",   "connection", "content-length",    "content-type", "content-encoding",
    "expect", "upgrade",    "transfer-encoding", "te",           "accept-encoding"};

config::Field<OtlpHttpConfig> Endpoint(std::string name, std::string OtlpHttpConfig::* member,
                                       std::string description) {
  return config::Custom<OtlpHttpConfig, std::string>(
             std::move(name), "URL", member,
             [](std::string_view text) -> Result<std::string> {
               ARROW_RETURN_NOT_OK(runtime::http1::ParseUrl(text).status());
               return std::string(text);
             },
             [](const std::string& text) { return text.empty() ? "none" : text; },
             std::move(description))
      .PrintedWhenGiven();
}

bool IsToken(std::string_view name) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || kMarks.find(letter) != std::string_view::npos;
  });
}

void CheckHeaders(const config::Section& section, const OtlpHttpConfig& config) {
  for (const auto& [name, value] : config.headers) {
    if (!IsToken(name)) {
      section.AddAtKey("headers", fmt::format("key 'headers' has the name '{}', expected letters, "
                                              "digits and '-'",
                                              PrintableText(name)));
    }
    if (std::any_of(kReserved.begin(), kReserved.end(), [&name](std::string_view reserved) {
          return EqualsIgnoringCase(name, reserved);
        })) {
      section.AddAtKey("headers", fmt::format("key 'headers' has '{}', expected none that say how "
                                              "a request is sent",
                                              name));
    }
    if (std::any_of(value.begin(), value.end(), [](char letter) {
          return (letter >= 0 && letter < ' ' && letter != '\t') || letter == 0x7F;
        })) {
      section.AddAtKey("headers",
                       fmt::format("key 'headers' has a value of '{}' with control characters, "
                                   "expected none",
                                   name));
    }
  }
}

}  // namespace

std::string OtlpHttpConfig::EndpointOf(otap::Signal signal) const {
  const std::string& own = signal == otap::Signal::kLogs     ? logs_endpoint
                           : signal == otap::Signal::kTraces ? traces_endpoint
                                                             : metrics_endpoint;
  if (!own.empty() || endpoint.empty()) {
    return own;
  }
  return fmt::format("{}{}v1/{}", endpoint, endpoint.ends_with('/') ? "" : "/", otap::Name(signal));
}

const config::FieldTable<OtlpHttpConfig>& OtlpHttpFields() {
  using Config = OtlpHttpConfig;
  static const config::FieldTable<Config> kTable = {
      Endpoint("endpoint", &Config::endpoint,
               "the server, such as http://collector:4318; /v1/logs and so on go behind it"),
      Endpoint("logs_endpoint", &Config::logs_endpoint, "where log records go instead, as it is"),
      Endpoint("traces_endpoint", &Config::traces_endpoint, "where spans go instead, as it is"),
      Endpoint("metrics_endpoint", &Config::metrics_endpoint, "where metrics go instead, as it is"),
      config::Enum("encoding", &Config::encoding,
                   {{"proto", otlp::Encoding::kProtobuf}, {"json", otlp::Encoding::kJson}},
                   "how requests are written"),
      config::Enum("compression", &Config::compression,
                   {{"none", Compression::kNone},
                    {"gzip", Compression::kGzip},
                    {"zstd", Compression::kZstd},
                    {"deflate", Compression::kDeflate}},
                   "of what is sent"),
      config::StringMap("headers", &Config::headers, "sent with every request"),
      config::Duration("timeout", &Config::timeout,
                       "longest time for a request, connecting included", kTimeout),
      config::Duration("connect_timeout", &Config::connect_timeout,
                       "longest time to connect, agreeing on keys included", kTimeout),
      config::Integer("max_in_flight", &Config::max_in_flight, {1, 65'536},
                      "requests under way at a time; more batches wait"),
      config::Integer("client_pool_size", &Config::client_pool_size, {0, 65'536},
                      "connections that are kept for the next requests"),
      config::Size("max_request_bytes", &Config::max_request_bytes,
                   {delivery::kLeastMaxRequestBytes, delivery::kMostMaxRequestBytes},
                   "a batch that is larger, before compression, is sent in parts"),
      config::Size("max_response_body_length", &Config::max_response_body_length,
                   {1, int64_t{1} << 30}, "largest body of a response"),
      delivery::StartCheckField<Config>(),
      config::OptionalGroup("tls", &Config::tls, delivery::TlsClientFields(),
                            "whom to trust behind https, and who this client is",
                            delivery::CheckTlsClient),
      config::Refused<Config>("http", "is not known: its keys stand beside 'endpoint' here"),
  };
  return kTable;
}

void CheckOtlpHttp(const config::Section& section, const OtlpHttpConfig& config) {
  // A key that was given and is wrong has its own problem.
  const auto is_given = [&section](std::string_view key) { return section.Find(key).has_value(); };
  if (!is_given("endpoint")) {
    for (const otap::Signal signal : otap::kAllSignals) {
      const std::string key = fmt::format("{}_endpoint", otap::Name(signal));
      if (!is_given(key)) {
        section.Add(fmt::format("key 'endpoint' is missing, expected it or '{}'", key));
        break;
      }
    }
  } else if (config.endpoint.find('?') != std::string::npos) {
    section.AddAtKey("endpoint", "key 'endpoint' has a query, expected none: paths go behind it");
  }
  bool has_encrypted = false;
  for (const otap::Signal signal : otap::kAllSignals) {
    has_encrypted |= config.EndpointOf(signal).starts_with("https:");
  }
  if (config.tls.has_value() && !has_encrypted) {
    section.AddAtKey("tls", "key 'tls' is there and no endpoint begins with https://");
  }
  CheckHeaders(section, config);
}

}  // namespace df::nodes::exporters::otlp_http
