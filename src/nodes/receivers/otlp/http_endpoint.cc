#include "nodes/receivers/otlp/http_endpoint.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/compression.h"
#include "base/text.h"

namespace df::nodes::receivers::otlp {
namespace {

using df::otlp::Encoding;
using runtime::http1::Find;
using runtime::http1::Request;
using runtime::http1::Response;

constexpr std::string_view kProtobufType = "application/x-protobuf";
constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kRetryAfterSeconds = "1";

/// Repeated slashes count as one: an endpoint that is set with a slash at its end makes them.
std::optional<otap::Signal> SignalOf(std::string_view target) {
  std::string path(target.substr(0, target.find('?')));
  path.erase(
      std::unique(path.begin(), path.end(), [](char a, char b) { return a == '/' && b == '/'; }),
      path.end());
  for (const otap::Signal signal : otap::kAllSignals) {
    if (path.starts_with("/v1/") && std::string_view(path).substr(4) == otap::Name(signal)) {
      return signal;
    }
  }
  return std::nullopt;
}

std::optional<Encoding> EncodingOf(const Request& head) {
  std::string_view type = Find(head.headers, "Content-Type");
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) {
    type.remove_suffix(1);
  }
  if (EqualsIgnoringCase(type, kProtobufType)) {
    return Encoding::kProtobuf;
  }
  if (EqualsIgnoringCase(type, kJsonType)) {
    return Encoding::kJson;
  }
  return std::nullopt;
}

std::string_view TypeOf(Encoding encoding) {
  return encoding == Encoding::kJson ? kJsonType : kProtobufType;
}

}  // namespace

HttpEndpoint::HttpEndpoint(const HttpConfig& config, ExportService* service,
                           telemetry::MetricSet* metrics)
    : config_(config), service_(service), metrics_("http", metrics) {}

Result<std::unique_ptr<HttpEndpoint>> HttpEndpoint::Listen(
    runtime::EventLoop* loop, const HttpConfig& config, const std::string& owner,
    std::shared_ptr<const runtime::TlsContext> tls, ExportService* service,
    telemetry::MetricSet* metrics) {
  std::unique_ptr<HttpEndpoint> endpoint(new HttpEndpoint(config, service, metrics));
  runtime::http1::ServerSettings settings;
  settings.address = config.listening_addr;
  settings.owner = owner;
  settings.tls = std::move(tls);
  settings.max_connections = config.max_connections;
  settings.max_requests = config.max_concurrent_requests;
  settings.max_body_bytes = config.max_request_body_size;
  settings.idle_timeout = config.idle_timeout;
  settings.request_timeout = config.timeout;
  settings.write_timeout = config.timeout;
  ARROW_ASSIGN_OR_RAISE(endpoint->server_,
                        runtime::http1::Server::Listen(loop, settings, endpoint.get()));
  return endpoint;
}

void HttpEndpoint::AddCors(const std::string& origin, Response* response) const {
  if (config_.cors.has_value()) {
    AddCorsHeaders(*config_.cors, origin, response);
  }
}

std::optional<Response> HttpEndpoint::Admit(const Request& head) {
  if (config_.cors.has_value() && IsPreflight(head) && SignalOf(head.target).has_value()) {
    return std::nullopt;
  }
  std::optional<Response> refusal = Check(head);
  if (refusal.has_value()) {
    AddCors(std::string(Find(head.headers, "Origin")), &*refusal);
  }
  return refusal;
}

std::optional<Response> HttpEndpoint::Check(const Request& head) {
  const std::optional<Encoding> encoding = EncodingOf(head);
  const Encoding answered = encoding.value_or(Encoding::kJson);
  if (!SignalOf(head.target).has_value()) {
    return Problem(404, AnswerCode::kInvalidArgument,
                   fmt::format("found path '{}', expected /v1/logs, /v1/traces or /v1/metrics",
                               PrintableText(head.target)),
                   answered, "path");
  }
  if (head.method != "POST") {
    Response response =
        Problem(405, AnswerCode::kInvalidArgument,
                fmt::format("found method {}, expected POST", PrintableText(head.method)), answered,
                "method");
    response.headers.push_back({"Allow", "POST"});
    return response;
  }
  if (!encoding.has_value()) {
    return Problem(
        415, AnswerCode::kInvalidArgument,
        fmt::format("found content type '{}', expected {} or {}",
                    PrintableText(Find(head.headers, "Content-Type")), kProtobufType, kJsonType),
        answered, "content_type");
  }
  const std::optional<Compression> coding =
      ParseCompression(Find(head.headers, "Content-Encoding"));
  if (!coding.has_value() ||
      (*coding != Compression::kNone && !config_.accept_compressed_requests)) {
    return Problem(
        415, AnswerCode::kInvalidArgument,
        fmt::format("found content encoding '{}', expected {}",
                    PrintableText(Find(head.headers, "Content-Encoding")),
                    config_.accept_compressed_requests ? "gzip, deflate, zstd, snappy, lz4 or none"
                                                       : "none"),
        answered, "content_encoding");
  }
  if (const std::string_view reason = service_->reason_to_refuse(); !reason.empty()) {
    return Problem(503, AnswerCode::kUnavailable, reason, answered, "overload");
  }
  return std::nullopt;
}

