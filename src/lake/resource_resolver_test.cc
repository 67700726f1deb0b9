#include "lake/resource_resolver.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace df::lake {
namespace {

/// One root row of an exported batch, ids before the exporter shifts them; -1 = null.
struct Row {
  int64_t id = -1;
  int64_t resource = -1;
  int64_t scope = -1;
};

/// One exported batch: rows, and which resources and scopes have attributes.
struct ExportedBatch {
  std::vector<Row> rows;
  std::set<uint32_t> resources_with_attributes;
  std::set<uint32_t> scopes_with_attributes;
};

/// What the exporter's id rule makes of batches, with the true offset of every row on the side.
struct ExportedFiles {
  std::vector<std::vector<Row>> files;
  std::vector<std::vector<uint32_t>> true_offsets;
  std::vector<uint32_t> resource_parents;
  std::vector<uint32_t> scope_parents;
};

ExportedFiles Export(const std::vector<ExportedBatch>& batches, size_t batches_per_file,
                     uint32_t gap_after_batch = 0) {
  ExportedFiles exported;
  uint32_t offset = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    if (i % batches_per_file == 0) {
      exported.files.emplace_back();
      exported.true_offsets.emplace_back();
    }
    int64_t max_id = 0;
    for (Row row : batches[i].rows) {
      max_id = std::max(max_id, row.id);
      row.id = row.id < 0 ? row.id : row.id + offset;
      exported.files.back().push_back(row);
      exported.true_offsets.back().push_back(offset);
    }
    for (const uint32_t resource : batches[i].resources_with_attributes) {
      exported.resource_parents.push_back(resource + offset);
    }
    for (const uint32_t scope : batches[i].scopes_with_attributes) {
      exported.scope_parents.push_back(scope + offset);
    }
    offset += static_cast<uint32_t>(max_id) + 1 + gap_after_batch;
  }
  return exported;
}

IdColumn ToColumn(const std::vector<Row>& rows, int64_t Row::* member) {
  IdColumn column;
  column.validity = arrow::AllocateEmptyBitmap(static_cast<int64_t>(rows.size())).ValueOrDie();
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t value = rows[i].*member;
    column.values.push_back(static_cast<uint32_t>(std::max<int64_t>(value, 0)));
    if (value >= 0) {
      column.validity->mutable_data()[i / 8] |= static_cast<uint8_t>(1 << (i % 8));
      ++column.num_valid;
    }
  }
  return column;
}

/// Resolves every file; returns, by file and row, the offset found or nothing where it is
/// ambiguous.
std::vector<std::vector<std::optional<uint32_t>>> Resolve(const ExportedFiles& exported,
                                                          bool is_only_signal = true) {
  const ParentIdSet resources(exported.resource_parents);
  const ParentIdSet scopes(exported.scope_parents);
  std::vector<std::vector<std::optional<uint32_t>>> found;
  for (size_t file = 0; file < exported.files.size(); ++file) {
    ResolverContext context;
    context.resources = &resources;
    context.scopes = &scopes;
    context.is_only_signal = is_only_signal;
    for (size_t other = 0; other < exported.files.size(); ++other) {
      for (const Row& row : exported.files[other]) {
        if (row.id >= 0 && other < file) {
          context.previous_last_id =
              std::max(context.previous_last_id.value_or(0), static_cast<uint32_t>(row.id));
        } else if (row.id >= 0 && other > file) {
          context.next_first_id =
              std::min(context.next_first_id.value_or(UINT32_MAX), static_cast<uint32_t>(row.id));
        }
      }
    }
    // Two row groups: a stretch must survive the border.
    const std::vector<Row>& rows = exported.files[file];
    const size_t half = rows.size() / 2;
    auto read = [&](int group) -> Result<RootIds> {
      const std::vector<Row> part(
          rows.begin() + (group == 0 ? 0 : static_cast<std::ptrdiff_t>(half)),
          group == 0 ? rows.begin() + static_cast<std::ptrdiff_t>(half) : rows.end());
      return RootIds{ToColumn(part, &Row::id), ToColumn(part, &Row::resource),
                     ToColumn(part, &Row::scope)};
    };
    const auto stretches = ResolveResources(2, read, context).ValueOrDie();
    found.emplace_back();
    size_t stretch = 0;
    for (size_t row = 0; row < rows.size(); ++row) {
      while (stretch + 1 < stretches.size() &&
             stretches[stretch + 1].first_row <= static_cast<int64_t>(row)) {
        ++stretch;
      }
      found.back().push_back(stretches[stretch].is_ambiguous
                                 ? std::nullopt
                                 : std::optional(stretches[stretch].offset));
    }
  }
  return found;
}

