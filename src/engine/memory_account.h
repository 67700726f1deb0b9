// The bytes of the batches that one pipeline instance holds.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "runtime/event_loop.h"
#include "runtime/task.h"

namespace df::engine {

/// How full the memory of a pipeline instance is.
enum class MemoryPressure : uint8_t {
  kNormal,
  kSoft,  ///< receivers wait before they send
  kHard,  ///< receivers that answer a peer refuse it for now
};

/// Returns "normal", "soft" or "hard".
std::string_view Name(MemoryPressure pressure);

class MemoryCharge;

/// Counts the bytes of batches from the first Send of each to the end of the last message that
/// carries it. Calls: the loop of the instance. Cost: no allocation.
class MemoryAccount {
 public:
  struct Limits {
    int64_t soft_bytes = INT64_MAX;
    int64_t hard_bytes = INT64_MAX;  ///< >= soft_bytes
  };

  MemoryAccount(runtime::EventLoop* loop, Limits limits) : loop_(loop), limits_(limits) {}
  MemoryAccount(const MemoryAccount&) = delete;
  MemoryAccount& operator=(const MemoryAccount&) = delete;

  /// Takes bytes on; never refuses.
  MemoryCharge Charge(int64_t size_bytes);

  const Limits& limits() const { return limits_; }
  int64_t used_bytes() const { return used_bytes_; }
  int64_t peak_bytes() const { return peak_bytes_; }
  MemoryPressure pressure() const { return pressure_; }

  /// Tells whether a batch of `size_bytes`, which is charged already, may go on: under the soft
  /// limit, or when nothing else is held but by those that wait.
  bool Admits(int64_t size_bytes) const {
    return used_bytes_ <= limits_.soft_bytes || used_bytes_ - waiting_bytes_ <= size_bytes;
  }
  /// Waits until Admits.
  runtime::Task<> WaitForRoom(int64_t size_bytes);

  /// `action` is called whenever the pressure has changed.
  void OnChange(std::function<void(MemoryPressure)> action) { on_change_ = std::move(action); }

 private:
  friend class MemoryCharge;
  /// Its bytes are charged and go nowhere: two that wait must not wait for each other.
  struct RoomWaiter : runtime::Waiter {
    RoomWaiter(MemoryAccount* owner, int64_t bytes) : account(owner), size_bytes(bytes) {}
    ~RoomWaiter() {
      if (is_counted) {
        account->waiting_bytes_ -= size_bytes;
      }
    }
    MemoryAccount* account;
    int64_t size_bytes;
    bool is_counted = false;
  };

  void Release(int64_t size_bytes);
  void UpdatePressure();

  runtime::EventLoop* loop_;
  Limits limits_;
  int64_t used_bytes_ = 0;
  int64_t waiting_bytes_ = 0;  // part of used_bytes_
  int64_t peak_bytes_ = 0;
  MemoryPressure pressure_ = MemoryPressure::kNormal;
  runtime::WaiterList waiters_;
  std::function<void(MemoryPressure)> on_change_;
};

/// Bytes taken on, given back when it is destroyed. Owner: move-only; borrows the account.
class MemoryCharge {
 public:
  MemoryCharge() = default;
  MemoryCharge(MemoryAccount* account, int64_t size_bytes)
      : account_(account), size_bytes_(size_bytes) {}
  MemoryCharge(MemoryCharge&& other) noexcept
      : account_(std::exchange(other.account_, nullptr)),
        size_bytes_(std::exchange(other.size_bytes_, 0)) {}
  MemoryCharge& operator=(MemoryCharge&& other) noexcept {
    if (this != &other) {
      Release();
      account_ = std::exchange(other.account_, nullptr);
      size_bytes_ = std::exchange(other.size_bytes_, 0);
    }
    return *this;
  }
  ~MemoryCharge() { Release(); }

  /// Gives the bytes back before its end.
  void Release() {
    if (account_ != nullptr) {
      std::exchange(account_, nullptr)->Release(std::exchange(size_bytes_, 0));
    }
  }

  /// A charge of no bytes on the same account: for the copies of a batch that is counted already.
  MemoryCharge Share() const { return {account_, 0}; }

  bool is_empty() const { return account_ == nullptr; }
  int64_t size_bytes() const { return size_bytes_; }

 private:
  MemoryAccount* account_ = nullptr;
  int64_t size_bytes_ = 0;
};

inline MemoryCharge MemoryAccount::Charge(int64_t size_bytes) {
  used_bytes_ += size_bytes;
  peak_bytes_ = used_bytes_ > peak_bytes_ ? used_bytes_ : peak_bytes_;
  UpdatePressure();
  return MemoryCharge(this, size_bytes);
}

inline void MemoryAccount::UpdatePressure() {
  const MemoryPressure now = used_bytes_ > limits_.hard_bytes   ? MemoryPressure::kHard
                             : used_bytes_ > limits_.soft_bytes ? MemoryPressure::kSoft
                                                                : MemoryPressure::kNormal;
  if (now != pressure_) [[unlikely]] {
    pressure_ = now;
    if (on_change_) {
      on_change_(now);
    }
  }
}

}  // namespace df::engine
