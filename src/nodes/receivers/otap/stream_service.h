// The OTAP services without their transport: messages to batches, outcomes to answers.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "engine/effects.h"
#include "engine/node.h"
#include "nodes/receivers/otap/message_stream.h"
#include "otap/batch.h"
#include "otap_wire/consumer.h"
#include "runtime/event_loop.h"

namespace df::nodes::receivers::otap {

struct ServiceSettings {
  bool wait_for_result = true;            ///< answers say what became of a batch
  int64_t max_in_flight = 1000;           ///< batches without outcome, of all streams
  int64_t max_in_flight_per_stream = 16;  ///< and unread answers; with more it is not read
  std::optional<std::chrono::nanoseconds> timeout;  ///< of one batch
  otap_wire::ConsumerLimits limits;
};

/// Serves any number of streams. Every message that names its batch has exactly one answer; one
/// that leaves the Arrow streams in doubt ends its stream when what came before is answered.
/// Owner: one a receiver; outlives the tokens and the calls of Serve. Calls: the loop.
class StreamService final : public engine::CompletionHandler {
 public:
  /// `effects` is borrowed.
  StreamService(const ServiceSettings& settings, engine::Effects* effects);
  ~StreamService();

  /// Serves one stream to its end, and returns how to end it. `stream` is borrowed. May be
  /// destroyed where it waits; outcomes of its batches are nobody's then.
  runtime::Task<StreamEnd> Serve(df::otap::Signal signal, MessageStream* stream);

  /// Reads no more of any stream; each ends when its batches are answered.
  void StopReading();

  /// Waits until every batch is answered; at the deadline the rest is answered with unavailable.
  runtime::Task<> WaitForAnswers(runtime::SteadyTime deadline);

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override;

  /// Tells what came and what became of it.
  void AddTo(engine::NodeReport* report) const;

 private:
  struct Session;
  class Registration;
  struct InFlight {
    std::weak_ptr<Session> session;
    int64_t batch_id = 0;
    runtime::SteadyTime deadline;
  };
  enum class Rejection : uint8_t { kMalformed, kInvalid, kMemory, kUnreadable };
  static constexpr size_t kNumRejections = 4;

  runtime::Task<> ReadAll(Session* session, MessageStream* stream);
  runtime::Task<bool> Take(Session* session, std::string bytes);
  runtime::Task<> SendOn(Session* session, int64_t batch_id, df::otap::BatchPtr batch);
  /// Counts what a message has lost, and names the first losses in the log.
  void CountLosses(const otap_wire::ConsumerStats& before, const otap_wire::ConsumerStats& after);
  void Reject(Session* session, Rejection rejection, const std::string& reason);
  void Answer(Session* session, int64_t batch_id, otap_wire::StatusCode code, std::string message);
  /// Answers a batch in flight and forgets it.
  void Close(std::map<uint64_t, InFlight>::iterator entry, otap_wire::StatusCode code,
             const std::string& message);
  void OnTimer();
  void ArmTimer();
  bool HasRoom(const Session& session) const;
  telemetry::Counter* AnswersOf(otap_wire::StatusCode code);

  ServiceSettings settings_;
  engine::Effects* effects_;
  runtime::Wakeup is_idle_;
  runtime::Timer timer_;                    ///< the first deadline of a batch
  std::map<uint64_t, InFlight> in_flight_;  ///< by calldata, so the oldest first
  uint64_t next_calldata_ = 1;              ///< 0: nobody waits for the outcome
  std::set<Session*> sessions_;
  bool is_stopping_ = false;
  int64_t num_batches_ = 0;
  int64_t num_rejected_ = 0;
  std::string first_rejection_;
  int64_t num_orphans_ = 0;
  int64_t num_misplaced_ = 0;
  int64_t num_unknown_codes_ = 0;
  int64_t num_unknown_fields_ = 0;
  int64_t num_lost_ = 0;  ///< refused after their clients had been told that they were taken
  std::string first_lost_;
  telemetry::Gauge* streams_;
  telemetry::Counter* late_outcomes_;
  telemetry::Counter* orphans_;
  telemetry::Counter* misplaced_;
  telemetry::Counter* unknown_codes_;
  telemetry::Counter* unknown_fields_;
  telemetry::Counter* received_bytes_;
  std::array<telemetry::Counter*, kNumRejections> rejections_{};
  std::map<otap_wire::StatusCode, telemetry::Counter*> answers_;
};

}  // namespace df::nodes::receivers::otap
