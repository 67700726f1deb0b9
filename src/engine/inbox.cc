#include "engine/inbox.h"

#include <algorithm>

namespace df::engine {

Inbox::Inbox(runtime::EventLoop* loop, InboxLimits limits, NodeMetrics* metrics)
    : wakeup_(loop),
      pdata_(loop, limits.pdata, &wakeup_),
      clock_(loop->clock()),
      metrics_(metrics),
      limits_(limits) {
  metrics_->edge_batches_limit->Set(limits.pdata.max_messages);
  metrics_->edge_bytes_limit->Set(limits.pdata.max_bytes);
}

Inbox::~Inbox() {
  metrics_->edge_batches->Add(-shown_batches_);
  metrics_->edge_bytes->Add(-shown_bytes_);
}

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
  if (IsWaiting(id) || static_cast<int64_t>(control_.size()) >= limits_.max_control) {
    metrics_->ticks_left_out->Add(1);
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

runtime::Task<InboxEvent> Inbox::Next(runtime::SteadyTime* now) {
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
      if (metrics_->edge_wait != nullptr) {
        metrics_->edge_wait->Record((clock_.Now() - event.pdata.queued_at).count());
      }
      co_return std::move(event);
    }
    if (pdata_.is_drained()) {
      UpdateMetrics();
      co_return std::move(event);
    }
    co_await wakeup_.Wait();
    if (metrics_->has_times()) {
      const runtime::SteadyTime end = clock_.Now();
      metrics_->empty_wait.Add(end - *now);
      *now = end;
    }
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
  UpdateMetrics();
}

}  // namespace df::engine
