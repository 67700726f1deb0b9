#include "engine/completion.h"

namespace df::engine {

CompletionToken::CompletionToken(CompletionHandler* handler, uint64_t calldata,
                                 const OutcomeCounters* counters)
    : handler_(handler), counters_(counters), calldata_(calldata) {
  if (counters_ != nullptr) {
    counters_->pending->Add(1);
  }
}

CompletionToken& CompletionToken::operator=(CompletionToken&& other) noexcept {
  if (this != &other) {
    if (handler_ != nullptr) {
      Drop();
    }
    handler_ = std::exchange(other.handler_, nullptr);
    counters_ = other.counters_;
    calldata_ = other.calldata_;
  }
  return *this;
}

void CompletionToken::Complete(const Outcome& outcome) {
  // Taken first: the handler may let go of whatever holds this token.
  CompletionHandler* const handler = std::exchange(handler_, nullptr);
  if (handler == nullptr) {
    return;
  }
  if (counters_ != nullptr) {
    counters_->pending->Add(-1);
    if (outcome.is_ack) {
      counters_->acked->Add(1);
    } else {
      (outcome.is_permanent ? counters_->nacked_permanent : counters_->nacked_retryable)->Add(1);
      if (outcome.cause == NackCause::kDropped) {
        counters_->dropped->Add(1);
      }
    }
  }
  handler->OnOutcome(outcome, calldata_);
}

void CompletionToken::Drop() {
  Complete(Outcome::Nack("dropped without outcome", false, NackCause::kDropped));
}

}  // namespace df::engine
