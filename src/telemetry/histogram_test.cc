#include "telemetry/histogram.h"

#include <atomic>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::telemetry {
namespace {

using ::testing::ElementsAre;

TEST(Histogram, ABoundBelongsToTheBucketBelowIt) {
  const int64_t bounds[] = {10, 20};
  Histogram histogram(bounds);
  for (const int64_t value : {9, 10, 11, 20, 21, 1000}) {
    histogram.Record(value);
  }
  const HistogramValue value = histogram.Read();
  EXPECT_THAT(value.counts, ElementsAre(2, 2, 2));
  EXPECT_EQ(value.count, 6);
  EXPECT_EQ(value.sum, 1071);
  EXPECT_EQ(value.min, 9);
  EXPECT_EQ(value.max, 1000);
}

TEST(Histogram, WithoutValuesEverythingIsZero) {
  const HistogramValue value = Histogram(LatencyBounds()).Read();
  EXPECT_EQ(value.count, 0);
  EXPECT_EQ(value.min, 0);
  EXPECT_EQ(value.max, 0);
  EXPECT_EQ(value.counts.size(), value.bounds.size() + 1);
}

TEST(Histogram, LatencyBoundsRiseFromAMicrosecondToAMinute) {
  const auto bounds = LatencyBounds();
  EXPECT_EQ(bounds.front(), 1'000);
  EXPECT_EQ(bounds.back(), 60'000'000'000);
  for (size_t i = 1; i < bounds.size(); ++i) {
    EXPECT_LT(bounds[i - 1], bounds[i]);
  }
}

TEST(Histogram, AgreesWithCountingOneByOne) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 rng(seed);
  std::vector<int64_t> bounds;
  for (int64_t bound = -50; bound < 50; bound += 1 + static_cast<int64_t>(rng() % 9)) {
    bounds.push_back(bound);
  }
  Histogram histogram(bounds);
  HistogramValue expected;
  expected.bounds = bounds;
  expected.counts.resize(bounds.size() + 1);
  expected.min = 1000;
  expected.max = -1000;
  for (int i = 0; i < 2000; ++i) {
    const int64_t value = static_cast<int64_t>(rng() % 140) - 70;
    histogram.Record(value);
    size_t bucket = 0;
    while (bucket < bounds.size() && value > bounds[bucket]) {
      ++bucket;
    }
    ++expected.counts[bucket];
    ++expected.count;
    expected.sum += value;
    expected.min = std::min(expected.min, value);
    expected.max = std::max(expected.max, value);
  }
  EXPECT_EQ(histogram.Read(), expected);
}

// Every value is 3, so that a mixture of several moments shows as a sum that does not fit the
// count. Only the value at which the system has interrupted the writer may be there in part.
TEST(Histogram, AReaderSeesAtMostTheLastRecordInPart) {
  std::vector<int64_t> bounds(1'000);  // many, so that reading takes longer than recording
  std::iota(bounds.begin(), bounds.end(), 3);
  Histogram histogram(bounds);
  std::atomic<bool> is_done = false;
  std::thread writer([&] {
    for (int i = 0; i < 20'000; ++i) {
      histogram.Record(3);
      // A reader that looks across a burst sees many values in part if nothing stops it.
      for (int pause = 0; i % 50 == 0 && pause < 5'000; ++pause) {
        std::atomic_signal_fence(std::memory_order_seq_cst);  // keeps the empty loop
      }
    }
    is_done = true;
  });
  int64_t last = 0;
  int64_t most_apart = 0;
  for (bool is_last_read = false; !is_last_read;) {
    is_last_read = is_done;
    const HistogramValue value = histogram.Read();
    most_apart = std::max(most_apart, std::abs(value.sum - value.count * 3));
    EXPECT_GE(value.count, last);
    last = value.count;
  }
  writer.join();
  EXPECT_LE(most_apart, 3);
  EXPECT_EQ(last, 20'000);
}

}  // namespace
}  // namespace df::telemetry
