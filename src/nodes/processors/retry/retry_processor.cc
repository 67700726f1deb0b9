#include "nodes/processors/retry/retry_processor.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace df::nodes::processors::retry {
namespace {

using std::chrono::nanoseconds;

using enum telemetry::InstrumentKind;
constexpr telemetry::Instrument kScheduled = {kCounter, "df.retry.scheduled", "{retry}",
                                              "Attempts that were put off until later"};
constexpr telemetry::Instrument kRecovered = {kCounter, "df.retry.recovered", "{batch}",
                                              "Batches that were delivered by a later attempt"};
constexpr telemetry::Instrument kTerminated = {kCounter, "df.retry.terminated", "{batch}",
                                               "Batches that are not sent again", "reason"};
constexpr telemetry::Instrument kWaiting = {kUpDownCounter, "df.retry.waiting", "{batch}",
                                            "Batches that wait for their next attempt"};
constexpr telemetry::Instrument kKept = {kUpDownCounter, "df.retry.kept", "{batch}",
                                         "Batches that have no last word yet"};

constexpr engine::TimerId kDueTimer = 0;
constexpr engine::TimerId kUnansweredTimer = 1;

/// Longest wait between two attempts while a drain is under way.
constexpr nanoseconds kDrainInterval = std::chrono::milliseconds(250);
/// How long before the deadline of a drain what waits is nacked, unless a drain is so short that an
/// eighth of it is less.
constexpr nanoseconds kDrainMargin = std::chrono::milliseconds(500);

uint64_t SeedOf(const RetryConfig& config, const engine::InstanceInfo& info) {
  return static_cast<uint64_t>(config.seed) * 0x9E3779B97F4A7C15 +
         std::hash<std::string>()(info.node) + static_cast<uint64_t>(info.instance_index);
}

/// Keeps what is left of the batch of a slot, where the nack says so and is of that very batch.
void KeepRest(const engine::PartialDelivery* partial, Slot* slot) {
  if (partial == nullptr || partial->rest == nullptr || partial->whole != slot->pdata.batch.get()) {
    return;
  }
  slot->num_delivered += partial->num_delivered;
  slot->num_refused += partial->num_refused;
  slot->refusal = slot->refusal.empty() ? partial->refusal : slot->refusal;
  slot->pdata.batch = partial->rest;
}

/// The outcome of the rest as that of the batch as it came.
engine::Outcome OfWhole(const Slot& slot, engine::Outcome outcome) {
  const bool is_of_rest = slot.num_delivered > 0 || slot.num_refused > 0;
  if (!is_of_rest) {
    return outcome;
  }
  auto partial = std::make_shared<engine::PartialDelivery>();
  partial->num_delivered = slot.num_delivered;
  partial->num_refused = slot.num_refused;
  partial->refusal = slot.refusal;
  const int64_t num_left = slot.pdata.batch->num_items();
  if (outcome.is_ack) {
    const int64_t refused = outcome.partial == nullptr ? 0 : outcome.partial->num_refused;
    partial->num_dead_letters = outcome.partial == nullptr ? 0 : outcome.partial->num_dead_letters;
    partial->num_delivered += num_left - refused;
    partial->num_refused += refused;
    if (refused > 0 && partial->refusal.empty()) {
      partial->refusal = outcome.partial->refusal;
    }
    outcome.partial = partial->num_refused > 0 ? std::move(partial) : nullptr;
    return outcome;
  }
  if (outcome.is_permanent && slot.num_delivered > 0) {
    // Most of it may be delivered, and must not be sent again.
    engine::Outcome ack = engine::Outcome::Ack();
    partial->num_refused += num_left;
    partial->refusal = outcome.reason;
    ack.partial = std::move(partial);
    return ack;
  }
  outcome.reason = fmt::format("{} (items before: {} delivered, {} refused)", outcome.reason,
                               slot.num_delivered, slot.num_refused);
  outcome.partial = std::move(partial);
  return outcome;
}

}  // namespace

std::string_view RetryProcessor::Name(End end) {
  constexpr std::array<std::string_view, kNumEnds> kNames = {"permanent",      "max_elapsed_time",
                                                             "max_retries",    "route_closed",
                                                             "drain_deadline", "no_answer"};
  return kNames[static_cast<size_t>(end)];
}

RetryProcessor::RetryProcessor(std::shared_ptr<const RetryConfig> config,
                               const engine::InstanceInfo& info)
    : config_(std::move(config)), random_(SeedOf(*config_, info)) {}

