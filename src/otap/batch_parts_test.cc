// Filter, Concat and Split against naive ones, on random batches of every signal.
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/initialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/concat.h"
#include "otap/filter.h"
#include "otap/id_remap.h"
#include "otap/split.h"
#include "otap/validate.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"

namespace df::otap {
namespace {

using testing::CellColumn;
using testing::CellTable;
using ::testing::HasSubstr;
using testing::RandomBatch;
using testing::RandomBatchOptions;
using testing::RandomEngine;

uint64_t FirstSeed() {
  const char* given = std::getenv("DF_TEST_SEED");
  return given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
}

using Ids = std::set<uint64_t>;

Ids IdsOf(const std::vector<testing::Cell>& cells, const std::vector<int64_t>& rows) {
  Ids ids;
  for (const int64_t row : rows) {
    if (const auto* id = std::get_if<uint64_t>(&cells[static_cast<size_t>(row)])) {
      ids.insert(*id);
    }
  }
  return ids;
}

using Keeps = std::function<bool(const TableInfo& info, int64_t row)>;

/// Row by row, with sets of ids; a table is narrowed by `keeps` and by its parent.
BatchPtr NaiveFilter(const Batch& batch, const Keeps& keeps) {
  BatchBuilder builder(batch.signal());
  std::map<TableKind, Ids> kept_ids;
  const TableKind root = RootTable(batch.signal());
  const CellTable root_cells = testing::ReadCells(*batch.root()).ValueOrDie();
  std::vector<int64_t> root_rows;
  for (int64_t row = 0; row < root_cells.num_rows; ++row) {
    if (keeps(GetTable(root), row)) {
      root_rows.push_back(row);
    }
  }
  for (const TableInfo& info : AllTables()) {
    if (batch.table(info.kind) == nullptr) {
      continue;
    }
    const CellTable cells = testing::ReadCells(*batch.table(info.kind)).ValueOrDie();
    const CellColumn* parents = FindCells(cells.columns, "parent_id");
    Ids parent_ids;
    if (info.parent.has_value()) {
      parent_ids = kept_ids[*info.parent];
    } else if (parents != nullptr) {
      const std::string group = info.kind == TableKind::kScopeAttrs ? "scope" : "resource";
      const CellColumn* column = FindCells(root_cells.columns, group);
      std::vector<int64_t> with_group;
      for (const int64_t row : root_rows) {
        if (column != nullptr && !testing::IsNull(column->cells[static_cast<size_t>(row)])) {
          with_group.push_back(row);
        }
      }
      const CellColumn* ids = column == nullptr ? nullptr : FindCells(column->children, "id");
      parent_ids = ids == nullptr ? Ids() : IdsOf(ids->cells, with_group);
    }
    std::vector<int64_t> rows;
    for (int64_t row = 0; row < cells.num_rows; ++row) {
      const bool has_parent =
          parents == nullptr ||
          parent_ids.contains(std::get<uint64_t>(parents->cells[static_cast<size_t>(row)]));
      if (has_parent && keeps(info, row)) {
        rows.push_back(row);
      }
    }
    if (const CellColumn* ids = FindCells(cells.columns, "id")) {
      kept_ids[info.kind] = IdsOf(ids->cells, rows);
    }
    auto table = testing::BuildRecords(testing::TakeRows(cells, rows)).ValueOrDie();
    EXPECT_TRUE(builder.Set(info.kind, table).ok());
  }
  return builder.Build();
}

RandomBatchOptions DrawOptions(RandomEngine& rng) {
  RandomBatchOptions options;
  options.root_rows = static_cast<int>(testing::Between(rng, 1, 60));
  options.null_ids_for_bare_children = testing::Chance(rng, 0.5);
  options.missing_column = testing::Chance(rng, 0.3) ? 0.5 : 0.1;
  options.dictionary = testing::Chance(rng, 0.3) ? 1.0 : 0.5;
  return options;
}

class BatchParts : public ::testing::TestWithParam<Signal> {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

RowSet DrawRows(RandomEngine& rng, int64_t num_rows, double share) {
  RowSet rows(num_rows);
  for (int64_t row = 0; row < num_rows; ++row) {
    if (testing::Chance(rng, share)) {
      rows.Set(row);
    }
  }
  return rows;
}

void ExpectSameRecords(const std::vector<BatchPtr>& expected, const std::vector<BatchPtr>& actual) {
  for (const BatchPtr& batch : actual) {
    const arrow::Status valid = Validate(*batch);
    ASSERT_TRUE(valid.ok()) << valid;
  }
  EXPECT_EQ(testing::DescribeDifference(testing::CanonicalRecords(expected),
                                        testing::CanonicalRecords(actual)),
            "");
}

TEST_P(BatchParts, FilterKeepsTheRowsAndWhatHangsBelowThem) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 25; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomEngine rng(seed);
    const BatchPtr batch = RandomBatch(GetParam(), DrawOptions(rng), rng);
    const TableKind root = RootTable(GetParam());
    const RowSet rows = DrawRows(rng, batch->num_root_rows(), 0.4);
    const auto filtered = FilterRoots(batch, rows);
    ASSERT_TRUE(filtered.ok()) << filtered.status();
    if (rows.Count() == 0) {
      EXPECT_EQ(*filtered, nullptr);
      continue;
    }
    const BatchPtr expected = NaiveFilter(*batch, [&](const TableInfo& info, int64_t row) {
      return info.kind != root || rows.Has(row);
    });
    ExpectSameRecords({expected}, {*filtered});
  }
}

TEST_P(BatchParts, FilterOfAnyTablesCascadesDownwards) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 25; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomEngine rng(seed);
    const BatchPtr batch = RandomBatch(GetParam(), DrawOptions(rng), rng);
    Selection selection;
    std::map<TableKind, RowSet> chosen;
    for (const TableInfo& info : AllTables()) {
      const bool is_free = info.parent.has_value() || info.kind == RootTable(GetParam());
      if (is_free && batch->table(info.kind) != nullptr && testing::Chance(rng, 0.4)) {
        const RowSet rows = DrawRows(rng, batch->table(info.kind)->num_rows(), 0.6);
        selection.Set(info.kind, rows);
        chosen.emplace(info.kind, rows);
      }
    }
    const auto filtered = Filter(batch, selection);
    ASSERT_TRUE(filtered.ok()) << filtered.status();
    const BatchPtr expected = NaiveFilter(*batch, [&](const TableInfo& info, int64_t row) {
      const auto found = chosen.find(info.kind);
      return found == chosen.end() || found->second.Has(row);
    });
    if (expected->num_root_rows() == 0) {
      EXPECT_EQ(*filtered, nullptr);
      continue;
    }
    ExpectSameRecords({expected}, {*filtered});
  }
}

