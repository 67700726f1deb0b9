// Lets several coroutines of a loop wait for the same change.
#pragma once

#include <coroutine>

#include "runtime/event_loop.h"

namespace df::runtime {

/// Wakes all that wait. Nothing is kept: who waits looks at what it waits for before and after, in
/// a loop. Calls: the thread of the loop.
class Condition {
 public:
  /// `loop` is borrowed.
  explicit Condition(EventLoop* loop) : loop_(loop) {}
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  void NotifyAll() {
    while (!waiters_.empty()) {
      Waiter& waiter = waiters_.front();
      waiters_.pop_front();
      loop_->Schedule(waiter);
    }
  }

  auto Wait() {
    struct Awaiter : Waiter {
      explicit Awaiter(Condition* owner) : condition(owner) {}
      Condition* condition;
      bool await_ready() { return false; }
      void await_suspend(std::coroutine_handle<> coroutine) {
        handle = coroutine;
        condition->waiters_.push_back(*this);
      }
      void await_resume() {}
    };
    return Awaiter(this);
  }

 private:
  EventLoop* loop_;
  WaiterList waiters_;
};

}  // namespace df::runtime
