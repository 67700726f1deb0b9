#include "config/core_placement.h"

#include <algorithm>
#include <numeric>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::config {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

CoreRequest All() { return {}; }
CoreRequest Count(int64_t count) {
  return {.allocation = {.kind = CoreAllocation::Kind::kCoreCount, .count = count},
          .mark = {3, 7},
          .path = "p"};
}
CoreRequest Set(std::vector<CoreRange> ranges) {
  return {.allocation = {.kind = CoreAllocation::Kind::kCoreSet, .set = std::move(ranges)},
          .mark = {4, 9},
          .path = "p"};
}

TEST(CorePlacement, PlacesSetsBeforeCountsAndSharesAllCores) {
  Problems problems("f");
  const std::vector<CoreRequest> requests = {Count(2), All(), Set({{1, 2}, {2, 2}}), Count(1)};
  const std::vector<int> allowed = {0, 1, 2, 3, 5};
  EXPECT_THAT(PlaceCores(requests, allowed, {}, &problems),
              ElementsAre(ElementsAre(0, 3), ElementsAre(0, 1, 2, 3, 5), ElementsAre(1, 2),
                          ElementsAre(5)));
  EXPECT_THAT(problems.Lines(), IsEmpty());
}

TEST(CorePlacement, SaysWhatCannotBeHad) {
  Problems problems("f");
  const std::vector<CoreRequest> requests = {Count(2), Set({{0, 3}})};
  EXPECT_THAT(PlaceCores(requests, std::vector{0, 1}, std::vector{1}, &problems),
              ElementsAre(IsEmpty(), IsEmpty()));
  EXPECT_THAT(problems.Lines(),
              ElementsAre("f:3:7: p: found count 2, but of 2 usable cores 1 are free: 0",
                          "f:4:9: p: core 2,3 cannot be used, expected some of 0,1"));
}

TEST(CorePlacement, NoCountSharesACore) {
  const auto seed = static_cast<uint32_t>(::testing::UnitTest::GetInstance()->random_seed());
  SCOPED_TRACE(::testing::Message() << "seed " << seed << " (GTEST_RANDOM_SEED)");
  std::mt19937 random(seed);
  const auto below = [&](int bound) { return static_cast<int>(random() % bound); };
  std::vector<int> allowed(12);
  std::iota(allowed.begin(), allowed.end(), 0);
  for (int round = 0; round < 500; ++round) {
    std::vector<CoreRequest> requests;
    for (int i = below(5); i >= 0; --i) {
      const int first = below(10);
      requests.push_back(below(2) == 0 ? Count(1 + below(4)) : Set({{first, first + below(2)}}));
    }
    Problems problems("f");
    const auto placed = PlaceCores(requests, allowed, {}, &problems);
    for (size_t i = 0; i < requests.size(); ++i) {
      const bool is_count = requests[i].allocation.kind == CoreAllocation::Kind::kCoreCount;
      if (is_count && !placed[i].empty()) {
        ASSERT_EQ(static_cast<int64_t>(placed[i].size()), requests[i].allocation.count);
      }
      for (size_t j = 0; j < requests.size(); ++j) {
        for (const int core : placed[i]) {
          const bool both_have =
              std::find(placed[j].begin(), placed[j].end(), core) != placed[j].end();
          ASSERT_FALSE(is_count && i != j && both_have) << "core " << core;
        }
      }
    }
  }
}

}  // namespace
}  // namespace df::config
