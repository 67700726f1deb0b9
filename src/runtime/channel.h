// The queue between two coroutines of one loop.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include <boost/circular_buffer.hpp>

#include "runtime/event_loop.h"
#include "runtime/wait_counter.h"

namespace df::runtime {

/// Bound of a queue. Both hold at the same time; an empty queue admits one message of any size.
struct ChannelLimits {
  int64_t max_messages = 1;
  int64_t max_bytes = INT64_MAX;
};

enum class PushResult {
  kSent,
  kFull,    ///< only from TryPush: the message is still the caller's
  kClosed,  ///< the message is still the caller's
};

/// Moves messages in order from many producers to one consumer of the same loop.
/// Shape: producers that have to wait are served first come, first served; a message that does not
/// fit holds back later ones. After Close the consumer still gets what is buffered.
/// Calls: the thread of the loop. Cost: no allocation once the buffer has grown to its working
/// size.
template <typename T>
class Channel {
 public:
  /// `loop` and `listener` are borrowed. A listener is notified of messages and of the end, for a
  /// consumer that waits for several things.
  Channel(EventLoop* loop, ChannelLimits limits, Wakeup* listener = nullptr)
      : loop_(loop), limits_(limits), listener_(listener) {}
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Admits a message if it fits now. `message` is moved from only when it is sent.
  PushResult TryPush(T& message, int64_t size_bytes) {
    if (is_closed_) {
      return PushResult::kClosed;
    }
    if (!pushers_.empty() || !Fits(size_bytes)) {
      return PushResult::kFull;
    }
    Append(std::move(message), size_bytes);
    return PushResult::kSent;
  }

  /// Tells whether TryPush would send a message of this size now.
  bool HasRoom(int64_t size_bytes) const {
    return !is_closed_ && pushers_.empty() && Fits(size_bytes);
  }

  /// Waits until the message is admitted: kSent, or kClosed. `message` is moved from only when it
  /// is sent, and must stay where it is until then.
  auto Push(T& message, int64_t size_bytes) { return PushAwaiter(this, message, size_bytes); }

  /// Takes the oldest message, or nothing when there is none now.
  std::optional<T> TryPop() {
    if (buffer_.empty()) {
      return std::nullopt;
    }
    std::optional<T> message(std::move(buffer_.front().message));
    size_bytes_ -= buffer_.front().size_bytes;
    buffer_.pop_front();
    AdmitWaiting();
    return message;
  }

  /// Waits for a message; nothing means that the channel is closed and drained. One consumer.
  auto Pop() { return PopAwaiter(this); }

  /// Admits nothing more. Waiting producers get kClosed; buffered messages stay for the consumer.
  void Close() {
    if (is_closed_) {
      return;
    }
    is_closed_ = true;
    while (!pushers_.empty()) {
      Wake(TakeFirstPusher(), PushResult::kClosed);
    }
    NotifyConsumer();
  }

  bool is_closed() const { return is_closed_; }
  bool is_drained() const { return is_closed_ && buffer_.empty(); }
  int64_t num_messages() const { return static_cast<int64_t>(buffer_.size()); }
  int64_t size_bytes() const { return size_bytes_; }
  const ChannelLimits& limits() const { return limits_; }
  int64_t num_waiting_producers() const { return static_cast<int64_t>(pushers_.size()); }

  /// Calls back for every buffered message, the oldest first.
  template <typename Action>
  void ForEach(Action action) const {
    for (const Entry& entry : buffer_) {
      action(entry.message);
    }
  }

  /// Waits of producers for room, and of the consumer for messages.
  const WaitCounter& full_waits() const { return full_waits_; }
  const WaitCounter& empty_waits() const { return empty_waits_; }

 private:
  struct Entry {
    T message;
    int64_t size_bytes;
  };

  class PushAwaiter : public Waiter {
   public:
    PushAwaiter(Channel* channel, T& message, int64_t size_bytes)
        : channel_(channel), message_(message), size_bytes_(size_bytes) {}
    bool await_ready() {
      result_ = channel_->TryPush(message_, size_bytes_);
      return result_ != PushResult::kFull;
    }
    void await_suspend(std::coroutine_handle<> coroutine) {
      handle = coroutine;
      start_ = channel_->loop_->clock().Now();
      channel_->pushers_.push_back(*this);
    }
    PushResult await_resume() { return result_; }

   private:
    friend class Channel;
    Channel* channel_;
    T& message_;
    int64_t size_bytes_;
    SteadyTime start_;
    PushResult result_ = PushResult::kFull;
  };

  class PopAwaiter : public Waiter {
   public:
    explicit PopAwaiter(Channel* channel) : channel_(channel) {}
    bool await_ready() { return channel_->num_messages() > 0 || channel_->is_closed_; }
    void await_suspend(std::coroutine_handle<> coroutine) {
      handle = coroutine;
      start_ = channel_->loop_->clock().Now();
      channel_->poppers_.push_back(*this);
    }
    std::optional<T> await_resume() {
      if (handle) {
        channel_->empty_waits_.Add(channel_->loop_->clock().Now() - start_);
      }
      return channel_->TryPop();
    }

   private:
    Channel* channel_;
    SteadyTime start_;
  };

  bool Fits(int64_t size_bytes) const {
    return buffer_.empty() ||
           (num_messages() < limits_.max_messages && size_bytes <= limits_.max_bytes - size_bytes_);
  }

  void Append(T&& message, int64_t size_bytes) {
    if (buffer_.full()) {
      buffer_.set_capacity(std::max<size_t>(8, buffer_.capacity() * 2));
    }
    buffer_.push_back(Entry{std::move(message), size_bytes});
    size_bytes_ += size_bytes;
    NotifyConsumer();
  }

  void AdmitWaiting() {
    while (!pushers_.empty() && Fits(FirstPusher().size_bytes_)) {
      PushAwaiter& pusher = TakeFirstPusher();
      Append(std::move(pusher.message_), pusher.size_bytes_);
      Wake(pusher, PushResult::kSent);
    }
  }

  PushAwaiter& FirstPusher() { return static_cast<PushAwaiter&>(pushers_.front()); }

  PushAwaiter& TakeFirstPusher() {
    PushAwaiter& pusher = FirstPusher();
    pushers_.pop_front();
    return pusher;
  }

  void Wake(PushAwaiter& pusher, PushResult result) {
    pusher.result_ = result;
    full_waits_.Add(loop_->clock().Now() - pusher.start_);
    loop_->Schedule(pusher);
  }

  void NotifyConsumer() {
    if (listener_ != nullptr) {
      listener_->Notify();
    }
    if (!poppers_.empty()) {
      Waiter& popper = poppers_.front();
      poppers_.pop_front();
      loop_->Schedule(popper);
    }
  }

  EventLoop* loop_;
  ChannelLimits limits_;
  Wakeup* listener_;
  boost::circular_buffer<Entry> buffer_;
  int64_t size_bytes_ = 0;
  bool is_closed_ = false;
  WaiterList pushers_;
  WaiterList poppers_;
  WaitCounter full_waits_{"edge_full"};
  WaitCounter empty_waits_{"edge_empty"};
};

}  // namespace df::runtime
