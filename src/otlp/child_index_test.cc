#include "otlp/child_index.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::otlp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<int64_t> RowsOf(const ChildIndex& index, uint32_t parent) {
  std::vector<int64_t> rows;
  const ChildIndex::Rows found = index.Of(parent);
  for (uint32_t i = 0; i < found.size(); ++i) {
    rows.push_back(found[i]);
  }
  return rows;
}

TEST(ChildIndex, FindsRowsOfAscendingParents) {
  const ChildIndex index = ChildIndex::FromParents({0, 0, 2, 2, 2, 5});
  EXPECT_THAT(RowsOf(index, 0), ElementsAre(0, 1));
  EXPECT_THAT(RowsOf(index, 1), IsEmpty());
  EXPECT_THAT(RowsOf(index, 2), ElementsAre(2, 3, 4));
  EXPECT_THAT(RowsOf(index, 5), ElementsAre(5));
  EXPECT_THAT(RowsOf(index, 6), IsEmpty());
}

TEST(ChildIndex, KeepsTheOrderOfRowsInAnyOrderOfParents) {
  const ChildIndex index = ChildIndex::FromParents({3, 1, 3, 0, 1, 3});
  EXPECT_THAT(RowsOf(index, 3), ElementsAre(0, 2, 5));
  EXPECT_THAT(RowsOf(index, 1), ElementsAre(1, 4));
  EXPECT_THAT(RowsOf(index, 0), ElementsAre(3));
}

TEST(ChildIndex, RowsWithoutParentBelongToNobody) {
  constexpr uint32_t kNone = ChildIndex::kNoParent;
  EXPECT_THAT(RowsOf(ChildIndex::FromParents({0, kNone, 1}), 1), ElementsAre(2));
  EXPECT_THAT(RowsOf(ChildIndex::FromParents({kNone, kNone}), kNone), IsEmpty());
  EXPECT_THAT(RowsOf(ChildIndex::FromParents({kNone, 4'000'000'000U}), kNone), IsEmpty());
}

TEST(ChildIndex, AnEmptyTableHasNoRows) {
  EXPECT_THAT(RowsOf(ChildIndex::FromParents({}), 0), IsEmpty());
  EXPECT_THAT(RowsOf(ChildIndex(), 0), IsEmpty());
}

class RandomChildIndex : public ::testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomChildIndex, ::testing::Range(1U, 41U));

TEST_P(RandomChildIndex, EqualsASearchThroughAllRows) {
  std::mt19937 rng(GetParam());
  const uint32_t limit = GetParam() % 2 == 0 ? 40 : 4'000'000'000U;  // dense and sparse
  std::vector<uint32_t> pool;
  for (int i = 0; i < 20; ++i) {
    pool.push_back(std::uniform_int_distribution<uint32_t>(0, limit)(rng));
  }
  std::vector<uint32_t> parents;
  for (int i = 0; i < 100; ++i) {
    const uint32_t parent = pool[rng() % pool.size()];
    parents.push_back(rng() % 10 == 0 ? ChildIndex::kNoParent : parent);
  }
  if (GetParam() % 3 == 0) {
    std::sort(parents.begin(), parents.end());
  }
  const ChildIndex index = ChildIndex::FromParents(parents);
  for (const uint32_t parent : pool) {
    std::vector<int64_t> expected;
    for (size_t row = 0; row < parents.size(); ++row) {
      if (parents[row] == parent) {
        expected.push_back(static_cast<int64_t>(row));
      }
    }
    EXPECT_EQ(RowsOf(index, parent), expected) << "seed " << GetParam() << " parent " << parent;
  }
}

}  // namespace
}  // namespace df::otlp
