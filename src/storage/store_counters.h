// What requests to a store have cost.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace df::storage {

/// What stores are asked for.
enum class Operation : uint8_t { kList, kOpen, kRead, kWrite, kRemove };

inline constexpr std::array<std::string_view, 5> kOperationNames = {"list", "open", "read", "write",
                                                                    "remove"};

/// The counters of a store at one moment, or what was added to them since another.
struct StoreCounts {
  std::array<int64_t, kOperationNames.size()> requests{};  ///< by operation
  std::array<int64_t, kOperationNames.size()> nanos{};  ///< spent in them, waits between included
  int64_t retries = 0;
  int64_t throttled = 0;      ///< requests refused because there were too many
  int64_t failed = 0;         ///< requests that were given up
  int64_t bytes_fetched = 0;  ///< read from the store
  int64_t bytes_used = 0;     ///< of these, what was asked for, repeats included
  int64_t bytes_written = 0;  ///< of files that the store took

  int64_t requests_of(Operation operation) const {
    return requests[static_cast<size_t>(operation)];
  }
  StoreCounts operator-(const StoreCounts& earlier) const;
};

/// What requests to a store have cost so far. Calls: from any thread.
class StoreCounters {
 public:
  void CountRequest(Operation operation) { ++requests_[static_cast<size_t>(operation)]; }
  void AddTime(Operation operation, std::chrono::nanoseconds time) {
    nanos_[static_cast<size_t>(operation)] += time.count();
  }
  StoreCounts Now() const;

  std::atomic<int64_t> num_retries{0};
  std::atomic<int64_t> num_throttled{0};
  std::atomic<int64_t> num_failed{0};
  std::atomic<int64_t> bytes_fetched{0};
  std::atomic<int64_t> bytes_used{0};
  std::atomic<int64_t> bytes_written{0};

 private:
  std::array<std::atomic<int64_t>, kOperationNames.size()> requests_{};
  std::array<std::atomic<int64_t>, kOperationNames.size()> nanos_{};
};

}  // namespace df::storage
