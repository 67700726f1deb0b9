// One stream after the other to the server, for one signal.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "delivery/batch_sender.h"
#include "delivery/batch_tally.h"
#include "engine/effects.h"
#include "engine/pdata.h"
#include "nodes/exporters/otap/client_stream.h"
#include "otap_wire/message.h"
#include "otap_wire/producer.h"
#include "runtime/condition.h"
#include "runtime/event_loop.h"

namespace df::nodes::exporters::otap {

struct LaneSettings {
  int64_t max_in_flight = 64;  ///< messages without answer; more wait
  int64_t max_request_bytes = delivery::kDefaultMaxRequestBytes;            ///< of a message
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
  telemetry::Counter* cut;
  telemetry::Counter* too_large;
  telemetry::Histogram* latency;
  std::array<telemetry::Counter*, kNumFailures> failures{};
  std::map<otap_wire::StatusCode, telemetry::Counter*> answers;
};

/// Sends batches in order, each stream with Arrow streams and dictionaries of its own, and
/// completes the token of each when its answer comes. A batch whose message is larger than the
/// server takes is sent in parts and has its answer when all of them have. Of a stream that ends,
/// whatever is not answered is nacked for now; but where it ends because a message was too large,
/// what is still held is sent again, that message in parts.
/// Owner: one an exporter and signal; destroying it lets its tokens fall. Calls: the loop; Send and
/// the waits do not overlap.
class Lane {
 public:
  /// All are borrowed.
  Lane(df::otap::Signal signal, const LaneSettings& settings, delivery::Destination destination,
       StreamOpener* opener, runtime::EventLoop* loop, LaneMetrics* metrics);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  /// Waits for room and for a stream, and sends. The tables go when they are written, unless their
  /// message is larger than any that the server has taken; the token stays until it is answered.
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

  /// Items that were refused for good, of batches of which the rest was not.
  int64_t num_refused_items() const { return num_refused_items_; }

 private:
  /// A batch that has no outcome yet.
  struct Delivery {
    explicit Delivery(engine::Pdata sent) : pdata(std::move(sent)), tally(pdata.batch) {}

    engine::Pdata pdata;
    delivery::BatchTally tally;
    int64_t num_open = 1;  ///< parts without answer
    bool is_in_parts = false;
    /// Parts were refused for now: why, and what they were, as far as it is still held.
    std::optional<std::pair<Failure, std::string>> postponed;
    std::vector<df::otap::BatchPtr> rest;
    bool has_rest = true;
    int64_t max_bytes = INT64_MAX;  ///< of a message, where less than the limit
    /// A message was refused for its size, and none has been taken since: one is sent at a time.
    bool is_probing = false;
    /// The smallest message that was refused for its size, and why.
    int64_t refused_bytes = INT64_MAX;
    std::string refused_reason;
    Failure refused_as = Failure::kAnswer;
  };
  /// What is sent as one message.
  struct Part {
    std::shared_ptr<Delivery> delivery;
    df::otap::BatchPtr batch;  ///< null when it was let go
    int64_t num_items = 0;
    int64_t message_bytes = 0;  ///< 0: it has not been written
  };
  struct InFlight {
    Part part;
    runtime::SteadyTime sent_at;
  };
  struct OpenStream;

  void StartWriting();
  /// Whether the first part of the queue may be sent now.
  bool MayWrite() const;
  runtime::Task<> WriteAll();
  /// Puts the parts of a part in front of the queue. Returns false when it cannot be cut.
  bool Cut(const Part& part);
  /// Makes the message of a part; nothing when the part was settled or cut instead.
  std::optional<std::string> Produce(OpenStream* open, Part* part);
  runtime::Task<OpenStream*> CurrentStream(Status* problem);
  runtime::Task<> ReadAnswers(OpenStream* open);
  void OnAnswer(OpenStream* open, const otap_wire::BatchStatus& status);
  void End(OpenStream* open, const std::string& reason);
  /// The stream has ended because one of its messages was too large.
  void SendAgain(OpenStream* open, const delivery::SizeRefusal& refusal, const std::string& reason);
  void FailAll(OpenStream* open, Failure failure, const std::string& reason);
  void FailQueue(Failure failure, const std::string& reason);

  void Deliver(const Part& part);
  void RefuseAsTooLarge(Part part, const delivery::SizeRefusal& refusal, const std::string& reason);
  void RefuseRecord(const Part& part, const std::string& reason);
  void Refuse(const Part& part, Failure failure, const std::string& reason);
  void Postpone(const Part& part, Failure failure, const std::string& reason);
  /// A part has its answer; the last one completes the batch.
  void Settle(Delivery* delivery);

  void RetireOld();
  void OnTimer();
  void ArmTimer();
  void SetInFlight(int64_t change);

  df::otap::Signal signal_;
  LaneSettings settings_;
  delivery::Destination destination_;
  StreamOpener* opener_;
  runtime::EventLoop* loop_;
  LaneMetrics* metrics_;
  runtime::Condition changed_;  ///< an answer, an end, the deadline, or all is written
  runtime::Timer timer_;        ///< of the oldest message in flight
  runtime::Timer write_again_;  ///< starts to write outside of what asks for it
  std::string stop_reason_;     ///< not empty: nothing is sent any more
  int64_t num_in_flight_ = 0;
  int64_t num_failed_ = 0;
  int64_t num_refused_ = 0;
  int64_t num_refused_items_ = 0;
  std::string first_failure_;
  int64_t taken_bytes_ = 0;    ///< the largest message that a server has taken
  double bytes_per_item_ = 0;  ///< of the last message that was not small
  std::deque<Part> queue_;
  bool is_writing_ = false;
  std::vector<std::unique_ptr<OpenStream>> streams_;  ///< the newest last
  runtime::Task<> writer_;                            ///< goes before the streams
};

}  // namespace df::nodes::exporters::otap
