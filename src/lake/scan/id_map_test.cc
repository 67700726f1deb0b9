#include "lake/scan/id_map.h"

#include <algorithm>
#include <iterator>
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

/// Values around every border of 32 bits, and wherever chance puts them.
uint32_t EdgeId(std::mt19937& random) {
  constexpr uint32_t kEdges[] = {
      0, 1, 2, UINT32_MAX, UINT32_MAX - 1, UINT32_MAX - 2, 0x7FFFFFFF, 0x80000000, 65'535, 65'536};
  return random() % 8 == 0 ? static_cast<uint32_t>(random()) : kEdges[random() % std::size(kEdges)];
}

TEST(IdMap, AgreesWithAnOrderedMapAtTheEdgesOf32Bits) {
  for (uint32_t seed = 0; seed < 20'000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::vector<uint32_t> ids;
    const size_t count = random() % 12;
    while (ids.size() < count) {
      // Half of the ids go on from the one before, over the border too.
      const bool goes_on = !ids.empty() && random() % 2 == 0;
      ids.push_back(goes_on ? ids.back() + 1 : EdgeId(random));
    }
    const uint64_t valid = random() % 3 == 0 ? random() : UINT64_MAX;
    auto is_valid = [&](int64_t row) { return (valid >> row & 1) != 0; };
    const IdMap map = IdMap::Make(ids.data(), static_cast<int64_t>(count), is_valid);
    std::map<uint32_t, int64_t> expected;
    for (size_t row = 0; row < count; ++row) {
      if (is_valid(static_cast<int64_t>(row))) {
        const auto [entry, is_new] =
            expected.emplace(ids[row], static_cast<int64_t>(expected.size()));
        ASSERT_EQ(map.by_row()[row], is_new ? entry->second : -1);
      }
    }
    ASSERT_EQ(map.num_ids(), static_cast<int64_t>(expected.size()));
    for (int probe = 0; probe < 16; ++probe) {
      const uint32_t id = EdgeId(random);
      const auto found = expected.find(id);
      ASSERT_EQ(map.Find(id), found == expected.end() ? -1 : found->second) << "id " << id;
    }
    if (map.is_dense() && !map.empty()) {  // readers subtract without asking
      ASSERT_EQ(uint64_t{map.max()} - map.min() + 1, static_cast<uint64_t>(map.num_ids()));
    }
  }
}

TEST(IdMap, IsEmptyWithoutIds) {
  const IdMap map = IdMap::Make(nullptr, 0, [](int64_t) { return true; });
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.Find(0), -1);
}

}  // namespace
}  // namespace df::lake
