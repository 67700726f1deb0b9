// A loop whose time the test moves, over real sockets of this machine.
#pragma once

#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/event_loop.h"
#include "testing/simulated_clock.h"

namespace df::testing {

class LoopTest : public ::testing::Test {
 protected:
  /// Runs the loop until `condition` holds; fails when it does not within 20 s of real time.
  void RunUntil(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (true) {
      loop_.RunUntilIdle();
      if (condition()) {
        return;
      }
      ASSERT_LT(std::chrono::steady_clock::now(), end) << "what the test waits for does not come";
      std::this_thread::yield();  // the kernel hands bytes from socket to socket
    }
  }

  /// Runs a task to its end.
  void Run(runtime::Task<void> task) {
    task.Start();
    RunUntil([&task] { return task.is_done(); });
  }

  /// Lets everything that is under way settle, moves the time, and runs what is due.
  void Advance(std::chrono::nanoseconds duration) {
    loop_.RunUntilIdle();
    clock_.Advance(duration);
    loop_.RunUntilIdle();
  }

  SimulatedClock clock_;
  runtime::EventLoop loop_{clock_};
};

}  // namespace df::testing
