// Time that moves only when a test says so.
#pragma once

#include <atomic>
#include <chrono>

#include "runtime/clock.h"

namespace df::testing {

/// Starts at an arbitrary moment that is the same in every run. Calls: from any thread.
class SimulatedClock final : public runtime::Clock {
 public:
  runtime::SteadyTime Now() const override {
    return runtime::SteadyTime(std::chrono::nanoseconds(now_ns_.load()));
  }
  runtime::WallTime WallNow() const override {
    return runtime::WallTime(std::chrono::seconds(1'750'000'000)) +
           std::chrono::duration_cast<runtime::WallTime::duration>(Now().time_since_epoch());
  }

  void Advance(std::chrono::nanoseconds duration) { now_ns_ += duration.count(); }

 private:
  std::atomic<int64_t> now_ns_{1'000'000'000};
};

}  // namespace df::testing
