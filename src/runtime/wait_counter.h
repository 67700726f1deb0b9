// How often and how long something had to wait, by name.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace df::runtime {

/// Counts waits of one reason. One thread adds, any thread reads.
class WaitCounter {
 public:
  /// `reason` is a literal: it names the wait in metrics.
  explicit constexpr WaitCounter(std::string_view reason) : reason_(reason) {}

  void Add(std::chrono::nanoseconds waited) {
    num_waits_.store(num_waits_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    waited_ns_.store(waited_ns_.load(std::memory_order_relaxed) + waited.count(),
                     std::memory_order_relaxed);
  }

  std::string_view reason() const { return reason_; }
  int64_t num_waits() const { return num_waits_.load(std::memory_order_relaxed); }
  std::chrono::nanoseconds waited() const {
    return std::chrono::nanoseconds(waited_ns_.load(std::memory_order_relaxed));
  }

 private:
  std::string_view reason_;
  std::atomic<int64_t> num_waits_{0};
  std::atomic<int64_t> waited_ns_{0};
};

}  // namespace df::runtime
