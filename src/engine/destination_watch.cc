#include "engine/destination_watch.h"

#include <algorithm>
#include <utility>

namespace df::engine {
namespace {

constexpr std::chrono::seconds kMinBetweenChanges{1};

}  // namespace

DestinationWatch::DestinationWatch(std::string node, std::string subject, runtime::EventLoop* loop,
                                   OnChange on_change, OutageLog::Write write)
    : loop_(loop),
      on_change_(std::move(on_change)),
      log_({.subject = std::move(subject)}, &loop->clock(), std::move(write)),
      timer_(loop, [this] { OnTimer(); }) {
  state_.node = std::move(node);
}

void DestinationWatch::OnOutcome(const Outcome& outcome) {
  if (!outcome.is_ack && outcome.cause != NackCause::kRefused &&
      outcome.cause != NackCause::kDropped) {
    return;  // it says nothing of the destination
  }
  const bool is_first = state_.num_delivered + state_.num_refused == 0;
  const bool was_failing = log_.is_failing();
  const bool had_permanent = state_.num_permanent > 0;
  state_.last_outcome = loop_->clock().Now();
  if (outcome.is_ack) {
    ++state_.num_delivered;
    log_.Succeeded();
    state_.failing_since.reset();
  } else {
    ++state_.num_refused;
    state_.num_permanent += outcome.is_permanent ? 1 : 0;
    state_.reason = outcome.reason;
    if (!was_failing) {
      state_.failing_since = loop_->clock().WallNow();
    }
    log_.Failed(outcome.reason);
  }
  if (is_first || was_failing != log_.is_failing() || had_permanent != (state_.num_permanent > 0)) {
    is_untold_ = true;
    Tell();
  }
  if (log_.is_failing() != was_failing) {
    Arm();
  }
}

std::chrono::nanoseconds DestinationWatch::failing_for() const {
  return log_.is_failing() ? loop_->clock().Now() - *log_.failing_since()
                           : std::chrono::nanoseconds(0);
}

void DestinationWatch::Tell() {
  const runtime::SteadyTime now = loop_->clock().Now();
  if (is_untold_ && (!last_told_.has_value() || *last_told_ + kMinBetweenChanges <= now)) {
    is_untold_ = false;
    last_told_ = now;
    if (on_change_ != nullptr) {
      on_change_(state_);
    }
  }
  Arm();
}

void DestinationWatch::Arm() {
  std::optional<runtime::SteadyTime> next = log_.next_line();
  if (is_untold_) {
    const runtime::SteadyTime due = *last_told_ + kMinBetweenChanges;
    next = next.has_value() ? std::min(*next, due) : due;
  }
  if (next.has_value()) {
    timer_.StartAt(*next);
  } else {
    timer_.Cancel();
  }
}

void DestinationWatch::OnTimer() {
  log_.OnTime();
  Tell();
}

}  // namespace df::engine
