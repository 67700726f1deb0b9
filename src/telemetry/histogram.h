// How values are spread: counts between bounds, with sum, smallest and largest.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace df::telemetry {

/// Upper bounds for times from 1 us to 60 s, in steps of 1, 2 and 5. Units: nanoseconds.
std::span<const int64_t> LatencyBounds();

/// A histogram at one moment.
struct HistogramValue {
  std::vector<int64_t> bounds;  ///< upper bounds, included; rising
  std::vector<int64_t> counts;  ///< of each bound, and of what is above the last
  int64_t count = 0;            ///< the sum of `counts`
  int64_t sum = 0;
  int64_t min = 0;  ///< 0 when count is 0
  int64_t max = 0;  ///< 0 when count is 0

  bool operator==(const HistogramValue&) const = default;
};

/// Calls: one thread at a time records, any thread reads. What is read belongs together, but for
/// the last value when the writer has been interrupted in the middle of it.
/// Cost: a search among the bounds and six plain stores; no locked instruction.
class Histogram {
 public:
  /// `bounds` rise strictly and may be none.
  explicit Histogram(std::span<const int64_t> bounds);

  void Record(int64_t value);

  HistogramValue Read() const;

  std::span<const int64_t> bounds() const { return bounds_; }

 private:
  bool TryRead(HistogramValue* value) const;

  // Odd while Record is at work. The release stores of what follows an odd number make it visible
  // to whoever sees one of them, so that a reader notices that it has read across a change.
  std::atomic<uint64_t> version_{0};
  std::vector<int64_t> bounds_;
  std::unique_ptr<std::atomic<int64_t>[]> counts_;
  std::atomic<int64_t> sum_{0};
  std::atomic<int64_t> min_;
  std::atomic<int64_t> max_;
};

}  // namespace df::telemetry
