// Sends batches to an OTLP server over gRPC.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delivery/batch_sender.h"
#include "delivery/request_limit.h"
#include "delivery/too_large_items.h"
#include "engine/node.h"
#include "nodes/exporters/otlp_grpc/config.h"
#include "otlp/encode.h"
#include "runtime/condition.h"
#include "runtime/grpc/client.h"

namespace df::nodes::exporters::otlp_grpc {

/// One call for each batch, several at a time; one that is larger than the server takes is sent in
/// parts, one after the other. A batch is acked when the server says that it has it; a partial
/// success acks too, and counts what the server refused. Nothing is tried again here but what was
/// too large: a temporary nack tells whoever sent the batch that it may.
class OtlpGrpcExporter final : public engine::Exporter {
 public:
  OtlpGrpcExporter(std::shared_ptr<const OtlpGrpcConfig> config,
                   runtime::grpc::ClientSettings settings)
      : config_(std::move(config)), settings_(std::move(settings)) {}

  Status Start(engine::Effects& effects) override;
  /// Waits while as many calls are under way as may be, or the server has asked for a pause.
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  /// Waits for the calls under way; those that a drain leaves no time for are cancelled.
  runtime::Task<Status> Finish(engine::Effects& effects) override;
  void OnCollect() override;
  engine::NodeReport Report() override;

 private:
  /// A batch on its way.
  struct Call {
    Call(engine::Pdata sent, delivery::Destination destination)
        : pdata(std::move(sent)), sender(pdata.batch, otlp::Encoding::kProtobuf, destination) {}

    engine::Pdata pdata;
    delivery::BatchSender sender;
    runtime::Task<void> task;
  };

  runtime::Task<void> WaitForTurn(engine::Effects& effects);
  runtime::Task<void> WaitForPause(engine::Effects& effects);
  runtime::Task<void> Deliver(Call* call);
  /// Returns nothing when the next request of the call may be sent, else its outcome.
  std::optional<engine::Outcome> TakeAnswer(Call* call, const runtime::grpc::UnaryAnswer& answer);
  void EndCall(Call* call, const engine::Outcome& outcome);
  /// A drain ends with time left for its outcomes, also where batches wait for their turn.
  void OnDrain();
  void GiveUp();
  void CancelCalls();
  void CountFailure(const std::string& reason, bool is_permanent);
  otlp::PartialSuccess ReadPartialSuccess(otap::Signal signal, const std::string& response);
  void ForgetEndedCalls();
  telemetry::Counter& RequestsOf(runtime::grpc::Code code);

  std::shared_ptr<const OtlpGrpcConfig> config_;
  runtime::grpc::ClientSettings settings_;
  engine::Effects* effects_ = nullptr;  // set by Start, as are those below
  std::optional<runtime::Condition> changed_;
  std::vector<std::unique_ptr<runtime::grpc::Client>> clients_;
  size_t next_client_ = 0;
  std::optional<delivery::RequestLimit> limit_;
  std::optional<delivery::TooLargeItems> too_large_;
  std::list<Call> calls_;  // some of them may have ended; destroyed before the clients
  int64_t num_in_flight_ = 0;
  runtime::SteadyTime pause_end_;
  bool has_given_up_ = false;  // nothing is sent any more

  std::map<runtime::grpc::Code, telemetry::Counter*> requests_;
  telemetry::Counter* request_bytes_ = nullptr;
  telemetry::Histogram* duration_ = nullptr;
  telemetry::Gauge* in_flight_ = nullptr;
  telemetry::Counter* rejected_ = nullptr;
  telemetry::Counter* cut_ = nullptr;
  telemetry::Gauge* connections_ = nullptr;

  int64_t num_delivered_ = 0;  // requests
  int64_t num_failed_ = 0;
  int64_t num_refused_ = 0;        // of the failed: for good
  int64_t num_refused_items_ = 0;  // of batches of which the rest was not refused
  int64_t num_rejected_items_ = 0;
  std::string first_failure_;
  std::string first_rejection_;
  otlp::EncodeStats stats_;
  std::optional<runtime::Timer> give_up_timer_;
  std::optional<runtime::Cancellation::Subscription> on_drain_;
};

}  // namespace df::nodes::exporters::otlp_grpc
