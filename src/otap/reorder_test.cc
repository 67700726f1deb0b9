#include "otap/reorder.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include <arrow/compute/initialize.h>
#include <gtest/gtest.h>

#include "otap/filter.h"
#include "otap/rows.h"
#include "otap/validate.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"

namespace df::otap {
namespace {

using df::testing::CanonicalRecords;

class Reorder : public ::testing::TestWithParam<Signal> {
 protected:
  void SetUp() override { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

std::vector<std::string> RecordAt(const BatchPtr& batch, int64_t row) {
  RowSet rows(batch->num_root_rows());
  rows.Set(row);
  return CanonicalRecords({FilterRoots(batch, std::move(rows)).ValueOrDie()});
}

TEST_P(Reorder, EachRecordGoesToItsPlaceWithAllThatBelongsToIt) {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    SCOPED_TRACE(seed);
    df::testing::RandomEngine random(seed);
    const BatchPtr batch = df::testing::RandomBatch(GetParam(), {}, random);
    std::vector<int64_t> order(static_cast<size_t>(batch->num_root_rows()));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    const BatchPtr reordered = ReorderRoots(batch, order).ValueOrDie();
    ASSERT_TRUE(Validate(*reordered).ok()) << Validate(*reordered);
    ASSERT_EQ(reordered->num_root_rows(), batch->num_root_rows());
    EXPECT_EQ(CanonicalRecords({reordered}), CanonicalRecords({batch}));
    for (size_t i = 0; i < order.size(); ++i) {
      ASSERT_EQ(RecordAt(reordered, static_cast<int64_t>(i)), RecordAt(batch, order[i]))
          << "row " << i;
    }
    const auto ids = FindArray(reordered->root(), "id");
    std::vector<uint32_t> found;
    if (ids != nullptr) {
      VisitIds(*ids, [&](int64_t, uint32_t id) { found.push_back(id); });
    }
    EXPECT_TRUE(std::is_sorted(found.begin(), found.end()));
  }
}

INSTANTIATE_TEST_SUITE_P(Signals, Reorder, ::testing::ValuesIn(kAllSignals),
                         [](const auto& one) { return std::string(Name(one.param)); });

TEST(ReorderRoots, AnOrderIsOneOfAllRows) {
  df::testing::RandomEngine random(7);
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 3;
  const BatchPtr batch = df::testing::RandomBatch(Signal::kLogs, shape, random);
  for (const std::vector<int64_t>& order :
       {std::vector<int64_t>{0, 1}, {0, 1, 1}, {0, 1, 3}, {0, 1, -1}, {0, 1, 2, 0}}) {
    EXPECT_TRUE(ReorderRoots(batch, order).status().IsInvalid()) << order.size();
  }
}

}  // namespace
}  // namespace df::otap
