// Sends batches to an OTLP server over HTTP/1.1.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "delivery/batch_sender.h"
#include "delivery/request_limit.h"
#include "delivery/too_large_items.h"
#include "engine/node.h"
#include "nodes/exporters/otlp_http/config.h"
#include "nodes/exporters/otlp_http/response_outcome.h"
#include "otlp/encode.h"
#include "runtime/condition.h"
#include "runtime/http1/client.h"

namespace df::nodes::exporters::otlp_http {

/// One request for each batch, several at a time; a batch that is larger than the server takes is
/// sent in parts, one after the other. A batch is acked when the server says that it has it; a
/// partial success acks too, and counts what the server refused. Nothing is tried again here but
/// what was too large: a temporary nack tells whoever sent the batch that it may.
class OtlpHttpExporter final : public engine::Exporter {
 public:
  /// `tls` is null where no endpoint is encrypted.
  OtlpHttpExporter(std::shared_ptr<const OtlpHttpConfig> config,
                   std::shared_ptr<const runtime::TlsContext> tls)
      : config_(std::move(config)), tls_(std::move(tls)) {}

  Status Start(engine::Effects& effects) override;
  /// Waits while as many requests are under way as may be, or the server has asked for a pause.
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override;
  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override;
  /// Waits for the requests under way; those that a drain leaves no time for are given up.
  runtime::Task<Status> Finish(engine::Effects& effects) override;
  engine::NodeReport Report() override;

 private:
  /// A batch on its way.
  struct Call {
    Call(engine::Pdata sent, otlp::Encoding encoding, delivery::Destination destination)
        : pdata(std::move(sent)), sender(pdata.batch, encoding, destination) {}

    engine::Pdata pdata;
    delivery::BatchSender sender;
    runtime::Task<void> task;
  };
  struct Destination {
    std::string path;
    runtime::http1::Client* client = nullptr;
    delivery::RequestLimit* limit = nullptr;
  };
  struct Server {
    std::unique_ptr<runtime::http1::Client> client;
    std::unique_ptr<delivery::RequestLimit> limit;
  };

  Result<runtime::http1::Request> MakeRequest(otap::Signal signal, std::string body);
  runtime::Task<void> WaitForTurn(engine::Effects& effects);
  runtime::Task<void> WaitForPause(engine::Effects& effects);
  runtime::Task<void> Deliver(Call* call);
  /// Sends a request and says what became of it.
  runtime::Task<ResponseOutcome> Send(otap::Signal signal, runtime::http1::Request request);
  /// Returns nothing when the next request of the call may be sent, else its outcome.
  std::optional<engine::Outcome> TakeAnswer(Call* call, const ResponseOutcome& ended);
  void EndCall(Call* call, const engine::Outcome& outcome);
  /// A drain ends with time left for its outcomes, also where batches wait for their turn.
  void OnDrain();
  void GiveUp();
  void CancelCalls();
  void CountFailure(const std::string& reason, bool is_permanent);
  void CountPartialSuccess(otap::Signal signal, const ResponseOutcome& ended);
  telemetry::Counter& RequestsOf(const std::string& status);

  std::shared_ptr<const OtlpHttpConfig> config_;
  std::shared_ptr<const runtime::TlsContext> tls_;
  engine::Effects* effects_ = nullptr;  // set by Start, as are those below
  std::optional<runtime::Condition> changed_;
  std::map<std::string, Server> servers_;    // by scheme and host
  std::array<Destination, 3> destinations_;  // by signal
  std::optional<delivery::TooLargeItems> too_large_;
  std::list<Call> calls_;  // some of them may have ended; destroyed before the servers
  int64_t num_in_flight_ = 0;
  runtime::SteadyTime pause_end_;
  bool has_given_up_ = false;  // nothing is sent any more

  std::map<std::string, telemetry::Counter*> requests_;  // by status
  telemetry::Counter* request_bytes_ = nullptr;
  telemetry::Histogram* duration_ = nullptr;
  telemetry::Gauge* in_flight_ = nullptr;
  telemetry::Counter* rejected_ = nullptr;
  telemetry::Counter* cut_ = nullptr;

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

}  // namespace df::nodes::exporters::otlp_http
