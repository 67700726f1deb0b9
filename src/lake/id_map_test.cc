#include "lake/id_map.h"

#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace df::lake {
namespace {

struct Case {
  const char* name;
  uint32_t step;
  bool shuffled;
  double null_share;
  double repeat_share;
  uint32_t base;
};

class IdMapCases : public testing::TestWithParam<Case> {};

TEST_P(IdMapCases, RanksLikeTheObviousMap) {
  const Case& c = GetParam();
  for (uint32_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(testing::Message() << c.name << " seed " << seed);
    std::mt19937 random(seed);
    std::vector<uint32_t> ids;
    std::vector<bool> valid;
    for (uint32_t i = 0; i < 500; ++i) {
      const bool repeats =
          !ids.empty() && std::uniform_real_distribution<>(0, 1)(random) < c.repeat_share;
      ids.push_back(repeats ? ids[random() % ids.size()] : c.base + i * c.step);
      valid.push_back(std::uniform_real_distribution<>(0, 1)(random) >= c.null_share);
    }
    if (c.shuffled) {
      std::shuffle(ids.begin(), ids.end(), random);
    }
    const IdMap map =
        IdMap::Make(ids.data(), 500, [&](int64_t row) { return valid[static_cast<size_t>(row)]; });
    std::map<uint32_t, int32_t> expected;
    int64_t duplicates = 0;
    for (size_t i = 0; i < ids.size(); ++i) {
      if (!valid[i]) {
        EXPECT_EQ(map.by_row()[i], -1);
        continue;
      }
      const auto [entry, is_new] = expected.emplace(ids[i], static_cast<int32_t>(expected.size()));
      EXPECT_EQ(map.by_row()[i], is_new ? entry->second : -1);
      duplicates += is_new ? 0 : 1;
    }
    EXPECT_EQ(map.num_ids(), static_cast<int64_t>(expected.size()));
    EXPECT_EQ(map.num_duplicates(), duplicates);
    for (const auto& [old_id, new_id] : expected) {
      EXPECT_EQ(map.Find(old_id), new_id);
      if (!expected.contains(old_id + 1)) {
        EXPECT_EQ(map.Find(old_id + 1), -1);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, IdMapCases,
                         testing::Values(Case{"dense", 1, false, 0, 0, 7},
                                         Case{"dense with nulls", 1, false, 0.3, 0, 0},
                                         Case{"steps of 100", 100, false, 0.1, 0, 3},
                                         Case{"shuffled", 1, true, 0.1, 0, 0},
                                         Case{"sparse", 8'000'000, true, 0.1, 0, 9},
                                         Case{"repeats", 1, false, 0.1, 0.2, 0},
                                         Case{"sparse repeats", 8'000'000, false, 0, 0.2, 0},
                                         Case{"at the top", 1, false, 0, 0, UINT32_MAX - 499}));

TEST(IdMap, IsEmptyWithoutIds) {
  const IdMap map = IdMap::Make(nullptr, 0, [](int64_t) { return true; });
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.Find(0), -1);
}

}  // namespace
}  // namespace df::lake