/// Compares what the found offsets join with what the true ones do. Returns the number of ambiguous
/// rows.
int64_t CheckJoins(const ExportedFiles& exported,
                   const std::vector<std::vector<std::optional<uint32_t>>>& found) {
  const std::set<uint32_t> resources(exported.resource_parents.begin(),
                                     exported.resource_parents.end());
  const std::set<uint32_t> scopes(exported.scope_parents.begin(), exported.scope_parents.end());
  auto joined = [](const std::set<uint32_t>& parents, uint32_t offset, int64_t id) -> int64_t {
    const uint32_t key = offset + static_cast<uint32_t>(id);
    return id >= 0 && parents.contains(key) ? key : -1;
  };
  int64_t num_ambiguous = 0;
  for (size_t file = 0; file < exported.files.size(); ++file) {
    for (size_t i = 0; i < exported.files[file].size(); ++i) {
      if (!found[file][i].has_value()) {
        ++num_ambiguous;
        continue;
      }
      const Row& row = exported.files[file][i];
      const uint32_t truth = exported.true_offsets[file][i];
      EXPECT_EQ(joined(resources, *found[file][i], row.resource),
                joined(resources, truth, row.resource))
          << "file " << file << " row " << i << " id " << row.id << " resource " << row.resource
          << " true offset " << truth;
      EXPECT_EQ(joined(scopes, *found[file][i], row.scope), joined(scopes, truth, row.scope))
          << "file " << file << " row " << i << " id " << row.id << " scope " << row.scope
          << " true offset " << truth;
      if (testing::Test::HasFailure()) {
        return num_ambiguous;
      }
    }
  }
  return num_ambiguous;
}

struct Shape {
  double row_has_id = 1;
  double resource_has_attributes = 1;
  double scope_has_attributes = 0.5;
  int most_resources = 4;
  int most_scopes = 3;
  int least_rows_per_scope = 5;
};

ExportedBatch RandomBatch(const Shape& shape, std::mt19937& random) {
  auto chance = [&](double share) {
    return std::uniform_real_distribution<>(0, 1)(random) < share;
  };
  auto upto = [&](int most) {
    return static_cast<int>(random() % static_cast<uint32_t>(most)) + 1;
  };
  ExportedBatch batch;
  int64_t next_id = 0;
  uint32_t scope_id = 0;
  const int num_resources = upto(shape.most_resources);
  for (int resource = 0; resource < num_resources; ++resource) {
    if (chance(shape.resource_has_attributes)) {
      batch.resources_with_attributes.insert(static_cast<uint32_t>(resource));
    }
    const int num_scopes = upto(shape.most_scopes);
    for (int scope = 0; scope < num_scopes; ++scope, ++scope_id) {
      if (chance(shape.scope_has_attributes)) {
        batch.scopes_with_attributes.insert(scope_id);
      }
      const int num_rows = shape.least_rows_per_scope + upto(20);
      for (int row = 0; row < num_rows; ++row) {
        batch.rows.push_back({chance(shape.row_has_id) ? next_id++ : -1, resource, scope_id});
      }
    }
  }
  return batch;
}

std::vector<ExportedBatch> RandomBatches(const Shape& shape, std::mt19937& random, int count) {
  std::vector<ExportedBatch> batches;
  for (int i = 0; i < count; ++i) {
    batches.push_back(RandomBatch(shape, random));
  }
  return batches;
}

TEST(ResourceResolver, FindsEveryBatchWhenAllResourcesHaveAttributes) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const Shape shape{.most_resources = 1 + static_cast<int>(seed % 4),
                      .most_scopes = 1 + static_cast<int>(seed % 3)};
    const ExportedFiles exported =
        Export(RandomBatches(shape, random, 12), 1 + seed % 12, seed % 2 == 0 ? 0 : 17);
    EXPECT_EQ(CheckJoins(exported, Resolve(exported)), 0);
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

