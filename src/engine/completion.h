// What becomes of a batch, told to the node that sent it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/clock.h"
#include "telemetry/histogram.h"
#include "telemetry/instrument.h"

namespace df::otap {
class Batch;
}

namespace df::engine {

/// Why a batch was refused.
enum class NackCause : uint8_t {
  kRefused,      ///< a node did not take it
  kRouteFull,    ///< its destination has no room, and its sender does not wait
  kRouteClosed,  ///< its destination has ended
  kNodeEnded,    ///< it was still waiting when its pipeline was ended by force
  kDropped,      ///< its last owner let it fall without saying anything
};
inline constexpr size_t kNumNackCauses = 5;

/// Returns "refused", "route_full" and so on, as they stand in metrics.
std::string_view Name(NackCause cause);

/// What became of a batch where its outcome does not hold for all of it.
struct PartialDelivery {
  int64_t num_delivered = 0;  ///< items: log records, spans, data points
  int64_t num_refused = 0;    ///< items that were refused for good
  std::string refusal;        ///< why, where some were
  /// Of the refused: items that are durable among the dead letters (processor:dead_letters). Nobody
  /// needs to keep or send them any more; they count as refused all the same.
  int64_t num_dead_letters = 0;
  /// Of a nack that may be tried again: the items that are neither delivered nor refused, to be
  /// sent again in place of the batch. Null: all of the batch has to be.
  std::shared_ptr<const otap::Batch> rest;
  /// The batch that `rest` is of: who has sent another one, as nodes in between may change batches,
  /// does not send the rest. Never followed, only compared.
  const otap::Batch* whole = nullptr;
};

/// The one outcome of a batch.
struct Outcome {
  bool is_ack = true;
  bool is_permanent = false;  ///< nack: sending the same batch again cannot succeed
  NackCause cause = NackCause::kRefused;
  std::string reason;  ///< nack only
  /// Null: the outcome holds for the whole batch. An ack that has it is of a batch of which some
  /// items were refused for good; who refused them has counted and named them.
  std::shared_ptr<const PartialDelivery> partial = nullptr;

  static Outcome Ack() { return {}; }
  static Outcome Nack(std::string reason, bool is_permanent,
                      NackCause cause = NackCause::kRefused) {
    return {false, is_permanent, cause, std::move(reason), nullptr};
  }
};

/// Hears the outcomes of the batches that it sent.
class CompletionHandler {
 public:
  /// `calldata` is what the token was made with. Called exactly once a token, on the loop of the
  /// instance, possibly after the node's own Run or Finish has returned; does not wait. One that
  /// throws fails its pipeline.
  virtual void OnOutcome(const Outcome& outcome, uint64_t calldata) = 0;

 protected:
  ~CompletionHandler() = default;
};

class DestinationWatch;

/// What the tokens of one node have in common. Owner: the node's runner; outlives its tokens.
struct TokenSource {
  int64_t num_pending = 0;  ///< tokens made, and without outcome yet
  telemetry::Gauge* pending = nullptr;
  telemetry::Counter* acked = nullptr;
  /// By cause, then by whether it is permanent.
  std::array<std::array<telemetry::Counter*, 2>, kNumNackCauses> nacked{};

  /// From the making of a token to its outcome, of nacks and of acks; null: not measured, and no
  /// clock is read.
  std::array<telemetry::Histogram*, 2> latency{};
  const runtime::Clock* clock = nullptr;

  /// Why the pipeline is being ended; set while it is. What falls then is nacked with this.
  const std::string* end_reason = nullptr;

  /// A handler has thrown. Its outcome counts as said.
  std::function<void(const std::string& what)> on_handler_error;
};

/// The right and duty to say once what became of a batch: Ack, Nack, or, when it is destroyed
/// before that, a nack "dropped without outcome". Owner: move-only; the handler is borrowed and
/// outlives the token. Calls: the loop of the instance. Cost: no allocation.
class CompletionToken {
 public:
  /// A token that nobody waits for.
  CompletionToken() = default;
  CompletionToken(CompletionHandler* handler, uint64_t calldata, TokenSource* source = nullptr);
  CompletionToken(CompletionToken&& other) noexcept
      : handler_(std::exchange(other.handler_, nullptr)),
        source_(other.source_),
        watch_(std::exchange(other.watch_, nullptr)),
        calldata_(other.calldata_),
        made_at_(other.made_at_) {}
  CompletionToken& operator=(CompletionToken&& other) noexcept;
  ~CompletionToken() {
    if (handler_ != nullptr || watch_ != nullptr) {
      Drop();
    }
  }

  /// `watch` hears the outcome too, before the handler does. Owner: it is borrowed and outlives
  /// the token.
  void TellAlso(DestinationWatch* watch) { watch_ = watch; }

  void Ack() { Complete(Outcome::Ack()); }
  void Nack(std::string reason, bool is_permanent, NackCause cause = NackCause::kRefused) {
    Complete(Outcome::Nack(std::move(reason), is_permanent, cause));
  }
  /// Says the outcome; does nothing when it has been said or moved away.
  void Complete(const Outcome& outcome);

  /// Tells whether somebody still waits for the outcome.
  bool is_pending() const { return handler_ != nullptr; }

 private:
  void Drop();

  CompletionHandler* handler_ = nullptr;
  TokenSource* source_ = nullptr;
  DestinationWatch* watch_ = nullptr;
  uint64_t calldata_ = 0;
  runtime::SteadyTime made_at_;  // where the source measures latency
};

}  // namespace df::engine
