#include "nodes/processors/fanout/fanout_processor.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace df::nodes::processors::fanout {
namespace {

using enum telemetry::InstrumentKind;
constexpr telemetry::Instrument kActive = {kUpDownCounter, "df.fanout.batches.active", "{batch}",
                                           "Batches without all outcomes"};
constexpr telemetry::Instrument kThrottled = {
    kCounter, "df.fanout.batches.throttled", "{batch}",
    "Batches that waited because as many were in flight as may be"};
constexpr telemetry::Instrument kLate = {kCounter, "df.fanout.outcomes.late", "{outcome}",
                                         "Outcomes that came after their time"};
constexpr telemetry::Instrument kTimedOut = {kCounter, "df.fanout.deliveries.timed_out",
                                             "{delivery}", "Deliveries without outcome in time",
                                             "destination"};
constexpr telemetry::Instrument kFailed = {kCounter, "df.fanout.deliveries.failed", "{delivery}",
                                           "Deliveries that were refused", "destination"};
constexpr telemetry::Instrument kReplaced = {kCounter, "df.fanout.deliveries.replaced",
                                             "{delivery}", "Deliveries taken over by a fallback",
                                             "destination"};

constexpr engine::TimerId kSendTimer = 0;

}  // namespace

FanoutProcessor::FanoutProcessor(std::shared_ptr<const FanoutConfig> config)
    : config_(std::move(config)),
      targets_(config_->destinations.size()),
      table_(config_->destinations.size()) {
  const std::vector<Destination>& destinations = config_->destinations;
  for (size_t i = 0; i < destinations.size(); ++i) {
    has_timeouts_ |= destinations[i].timeout.has_value();
    for (size_t j = 0; j < destinations.size(); ++j) {
      if (destinations[j].fallback_for == destinations[i].port) {
        targets_[i].fallback = j;
      }
    }
    if (!destinations[i].fallback_for.empty()) {
      continue;
    }
    if (destinations[i].primary) {
      primary_route_ = routes_.size();
    }
    routes_.push_back(i);
  }
  for (size_t route = 0; route < routes_.size(); ++route) {
    for (std::optional<size_t> target = routes_[route]; target.has_value();
         target = targets_[*target].fallback) {
      targets_[*target].route = route;
    }
  }
}

Status FanoutProcessor::Start(engine::Effects& effects) {
  effects_ = &effects;
  wakeup_.emplace(&effects.loop());
  all_sent_.emplace(&effects.loop());
  check_timer_.emplace(&effects.loop(), [this] { CheckTimeouts(); });
  active_ = &effects.metrics().AddGauge(kActive);
  throttled_ = &effects.metrics().AddCounter(kThrottled);
  late_ = &effects.metrics().AddCounter(kLate);
  for (size_t i = 0; i < targets_.size(); ++i) {
    const std::string& port = config_->destinations[i].port;
    ARROW_ASSIGN_OR_RAISE(targets_[i].port, effects.FindPort(port));
    const auto counter = [&](const telemetry::Instrument& instrument) {
      return &effects.metrics().AddCounter(instrument, {{"destination", port}});
    };
    targets_[i].timed_out = counter(kTimedOut);
    targets_[i].failed = counter(kFailed);
    targets_[i].replaced = counter(kReplaced);
  }
  return Status::OK();
}

bool FanoutProcessor::is_full() const {
  return config_->max_inflight > 0 && table_.num_used() >= config_->max_inflight;
}

runtime::Task<Status> FanoutProcessor::Process(engine::Pdata pdata, engine::Effects&) {
  if (is_full()) {
    throttled_->Add(1);
  }
  while (is_full()) {
    co_await WaitForChange();
  }
  ++num_batches_;
  const uint32_t index = table_.Add(std::move(pdata));
  Begin(index);
  co_await SendQueued();
  co_return Status::OK();
}

void FanoutProcessor::Begin(uint32_t index) {
  Entry& entry = table_.entry(index);
  entry.num_open = routes_.size();
  if (config_->await_ack == AwaitAck::kNone) {
    entry.pdata.token.Ack();
  }
  const size_t num_at_once = config_->mode == Mode::kParallel ? routes_.size() : 1;
  entry.next_route = num_at_once;
  for (size_t route = 0; route < num_at_once; ++route) {
    Queue(index, routes_[route]);
  }
}

