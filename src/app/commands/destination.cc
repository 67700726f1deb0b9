#include "app/commands/destination.h"

#include <array>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "config/environment.h"
#include "otap/schema.h"
#include "storage/store_uri.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

/// A scheme that names a protocol.
struct Protocol {
  std::string_view scheme;
  std::string_view node;
  std::string_view key;     ///< of the address in its configuration
  std::string_view prefix;  ///< of the address there
};

constexpr auto kProtocols = std::to_array<Protocol>({
    {"grpc://", "exporter:otlp_grpc", "grpc_endpoint", "http://"},
    {"grpcs://", "exporter:otlp_grpc", "grpc_endpoint", "https://"},
    {"http://", "exporter:otlp_http", "endpoint", "http://"},
    {"https://", "exporter:otlp_http", "endpoint", "https://"},
    {"otap://", "exporter:otap", "grpc_endpoint", "http://"},
    {"otaps://", "exporter:otap", "grpc_endpoint", "https://"},
});

std::string Escaped(const std::string& text) { return config::EscapeReferences(text); }

Status Refuse(std::string_view flag, std::string_view why) {
  return Status::Invalid(fmt::format("{}: {}", flag, why));
}

Result<Json> HeadersOf(const DestinationFlags& flags) {
  Json headers = Json::object();
  for (const std::string& header : flags.headers) {
    const size_t equals = header.find('=');
    if (equals == std::string::npos || equals == 0) {
      // The value may be a secret: what was found is not shown.
      return Refuse("--header", "expected NAME=VALUE");
    }
    headers[header.substr(0, equals)] = Escaped(header.substr(equals + 1));
  }
  return headers;
}

Json TlsOf(const DestinationFlags& flags) {
  Json tls = Json::object();
  const auto add = [&tls](const char* key, const std::string& value) {
    if (!value.empty()) {
      tls[key] = Escaped(value);
    }
  };
  add("ca_file", flags.tls_ca);
  add("cert_file", flags.tls_cert);
  add("key_file", flags.tls_key);
  add("server_name_override", flags.tls_server_name);
  return tls;
}

Result<Destination> OfProtocol(const Protocol& protocol, const DestinationFlags& flags) {
  const std::string address = flags.to.substr(protocol.scheme.size());
  if (address.empty() || address.front() == '/' || address.front() == ':') {
    return Refuse("--to", fmt::format("found '{}', expected {}HOST:PORT", PrintableText(flags.to),
                                      protocol.scheme));
  }
  Json config = {{protocol.key, std::string(protocol.prefix) + Escaped(address)}};
  // A destination that is not there is told before anything is read.
  config["check_at_start"] = "connect";
  ARROW_ASSIGN_OR_RAISE(Json headers, HeadersOf(flags));
  if (!headers.empty()) {
    config["headers"] = std::move(headers);
  }
  if (!flags.compression.empty()) {
    config["compression"] = flags.compression;
  }
  const Json tls = TlsOf(flags);
  if (!tls.empty() && protocol.prefix == "http://") {
    return Refuse("--tls-ca, --tls-cert, --tls-key",
                  fmt::format("{} does not encrypt; write {}", protocol.scheme,
                              protocol.scheme.substr(0, protocol.scheme.size() - 3)) +
                      "s://");
  }
  if (!tls.empty()) {
    config["tls"] = tls;
  }
  return Destination{
      .node = std::string(protocol.node), .config = config.dump(), .is_network = true};
}

/// Puts a text in front of the ending of a file.
std::string InName(const std::string& path, const std::string& text) {
  const std::filesystem::path whole(path);
  return (whole.parent_path() / (whole.stem().string() + text + whole.extension().string()))
      .string();
}

Result<Destination> OfFile(const std::string& path) {
  const std::string ending = std::filesystem::path(path).extension().string();
  const bool is_json = ending == ".json" || ending == ".jsonl" || ending == ".ndjson";
  const bool is_proto = ending == ".binpb" || ending == ".pb";
  if (!is_json && !is_proto) {
    return Refuse("--to", fmt::format("found '{}', expected a file that ends in .json, .jsonl or "
                                      ".ndjson (OTLP JSON), or .binpb or .pb (OTLP protobuf)",
                                      PrintableText(path)));
  }
  const bool has_signal = path.find("{signal}") != std::string::npos;
  const Json config = {
      {"path", Escaped(is_proto && !has_signal ? InName(path, "-{signal}") : path)},
      {"format", is_json ? "otlp_json" : "otlp_proto"},
      {"durability", "sync"}};
  return Destination{.node = "exporter:file", .config = config.dump(), .needs_one_core = true};
}

Result<Destination> OfFolder(const std::string& to) {
  ARROW_ASSIGN_OR_RAISE(const storage::StoreUri uri, storage::ParseStoreUri(to));
  Json writer = {{"flush_when_older_than", "30s"}, {"flush_when_all_wait_for", "5s"}};
  const Json config = {
      {"base_uri", Escaped(to)}, {"time_levels", "hour"}, {"writer_options", std::move(writer)}};
  Destination found{.node = "exporter:parquet", .config = config.dump(), .folder = to};
  found.is_network = !uri.is_local();
  return found;
}

bool IsUtf8(const DestinationFlags& flags) {
  bool is_right = IsValidUtf8(flags.to) && IsValidUtf8(flags.tls_ca) &&
                  IsValidUtf8(flags.tls_cert) && IsValidUtf8(flags.tls_key) &&
                  IsValidUtf8(flags.tls_server_name);
  for (const std::string& header : flags.headers) {
    is_right = is_right && IsValidUtf8(header);
  }
  return is_right;
}

}  // namespace

Result<Destination> ParseDestination(const DestinationFlags& flags) {
  if (!IsUtf8(flags)) {
    return Refuse("--to", "found a text that is not UTF-8");
  }
  for (const Protocol& protocol : kProtocols) {
    if (flags.to.starts_with(protocol.scheme)) {
      return OfProtocol(protocol, flags);
    }
  }
  if (!flags.headers.empty() || !TlsOf(flags).empty() || !flags.compression.empty()) {
    return Refuse("--header, --compression, --tls-..",
                  fmt::format("'{}' is no server", PrintableText(flags.to)));
  }
  if (flags.to == "-") {
    return Destination{
        .node = "exporter:console", .config = "{\"format\":\"json\"}", .is_stdout = true};
  }
  if (flags.to == "null") {
    return Destination{.node = "exporter:noop", .config = "{}"};
  }
  if (flags.to.empty()) {
    return Refuse("--to", "found nothing, expected a server, file or folder");
  }
  constexpr std::string_view kFile = "file:";
  if (flags.to.starts_with(kFile) && !flags.to.starts_with("file://")) {
    return OfFile(flags.to.substr(kFile.size()));
  }
  return OfFolder(flags.to);
}

std::vector<std::string> FilesOf(const Destination& destination) {
  const Json config = Json::parse(destination.config, nullptr, /*allow_exceptions=*/false);
  std::vector<std::string> files;
  if (destination.is_stdout || !config.is_object() || !config.contains("path") ||
      !config["path"].is_string()) {
    return files;
  }
  for (const otap::Signal signal : otap::kAllSignals) {
    std::string path = config["path"].get<std::string>();
    constexpr std::string_view kSignal = "{signal}";
    if (const size_t at = path.find(kSignal); at != std::string::npos) {
      path.replace(at, kSignal.size(), otap::Name(signal));
    }
    files.push_back(std::move(path));
  }
  return files;
}

}  // namespace df::app
