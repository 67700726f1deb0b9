// The keys of `engine`.
#include <algorithm>
#include <charconv>
#include <filesystem>

#include <fmt/format.h>

#include "base/text.h"
#include "config/engine_document.h"

namespace df::config {
namespace {

Result<std::string> CheckAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  int port = 0;
  if (colon != std::string_view::npos && colon > 0) {
    const std::string_view digits = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    // An IPv6 address is written in brackets: its own colons do not end it.
    const std::string_view host = text.substr(0, colon);
    const bool is_host =
        host.find(':') == std::string_view::npos || (host.starts_with('[') && host.ends_with(']'));
    if (error == std::errc() && end == digits.data() + digits.size() && !digits.empty() &&
        port >= 0 && port <= 65535 && is_host) {
      return std::string(text);
    }
  }
  return Status::Invalid(fmt::format("found '{}'", text));
}

/// Whether a path means the same folder wherever the process was started.
Result<std::string> CheckStateDirectory(std::string_view text) {
  const std::filesystem::path path(text);
  const bool has_dots = std::any_of(path.begin(), path.end(),
                                    [](const auto& part) { return part == "." || part == ".."; });
  if (!path.is_absolute() || has_dots || path == path.root_path() ||
      text.find('\0') != std::string_view::npos) {
    return Status::Invalid(fmt::format("found '{}'", PrintableText(text)));
  }
  return std::string(text);
}

const FieldTable<AdminSettings>& TlsFields() {
  static const FieldTable<AdminSettings> table = {
      String("cert_file", &AdminSettings::tls_cert_file, "PEM file with the certificate")
          .Required(),
      String("key_file", &AdminSettings::tls_key_file, "PEM file with its key").Required(),
      String("client_ca_file", &AdminSettings::tls_client_ca_file,
             "PEM file; a client has to show a certificate that it signs"),
  };
  return table;
}

const FieldTable<AdminSettings>& AdminFields() {
  auto bind_address = Custom<AdminSettings, std::string>(
      "bind_address", "HOST:PORT with a port 0..65535", &AdminSettings::bind_address, CheckAddress,
      [](const std::string& address) { return address; },
      "where the admin server listens; port 0 takes a free one");
  bind_address.is_text = true;
  bind_address.schema = TextSchema();
  static const FieldTable<AdminSettings> table = {
      bind_address,
      Subsection("tls", TlsFields(), "left out: plain HTTP"),
      String("bearer_token_file", &AdminSettings::bearer_token_file,
             "file whose first line every request has to bring; left out: none is asked for"),
      Size("max_request_bytes", &AdminSettings::max_request_bytes, {1024, 1024_MiB},
           "largest request"),
      Integer("max_connections", &AdminSettings::max_connections, {1, 65536},
              "connections at the same time"),
      Duration("request_timeout", &AdminSettings::request_timeout,
               "longest time that a request may take", {1'000'000, INT64_MAX}),
  };
  return table;
}

const FieldTable<EngineTelemetrySettings>& LogFields() {
  static const FieldTable<EngineTelemetrySettings> table = {
      Enum("level", &EngineTelemetrySettings::log_level,
           {{"debug", "debug"}, {"info", "info"}, {"warning", "warning"}, {"error", "error"}},
           "least severity that is logged"),
      Refused<EngineTelemetrySettings>("providers", "is not supported: logs go to standard error"),
      Refused<EngineTelemetrySettings>("tap", "is not supported"),
  };
  return table;
}

const FieldTable<EngineTelemetrySettings>& TelemetryFields() {
  static const FieldTable<EngineTelemetrySettings> table = {
      Duration("reporting_interval", &EngineTelemetrySettings::reporting_interval,
               "how often gauges are brought up to date", {1'000'000, INT64_MAX}),
      Subsection("logs", LogFields(), "the program's own log"),
      StringMap("resource", &EngineTelemetrySettings::resource,
                "resource attributes of the program's own telemetry"),
      WithoutEffect<EngineTelemetrySettings>(
          "reporting_channel_size", IntegerType({1, INT64_MAX}),
          "counters are read in place, there is no channel", IntegerSchema({1, INT64_MAX}),
          [](const Section& section) { section.ReadInteger({1, INT64_MAX}); }),
      Refused<EngineTelemetrySettings>("detectors", "is not supported, expected resource"),
      Refused<EngineTelemetrySettings>("metrics",
                                       "is not supported, expected http_admin, which "
                                       "serves the metrics"),
      Refused<EngineTelemetrySettings>("traces", "is not supported"),
      Refused<EngineTelemetrySettings>("providers", "is not supported, expected http_admin"),
  };
  return table;
}

}  // namespace

const FieldTable<EngineSettings>& EngineFields() {
  auto state_dir = Custom<EngineSettings, std::string>(
      "state_dir", "an absolute path without . and ..", &EngineSettings::state_dir,
      CheckStateDirectory, [](const std::string& path) { return path; },
      "a local directory for what outlives the process, made where it is missing, for its user "
      "alone; checkpoints that name no directory are in checkpoints/ below it");
  state_dir.is_text = true;
  state_dir.schema = TextSchema();
  static const FieldTable<EngineSettings> table = {
      std::move(state_dir).PrintedWhenGiven(),
      OptionalGroup("http_admin", &EngineSettings::http_admin, AdminFields(),
                    "the admin server; left out: there is none"),
      Group("telemetry", &EngineSettings::telemetry, TelemetryFields(),
            "the program's own telemetry"),
      Refused<EngineSettings>("observed_state", "is not supported: states are read in place"),
      Refused<EngineSettings>("topics", "is not supported, expected connections in a pipeline"),
      Refused<EngineSettings>("controller", "is not supported: there are no extensions"),
      Refused<EngineSettings>("observability",
                              "is not supported, expected http_admin, which serves "
                              "state and metrics"),
      Refused<EngineSettings>("custom", "is not supported: nothing would read it"),
  };
  return table;
}

}  // namespace df::config