void FanoutProcessor::Queue(uint32_t index, size_t target) {
  Delivery& delivery = table_.delivery(index, target);
  delivery.progress = Progress::kQueued;
  if (config_->destinations[target].timeout.has_value()) {
    delivery.deadline = effects_->clock().Now() + *config_->destinations[target].timeout;
  }
  if (queue_.full()) {
    queue_.set_capacity(queue_.capacity() * 2);
  }
  queue_.push_back(table_.IdOf(index, target));
  ArmTimer();
}

/// Hands over what has room, then waits for the rest, until nothing is queued.
runtime::Task<> FanoutProcessor::SendQueued() {
  while (!queue_.empty()) {
    for (size_t left = queue_.size(); left > 0; --left) {
      const DeliveryId id = queue_.front();
      queue_.pop_front();
      Delivery* delivery = table_.Find(id);
      if (delivery == nullptr || delivery->progress != Progress::kQueued) {
        continue;
      }
      delivery->progress = Progress::kSent;
      const engine::Pdata& kept = table_.entry(id.entry).pdata;
      engine::Pdata copy(kept.batch, effects_->MakeToken(this, id.ToCalldata()));
      copy.charge = kept.charge.Share();
      const engine::PortIndex port = targets_[id.destination].port;
      const runtime::PushResult result = effects_->TrySend(copy, port);
      if (result == runtime::PushResult::kFull) {
        blocked_.push_back({std::move(copy), port});
      } else if (result == runtime::PushResult::kClosed) {
        copy.token.Nack("it has ended", false, engine::NackCause::kRouteClosed);
      }
    }
    if (!blocked_.empty()) {
      co_await SendBlocked();
    }
  }
}

/// Waits for all at the same time, so that none waits for the room of another one.
runtime::Task<> FanoutProcessor::SendBlocked() {
  num_sending_ = blocked_.size();
  for (Blocked& blocked : blocked_) {
    sending_.push_back(SendOne(&blocked));
    sending_.back().Start();
  }
  co_await all_sent_->Wait();
  sending_.clear();
  blocked_.clear();
}

runtime::Task<> FanoutProcessor::SendOne(Blocked* blocked) {
  co_await effects_->Send(std::move(blocked->pdata), blocked->port);
  if (--num_sending_ == 0) {
    all_sent_->Notify();
  }
}

void FanoutProcessor::OnOutcome(const engine::Outcome& outcome, uint64_t calldata) {
  const DeliveryId id = DeliveryId::FromCalldata(calldata);
  Delivery* delivery = table_.Find(id);
  if (delivery == nullptr || delivery->progress != Progress::kSent) {
    late_->Add(1);
    return;
  }
  if (outcome.is_ack) {
    delivery->progress = Progress::kEnded;
    EndRoute(id.entry, targets_[id.destination].route, outcome);
  } else {
    targets_[id.destination].failed->Add(1);
    engine::Outcome named = outcome;
    named.partial = nullptr;  // other destinations may not have what this one has
    named.reason = fmt::format("destination '{}': {}", config_->destinations[id.destination].port,
                               outcome.reason);
    Fail(id.entry, id.destination, named);
  }
  Wake();
}

void FanoutProcessor::Fail(uint32_t index, size_t target, const engine::Outcome& outcome) {
  table_.delivery(index, target).progress = Progress::kEnded;
  if (targets_[target].fallback.has_value()) {
    targets_[target].replaced->Add(1);
    Queue(index, *targets_[target].fallback);
  } else {
    EndRoute(index, targets_[target].route, outcome);
  }
}

