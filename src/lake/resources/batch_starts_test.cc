#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "lake/resources/resource_joins.h"

namespace df::lake {
namespace {

/// Rows of spans: id and resource; every scope is 0.
using Spans = std::vector<std::pair<int64_t, int64_t>>;

/// Resolves files of one signal, and tells whether the resource of the last row is known.
bool IsKnownForLast(const std::vector<Spans>& files, std::vector<uint32_t> parents,
                    uint32_t* offset, const ParentIdSet* several = nullptr) {
  const ParentIdSet resources(std::move(parents));
  const ParentIdSet scopes;
  ResolverInput input;
  input.resources = &resources;
  input.scopes = &scopes;
  input.several_resources = several;
  input.signals.emplace_back();
  for (const Spans& file : files) {
    input.signals.back().push_back({1, true, [&file](int) -> Result<RootIds> {
                                      RootIds ids;
                                      for (const auto& [id, resource] : file) {
                                        ids.ids.values.push_back(static_cast<uint32_t>(id));
                                        ids.resource_ids.values.push_back(
                                            static_cast<uint32_t>(resource));
                                        ids.scope_ids.values.push_back(0);
                                      }
                                      return ids;
                                    }});
  }
  const ResourceJoins joins = ResourceJoins::Make(input).ValueOrDie();
  const ResourceStretch& last = joins.stretches(0, files.size() - 1).back();
  *offset = last.offset;
  return joins.IsKnown(AttributeKind::kResource, last,
                       static_cast<uint32_t>(files.back().back().second));
}

/// Spans of resource 0 with ids [first, last].
Spans Ids(int64_t first, int64_t last) {
  Spans spans;
  for (int64_t id = first; id <= last; ++id) {
    spans.emplace_back(id, 0);
  }
  return spans;
}

Spans operator+(Spans a, const Spans& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST(BatchStarts, AGapOfOneIdMayStartABatchWithoutAttributes) {
  uint32_t offset = 0;
  EXPECT_TRUE(IsKnownForLast({Ids(0, 8)}, {0}, &offset));
  EXPECT_EQ(offset, 0U);
  EXPECT_FALSE(IsKnownForLast({Ids(0, 5) + Ids(7, 8)}, {0}, &offset));
  EXPECT_TRUE(IsKnownForLast({Ids(0, 5) + Ids(7, 8)}, {0, 7}, &offset));
  EXPECT_EQ(offset, 7U);
}

TEST(BatchStarts, AttributesPastAGapMayBeOfAResourceWithoutRows) {
  uint32_t offset = 0;
  EXPECT_FALSE(IsKnownForLast({Ids(0, 2) + Ids(4, 5)}, {0, 4}, &offset));
  EXPECT_TRUE(IsKnownForLast({Ids(0, 2) + Ids(5, 6)}, {0, 5}, &offset));
}

TEST(BatchStarts, AttributesInsideABatchMayBeOfAResourceWithoutRows) {
  uint32_t offset = 0;
  for (uint32_t parent = 1; parent <= 4; ++parent) {
    EXPECT_FALSE(IsKnownForLast({Ids(0, 8)}, {0, parent}, &offset)) << parent;
  }
  EXPECT_TRUE(IsKnownForLast({Ids(0, 8)}, {0, 5}, &offset));
  EXPECT_EQ(offset, 5U);
}

TEST(BatchStarts, ABatchThatLacksItsFirstRowsHasOneOfSeveralOffsets) {
  uint32_t offset = 0;
  // Ids 3 to 9 are gone, or are those of other tables: nothing says that the batch starts earlier.
  EXPECT_TRUE(IsKnownForLast({Ids(0, 2), Ids(10, 12)}, {0, 10}, &offset));
  EXPECT_EQ(offset, 10U);
  // Attributes of its resource may stand at 4, and those at 10 can be of no resource of a batch
  // that starts there.
  EXPECT_TRUE(IsKnownForLast({Ids(0, 2), Ids(10, 12)}, {0, 4, 10}, &offset));
  EXPECT_EQ(offset, 10U);
  // From 8 on they can: of one that has no rows.
  EXPECT_FALSE(IsKnownForLast({Ids(0, 2), Ids(10, 12)}, {0, 8, 10}, &offset));
  // Nothing says that they do not start at 4.
  EXPECT_FALSE(IsKnownForLast({Ids(0, 2), Ids(10, 12)}, {0, 4}, &offset));
}

TEST(BatchStarts, IdsThatFallAreOfTwoWritersAndJoinNothing) {
  uint32_t offset = 0;
  EXPECT_FALSE(IsKnownForLast({Ids(0, 2) + Ids(0, 2)}, {0}, &offset));
  EXPECT_FALSE(IsKnownForLast({{{UINT32_MAX, 0}}, {{0, 0}}}, {0, UINT32_MAX}, &offset));
  // Nested ids and files show where each starts; whose the attributes are they do not show.
  const Spans batch = {{0, 0}, {1, 0}, {2, 1}};
  EXPECT_TRUE(IsKnownForLast({batch}, {0, 1}, &offset));
  EXPECT_FALSE(IsKnownForLast({batch + batch}, {0, 1}, &offset));
  EXPECT_FALSE(IsKnownForLast({batch, batch}, {0, 1}, &offset));
}

TEST(ParentIdSet, ReturnsRanges) {
  const ParentIdSet set({5, 1, 9, 5});
  EXPECT_EQ(set.In(2, 8).size(), 1U);
  EXPECT_EQ(set.In(0, UINT64_MAX).size(), 3U);
  EXPECT_TRUE(set.In(6, 5).empty());
  EXPECT_TRUE(set.In(uint64_t{1} << 33, uint64_t{1} << 34).empty());
  EXPECT_EQ(set.IndexOf(9), 2U);
}

TEST(BatchStarts, ASingleAttributeRowPastABatchIsThatOfTheNextWithRecordsOfIt) {
  const Spans before = {{0, 0}, {1, 1}, {2, 2}, {3, 3}};
  const Spans behind = {{4, 0}, {5, 1}, {6, 2}};
  const std::vector<uint32_t> parents = {0, 1, 2, 3, 4, 5, 6};
  uint32_t offset = 0;
  const ParentIdSet none;
  EXPECT_TRUE(IsKnownForLast({before, behind}, parents, &offset, &none));
  EXPECT_EQ(offset, 4U);
  // The batch before may have had resources without records, up to 7.
  const ParentIdSet last({6});
  EXPECT_FALSE(IsKnownForLast({before, behind}, parents, &offset, &last));
  EXPECT_FALSE(IsKnownForLast({before, behind}, parents, &offset)) << "nothing is known of them";
  const ParentIdSet other({5});
  EXPECT_TRUE(IsKnownForLast({before, behind}, parents, &offset, &other));
}

}  // namespace
}  // namespace df::lake
