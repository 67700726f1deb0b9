// `engine:` of a document: what belongs to the process and not to a pipeline.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "base/units.h"

namespace df::config {

/// `engine.http_admin`. Absent: no admin server.
struct AdminSettings {
  std::string bind_address = "127.0.0.1:8080";  ///< HOST:PORT; port 0 takes a free one
  std::string tls_cert_file;                    ///< PEM; empty: plain HTTP
  std::string tls_key_file;
  std::string tls_client_ca_file;  ///< PEM; set: a client has to show a certificate
  std::string bearer_token_file;   ///< its first line is the token; empty: none is asked for
  int64_t max_request_bytes = 1_MiB;
  int64_t max_connections = 64;
  std::chrono::nanoseconds request_timeout = std::chrono::seconds(10);
};

/// `engine.telemetry`.
struct EngineTelemetrySettings {
  std::chrono::nanoseconds reporting_interval = std::chrono::seconds(1);
  std::string log_level = "info";               ///< debug, info, warning, error
  std::map<std::string, std::string> resource;  ///< resource attributes of own telemetry
};

struct EngineSettings {
  /// Where the process keeps what outlives it: absolute, without "." and ".."; empty: nowhere.
  std::string state_dir;
  std::optional<AdminSettings> http_admin;
  EngineTelemetrySettings telemetry;
};

}  // namespace df::config