/// The token is told last: by then the table is in order, whatever the sender does next.
void FanoutProcessor::EndRoute(uint32_t index, size_t route, const engine::Outcome& outcome) {
  Entry& entry = table_.entry(index);
  --entry.num_open;
  Join(outcome, &entry.joined);
  if (entry.next_route < routes_.size()) {
    if (config_->await_ack == AwaitAck::kAll && !outcome.is_ack) {
      entry.num_open -= routes_.size() - entry.next_route;
      entry.next_route = routes_.size();
    } else {
      Queue(index, routes_[entry.next_route++]);
    }
  }
  const bool is_of_all = config_->await_ack == AwaitAck::kAll;
  const bool is_heard =
      is_of_all || (config_->await_ack == AwaitAck::kPrimary && route == primary_route_);
  num_unheard_ += outcome.is_ack || is_heard ? 0 : 1;
  if (entry.num_open == 0) {
    const engine::Outcome joined = std::move(entry.joined);
    engine::Pdata pdata = table_.Remove(index);
    if (is_of_all || route == primary_route_) {
      pdata.token.Complete(is_of_all ? joined : outcome);
    }
  } else if (!is_of_all && route == primary_route_) {
    engine::CompletionToken token = std::move(entry.pdata.token);
    token.Complete(outcome);
  }
}

void FanoutProcessor::Join(const engine::Outcome& outcome, engine::Outcome* joined) const {
  if (outcome.is_ack || config_->await_ack != AwaitAck::kAll) {
    return;
  }
  if (joined->is_ack) {
    *joined = outcome;
    return;
  }
  joined->is_permanent |= outcome.is_permanent;
  joined->reason += "; " + outcome.reason;
}

runtime::Task<Status> FanoutProcessor::OnTimer(engine::TimerId, engine::Effects&) {
  co_await SendQueued();
  co_return Status::OK();
}

runtime::Task<Status> FanoutProcessor::Finish(engine::Effects&) {
  while (table_.num_used() > 0) {
    co_await WaitForChange();
  }
  co_return Status::OK();
}

/// Sends what has been queued meanwhile; when nothing has, waits for an outcome or a timeout.
runtime::Task<> FanoutProcessor::WaitForChange() {
  if (!queue_.empty()) {
    co_await SendQueued();
  } else {
    is_waiting_ = true;
    co_await wakeup_->Wait();
  }
}

void FanoutProcessor::ArmTimer() {
  if (has_timeouts_ && !check_timer_->is_armed()) {
    check_timer_->StartAt(effects_->clock().Now() + config_->timeout_check_interval);
  }
}

void FanoutProcessor::CheckTimeouts() {
  const runtime::SteadyTime now = effects_->clock().Now();
  for (uint32_t index = 0; index < table_.size(); ++index) {
    for (size_t target = 0; target < targets_.size() && table_.entry(index).is_used; ++target) {
      const Delivery& delivery = table_.delivery(index, target);
      const bool is_open =
          delivery.progress == Progress::kQueued || delivery.progress == Progress::kSent;
      if (is_open && delivery.deadline.has_value() && *delivery.deadline <= now) {
        targets_[target].timed_out->Add(1);
        Fail(index, target,
             engine::Outcome::Nack(
                 fmt::format("destination '{}': no outcome within {}",
                             config_->destinations[target].port,
                             config::ShowDuration(*config_->destinations[target].timeout)),
                 false));
      }
    }
  }
  if (table_.num_used() > 0) {
    ArmTimer();
  }
  Wake();
}

void FanoutProcessor::Wake() {
  if (std::exchange(is_waiting_, false)) {
    wakeup_->Notify();
  } else if (!queue_.empty()) {
    effects_->WakeAt(kSendTimer, effects_->clock().Now());
  }
}

void FanoutProcessor::OnCollect() { active_->Set(table_.num_used()); }

engine::NodeReport FanoutProcessor::Report() {
  engine::NodeReport report;
  report.lines.push_back(
      fmt::format("{} batches fanned out, {} left", num_batches_, table_.num_used()));
  if (num_unheard_ > 0) {
    report.lines.push_back(fmt::format(
        "{} deliveries failed of which their senders do not know (await_ack)", num_unheard_));
  }
  report.num_problems = num_unheard_ + table_.num_used();
  for (size_t i = 0; i < targets_.size(); ++i) {
    const Target& target = targets_[i];
    if (target.failed != nullptr && target.failed->value() + target.timed_out->value() > 0) {
      report.lines.push_back(
          fmt::format("destination '{}': {} refused, {} without an outcome in time, {} replaced by "
                      "its fallback",
                      config_->destinations[i].port, target.failed->value(),
                      target.timed_out->value(), target.replaced->value()));
    }
  }
  return report;
}

}  // namespace df::nodes::processors::fanout
