// One stream after the other to the server, for one signal.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/effects.h"
#include "engine/pdata.h"
#include "nodes/exporters/otap/client_stream.h"
#include "otap_wire/message.h"
#include "otap_wire/producer.h"
#include "runtime/event_loop.h"

namespace df::nodes::exporters::otap {

struct LaneSettings {
  int64_t max_in_flight = 64;  ///< batches without answer; more wait
  std::chrono::nanoseconds max_stream_lifetime = std::chrono::minutes(10);  ///< 0: no limit
  std::optional<std::chrono::nanoseconds> timeout;                          ///< of one answer
  otap_wire::ProducerOptions producer;
};

/// Why a batch was refused.
enum class Failure : uint8_t { kEncoding, kNoStream, kStreamEnded, kTimeout, kAnswer, kStopped };
inline constexpr size_t kNumFailures = 6;

/// What the lanes of an exporter count together.
struct LaneMetrics {
  explicit LaneMetrics(telemetry::MetricSet* set);
  void CountAnswer(otap_wire::StatusCode code);

  telemetry::MetricSet* set;
  telemetry::Gauge* in_flight;
  telemetry::Counter* streams_opened;
  telemetry::Counter* sent_bytes;
  telemetry::Counter* orphans;
  telemetry::Counter* unknown_answers;
  telemetry::Histogram* latency;
  std::array<telemetry::Counter*, kNumFailures> failures{};
  std::map<otap_wire::StatusCode, telemetry::Counter*> answers;
};

/// Sends batches in order, each stream with Arrow streams and dictionaries of its own, and
/// completes the token of each when its answer comes. Of a stream that ends, whatever is not
/// answered is nacked for now.
/// Owner: one an exporter and signal; destroying it lets its tokens fall. Calls: the loop; Send and
/// the waits do not overlap.
class Lane {
 public:
  /// All are borrowed.
  Lane(df::otap::Signal signal, const LaneSettings& settings, StreamOpener* opener,
       runtime::EventLoop* loop, LaneMetrics* metrics);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  /// Waits for room and for a stream, and sends. The tables go when they are written; the token
  /// stays until it is answered.
  runtime::Task<> Send(engine::Pdata pdata);

  /// Waits until every batch is answered.
  runtime::Task<> WaitForAnswers();

  /// Tells the servers of all streams that no more comes.
  void FinishStreams();
  /// Waits until they have ended their streams, or until the deadline.
  runtime::Task<> WaitForEnds(runtime::SteadyTime deadline);

  /// Nacks what is not answered, and whatever is to be sent from now on. Calls: at any time.
  void GiveUp(const std::string& reason);

  int64_t num_in_flight() const { return num_in_flight_; }
  const std::string& first_failure() const { return first_failure_; }
  int64_t num_failed() const { return num_failed_; }
  /// Those of them that cannot succeed when they are sent again.
  int64_t num_refused() const { return num_refused_; }

 private:
  struct InFlight {
    engine::CompletionToken token;
    runtime::SteadyTime sent_at;
  };
  struct OpenStream;

  runtime::Task<OpenStream*> CurrentStream(Status* problem);
  runtime::Task<> ReadAnswers(OpenStream* open);
  void OnAnswer(OpenStream* open, const otap_wire::BatchStatus& status);
  void End(OpenStream* open, const std::string& reason);
  void FailAll(OpenStream* open, Failure failure, const std::string& reason);
  void Fail(engine::CompletionToken token, Failure failure, const std::string& reason,
            bool is_permanent);
  void RetireOld();
  void OnTimer();
  void ArmTimer();
  void SetInFlight(int64_t change);

  df::otap::Signal signal_;
  LaneSettings settings_;
  StreamOpener* opener_;
  runtime::EventLoop* loop_;
  LaneMetrics* metrics_;
  runtime::Wakeup changed_;  ///< an answer, an end, or the deadline
  runtime::Timer timer_;     ///< of the oldest batch in flight
  std::string stop_reason_;  ///< not empty: nothing is sent any more
  int64_t num_in_flight_ = 0;
  int64_t num_failed_ = 0;
  int64_t num_refused_ = 0;
  std::string first_failure_;
  std::vector<std::unique_ptr<OpenStream>> streams_;  ///< the newest last
};

}  // namespace df::nodes::exporters::otap
