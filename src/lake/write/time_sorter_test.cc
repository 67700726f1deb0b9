#include "lake/write/time_sorter.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include <arrow/compute/initialize.h>
#include <gtest/gtest.h>

#include "otap/validate.h"
#include "select/selector.h"
#include "testing/levelled_lake.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"

namespace df::lake {
namespace {

using df::testing::BatchesWithTimes;
using df::testing::CanonicalRecords;
using df::testing::kMidnight;
using df::testing::RandomEngine;

class TimeSorterOf : public ::testing::TestWithParam<otap::Signal> {
 protected:
  void SetUp() override { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

TEST_P(TimeSorterOf, GivesOutWhatItGotInTheOrderOfTime) {
  for (const uint64_t seed : {11, 12, 13}) {
    SCOPED_TRACE(seed);
    RandomEngine random(seed);
    const auto sent = BatchesWithTimes(
        8, GetParam(),
        [&] { return std::optional(kMidnight + static_cast<int64_t>(random() % 60)); }, random);
    TimeSorter sorter;
    int64_t num_rows = 0;
    for (const otap::BatchPtr& batch : sent) {
      sorter.Add(batch);
      num_rows += batch->num_root_rows();
    }
    EXPECT_EQ(sorter.num_rows(), num_rows);
    const auto sorted = sorter.Take().ValueOrDie();
    EXPECT_EQ(sorter.num_rows(), 0);
    EXPECT_EQ(CanonicalRecords(sorted), CanonicalRecords(sent));
    std::vector<int64_t> times;
    for (const otap::BatchPtr& batch : sorted) {
      ASSERT_TRUE(otap::Validate(*batch).ok()) << otap::Validate(*batch);
      if (GetParam() != otap::Signal::kMetrics) {
        const auto more = select::EventTimes(*batch->root(), otap::RootTable(GetParam()));
        times.insert(times.end(), more.begin(), more.end());
      }
    }
    EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  }
}

INSTANTIATE_TEST_SUITE_P(Signals, TimeSorterOf, ::testing::ValuesIn(otap::kAllSignals),
                         [](const auto& one) { return std::string(otap::Name(one.param)); });

TEST(TimeSorter, MoreRowsThanABatchTakesGoIntoSeveral) {
  ASSERT_TRUE(arrow::compute::Initialize().ok());
  RandomEngine random(14);
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 9'000;
  shape.max_attributes = 1;
  shape.values = {};
  std::vector<otap::BatchPtr> sent;
  for (int i = 0; i < 8; ++i) {
    sent.push_back(df::testing::WithTimes(
        *df::testing::RandomBatch(otap::Signal::kLogs, shape, random),
        [&] { return std::optional(kMidnight + static_cast<int64_t>(random() % 1'000'000)); }));
  }
  TimeSorter sorter;
  for (const otap::BatchPtr& batch : sent) {
    sorter.Add(batch);
  }
  const auto sorted = sorter.Take().ValueOrDie();
  ASSERT_EQ(sorted.size(), 3U);
  EXPECT_EQ(sorted.front()->num_root_rows(), TimeSorter::kBatchRows);
  int64_t last = 0;
  for (const otap::BatchPtr& batch : sorted) {
    const auto times = select::EventTimes(*batch->root(), otap::TableKind::kLogs);
    EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
    EXPECT_GE(times.front(), last);
    last = times.back();
  }
  EXPECT_EQ(CanonicalRecords(sorted), CanonicalRecords(sent));
}

}  // namespace
}  // namespace df::lake
