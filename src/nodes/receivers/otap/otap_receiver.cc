#include "nodes/receivers/otap/otap_receiver.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>

#include "base/logging.h"
#include "runtime/grpc/health.h"

namespace df::nodes::receivers::otap {
namespace {

using df::otap::Signal;
using runtime::grpc::CallStatus;
using runtime::grpc::Code;

constexpr telemetry::Instrument kConnections = {
    telemetry::InstrumentKind::kCounter, "df.receiver.otap.connections", "{connection}",
    "Connections of clients that were accepted, refused beyond the limit, and broken", "outcome"};
constexpr telemetry::Instrument kRefusedStreams = {telemetry::InstrumentKind::kCounter,
                                                   "df.receiver.otap.streams.refused", "{stream}",
                                                   "Streams of clients beyond the limit"};

constexpr std::chrono::nanoseconds kMaxAnswerTime = std::chrono::seconds(10);

std::optional<Signal> SignalOf(std::string_view path) {
  constexpr std::string_view kPackage = "/opentelemetry.proto.experimental.arrow.v1.";
  if (!path.starts_with(kPackage)) {
    return std::nullopt;
  }
  path.remove_prefix(kPackage.size());
  if (path == "ArrowLogsService/ArrowLogs") {
    return Signal::kLogs;
  }
  if (path == "ArrowTracesService/ArrowTraces") {
    return Signal::kTraces;
  }
  if (path == "ArrowMetricsService/ArrowMetrics") {
    return Signal::kMetrics;
  }
  return std::nullopt;
}

/// The messages of a call.
class CallStream final : public MessageStream {
 public:
  explicit CallStream(runtime::grpc::ServerCall* call) : call_(call) {}

  runtime::Task<Result<std::optional<std::string>>> Read() override {
    std::optional<std::string> message(std::in_place);
    if (co_await call_->Read(&*message)) {
      co_return message;
    }
    if (!call_->status().ok()) {
      co_return Status::IOError(call_->status().ToString());
    }
    message.reset();
    co_return message;
  }

  runtime::Task<bool> Write(std::string message) override {
    return call_->Write(std::move(message));
  }

 private:
  runtime::grpc::ServerCall* call_;
};

/// What asks for health may name.
std::vector<std::string_view> Services() {
  return {"opentelemetry.proto.experimental.arrow.v1.ArrowLogsService",
          "opentelemetry.proto.experimental.arrow.v1.ArrowTracesService",
          "opentelemetry.proto.experimental.arrow.v1.ArrowMetricsService"};
}

}  // namespace

Status OtapReceiver::Listen(engine::Effects& effects) {
  ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
  ARROW_ASSIGN_OR_RAISE(runtime::grpc::ServerSettings settings, MakeServerSettings(*config_));
  settings.http2.owner =
      fmt::format("OTAP of pipeline '{}/{}'", effects.info().group, effects.info().pipeline);
  AddMetrics(&effects.metrics());
  service_ = std::make_unique<StreamService>(MakeServiceSettings(*config_), &effects);
  ARROW_ASSIGN_OR_RAISE(server_, runtime::grpc::Server::Listen(&effects.loop(), settings, this));
  LogInfo("node '{}': OTAP over gRPC at port {}", effects.info().node, server_->port());
  return Status::OK();
}

void OtapReceiver::AddMetrics(telemetry::MetricSet* metrics) {
  accepted_connections_ = &metrics->AddCounter(kConnections, {{"outcome", "accepted"}});
  refused_connections_ = &metrics->AddCounter(kConnections, {{"outcome", "refused"}});
  broken_connections_ = &metrics->AddCounter(kConnections, {{"outcome", "broken"}});
  refused_streams_ = &metrics->AddCounter(kRefusedStreams);
}

void OtapReceiver::OnCollect() {
  if (server_ == nullptr) {
    return;
  }
  const runtime::http2::ServerCounts now = server_->counts();
  accepted_connections_->Add(now.connections - collected_.connections);
  refused_connections_->Add(now.refused_connections - collected_.refused_connections);
  broken_connections_->Add(now.broken_connections - collected_.broken_connections);
  refused_streams_->Add(now.refused_streams - collected_.refused_streams);
  collected_ = now;
}

runtime::Task<Status> OtapReceiver::Run(engine::Effects& effects) {
  Status listening = Listen(effects);
  if (!listening.ok()) {
    co_return listening;
  }
  while (!effects.is_draining()) {
    co_await effects.SleepFor(std::chrono::hours(24));
  }
  const runtime::SteadyTime now = effects.clock().Now();
  const runtime::SteadyTime deadline = effects.drain_deadline().value_or(now);
  const runtime::SteadyTime answers_until =
      now + std::min(kMaxAnswerTime, std::chrono::nanoseconds((deadline - now) / 2));
  service_->StopReading();
  co_await service_->WaitForAnswers(answers_until);
  co_await server_->Drain(answers_until + std::chrono::nanoseconds((deadline - answers_until) / 2));
  co_return Status::OK();
}

runtime::Task<CallStatus> OtapReceiver::OnCall(runtime::grpc::ServerCall& call) {
  if (runtime::grpc::IsHealthCheck(call.path())) {
    // A drain takes no new calls: who can ask is served.
    co_return co_await runtime::grpc::AnswerHealthCheck(&call, true, Services());
  }
  const std::optional<Signal> signal = SignalOf(call.path());
  if (!signal.has_value()) {
    co_return runtime::grpc::MakeStatus(Code::kUnimplemented,
                                        fmt::format("there is no method {}", call.path()));
  }
  // Clients may wait for it before they send anything.
  call.SendHeaders();
  CallStream stream(&call);
  StreamEnd end = co_await service_->Serve(*signal, &stream);
  if (!call.status().ok()) {
    co_return call.status();
  }
  // The codes of both are the same numbers.
  co_return runtime::grpc::MakeStatus(static_cast<Code>(end.code), std::move(end.message));
}

engine::NodeReport OtapReceiver::Report() {
  engine::NodeReport report;
  if (service_ == nullptr) {
    return report;
  }
  OnCollect();  // what has happened since is not asked for any more
  service_->AddTo(&report);
  return report;
}

}  // namespace df::nodes::receivers::otap