TEST(ResourceResolver, FindsEveryBatchOfLogsOfWhichSomeHaveNoId) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const Shape shape{
        .row_has_id = 0.7, .most_resources = 4, .most_scopes = 3, .least_rows_per_scope = 10};
    std::vector<ExportedBatch> batches = RandomBatches(shape, random, 10);
    // Batches of more than one group show their start by nested ids that step back.
    std::erase_if(batches, [](const ExportedBatch& batch) { return batch.rows.back().scope == 0; });
    const ExportedFiles exported = Export(batches, 1 + seed % 10);
    EXPECT_EQ(CheckJoins(exported, Resolve(exported)), 0);
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

TEST(ResourceResolver, OneBatchAFileIsAlwaysFound) {
  for (uint32_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const Shape shape{.row_has_id = 0.8,
                      .resource_has_attributes = 0.5,
                      .scope_has_attributes = 0.3,
                      .least_rows_per_scope = 12};
    const ExportedFiles exported = Export(RandomBatches(shape, random, 15), 1);
    EXPECT_EQ(CheckJoins(exported, Resolve(exported)), 0);
    ASSERT_FALSE(testing::Test::HasFailure());
  }
}

TEST(ResourceResolver, NeverJoinsWronglyWhenBatchesOfSeveralGroupsLackAttributes) {
  int64_t num_ambiguous = 0;
  for (uint32_t seed = 0; seed < 500; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const Shape shape{.row_has_id = 0.8,
                      .resource_has_attributes = 0.6,
                      .scope_has_attributes = 0.4,
                      .least_rows_per_scope = 4};
    std::vector<ExportedBatch> batches = RandomBatches(shape, random, 12);
    std::erase_if(batches, [](const ExportedBatch& batch) { return batch.rows.back().scope == 0; });
    const ExportedFiles exported = Export(batches, 4);
    num_ambiguous += CheckJoins(exported, Resolve(exported));
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  RecordProperty("ambiguous_rows", std::to_string(num_ambiguous));
}

TEST(ResourceResolver, MoreResourcesThanIdsIsAmbiguousNotWrong) {
  // The first batch has three resources and one id, so its attribute rows reach into the ids of the
  // second.
  ExportedBatch first{.rows = {{0, 0, 0}, {-1, 1, 1}, {-1, 2, 2}},
                      .resources_with_attributes = {0, 1, 2},
                      .scopes_with_attributes = {}};
  ExportedBatch second{.rows = {{0, 0, 0}, {1, 1, 1}},
                       .resources_with_attributes = {0, 1},
                       .scopes_with_attributes = {}};
  const ExportedFiles exported = Export({first, second}, 2);
  EXPECT_GT(CheckJoins(exported, Resolve(exported)), 0);
}

TEST(ResourceResolver, BatchesWithoutIdsAreCounted) {
  ExportedBatch plain{.rows = {{0, 0, 0}, {1, 0, 0}},
                      .resources_with_attributes = {0},
                      .scopes_with_attributes = {}};
  ExportedBatch bare{.rows = {{-1, 0, 0}, {-1, 0, 0}},
                     .resources_with_attributes = {0},
                     .scopes_with_attributes = {}};
  const ExportedFiles exported = Export({plain, bare, plain}, 1);
  EXPECT_EQ(CheckJoins(exported, Resolve(exported)), 0);
  // With another signal in the partition the offset of the middle batch cannot be counted.
  EXPECT_EQ(CheckJoins(exported, Resolve(exported, /*is_only_signal=*/false)), 2);
}

TEST(ResourceResolver, RowsWithoutIdBetweenHiddenBatchesAreAmbiguous) {
  ExportedBatch first{.rows = {{0, 0, 0}, {1, 0, 0}, {-1, 0, 0}},
                      .resources_with_attributes = {0},
                      .scopes_with_attributes = {}};
  ExportedBatch second{.rows = {{-1, 0, 0}, {0, 0, 0}},
                       .resources_with_attributes = {0},
                       .scopes_with_attributes = {}};
  const ExportedFiles exported = Export({first, second}, 2);
  EXPECT_EQ(CheckJoins(exported, Resolve(exported)), 2);
}

TEST(ParentIdSet, ReturnsRanges) {
  const ParentIdSet set({5, 1, 9, 5});
  EXPECT_EQ(set.In(2, 8).size(), 1U);
  EXPECT_EQ(set.In(0, UINT64_MAX).size(), 3U);
  EXPECT_TRUE(set.In(6, 5).empty());
  EXPECT_TRUE(set.In(uint64_t{1} << 33, uint64_t{1} << 34).empty());
  EXPECT_EQ(set.max(), 9U);
}

}  // namespace
}  // namespace df::lake
