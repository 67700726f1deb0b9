#include "nodes/exporters/otap/grpc_streams.h"

#include <string>
#include <utility>

#include "runtime/grpc/client.h"

namespace df::nodes::exporters::otap {
namespace {

std::string PathOf(df::otap::Signal signal) {
  const std::string package = "/opentelemetry.proto.experimental.arrow.v1.";
  switch (signal) {
    case df::otap::Signal::kLogs:
      return package + "ArrowLogsService/ArrowLogs";
    case df::otap::Signal::kTraces:
      return package + "ArrowTracesService/ArrowTraces";
    case df::otap::Signal::kMetrics:
      break;
  }
  return package + "ArrowMetricsService/ArrowMetrics";
}

/// The messages of a call.
class CallStream final : public ClientStream {
 public:
  explicit CallStream(std::unique_ptr<runtime::grpc::ClientCall> call) : call_(std::move(call)) {}

  runtime::Task<bool> Write(std::string message) override {
    return call_->Write(std::move(message));
  }

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

  void Finish() override { call_->FinishWrites(); }

 private:
  std::unique_ptr<runtime::grpc::ClientCall> call_;
};

class GrpcOpener final : public StreamOpener {
 public:
  GrpcOpener(runtime::EventLoop* loop, const runtime::grpc::ClientSettings& settings)
      : client_(loop, settings) {}

  runtime::Task<Result<std::unique_ptr<ClientStream>>> Open(df::otap::Signal signal) override {
    std::unique_ptr<runtime::grpc::ClientCall> call =
        co_await client_.Open(PathOf(signal), {}, runtime::SteadyTime::max());
    if (call->is_over()) {
      co_return Status::IOError(call->status().ToString());
    }
    std::unique_ptr<ClientStream> stream = std::make_unique<CallStream>(std::move(call));
    co_return stream;
  }

 private:
  runtime::grpc::Client client_;
};

}  // namespace

Result<std::unique_ptr<StreamOpener>> MakeGrpcOpener(const delivery::GrpcClientConfig& config,
                                                     engine::Effects& effects) {
  ARROW_ASSIGN_OR_RAISE(const runtime::grpc::ClientSettings settings,
                        delivery::MakeGrpcClientSettings(config));
  return std::make_unique<GrpcOpener>(&effects.loop(), settings);
}

}  // namespace df::nodes::exporters::otap
