#include "engine/inbox.h"

#include <vector>

namespace df::engine {

Inbox::Inbox(runtime::EventLoop* loop, InboxLimits limits, telemetry::MetricSet* metrics)
    : wakeup_(loop),
      pdata_(loop, limits.pdata, &wakeup_),
      control_(loop, {.max_messages = limits.max_control}, &wakeup_),
      clock_(loop->clock()),
      full_waits_(metrics->Find("waits{reason=edge_full}")),
      full_wait_ns_(metrics->Find("wait_ns{reason=edge_full}")),
      empty_waits_(metrics->Find("waits{reason=edge_empty}")),
      empty_wait_ns_(metrics->Find("wait_ns{reason=edge_empty}")),
      ticks_left_out_(metrics->Find("timer_ticks_left_out")) {}

void Inbox::PushTimer(TimerId id) {
  const bool is_waiting =
      std::find(waiting_timers_.begin(), waiting_timers_.end(), id) != waiting_timers_.end();
  if (is_waiting || control_.TryPush(id, 0) != runtime::PushResult::kSent) {
    ticks_left_out_.Add(1);
    return;
  }
  waiting_timers_.push_back(id);
}

runtime::Task<InboxEvent> Inbox::Next() {
  InboxEvent event;
  while (true) {
    const bool is_datas_turn =
        num_control_in_a_row_ >= kMaxControlInARow && pdata_.num_messages() > 0;
    if (!is_datas_turn) {
      if (const std::optional<TimerId> timer = control_.TryPop()) {
        std::erase(waiting_timers_, *timer);
        ++num_control_in_a_row_;
        event.kind = InboxEvent::Kind::kTimer;
        event.timer = *timer;
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
