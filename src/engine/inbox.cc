#include "engine/inbox.h"

#include <algorithm>

namespace df::engine {

Inbox::Inbox(runtime::EventLoop* loop, InboxLimits limits, telemetry::MetricSet* metrics)
    : wakeup_(loop),
      pdata_(loop, limits.pdata, &wakeup_),
      max_control_(limits.max_control),
      clock_(loop->clock()),
      full_waits_(metrics->Find("waits{reason=edge_full}")),
      full_wait_ns_(metrics->Find("wait_ns{reason=edge_full}")),
      empty_waits_(metrics->Find("waits{reason=edge_empty}")),
      empty_wait_ns_(metrics->Find("wait_ns{reason=edge_empty}")),
      ticks_left_out_(metrics->Find("timer_ticks_left_out")) {}

bool Inbox::IsWaiting(TimerId id) const {
  return std::find(control_.begin(), control_.end(), id) != control_.end();
}

void Inbox::Append(TimerId id) {
  if (control_.full()) {
    control_.set_capacity(control_.capacity() * 2);
  }
  control_.push_back(id);
  wakeup_.Notify();
}

void Inbox::PushTick(TimerId id) {
  if (IsWaiting(id) || static_cast<int64_t>(control_.size()) >= max_control_) {
    ticks_left_out_.Add(1);
    return;
  }
  Append(id);
}

void Inbox::PushWake(TimerId id) {
  if (!IsWaiting(id)) {
    Append(id);
  }
}

void Inbox::DropTimer(TimerId id) {
  const auto waiting = std::find(control_.begin(), control_.end(), id);
  if (waiting != control_.end()) {
    control_.erase(waiting);
  }
}

runtime::Task<InboxEvent> Inbox::Next() {
  InboxEvent event;
  while (true) {
    const bool is_datas_turn =
        num_control_in_a_row_ >= kMaxControlInARow && pdata_.num_messages() > 0;
    if (!is_datas_turn) {
      if (!control_.empty()) {
        ++num_control_in_a_row_;
        event.kind = InboxEvent::Kind::kTimer;
        event.timer = control_.front();
        control_.pop_front();
        co_return std::move(event);
      }
    }
    num_control_in_a_row_ = 0;
    if (std::optional<Pdata> pdata = pdata_.TryPop()) {
      UpdateMetrics();
      event.kind = InboxEvent::Kind::kBatch;
      event.pdata = std::move(*pdata);
      co_return std::move(event);
    }
    if (pdata_.is_drained()) {
      UpdateMetrics();
      co_return std::move(event);
    }
    const runtime::SteadyTime start = clock_.Now();
    co_await wakeup_.Wait();
    empty_waits_.Add(1);
    empty_wait_ns_.Add((clock_.Now() - start).count());
  }
}

EdgeLeft Inbox::WhatIsLeft() const {
  EdgeLeft left;
  left.num_batches = pdata_.num_messages();
  left.size_bytes = pdata_.size_bytes();
  left.num_senders = pdata_.num_waiting_producers();
  pdata_.ForEach([&left](const Pdata& pdata) { left.num_items += pdata.batch->num_items(); });
  return left;
}

void Inbox::Refuse(const std::string& reason, NackCause cause) {
  pdata_.Close();
  while (std::optional<Pdata> pdata = pdata_.TryPop()) {
    pdata->token.Nack(reason, false, cause);
  }
}

void Inbox::UpdateMetrics() {
  full_waits_.Set(pdata_.full_waits().num_waits());
  full_wait_ns_.Set(pdata_.full_waits().waited().count());
}

}  // namespace df::engine
