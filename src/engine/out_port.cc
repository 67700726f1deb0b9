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
  BroadcastJoin(CompletionToken upstream, MemoryCharge charge,
                const std::vector<OutPort::Destination>& destinations)
      : upstream_(std::move(upstream)),
        charge_(std::move(charge)),
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
  MemoryCharge charge_;  // one batch, however many hold it: given back when the last is done
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

bool OutPort::takes_encoded() const {
  return std::all_of(destinations_.begin(), destinations_.end(),
                     [](const Destination& destination) { return destination.takes_encoded; });
}

bool OutPort::BeginSend(Pdata& pdata) {
  if (is_broadcast()) {
    return false;
  }
  turn_ = ChooseFirst();
  return destinations_[turn_].inbox->TryPush(pdata, pdata.batch->size_bytes()) ==
         runtime::PushResult::kSent;
}

runtime::Task<bool> OutPort::FinishSend(Pdata pdata) {
  if (is_broadcast()) {
    co_return co_await Broadcast(std::move(pdata));
  }
  const int64_t size_bytes = pdata.batch->size_bytes();
  const size_t first = turn_;
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

std::vector<Pdata> OutPort::MakeCopies(Pdata pdata) {
  // Every copy has its token before the first is handed over: an early outcome must not look like
  // the last one.
  const MemoryCharge covered = pdata.charge.Share();
  auto join = std::make_unique<BroadcastJoin>(std::move(pdata.token), std::move(pdata.charge),
                                              destinations_);
  std::vector<Pdata> copies;
  copies.reserve(destinations_.size());
  for (size_t i = 0; i < destinations_.size(); ++i) {
    copies.emplace_back(pdata.batch, CompletionToken(join.get(), i));
    copies.back().charge = covered.Share();
  }
  join.release();
  return copies;
}

runtime::Task<bool> OutPort::Broadcast(Pdata pdata) {
  const int64_t size_bytes = pdata.batch->size_bytes();
  std::vector<Pdata> copies = MakeCopies(std::move(pdata));
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

runtime::PushResult OutPort::TrySend(Pdata& pdata) {
  const int64_t size_bytes = pdata.batch->size_bytes();
  if (is_broadcast()) {
    for (const Destination& destination : destinations_) {
      if (destination.inbox->is_closed()) {
        return runtime::PushResult::kClosed;
      }
      if (!destination.inbox->HasRoom(size_bytes)) {
        return runtime::PushResult::kFull;
      }
    }
    std::vector<Pdata> copies = MakeCopies(std::move(pdata));
    for (size_t i = 0; i < destinations_.size(); ++i) {
      destinations_[i].inbox->TryPush(copies[i], size_bytes);
    }
    return runtime::PushResult::kSent;
  }
  runtime::PushResult result = runtime::PushResult::kClosed;
  const size_t first = ChooseFirst();
  for (size_t i = 0; i < destinations_.size(); ++i) {
    Inbox* inbox = destinations_[(first + i) % destinations_.size()].inbox;
    const runtime::PushResult pushed = inbox->TryPush(pdata, size_bytes);
    if (pushed == runtime::PushResult::kSent) {
      return pushed;
    }
    if (pushed == runtime::PushResult::kFull) {
      result = pushed;
    }
  }
  return result;
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
