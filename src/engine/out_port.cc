#include "engine/out_port.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <fmt/format.h>

namespace df::engine {
namespace {

/// Makes one outcome of those of all destinations: an ack when all have acked, else a nack with
/// every reason. It is permanent when one is: that destination will never take the batch. Owner:
/// the tokens; the last outcome destroys it.
class BroadcastJoin final : public CompletionHandler {
 public:
  BroadcastJoin(CompletionToken upstream, const std::vector<OutPort::Destination>& destinations)
      : upstream_(std::move(upstream)),
        destinations_(destinations),
        num_left_(destinations.size()) {}

  void OnOutcome(const Outcome& outcome, uint64_t calldata) override {
    if (!outcome.is_ack) {
      if (joined_.is_ack) {
        joined_ = Outcome::Nack("", false, outcome.cause);
      }
      joined_.is_permanent |= outcome.is_permanent;
      joined_.reason += fmt::format("{}destination '{}': {}", joined_.reason.empty() ? "" : "; ",
                                    destinations_[calldata].node, outcome.reason);
    }
    if (--num_left_ == 0) {
      const std::unique_ptr<BroadcastJoin> last(this);
      upstream_.Complete(joined_);
    }
  }

 private:
  CompletionToken upstream_;
  const std::vector<OutPort::Destination>& destinations_;
  size_t num_left_;
  Outcome joined_;
};

}  // namespace

OutPort::OutPort(std::string name, config::DispatchStrategy strategy,
                 std::vector<Destination> destinations, uint64_t seed)
    : name_(std::move(name)),
      strategy_(strategy),
      destinations_(std::move(destinations)),
      random_(seed) {}

runtime::Task<bool> OutPort::Send(Pdata pdata) {
  if (destinations_.size() > 1 && strategy_ == config::DispatchStrategy::kBroadcast) {
    return Broadcast(std::move(pdata));
  }
  return SendToOne(std::move(pdata));
}

runtime::Task<bool> OutPort::SendToOne(Pdata pdata) {
  const int64_t size_bytes = pdata.batch->size_bytes();
  const size_t first = ChooseFirst();
  for (size_t i = 0; i < destinations_.size(); ++i) {
    Inbox* inbox = destinations_[(first + i) % destinations_.size()].inbox;
    if (co_await inbox->Push(pdata, size_bytes) == runtime::PushResult::kSent) {
      co_return true;
    }
  }
  pdata.token.Nack(fmt::format("every destination of port '{}' has ended", name_), false,
                   NackCause::kRouteClosed);
  co_return false;
}

runtime::Task<bool> OutPort::Broadcast(Pdata pdata) {
  const int64_t size_bytes = pdata.batch->size_bytes();
  // Every copy has its token before the first is handed over: an early outcome must not look like
  // the last one.
  std::vector<Pdata> copies;
  if (pdata.token.is_pending()) {
    auto join = std::make_unique<BroadcastJoin>(std::move(pdata.token), destinations_);
    for (size_t i = 0; i < destinations_.size(); ++i) {
      copies.push_back({pdata.batch, CompletionToken(join.get(), i)});
    }
    join.release();
  } else {
    copies.resize(destinations_.size());
    std::for_each(copies.begin(), copies.end(), [&](Pdata& copy) { copy.batch = pdata.batch; });
  }
  pdata.batch.reset();
  bool is_sent = false;
  for (size_t i = 0; i < destinations_.size(); ++i) {
    if (co_await destinations_[i].inbox->Push(copies[i], size_bytes) ==
        runtime::PushResult::kSent) {
      is_sent = true;
    } else {
      copies[i].token.Nack("it has ended", false, NackCause::kRouteClosed);
    }
  }
  co_return is_sent;
}

size_t OutPort::ChooseFirst() {
  const size_t count = destinations_.size();
  if (count == 1) {
    return 0;
  }
  switch (strategy_) {
    case config::DispatchStrategy::kRandom:
      return std::uniform_int_distribution<size_t>(0, count - 1)(random_);
    case config::DispatchStrategy::kLeastLoaded: {
      // Of equals the one after the last chosen, so that idle destinations share the work.
      size_t best = next_ % count;
      for (size_t i = 1; i < count; ++i) {
        const size_t candidate = (next_ + i) % count;
        if (destinations_[candidate].inbox->size_bytes() <
            destinations_[best].inbox->size_bytes()) {
          best = candidate;
        }
      }
      next_ = best + 1;
      return best;
    }
    case config::DispatchStrategy::kBroadcast:
    case config::DispatchStrategy::kRoundRobin:
      break;
  }
  return next_++ % count;
}

}  // namespace df::engine
