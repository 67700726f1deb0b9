// A thread with a name and a core.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>

namespace df::runtime {

/// Runs a function on a thread of its own. Owner: the destructor joins it, so whatever the function
/// waits for must be ended before (close its channel first).
class WorkerThread {
 public:
  using Body = std::function<void()>;

  WorkerThread() = default;
  /// Starts the thread. `name` is cut to 15 bytes; a core that cannot be had is logged and done
  /// without.
  WorkerThread(std::string name, std::optional<int> core, Body body);

  /// Waits for the end of the function.
  void Join() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }

 private:
  std::jthread thread_;
};

}  // namespace df::runtime