Status RetryProcessor::Start(engine::Effects& effects) {
  effects_ = &effects;
  wakeup_.emplace(&effects.loop());
  due_timer_.emplace(&effects.loop(), [this] { OnDue(); });
  give_up_timer_.emplace(&effects.loop(), [this] { GiveUpWaiting(); });
  scheduled_ = &effects.metrics().AddCounter(kScheduled);
  recovered_ = &effects.metrics().AddCounter(kRecovered);
  waiting_ = &effects.metrics().AddGauge(kWaiting);
  kept_ = &effects.metrics().AddGauge(kKept);
  for (size_t end = 0; end < kNumEnds; ++end) {
    terminated_[end] = &effects.metrics().AddCounter(
        kTerminated, {{"reason", std::string(Name(static_cast<End>(end)))}});
  }
  if (config_->unanswered_check.has_value()) {
    effects.StartTimer(kUnansweredTimer, *config_->unanswered_check);
  }
  on_drain_.emplace(&effects.drain(), [this] { OnDrain(); });
  const engine::InstanceInfo& info = effects.info();
  outages_.emplace(engine::OutageLog::Words{.subject = fmt::format("{}/{}: node '{}', instance {}",
                                                                   info.group, info.pipeline,
                                                                   info.node, info.instance_index),
                                            .failing = "batches are refused and sent again",
                                            .failures = "refusals"},
                   &effects.clock());
  return Status::OK();
}

runtime::Task<Status> RetryProcessor::Process(engine::Pdata pdata, engine::Effects& effects) {
  while (slots_.num_used() >= config_->max_in_flight) {
    co_await WaitForChange();
  }
  const uint32_t index = slots_.Add(std::move(pdata), effects.clock().Now());
  co_await SendSlot(index);
  co_return Status::OK();
}

runtime::Task<Status> RetryProcessor::OnTimer(engine::TimerId id, engine::Effects&) {
  if (id == kUnansweredTimer) {
    GiveUpUnanswered();
    co_return Status::OK();
  }
  co_await SendDue();
  co_return Status::OK();
}

runtime::Task<Status> RetryProcessor::Finish(engine::Effects& effects) {
  // The timers of the engine no longer reach a node that finishes.
  runtime::Timer check(&effects.loop(), [this] { WakeWaiter(); });
  while (slots_.num_used() > 0) {
    if (config_->unanswered_check.has_value() && !check.is_armed()) {
      GiveUpUnanswered();
      check.StartAt(effects.clock().Now() + *config_->unanswered_check);
    }
    if (slots_.num_used() > 0) {
      co_await WaitForChange();
    }
  }
  co_return Status::OK();
}

/// Sends what is due, and when nothing is, waits until something is or a slot is free.
runtime::Task<> RetryProcessor::WaitForChange() {
  const int64_t num_used = slots_.num_used();
  co_await SendDue();
  if (slots_.num_used() == num_used) {
    is_waiting_ = true;
    co_await wakeup_->Wait();
    is_waiting_ = false;
  }
}

runtime::Task<> RetryProcessor::SendDue() {
  while (slots_.next_due().has_value() && *slots_.next_due() <= effects_->clock().Now()) {
    co_await SendSlot(slots_.TakeNextDue());
  }
  ArmTimer();
}

runtime::Task<> RetryProcessor::SendSlot(uint32_t index) {
  Slot& slot = slots_.at(index);
  ++slot.num_attempts;
  engine::Pdata copy(slot.pdata.batch, effects_->MakeToken(this, slots_.CalldataOf(index)));
  // The bytes are counted by what is kept, also while the batch is downstream.
  copy.charge = slot.pdata.charge.Share();
  co_await effects_->Send(std::move(copy));
}

void RetryProcessor::OnOutcome(const engine::Outcome& outcome, uint64_t calldata) {
  const std::optional<uint32_t> index = slots_.Find(calldata);
  if (!index.has_value()) {
    return;
  }
  if (outcome.is_ack) {
    Slot slot = slots_.Remove(*index);
    if (slot.num_attempts > 1) {
      recovered_->Add(1);
    }
    outages_->Succeeded();
    slot.pdata.token.Complete(OfWhole(slot, outcome));
  } else {
    OnNack(*index, outcome);
  }
  WakeWaiter();
}

void RetryProcessor::OnNack(uint32_t index, const engine::Outcome& outcome) {
  Slot& slot = slots_.at(index);
  slot.last = outcome;
  KeepRest(outcome.partial.get(), &slot);
  slot.last.partial = nullptr;
  if (outcome.is_permanent) {
    return GiveUp(index, End::kPermanent);
  }
  if (outcome.cause == engine::NackCause::kRouteClosed ||
      outcome.cause == engine::NackCause::kNodeEnded) {
    return GiveUp(index, End::kRouteClosed);
  }
  if (config_->max_retries > 0 && slot.num_attempts > config_->max_retries) {
    return GiveUp(index, End::kMaxRetries);
  }
  const runtime::SteadyTime due = effects_->clock().Now() + NextWait(slot.num_attempts);
  if (due - slot.first_sent > config_->max_elapsed_time) {
    return GiveUp(index, End::kMaxElapsedTime);
  }
  if (give_up_at_.has_value() && due >= *give_up_at_) {
    return GiveUp(index, End::kDrainDeadline);
  }
  scheduled_->Add(1);
  slots_.Wait(index, due);
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(due - effects_->clock().Now());
  outages_->Failed(fmt::format("{} wait, the next attempt is in {}: {}", slots_.num_waiting(),
                               FormatDuration(wait), outcome.reason));
  ArmTimer();
}

