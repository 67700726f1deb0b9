// What is measured: names, kinds and the numbers behind them.
#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace df::telemetry {

enum class InstrumentKind : uint8_t {
  kCounter,        ///< a sum that never falls
  kUpDownCounter,  ///< a sum that may fall: what is in a queue
  kGauge,          ///< a value that is not a sum
  kHistogram,      ///< how often values fell between bounds
};

/// Returns "counter", "up_down_counter", "gauge" or "histogram".
std::string_view Name(InstrumentKind kind);

/// Describes a metric. Owner: the texts are literals.
/// Units: as OpenTelemetry writes them. Every number is whole; what is measured in "s" is counted
/// in nanoseconds and shown in seconds, everything else is shown as it is counted.
struct Instrument {
  InstrumentKind kind = InstrumentKind::kCounter;
  std::string_view name;         ///< "df.node.batches.in"
  std::string_view unit;         ///< "{batch}", "By", "s"
  std::string_view description;  ///< one sentence without a full stop
  /// Keys of the attributes of its points, sorted: "permanent,reason"; empty: it has one point.
  std::string_view attributes = {};
};

/// Names and values, sorted by name, each name once: what a metric is about.
class Attributes {
 public:
  using Entry = std::pair<std::string, std::string>;

  Attributes() = default;
  Attributes(std::initializer_list<Entry> entries) : Attributes(std::vector<Entry>(entries)) {}
  /// The last of several values of one name counts.
  explicit Attributes(std::vector<Entry> entries);

  const std::vector<Entry>& entries() const { return entries_; }
  bool is_empty() const { return entries_.empty(); }
  /// Returns the value of a name, or null.
  const std::string* Find(std::string_view name) const;
  /// Tells whether every entry of `other` is in this.
  bool Contains(const Attributes& other) const;

  bool operator==(const Attributes& other) const = default;
  auto operator<=>(const Attributes& other) const = default;

 private:
  std::vector<Entry> entries_;
};

/// A sum that never falls. Calls: one thread at a time adds, any thread reads. Cost: an addition in
/// memory; no locked instruction.
class Counter {
 public:
  Counter() = default;
  explicit Counter(int64_t value) : value_(value) {}

  void Add(int64_t amount) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  /// For sums that somebody else keeps; must not fall.
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

/// A value that goes up and down. Calls, Cost: those of Counter.
class Gauge {
 public:
  void Add(int64_t amount) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void Set(int64_t value) { value_.store(value, std::memory_order_relaxed); }
  int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> value_{0};
};

}  // namespace df::telemetry
