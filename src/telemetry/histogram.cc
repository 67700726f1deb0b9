#include "telemetry/histogram.h"

#include <algorithm>
#include <array>
#include <limits>

namespace df::telemetry {
namespace {

constexpr std::array<int64_t, 24> kLatencyBounds = {
    1'000,         2'000,         5'000,         10'000,         20'000,         50'000,
    100'000,       200'000,       500'000,       1'000'000,      2'000'000,      5'000'000,
    10'000'000,    20'000'000,    50'000'000,    100'000'000,    200'000'000,    500'000'000,
    1'000'000'000, 2'000'000'000, 5'000'000'000, 10'000'000'000, 30'000'000'000, 60'000'000'000};

// A reader that meets the writer at work this often takes what it has: the writer may have been
// interrupted for long, and neither waits for the other.
constexpr int kMaxReads = 1000;

}  // namespace

std::span<const int64_t> LatencyBounds() { return kLatencyBounds; }

Histogram::Histogram(std::span<const int64_t> bounds)
    : bounds_(bounds.begin(), bounds.end()),
      counts_(std::make_unique<std::atomic<int64_t>[]>(bounds.size() + 1)),
      min_(std::numeric_limits<int64_t>::max()),
      max_(std::numeric_limits<int64_t>::min()) {}

void Histogram::Record(int64_t value) {
  const auto bucket = static_cast<size_t>(std::lower_bound(bounds_.begin(), bounds_.end(), value) -
                                          bounds_.begin());
  const uint64_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  counts_[bucket].store(counts_[bucket].load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
  sum_.store(sum_.load(std::memory_order_relaxed) + value, std::memory_order_release);
  if (value < min_.load(std::memory_order_relaxed)) {
    min_.store(value, std::memory_order_release);
  }
  if (value > max_.load(std::memory_order_relaxed)) {
    max_.store(value, std::memory_order_release);
  }
  version_.store(version + 2, std::memory_order_release);
}

bool Histogram::TryRead(HistogramValue* value) const {
  const uint64_t version = version_.load(std::memory_order_acquire);
  value->count = 0;
  for (size_t i = 0; i < value->counts.size(); ++i) {
    value->counts[i] = counts_[i].load(std::memory_order_acquire);
    value->count += value->counts[i];
  }
  value->sum = sum_.load(std::memory_order_acquire);
  value->min = min_.load(std::memory_order_acquire);
  value->max = max_.load(std::memory_order_acquire);
  return version % 2 == 0 && version_.load(std::memory_order_relaxed) == version;
}

HistogramValue Histogram::Read() const {
  HistogramValue value;
  value.bounds = bounds_;
  value.counts.resize(bounds_.size() + 1);
  for (int i = 0; i < kMaxReads && !TryRead(&value); ++i) {
  }
  if (value.count == 0) {
    value.sum = value.min = value.max = 0;
  }
  return value;
}

}  // namespace df::telemetry
