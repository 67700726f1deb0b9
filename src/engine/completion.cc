#include "engine/completion.h"

#include <exception>

#include "engine/destination_watch.h"

namespace df::engine {

std::string_view Name(NackCause cause) {
  switch (cause) {
    case NackCause::kRefused:
      return "refused";
    case NackCause::kRouteFull:
      return "route_full";
    case NackCause::kRouteClosed:
      return "route_closed";
    case NackCause::kNodeEnded:
      return "node_ended";
    case NackCause::kDropped:
      return "dropped_without_outcome";
  }
  return "";
}

CompletionToken::CompletionToken(CompletionHandler* handler, uint64_t calldata, TokenSource* source)
    : handler_(handler), source_(source), calldata_(calldata) {
  if (source_ != nullptr) {
    ++source_->num_pending;
    source_->pending->Add(1);
    if (source_->clock != nullptr) {
      made_at_ = source_->clock->Now();
    }
  }
}

CompletionToken& CompletionToken::operator=(CompletionToken&& other) noexcept {
  if (this != &other) {
    if (handler_ != nullptr || watch_ != nullptr) {
      Drop();
    }
    watch_ = std::exchange(other.watch_, nullptr);
    handler_ = std::exchange(other.handler_, nullptr);
    source_ = other.source_;
    calldata_ = other.calldata_;
    made_at_ = other.made_at_;
  }
  return *this;
}

void CompletionToken::Complete(const Outcome& outcome) {
  // Taken first: the handler may let go of whatever holds this token.
  CompletionHandler* const handler = std::exchange(handler_, nullptr);
  if (DestinationWatch* const watch = std::exchange(watch_, nullptr)) {
    watch->OnOutcome(outcome);
  }
  if (handler == nullptr) {
    return;
  }
  TokenSource* const source = source_;
  if (source != nullptr) {
    --source->num_pending;
    source->pending->Add(-1);
    if (outcome.is_ack) {
      source->acked->Add(1);
    } else {
      source->nacked[static_cast<size_t>(outcome.cause)][outcome.is_permanent ? 1 : 0]->Add(1);
    }
    if (source->clock != nullptr) {
      source->latency[outcome.is_ack ? 1 : 0]->Record((source->clock->Now() - made_at_).count());
    }
  }
  // Tokens fall in destructors too, where an exception would end the process.
  try {
    handler->OnOutcome(outcome, calldata_);
  } catch (const std::exception& error) {
    if (source != nullptr && source->on_handler_error) {
      source->on_handler_error(error.what());
    }
  }
}

void CompletionToken::Drop() {
  if (source_ != nullptr && source_->end_reason != nullptr) {
    Complete(Outcome::Nack(*source_->end_reason, false, NackCause::kNodeEnded));
    return;
  }
  Complete(Outcome::Nack("dropped without outcome", false, NackCause::kDropped));
}

}  // namespace df::engine
