// The coroutine type of everything that runs on a loop.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "runtime/frame_pool.h"

namespace df::runtime {

template <typename T>
class Task;

namespace task_internal {

/// Resumes whoever awaits the finished coroutine. The compilers we use make real tail calls out of
/// symmetric transfer only when they optimise, so a loop over coroutines that finish without
/// waiting would eat the stack in a debug build. Therefore the awaiting side starts the coroutine
/// by a plain call and goes on by itself when that call has already finished it.
class PromiseBase {
 public:
  static void* operator new(std::size_t size_bytes) { return AllocateFrame(size_bytes); }
  static void operator delete(void* frame, std::size_t size_bytes) noexcept {
    FreeFrame(frame, size_bytes);
  }

  std::suspend_always initial_suspend() noexcept { return {}; }

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <typename Promise>
    void await_suspend(std::coroutine_handle<Promise> finished) noexcept {
      PromiseBase& promise = finished.promise();
      promise.is_done_ = true;
      if (!promise.is_starting_ && promise.awaiting_) {
        promise.awaiting_.resume();  // may destroy the finished frame: nothing follows
      }
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }

  void unhandled_exception() noexcept { exception_ = std::current_exception(); }

  bool is_done() const { return is_done_; }

  /// Runs the coroutine to its first wait; returns whether it has finished.
  template <typename Promise>
  static bool Start(std::coroutine_handle<Promise> handle, std::coroutine_handle<> awaiting) {
    PromiseBase& promise = handle.promise();
    promise.awaiting_ = awaiting;
    promise.is_starting_ = true;
    handle.resume();
    promise.is_starting_ = false;
    return promise.is_done_;
  }

  void RethrowIfFailed() {
    if (exception_ != nullptr) {
      std::rethrow_exception(std::exchange(exception_, nullptr));
    }
  }

 private:
  std::coroutine_handle<> awaiting_;
  std::exception_ptr exception_;
  bool is_starting_ = false;
  bool is_done_ = false;
};

template <typename T>
class Promise : public PromiseBase {
 public:
  Task<T> get_return_object();
  template <typename Value>
  void return_value(Value&& value) {
    value_.emplace(std::forward<Value>(value));
  }
  T TakeValue() {
    RethrowIfFailed();
    return std::move(*value_);
  }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() {}
  void TakeValue() { RethrowIfFailed(); }
};

}  // namespace task_internal

/// A coroutine that starts when it is awaited (or by Start) and gives one value.
/// Owner: move-only; destroying it destroys the coroutine where it waits. Calls: one thread.
/// An exception that leaves the coroutine is thrown again where it is awaited.
template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = task_internal::Promise<T>;

  Task() = default;
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Task() {
    if (handle_) {
      handle_.destroy();
    }
  }

  /// Runs a task that nobody awaits up to its first wait.
  void Start() { promise_type::Start(handle_, nullptr); }

  /// Tells whether the task has run to its end.
  bool is_done() const { return handle_ && handle_.promise().is_done(); }

  /// Waits for the task; for awaiters that are made of others.
  struct Awaiter {
    std::coroutine_handle<promise_type> handle;
    bool await_ready() { return false; }
    bool await_suspend(std::coroutine_handle<> awaiting) {
      return !promise_type::Start(handle, awaiting);
    }
    T await_resume() { return handle.promise().TakeValue(); }
  };
  Awaiter operator co_await() && { return Awaiter{handle_}; }

 private:
  std::coroutine_handle<promise_type> handle_;
};

namespace task_internal {

template <typename T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}

inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

}  // namespace task_internal
}  // namespace df::runtime