runtime::Task<Response> HttpEndpoint::Respond(Request request) {
  if (request.method == "OPTIONS") {
    co_return AnswerPreflight(*config_.cors, request);
  }
  const std::string origin(Find(request.headers, "Origin"));
  Response response = co_await Answer(std::move(request));
  AddCors(origin, &response);
  co_return response;
}

runtime::Task<Response> HttpEndpoint::Answer(Request request) {
  ExportRequest made;
  made.signal = *SignalOf(request.target);
  made.encoding = *EncodingOf(request);
  const otap::Signal signal = made.signal;
  const Encoding encoding = made.encoding;
  const Compression coding = *ParseCompression(Find(request.headers, "Content-Encoding"));
  metrics_.CountRequest(signal, static_cast<int64_t>(request.body.size()));
  if (coding == Compression::kNone) {
    made.body = std::move(request.body);
  } else {
    Result<std::string> inflated = Decompress(coding, request.body, config_.max_request_body_size);
    if (!inflated.ok()) {
      const bool is_large = inflated.status().IsCapacityError();
      co_return Problem(is_large ? 413 : 400, AnswerCode::kInvalidArgument,
                        inflated.status().message(), encoding,
                        is_large ? "too_large" : "malformed");
    }
    request.body.clear();
    made.body = *std::move(inflated);
  }
  ExportOptions options;
  options.waits_for_result = config_.wait_for_result;
  options.timeout = config_.timeout;
  const ExportAnswer answer = co_await service_->Export(std::move(made), options);
  co_return ResponseOf(answer, signal, encoding);
}

Response HttpEndpoint::Refuse(int status, std::string_view reason, const Request& head) {
  Response response = MakeRefusal(status, reason, EncodingOf(head).value_or(Encoding::kJson));
  AddCors(std::string(Find(head.headers, "Origin")), &response);
  return response;
}

Response HttpEndpoint::MakeRefusal(int status, std::string_view reason, Encoding encoding) {
  switch (status) {
    case 408:
      return Problem(status, AnswerCode::kDeadlineExceeded, reason, encoding, "timeout");
    case 503:
      return Problem(status, AnswerCode::kUnavailable, reason, encoding, "overload");
    case 413:
    case 431:
      return Problem(status, AnswerCode::kInvalidArgument, reason, encoding, "too_large");
    default:
      return Problem(status, AnswerCode::kInvalidArgument, reason, encoding, "malformed");
  }
}

Response HttpEndpoint::ResponseOf(const ExportAnswer& answer, otap::Signal signal,
                                  Encoding encoding) {
  switch (answer.code) {
    case AnswerCode::kOk: {
      Response response;
      response.headers.push_back({"Content-Type", std::string(TypeOf(encoding))});
      response.body =
          df::otlp::WriteExportResponse(signal, encoding, {answer.rejected_items, answer.message});
      return response;
    }
    case AnswerCode::kInvalidArgument:
      return Problem(400, answer.code, answer.message, encoding, "refused");
    case AnswerCode::kDeadlineExceeded:
      return Problem(504, answer.code, answer.message, encoding, "timeout");
    case AnswerCode::kUnavailable:
      break;
  }
  return Problem(503, answer.code, answer.message, encoding, "unavailable");
}

Response HttpEndpoint::Problem(int status, AnswerCode code, std::string_view message,
                               Encoding encoding, std::string_view metric_reason) {
  metrics_.CountRefused(metric_reason);
  Response response;
  response.status = status;
  response.headers.push_back({"Content-Type", std::string(TypeOf(encoding))});
  if (status == 503) {
    response.headers.push_back({"Retry-After", std::string(kRetryAfterSeconds)});
  }
  response.body =
      df::otlp::WriteRpcStatus(encoding, {static_cast<int32_t>(code), std::string(message)});
  return response;
}

}  // namespace df::nodes::receivers::otlp
