// The batches that an exporter has on their way to OTLP servers.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>

#include "delivery/batch_sender.h"
#include "delivery/drain_margin.h"
#include "delivery/request_answer.h"
#include "delivery/too_large_items.h"
#include "engine/node.h"
#include "otlp/encode.h"
#include "runtime/condition.h"
#include "telemetry/instrument.h"

namespace df::delivery {

/// How requests travel. Owner: outlives the window.
class RequestTransport {
 public:
  /// Sends a request, waits for its answer, and counts it. Destroyed where it waits when the
  /// request is given up.
  virtual runtime::Task<RequestAnswer> Send(otap::Signal signal, std::string body) = 0;
  /// Counts a request that was given up.
  virtual void OnGivenUp() = 0;

 protected:
  ~RequestTransport() = default;
};

/// What an exporter counts, by its own names.
struct WindowInstruments {
  telemetry::Instrument in_flight;  ///< kUpDownCounter
  telemetry::Instrument rejected;   ///< items
  telemetry::Instrument too_large;  ///< items
  telemetry::Instrument cut;        ///< requests
};

/// Sends batches, several at a time; one that is larger than the server takes goes in parts, one
/// after the other. A batch is acked when the server says that it has it; a partial success acks
/// too, and counts what the server refused. Only what was too large is tried again here. After any
/// other failure the sender of the batch gets a nack, which says whether trying again makes sense.
/// Shortly before a drain ends, batches without an answer are nacked. Owner: the exporter. Calls:
/// the loop.
class RequestWindow {
 public:
  /// All are borrowed.
  RequestWindow(engine::Effects* effects, RequestTransport* transport, otlp::Encoding encoding,
                int64_t max_in_flight, const WindowInstruments& instruments);
  RequestWindow(const RequestWindow&) = delete;
  RequestWindow& operator=(const RequestWindow&) = delete;

  /// Waits while max_in_flight batches have no answer yet, or the server has asked for a pause.
  /// `limit` is that of the server, and outlives the window.
  runtime::Task<void> Send(engine::Pdata pdata, RequestLimit* limit);

  /// Waits until all is answered or given up.
  runtime::Task<void> Finish();

  /// Lines and problems. `server`: " to ENDPOINT", or empty where there are several.
  engine::NodeReport Report(const std::string& server) const;

 private:
  /// A batch on its way.
  struct Call {
    Call(engine::Pdata sent, otlp::Encoding encoding, Destination destination)
        : pdata(std::move(sent)), sender(pdata.batch, encoding, destination) {}

    engine::Pdata pdata;
    BatchSender sender;
    runtime::Task<void> task;
  };

  runtime::Task<void> WaitForTurn();
  runtime::Task<void> WaitForPause();
  runtime::Task<void> Deliver(Call* call);
  /// Returns nothing when the next request of the call may be sent, else its outcome.
  std::optional<engine::Outcome> TakeAnswer(Call* call, const RequestAnswer& answer);
  otlp::PartialSuccess CountPartialSuccess(otap::Signal signal, const RequestAnswer& answer);
  void EndCall(Call* call, const engine::Outcome& outcome);
  void CountFailure(const std::string& reason, bool is_permanent);
  void GiveUp();

  engine::Effects* effects_;
  RequestTransport* transport_;
  otlp::Encoding encoding_;
  int64_t max_in_flight_;
  telemetry::Gauge& in_flight_;
  telemetry::Counter& rejected_;
  telemetry::Counter& cut_;
  TooLargeItems too_large_;
  runtime::Condition changed_;
  std::list<Call> calls_;  // some of them may have ended
  int64_t num_in_flight_ = 0;
  runtime::SteadyTime pause_end_;
  bool has_given_up_ = false;  // nothing is sent any more

  int64_t num_delivered_ = 0;      // requests
  int64_t num_failed_ = 0;         // batches
  int64_t num_refused_ = 0;        // of the failed: permanently
  int64_t num_refused_items_ = 0;  // of batches of which the rest was not refused
  int64_t num_rejected_items_ = 0;
  std::string first_failure_;
  std::string first_rejection_;
  otlp::EncodeStats stats_;
  DrainMargin drain_margin_;
};

}  // namespace df::delivery
