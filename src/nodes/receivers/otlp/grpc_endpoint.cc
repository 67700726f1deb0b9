#include "nodes/receivers/otlp/grpc_endpoint.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "otlp/export_response.h"
#include "runtime/grpc/health.h"

namespace df::nodes::receivers::otlp {
namespace {

using runtime::grpc::CallStatus;
using runtime::grpc::Code;
using runtime::grpc::ServerCall;

constexpr std::chrono::seconds kRetryDelay{1};

constexpr telemetry::Instrument kConnections = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otlp.connections", "{connection}",
    "Connections of gRPC clients that were accepted, refused beyond the limit, and broken",
    "outcome"};

std::optional<otap::Signal> SignalOf(std::string_view path) {
  if (path == "/opentelemetry.proto.collector.logs.v1.LogsService/Export") {
    return otap::Signal::kLogs;
  }
  if (path == "/opentelemetry.proto.collector.trace.v1.TraceService/Export") {
    return otap::Signal::kTraces;
  }
  if (path == "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export") {
    return otap::Signal::kMetrics;
  }
  return std::nullopt;
}

/// What asks for health may name.
std::vector<std::string_view> Services() {
  return {"opentelemetry.proto.collector.logs.v1.LogsService",
          "opentelemetry.proto.collector.trace.v1.TraceService",
          "opentelemetry.proto.collector.metrics.v1.MetricsService"};
}

std::string_view MetricReason(Code code) {
  switch (code) {
    case Code::kResourceExhausted:
      return "too_large";
    case Code::kDeadlineExceeded:
      return "timeout";
    case Code::kCancelled:
      return "cancelled";
    case Code::kUnavailable:
      return "overload";
    default:
      return "malformed";
  }
}

CallStatus Busy(std::string_view reason) {
  CallStatus status = MakeStatus(Code::kUnavailable, std::string(reason));
  status.retry_delay = kRetryDelay;
  return status;
}

}  // namespace

GrpcEndpoint::GrpcEndpoint(const GrpcConfig& config, ExportService* service,
                           runtime::EventLoop* loop, telemetry::MetricSet* metrics)
    : config_(config),
      service_(service),
      loop_(loop),
      places_(&loop->clock(), config.max_concurrent_requests),
      metrics_("grpc", metrics),
      accepted_connections_(&metrics->AddCounter(kConnections, {{"outcome", "accepted"}})),
      refused_connections_(&metrics->AddCounter(kConnections, {{"outcome", "refused"}})),
      broken_connections_(&metrics->AddCounter(kConnections, {{"outcome", "broken"}})) {}

void GrpcEndpoint::Collect() {
  const runtime::http2::ServerCounts now = server_->counts();
  accepted_connections_->Add(now.connections - collected_.connections);
  refused_connections_->Add(now.refused_connections - collected_.refused_connections);
  broken_connections_->Add(now.broken_connections - collected_.broken_connections);
  collected_ = now;
}

Result<std::unique_ptr<GrpcEndpoint>> GrpcEndpoint::Listen(
    runtime::EventLoop* loop, const GrpcConfig& config, const std::string& owner,
    std::shared_ptr<const runtime::TlsContext> tls, ExportService* service,
    telemetry::MetricSet* metrics) {
  std::unique_ptr<GrpcEndpoint> endpoint(new GrpcEndpoint(config, service, loop, metrics));
  runtime::grpc::ServerSettings settings;
  settings.http2.address = config.listening_addr;
  settings.http2.owner = owner;
  settings.http2.tls = std::move(tls);
  settings.http2.max_connections = config.max_connections;
  // A connection may fill all places; beyond them calls hear that they may come again, and far
  // beyond them nothing is heard at all.
  settings.http2.connection.max_concurrent_streams = config.max_concurrent_requests;
  settings.http2.max_streams = 4 * config.max_concurrent_requests;
  settings.http2.connection.keepalive_interval = config.http2_keepalive_interval;
  settings.http2.connection.keepalive_timeout = config.http2_keepalive_timeout;
  settings.max_message_bytes = config.max_decoding_message_size;
  settings.compressions = config.request_compression;
  settings.max_call_time = config.timeout;
  ARROW_ASSIGN_OR_RAISE(endpoint->server_,
                        runtime::grpc::Server::Listen(loop, settings, endpoint.get()));
  return endpoint;
}

runtime::Task<CallStatus> GrpcEndpoint::OnCall(ServerCall& call) {
  if (runtime::grpc::IsHealthCheck(call.path())) {
    co_return co_await runtime::grpc::AnswerHealthCheck(&call, !service_->is_closed(), Services());
  }
  const std::optional<otap::Signal> signal = SignalOf(call.path());
  if (!signal.has_value()) {
    co_return Refuse(Code::kUnimplemented,
                     fmt::format("there is no method {}", PrintableText(call.path())), "path");
  }
  if (const std::string_view reason = service_->reason_to_refuse(); !reason.empty()) {
    co_return Refuse(Code::kUnavailable, reason, "overload");
  }
  runtime::Place place(
      &places_, call.peer(), [&call] { return call.num_read_bytes(); },
      [&call] { call.End(Busy("too many requests are under way, and this one came slowly")); });
  if (!place.is_taken()) {
    co_return Refuse(Code::kUnavailable, "too many requests are under way", "overload");
  }
  ExportRequest request;
  request.signal = *signal;
  const bool has_request = co_await call.ReadOnly(&request.body);
  if (!has_request) {
    const CallStatus status = call.status();
    co_return Refuse(status.code, status.message, MetricReason(status.code));
  }
  place.SetWorking();
  metrics_.CountRequest(*signal, call.num_wire_bytes());
  ExportOptions options;
  options.waits_for_result = config_.wait_for_result;
  options.timeout = *call.deadline() - loop_->clock().Now();
  const ExportAnswer answer = co_await service_->Export(std::move(request), options);
  if (answer.code != AnswerCode::kOk) {
    co_return StatusOf(answer);
  }
  std::string response = df::otlp::WriteExportResponse(*signal, df::otlp::Encoding::kProtobuf,
                                                       {answer.rejected_items, answer.message});
  co_await call.Write(std::move(response));
  co_return CallStatus();
}

CallStatus GrpcEndpoint::StatusOf(const ExportAnswer& answer) {
  switch (answer.code) {
    case AnswerCode::kInvalidArgument:
      return Refuse(Code::kInvalidArgument, answer.message, "refused");
    case AnswerCode::kDeadlineExceeded:
      return Refuse(Code::kDeadlineExceeded, answer.message, "timeout");
    default:
      return Refuse(Code::kUnavailable, answer.message, "unavailable");
  }
}

CallStatus GrpcEndpoint::Refuse(Code code, std::string_view reason,
                                std::string_view metric_reason) {
  metrics_.CountRefused(metric_reason);
  return code == Code::kUnavailable ? Busy(reason) : MakeStatus(code, std::string(reason));
}

}  // namespace df::nodes::receivers::otlp