TEST_P(BatchParts, FilterThatKeepsEverythingIsFree) {
  RandomEngine rng(FirstSeed());
  const BatchPtr batch = RandomBatch(GetParam(), {}, rng);
  EXPECT_EQ(FilterRoots(batch, RowSet(batch->num_root_rows(), true)).ValueOrDie(), batch);
}

TEST_P(BatchParts, ConcatHoldsTheRecordsOfAll) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 25; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomEngine rng(seed);
    std::vector<BatchPtr> batches;
    for (int64_t i = testing::Between(rng, 1, 5); i > 0; --i) {
      batches.push_back(RandomBatch(GetParam(), DrawOptions(rng), rng));
    }
    const auto joined = Concat(batches);
    ASSERT_TRUE(joined.ok()) << joined.status();
    ExpectSameRecords(batches, {*joined});
  }
}

TEST_P(BatchParts, SplitHoldsTheRecordsOfTheWhole) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 25; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomEngine rng(seed);
    const BatchPtr batch = RandomBatch(GetParam(), DrawOptions(rng), rng);
    const int64_t max_items = testing::Between(rng, 1, 30);
    const int64_t first_items = testing::Between(rng, 1, max_items);
    const auto pieces = Split(batch, first_items, max_items);
    ASSERT_TRUE(pieces.ok()) << pieces.status();
    ExpectSameRecords({batch}, *pieces);
    for (size_t i = 0; i < pieces->size(); ++i) {
      const int64_t limit = i == 0 ? first_items : max_items;
      const int64_t items = (*pieces)[i]->num_items();
      EXPECT_LE(items, limit);
      if (GetParam() != Signal::kMetrics && i + 1 < pieces->size()) {
        EXPECT_EQ(items, limit);
      }
    }
  }
}

