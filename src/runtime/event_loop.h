// The loop of one core: ready coroutines, timers and calls from other threads.
#pragma once

#include <coroutine>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include <boost/intrusive/list.hpp>

#include "runtime/clock.h"
#include "runtime/task.h"

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace df::runtime {

/// A coroutine that waits. It stands in at most one list, and leaves it when it is destroyed, so a
/// frame may be destroyed wherever it waits.
struct Waiter
    : boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  std::coroutine_handle<> handle;
};
using WaiterList = boost::intrusive::list<Waiter, boost::intrusive::constant_time_size<false>>;

class Timer;
class Cancellation;

/// Decides which of the coroutines that are ready goes on next; simulations try orders with it.
class ReadyOrder {
 public:
  /// Returns a number below `num_ready` (> 0); the coroutines count in the order in which they
  /// became ready.
  virtual size_t Choose(size_t num_ready) = 0;

 protected:
  ~ReadyOrder() = default;
};

/// Runs everything of one core on the thread that calls Run.
/// Calls: everything from the thread of the loop, except Post and Stop.
class EventLoop {
 public:
  /// `clock` is borrowed and outlives the loop.
  explicit EventLoop(const Clock& clock = SystemClock());
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  const Clock& clock() const { return clock_; }

  /// Runs until Stop, also when Stop came first.
  void Run();

  /// Runs what is ready and due, until nothing is left to do now. For tests with their own clock.
  void RunUntilIdle();

  /// Lets `order` choose from now on; null: first come, first served. Borrowed.
  void SetReadyOrder(ReadyOrder* order) { order_ = order; }

  /// When the next timer fires; nothing when none is set. A simulation moves its clock there.
  std::optional<SteadyTime> NextDeadline() const;

  /// Makes Run return soon; what is still waiting stays where it is. Calls: from any thread.
  void Stop();

  /// Runs `action` on the loop. Calls: from any thread.
  void Post(std::function<void()> action);

  /// Resumes a waiter in a later pass. It must stand in no list.
  void Schedule(Waiter& waiter);

  /// Waits for a time. Returns false when `cancellation` (may be null) came first.
  Task<bool> SleepUntil(SteadyTime deadline, Cancellation* cancellation);
  Task<bool> SleepFor(std::chrono::nanoseconds duration, Cancellation* cancellation);

 private:
  friend class Timer;
  friend class SignalListener;
  friend boost::asio::io_context& IoContext(EventLoop* loop);
  class Io;  // hides the I/O library

  bool RunReady();
  bool FireDueTimers();
  void PostPass();
  void Pass();
  void ArmTimers();

  const Clock& clock_;
  std::unique_ptr<Io> io_;
  WaiterList ready_;
  ReadyOrder* order_ = nullptr;
  std::multimap<SteadyTime, Timer*> timers_;
  std::optional<SteadyTime> armed_;  // what the timer of the I/O library waits for
  bool is_pass_posted_ = false;
  bool is_stepped_ = false;  // RunUntilIdle is under way
};

/// Calls back once at a time. Owner: borrows the loop; cancels itself when destroyed.
class Timer {
 public:
  Timer(EventLoop* loop, std::function<void()> action) : loop_(loop), action_(std::move(action)) {}
  ~Timer() { Cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Sets the time, in place of an earlier one.
  void StartAt(SteadyTime deadline);
  void Cancel();
  bool is_armed() const { return is_armed_; }

 private:
  friend class EventLoop;
  EventLoop* loop_;
  std::function<void()> action_;
  std::multimap<SteadyTime, Timer*>::iterator position_;
  bool is_armed_ = false;
};

/// Lets one coroutine wait until somebody notifies. A notification that finds nobody waiting is
/// kept, once.
class Wakeup {
 public:
  explicit Wakeup(EventLoop* loop) : loop_(loop) {}

  void Notify() {
    if (waiters_.empty()) {
      is_notified_ = true;
      return;
    }
    Waiter& waiter = waiters_.front();
    waiters_.pop_front();
    loop_->Schedule(waiter);
  }

  auto Wait() {
    struct Awaiter : Waiter {
      explicit Awaiter(Wakeup* owner) : wakeup(owner) {}
      Wakeup* wakeup;
      bool await_ready() { return std::exchange(wakeup->is_notified_, false); }
      void await_suspend(std::coroutine_handle<> coroutine) {
        handle = coroutine;
        wakeup->waiters_.push_back(*this);
      }
      void await_resume() {}
    };
    return Awaiter(this);
  }

 private:
  EventLoop* loop_;
  WaiterList waiters_;
  bool is_notified_ = false;
};

/// A request to end, made once and never taken back.
class Cancellation {
 public:
  bool is_requested() const { return is_requested_; }

  /// Makes the request; calls every subscriber.
  void Request();

  /// Calls back when the request is made (at once when it is made already), until it is destroyed.
  class Subscription : public boost::intrusive::list_base_hook<
                           boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
   public:
    Subscription(Cancellation* cancellation, std::function<void()> action);
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    friend class Cancellation;
    std::function<void()> action_;
  };

 private:
  boost::intrusive::list<Subscription, boost::intrusive::constant_time_size<false>> subscriptions_;
  bool is_requested_ = false;
};

}  // namespace df::runtime
