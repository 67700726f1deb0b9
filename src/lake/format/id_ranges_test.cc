#include "lake/format/id_ranges.h"

#include <random>
#include <set>

#include <gtest/gtest.h>

namespace df::lake {
namespace {

TEST(IdRanges, AnswersAsASetDoes) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    IdRanges ranges;
    std::set<uint32_t> ids;
    for (int i = 0; i < 12; ++i) {
      const uint32_t min = random() % 90;
      const uint32_t max = min + random() % 6;
      ranges.Add({min, max});
      for (uint32_t id = min; id <= max; ++id) {
        ids.insert(id);
      }
      const uint32_t low = random() % 100;
      const uint32_t high = low + random() % 5;
      const auto first = ids.lower_bound(low);
      EXPECT_EQ(ranges.Overlaps({low, high}), first != ids.end() && *first <= high);
    }
  }
}

TEST(IdRanges, HoldsTheLargestId) {
  IdRanges ranges;
  EXPECT_FALSE(ranges.Overlaps({0, UINT32_MAX}));
  ranges.Add({UINT32_MAX, UINT32_MAX});
  ranges.Add({0, 0});
  EXPECT_TRUE(ranges.Overlaps({UINT32_MAX, UINT32_MAX}));
  EXPECT_FALSE(ranges.Overlaps({1, UINT32_MAX - 1}));
  EXPECT_FALSE(ranges.Overlaps(kEmptyIdRange));
  ranges.Add(kEmptyIdRange);
  EXPECT_FALSE(ranges.Overlaps({1, UINT32_MAX - 1}));
}

TEST(IdRuns, CountsEveryRowAndStaysSmall) {
  IdRuns runs;
  for (const uint32_t id : {5U, 6U, 7U, 5U, 100U, 99U, UINT32_MAX, 0U}) {
    runs.Add(id);
  }
  ASSERT_EQ(runs.runs().size(), 4U);
  EXPECT_EQ(runs.runs()[0].num_rows, 4);
  EXPECT_EQ(runs.runs()[1].ids.min, 99U);
  IdRuns sparse;
  for (uint32_t i = 0; i < 5000; ++i) {
    sparse.Add(i * 3);
  }
  int64_t rows = 0;
  for (const IdRuns::Run& run : sparse.runs()) {
    rows += run.num_rows;
  }
  EXPECT_EQ(rows, 5000);
  EXPECT_EQ(sparse.runs().size(), IdRuns::kMaxRuns);
  EXPECT_EQ(sparse.runs().back().ids.max, 4999U * 3);
}

TEST(IdRuns, TextsNameOneIdOrARange) {
  EXPECT_EQ(ToText({7, 7}), "id 7");
  EXPECT_EQ(ToText({7, 9}), "ids 7 to 9");
}

}  // namespace
}  // namespace df::lake
