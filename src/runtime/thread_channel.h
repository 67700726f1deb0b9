// The queue from a worker thread to a loop.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/channel.h"

namespace df::runtime {

/// Moves messages in order from worker threads to one coroutine of a loop.
/// Calls: Push and Close from any thread, Pop from the loop. A message belongs to one thread at a
/// time: what it refers to must not be kept by the thread that pushed it.
template <typename T>
class ThreadChannel {
 public:
  /// `loop` is borrowed and outlives the channel and its producers.
  ThreadChannel(EventLoop* loop, ChannelLimits limits)
      : state_(std::make_shared<State>(loop, limits)) {}
  ~ThreadChannel() { Close(); }
  ThreadChannel(const ThreadChannel&) = delete;
  ThreadChannel& operator=(const ThreadChannel&) = delete;

  /// Blocks until the message is admitted (true) or the channel is closed (false: it is dropped).
  bool Push(T message, int64_t size_bytes) {
    State& state = *state_;
    std::unique_lock lock(state.mutex);
    if (!state.is_closed && !state.Fits(size_bytes)) {
      const SteadyTime start = state.loop->clock().Now();
      state.has_room.wait(lock, [&] { return state.is_closed || state.Fits(size_bytes); });
      state.full_waits.Add(state.loop->clock().Now() - start);
    }
    if (state.is_closed) {
      return false;
    }
    state.buffer.emplace_back(std::move(message), size_bytes);
    state.size_bytes += size_bytes;
    state.WakeConsumer();
    return true;
  }

  /// Waits for a message; nothing means that the channel is closed and drained. One consumer.
  auto Pop() { return PopAwaiter(state_.get()); }

  /// Admits nothing more and frees blocked producers; buffered messages stay for the consumer.
  void Close() {
    State& state = *state_;
    const std::lock_guard lock(state.mutex);
    state.is_closed = true;
    state.has_room.notify_all();
    state.WakeConsumer();
  }

  /// Waits of producers for room, and of the consumer for messages.
  const WaitCounter& full_waits() const { return state_->full_waits; }
  const WaitCounter& empty_waits() const { return state_->empty_waits; }

 private:
  struct State : std::enable_shared_from_this<State> {
    State(EventLoop* owner, ChannelLimits bound) : loop(owner), limits(bound) {}

    bool Fits(int64_t size) const {
      return buffer.empty() || (static_cast<int64_t>(buffer.size()) < limits.max_messages &&
                                size <= limits.max_bytes - size_bytes);
    }

    // Needs the mutex. The consumer is woken on its own loop; the state lives as long as the call
    // is under way.
    void WakeConsumer() {
      if (std::exchange(is_consumer_waiting, false)) {
        loop->Post([self = this->shared_from_this()] {
          if (!self->poppers.empty()) {
            Waiter& popper = self->poppers.front();
            self->poppers.pop_front();
            self->loop->Schedule(popper);
          }
        });
      }
    }

    EventLoop* loop;
    ChannelLimits limits;
    std::mutex mutex;
    std::condition_variable has_room;
    std::deque<std::pair<T, int64_t>> buffer;
    int64_t size_bytes = 0;
    bool is_closed = false;
    bool is_consumer_waiting = false;
    WaiterList poppers;  // touched by the loop only
    WaitCounter full_waits{"worker_edge_full"};
    WaitCounter empty_waits{"worker_edge_empty"};
  };

  class PopAwaiter : public Waiter {
   public:
    explicit PopAwaiter(State* state) : state_(state) {}
    bool await_ready() { return false; }
    bool await_suspend(std::coroutine_handle<> coroutine) {
      const std::lock_guard lock(state_->mutex);
      if (!state_->buffer.empty() || state_->is_closed) {
        return false;
      }
      handle = coroutine;
      start_ = state_->loop->clock().Now();
      state_->poppers.push_back(*this);
      state_->is_consumer_waiting = true;
      return true;
    }
    std::optional<T> await_resume() {
      if (handle) {
        state_->empty_waits.Add(state_->loop->clock().Now() - start_);
      }
      const std::lock_guard lock(state_->mutex);
      if (state_->buffer.empty()) {
        return std::nullopt;
      }
      std::optional<T> message(std::move(state_->buffer.front().first));
      state_->size_bytes -= state_->buffer.front().second;
      state_->buffer.pop_front();
      state_->has_room.notify_all();
      return message;
    }

   private:
    State* state_;
    SteadyTime start_;
  };

  std::shared_ptr<State> state_;
};

}  // namespace df::runtime
