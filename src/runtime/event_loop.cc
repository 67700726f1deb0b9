#include "runtime/event_loop.h"

#include <iterator>
#include <utility>
#include <vector>

#include "runtime/event_loop_io.h"

namespace df::runtime {

EventLoop::EventLoop(const Clock& clock) : clock_(clock), io_(std::make_unique<Io>()) {}

EventLoop::~EventLoop() {
  for (auto& [deadline, timer] : timers_) {
    timer->is_armed_ = false;
  }
}

void EventLoop::Run() {
  PostPass();
  auto guard = boost::asio::make_work_guard(io_->context);
  io_->context.run();
}

void EventLoop::RunUntilIdle() {
  is_stepped_ = true;
  bool has_run = true;
  while (has_run) {
    io_->context.restart();
    has_run = io_->context.poll() > 0;
    has_run |= FireDueTimers();
    has_run |= RunReady();
  }
  is_stepped_ = false;
}

void EventLoop::Stop() { io_->context.stop(); }

void EventLoop::Post(std::function<void()> action) {
  boost::asio::post(io_->context, std::move(action));
}

void EventLoop::Schedule(Waiter& waiter) {
  ready_.push_back(waiter);
  PostPass();
}

bool EventLoop::RunReady() {
  if (ready_.empty()) {
    return false;
  }
  // What becomes ready meanwhile waits for the next pass, so that I/O gets its turn.
  WaiterList pass;
  pass.swap(ready_);
  while (!pass.empty()) {
    auto next = pass.begin();
    if (order_ != nullptr) [[unlikely]] {
      std::advance(next, order_->Choose(pass.size()));
    }
    Waiter& waiter = *next;
    pass.erase(next);
    waiter.handle.resume();
  }
  return true;
}

std::optional<SteadyTime> EventLoop::NextDeadline() const {
  if (timers_.empty()) {
    return std::nullopt;
  }
  return timers_.begin()->first;
}

bool EventLoop::FireDueTimers() {
  bool has_fired = false;
  // Timers that are started again by their own action come later in this order.
  const SteadyTime now = clock_.Now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    Timer* timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer->is_armed_ = false;
    has_fired = true;
    timer->action_();
  }
  return has_fired;
}

void EventLoop::PostPass() {
  if (!is_pass_posted_) {
    is_pass_posted_ = true;
    boost::asio::post(io_->context, [this] { Pass(); });
  }
}

void EventLoop::Pass() {
  is_pass_posted_ = false;
  FireDueTimers();
  RunReady();
  ArmTimers();
}

void EventLoop::ArmTimers() {
  // Time that a test moves has nothing to do with that of the system: a deadline close ahead would
  // come again and again before the test gets to move it.
  if (timers_.empty() || is_stepped_) {
    return;
  }
  const SteadyTime deadline = timers_.begin()->first;
  if (armed_.has_value() && *armed_ <= deadline) {
    return;  // it wakes early enough, and the pass that it starts arms it again
  }
  armed_ = deadline;
  io_->timer.expires_after(deadline - clock_.Now());
  io_->timer.async_wait([this](const boost::system::error_code& error) {
    if (!error) {
      armed_.reset();
      Pass();
    }
  });
}

Task<bool> EventLoop::SleepFor(std::chrono::nanoseconds duration, Cancellation* cancellation) {
  return SleepUntil(clock_.Now() + duration, cancellation);
}

Task<bool> EventLoop::SleepUntil(SteadyTime deadline, Cancellation* cancellation) {
  if (cancellation != nullptr && cancellation->is_requested()) {
    co_return false;
  }
  Wakeup wakeup(this);
  Timer timer(this, [&wakeup] { wakeup.Notify(); });
  timer.StartAt(deadline);
  if (cancellation == nullptr) {
    co_await wakeup.Wait();
    co_return true;
  }
  Cancellation::Subscription subscription(cancellation, [&wakeup] { wakeup.Notify(); });
  co_await wakeup.Wait();
  co_return !cancellation->is_requested();
}

void Timer::StartAt(SteadyTime deadline) {
  Cancel();
  position_ = loop_->timers_.emplace(deadline, this);
  is_armed_ = true;
  if (position_ == loop_->timers_.begin()) {
    loop_->PostPass();
  }
}

void Timer::Cancel() {
  if (is_armed_) {
    loop_->timers_.erase(position_);
    is_armed_ = false;
  }
}

void Cancellation::Request() {
  if (is_requested_) {
    return;
  }
  is_requested_ = true;
  while (!subscriptions_.empty()) {
    Subscription& subscription = subscriptions_.front();
    subscriptions_.pop_front();
    subscription.action_();
  }
}

Cancellation::Subscription::Subscription(Cancellation* cancellation, std::function<void()> action)
    : action_(std::move(action)) {
  if (cancellation->is_requested_) {
    action_();
    return;
  }
  cancellation->subscriptions_.push_back(*this);
}

}  // namespace df::runtime
