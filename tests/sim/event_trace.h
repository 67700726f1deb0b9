// What happened in a simulation, in order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/clock.h"

namespace df::sim {

/// Keeps a hash of every event, and the last ones in full but for ticks. Equal seeds give equal
/// hashes. Cost: no allocation an event.
class EventTrace {
 public:
  static constexpr size_t kNumKept = 48;

  /// `clock`, `node` and `event` are borrowed and outlive the trace.
  explicit EventTrace(const runtime::Clock* clock)
      : clock_(clock), start_(clock->Now()), last_progress_(start_) {}

  void Add(std::string_view node, std::string_view event, int64_t number);

  /// When the last event was that is not "tick", which comes by itself for ever.
  runtime::SteadyTime last_progress() const { return last_progress_; }

  uint64_t hash() const { return hash_; }
  int64_t num_events() const { return num_events_; }

  /// Returns the last events, the oldest first: "12.5 ms  sink_0  nack  17".
  std::vector<std::string> Last() const;

 private:
  struct Event {
    int64_t time_ns = 0;
    std::string_view node;
    std::string_view event;
    int64_t number = 0;
  };

  void Mix(std::string_view bytes);
  void Mix(int64_t number);

  const runtime::Clock* clock_;
  runtime::SteadyTime start_;
  runtime::SteadyTime last_progress_;
  uint64_t hash_ = 14695981039346656037u;
  int64_t num_events_ = 0;
  int64_t num_kept_ = 0;
  std::array<Event, kNumKept> kept_;
};

}  // namespace df::sim