TEST_P(BatchParts, PiecesJoinToTheWholeAgain) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RandomEngine rng(seed);
    const BatchPtr batch = RandomBatch(GetParam(), DrawOptions(rng), rng);
    const auto pieces = Split(batch, 3).ValueOrDie();
    const auto joined = Concat(pieces);
    ASSERT_TRUE(joined.ok()) << joined.status();
    ExpectSameRecords({batch}, {*joined});
  }
}

INSTANTIATE_TEST_SUITE_P(Signals, BatchParts, ::testing::ValuesIn(kAllSignals),
                         [](const auto& param) { return std::string(Name(param.param)); });

BatchPtr LogsWithIds(const std::vector<uint16_t>& ids) {
  arrow::UInt16Builder builder;
  EXPECT_TRUE(builder.AppendValues(ids).ok());
  BatchBuilder batch(Signal::kLogs);
  EXPECT_TRUE(batch
                  .Set(TableKind::kLogs, arrow::RecordBatch::Make(
                                             arrow::schema({arrow::field("id", arrow::uint16())}),
                                             static_cast<int64_t>(ids.size()), {*builder.Finish()}))
                  .ok());
  return batch.Build();
}

TEST(Concat, NumbersAnewWhereShiftedIdsWouldLeaveTheirWidth) {
  const std::vector<BatchPtr> batches = {LogsWithIds({65'535, 7}), LogsWithIds({65'535, 65'000}),
                                         LogsWithIds({0})};
  const BatchPtr joined = Concat(batches).ValueOrDie();
  ASSERT_TRUE(Validate(*joined).ok());
  std::vector<uint32_t> ids;
  VisitIds(*joined->root()->GetColumnByName("id"),
           [&](int64_t, uint32_t id) { ids.push_back(id); });
  EXPECT_THAT(ids, ::testing::ElementsAre(0, 1, 2, 3, 4));
}

TEST(Concat, SaysHowManyBatchesFit) {
  std::vector<uint16_t> ids(30'000);
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<uint16_t>(i);
  }
  const std::vector<BatchPtr> batches(4, LogsWithIds(ids));
  EXPECT_EQ(CountFitting(batches), 2U);
  EXPECT_THAT(Concat(batches).status().message(), HasSubstr("the first 2 of 4 batches fit"));
}

TEST(Concat, RefusesTwoSignals) {
  RandomEngine rng(1);
  const std::vector<BatchPtr> batches = {RandomBatch(Signal::kLogs, {}, rng),
                                         RandomBatch(Signal::kTraces, {}, rng)};
  EXPECT_THAT(Concat(batches).status().message(), HasSubstr("logs and of traces"));
}

TEST(Filter, DropsMetricsThatLoseTheirLastPointOnlyWhenAsked) {
  ASSERT_TRUE(arrow::compute::Initialize().ok());
  RandomEngine rng(FirstSeed());
  RandomBatchOptions options;
  options.without_children = 0.3;
  const BatchPtr batch = RandomBatch(Signal::kMetrics, options, rng);
  Selection selection;
  Ids with_points;
  for (const TableInfo& info : AllTables()) {
    const auto& table = batch->table(info.kind);
    if (info.parent == TableKind::kUnivariateMetrics && !info.is_attributes && table != nullptr) {
      selection.Set(info.kind, RowSet(table->num_rows()));
      VisitIds(*table->GetColumnByName("parent_id"),
               [&](int64_t, uint32_t id) { with_points.insert(id); });
    }
  }
  const auto all = static_cast<size_t>(batch->num_root_rows());
  ASSERT_GT(with_points.size(), 0U);
  ASSERT_LT(with_points.size(), all);
  const BatchPtr kept = Filter(batch, selection, EmptiedMetrics::kKeep).ValueOrDie();
  EXPECT_EQ(kept->num_root_rows(), static_cast<int64_t>(all));
  EXPECT_EQ(kept->num_items(), 0);
  const BatchPtr dropped = Filter(batch, selection, EmptiedMetrics::kDrop).ValueOrDie();
  EXPECT_EQ(dropped->num_root_rows(), static_cast<int64_t>(all - with_points.size()));
  EXPECT_TRUE(Validate(*dropped).ok());
}

}  // namespace
}  // namespace df::otap