/// The slot is in flight, or counts as such.
void RetryProcessor::GiveUp(uint32_t index, End end) {
  terminated_[static_cast<size_t>(end)]->Add(1);
  Slot slot = slots_.Remove(index);
  if (end != End::kPermanent) {
    slot.last.reason = fmt::format("{} (given up after {} attempts: {})", slot.last.reason,
                                   slot.num_attempts, Name(end));
  }
  slot.pdata.token.Complete(OfWhole(slot, slot.last));
}

/// Half of the wait is fixed and half is drawn, so that batches refused together do not come back
/// together.
nanoseconds RetryProcessor::NextWait(int64_t num_attempts) {
  const auto longest = static_cast<double>(config_->max_interval.count());
  double wait = static_cast<double>(config_->initial_interval.count()) *
                std::pow(config_->multiplier, static_cast<double>(num_attempts - 1));
  wait = std::min(wait, longest);  // also of an infinite one
  if (give_up_at_.has_value()) {
    wait = std::min(wait, static_cast<double>(kDrainInterval.count()));
  }
  const double draw = static_cast<double>(random_() >> 11) * 0x1p-53;
  return std::max(nanoseconds(1), nanoseconds(static_cast<int64_t>(wait * (0.5 + 0.5 * draw))));
}

void RetryProcessor::ArmTimer() {
  if (const std::optional<runtime::SteadyTime> due = slots_.next_due()) {
    due_timer_->StartAt(*due);
  } else {
    due_timer_->Cancel();
  }
}

void RetryProcessor::OnDue() {
  if (is_waiting_) {
    WakeWaiter();
  } else {
    effects_->WakeAt(kDueTimer, effects_->clock().Now());
  }
}

void RetryProcessor::WakeWaiter() {
  if (std::exchange(is_waiting_, false)) {
    wakeup_->Notify();
  }
}

void RetryProcessor::OnDrain() {
  const runtime::SteadyTime now = effects_->clock().Now();
  const runtime::SteadyTime deadline = effects_->drain_deadline().value_or(now);
  give_up_at_ = deadline - std::min(kDrainMargin, nanoseconds((deadline - now) / 8));
  give_up_timer_->StartAt(*give_up_at_);
  slots_.MakeAllDue(now);
  ArmTimer();
}

void RetryProcessor::GiveUpWaiting() {
  while (slots_.num_waiting() > 0) {
    GiveUp(slots_.TakeNextDue(), End::kDrainDeadline);
  }
  WakeWaiter();
}

void RetryProcessor::GiveUpUnanswered() {
  const runtime::SteadyTime now = effects_->clock().Now();
  slots_.VisitInFlight([&](uint32_t index) {
    Slot& slot = slots_.at(index);
    if (now - slot.first_sent > config_->max_elapsed_time) {
      slot.last = engine::Outcome::Nack("no outcome from downstream", false);
      GiveUp(index, End::kNoAnswer);
    }
  });
}

Status RetryProcessor::OnConfig(const engine::NodeConfigPtr& config) {
  auto changed = std::static_pointer_cast<const RetryConfig>(config);
  if (changed->unanswered_check != config_->unanswered_check) {
    if (changed->unanswered_check.has_value()) {
      effects_->StartTimer(kUnansweredTimer, *changed->unanswered_check);
    } else {
      effects_->CancelTimer(kUnansweredTimer);
    }
  }
  config_ = std::move(changed);
  WakeWaiter();  // for a Process that waits for a slot: there may be more now
  return Status::OK();
}

void RetryProcessor::OnCollect() {
  waiting_->Set(slots_.num_waiting());
  kept_->Set(slots_.num_used());
}

engine::NodeReport RetryProcessor::Report() {
  int64_t given_up = 0;
  for (const telemetry::Counter* counter : terminated_) {
    given_up += counter == nullptr ? 0 : counter->value();
  }
  const auto value = [](const telemetry::Counter* counter) {
    return counter == nullptr ? 0 : counter->value();
  };
  return {.lines = {fmt::format("{} retries; {} batches recovered, {} given up, {} left",
                                value(scheduled_), value(recovered_), given_up, slots_.num_used())},
          .num_problems = given_up + slots_.num_used()};
}

}  // namespace df::nodes::processors::retry
