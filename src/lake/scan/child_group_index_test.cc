#include "lake/scan/child_group_index.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace df::lake {
namespace {

using Groups = std::vector<std::unique_ptr<ChildRowGroup>>;

std::shared_ptr<FileSummary> FileOf(std::vector<std::optional<IdRange>> claims) {
  auto file = std::make_shared<FileSummary>();
  for (const std::optional<IdRange>& claim : claims) {
    file->row_groups.push_back({.num_rows = 1, .parent_ids = claim});
  }
  return file;
}

Groups GroupsOf(const std::shared_ptr<FileSummary>& file) {
  Groups groups;
  for (size_t i = 0; i < file->row_groups.size(); ++i) {
    groups.push_back(std::make_unique<ChildRowGroup>());
    groups.back()->summary = file;
    groups.back()->index = static_cast<int>(i);
  }
  return groups;
}

TEST(ChildGroupIndex, FindsEveryGroupThatMayHoldAParent) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const auto draw = [&](uint32_t max) {
    return std::uniform_int_distribution<uint32_t>(0, max)(random);
  };
  for (int run = 0; run < 500; ++run) {
    std::vector<std::optional<IdRange>> claims(draw(12));
    for (auto& claim : claims) {
      const uint32_t first = draw(3) == 0 ? UINT32_MAX - draw(5) : draw(60);
      const uint32_t width = std::min(draw(8), UINT32_MAX - first);
      if (draw(9) != 0) {
        claim = draw(9) == 0 ? kEmptyIdRange : IdRange{.min = first, .max = first + width};
      }
    }
    const auto file = FileOf(claims);
    file->parent_statistics =
        draw(5) == 0 ? FileSummary::Trust::kWrong : FileSummary::Trust::kUnchecked;
    const Groups groups = GroupsOf(file);
    for (const auto& group : groups) {
      if (draw(4) == 0) {
        group->state = ChildRowGroup::State::kDone;
      } else if (draw(4) == 0) {
        group->state = ChildRowGroup::State::kParked;
        group->parents = {.min = draw(30), .max = 30 + draw(30)};
      }
    }
    ChildGroupIndex index;
    index.Build(groups);
    for (int query = 0; query < 20; ++query) {
      const uint32_t first = draw(3) == 0 ? UINT32_MAX - draw(5) : draw(70);
      const IdRange parents = {.min = first, .max = first + std::min(draw(8), UINT32_MAX - first)};
      const auto [begin, end] = index.Find(parents);
      ASSERT_LE(begin, end);
      ASSERT_LE(end, groups.size());
      for (size_t i = 0; i < groups.size(); ++i) {
        const IdRange possible = PossibleParents(*groups[i]);
        if (possible.min <= possible.max && possible.min <= parents.max &&
            parents.min <= possible.max) {
          EXPECT_TRUE(begin <= i && i < end) << "row group " << i;
        }
      }
    }
  }
}

TEST(ChildGroupIndex, HoldsOneGroupWhereGroupsFollowTheirParents) {
  std::vector<std::optional<IdRange>> claims;
  for (uint32_t i = 0; i < 1000; ++i) {
    claims.push_back(IdRange{.min = 10 * i, .max = 10 * i + 9});
  }
  const Groups groups = GroupsOf(FileOf(claims));
  ChildGroupIndex index;
  index.Build(groups);
  for (uint32_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(index.Find({.min = 10 * i + 3, .max = 10 * i + 4}),
              (std::pair<size_t, size_t>(i, i + 1)));
  }
}

}  // namespace
}  // namespace df::lake
