// Counters of nodes and edges, and the registry that finds them again.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace df::telemetry {

/// A number that one thread changes and any thread reads.
class Counter {
 public:
  Counter() = default;
  explicit Counter(int64_t value) : value_(value) {}

  void Add(int64_t amount) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

/// A value read at one moment.
struct Sample {
  std::string set;     ///< "node", "edge"
  std::string labels;  ///< "core=0 node=debug"
  std::string name;    ///< "batches_in", "nacked{reason=full}"
  int64_t value = 0;
};

/// Named counters of one thing. Owner: the registry; counters stay where they are.
/// Calls: Find from the thread that writes, Collect from any thread.
class MetricSet {
 public:
  MetricSet(std::string name, std::string labels)
      : name_(std::move(name)), labels_(std::move(labels)) {}
  MetricSet(const MetricSet&) = delete;
  MetricSet& operator=(const MetricSet&) = delete;

  /// Returns the counter of a name, made when it is new. Keep the reference: the look-up is slow.
  Counter& Find(std::string_view name);

  void Collect(std::vector<Sample>* samples) const;

 private:
  struct Named {
    std::string name;
    Counter counter;
  };

  std::string name_;
  std::string labels_;
  mutable std::mutex mutex_;
  std::deque<Named> counters_;
};

/// All metric sets of the process. Calls: from any thread.
class Registry {
 public:
  /// Adds a set; it lives as long as the registry.
  MetricSet& Add(std::string name, std::string labels);

  /// Returns every counter, by set and labels in the order they were added.
  std::vector<Sample> Collect() const;

  /// Writes every counter that is not zero, one line a set.
  std::string Dump() const;

 private:
  mutable std::mutex mutex_;
  std::deque<MetricSet> sets_;
};

}  // namespace df::telemetry
