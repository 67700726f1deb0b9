#include "nodes/processors/delay/delay_processor.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace df::nodes::processors::delay {
namespace {

constexpr telemetry::Instrument kWaiting = {telemetry::InstrumentKind::kUpDownCounter,
                                            "df.delay.batches.waiting", "{batch}",
                                            "Batches that wait for their time"};

constexpr engine::TimerId kDueTimer = 0;

}  // namespace

Status DelayProcessor::Start(engine::Effects& effects) {
  effects_ = &effects;
  wakeup_.emplace(&effects.loop());
  timer_.emplace(&effects.loop(), [this] { OnDue(); });
  pending_ = &effects.metrics().AddGauge(kWaiting);
  on_drain_.emplace(&effects.drain(), [this] { OnDue(); });
  return Status::OK();
}

runtime::Task<Status> DelayProcessor::Process(engine::Pdata pdata, engine::Effects& effects) {
  while (is_full()) {
    co_await WaitForDue();
  }
  runtime::SteadyTime due = effects.clock().Now() + config_->delay;
  if (!waiting_.empty()) {
    due = std::max(due, waiting_.back().due);
  }
  if (waiting_.full()) {
    waiting_.set_capacity(waiting_.capacity() * 2);
  }
  waiting_.push_back(Waiting{std::move(pdata), due});
  co_await SendDue();
  co_return Status::OK();
}

runtime::Task<Status> DelayProcessor::OnTimer(engine::TimerId, engine::Effects&) {
  co_await SendDue();
  co_return Status::OK();
}

runtime::Task<Status> DelayProcessor::Finish(engine::Effects&) {
  while (!waiting_.empty()) {
    co_await WaitForDue();
  }
  co_return Status::OK();
}

runtime::Task<> DelayProcessor::WaitForDue() {
  const size_t num_waiting = waiting_.size();
  co_await SendDue();
  if (waiting_.size() == num_waiting) {
    is_waiting_ = true;
    co_await wakeup_->Wait();
  }
}

runtime::Task<> DelayProcessor::SendDue() {
  while (!waiting_.empty() &&
         (effects_->is_draining() || waiting_.front().due <= effects_->clock().Now())) {
    engine::Pdata pdata = std::move(waiting_.front().pdata);
    waiting_.pop_front();
    ++num_sent_;
    co_await effects_->Send(std::move(pdata));
  }
  ArmTimer();
}

void DelayProcessor::ArmTimer() {
  if (!waiting_.empty()) {
    timer_->StartAt(waiting_.front().due);
  }
}

void DelayProcessor::OnDue() {
  if (std::exchange(is_waiting_, false)) {
    wakeup_->Notify();
  } else {
    effects_->WakeAt(kDueTimer, effects_->clock().Now());
  }
}

Status DelayProcessor::OnConfig(const engine::NodeConfigPtr& config) {
  config_ = std::static_pointer_cast<const DelayConfig>(config);
  if (is_waiting_) {
    OnDue();  // there may be room now
  }
  return Status::OK();
}

void DelayProcessor::OnCollect() { pending_->Set(static_cast<int64_t>(waiting_.size())); }

engine::NodeReport DelayProcessor::Report() {
  return {.lines = {fmt::format("{} batches sent on, {} left", num_sent_, waiting_.size())},
          .num_problems = static_cast<int64_t>(waiting_.size())};
}

}  // namespace df::nodes::processors::delay
