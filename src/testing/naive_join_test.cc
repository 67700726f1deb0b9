#include "testing/naive_join.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "otap/schema.h"
#include "testing/cell.h"
#include "testing/random_batch.h"

namespace df::testing {
namespace {

using otap::BatchPtr;
using otap::Signal;
using otap::TableInfo;
using otap::TableKind;
using Tables = std::map<TableKind, CellTable>;

Tables Explode(const BatchPtr& batch) {
  Tables tables;
  for (const TableInfo& info : otap::AllTables()) {
    if (batch->table(info.kind) != nullptr) {
      tables.emplace(info.kind, ReadCells(*batch->table(info.kind)).ValueOrDie());
    }
  }
  return tables;
}

BatchPtr Implode(Signal signal, const Tables& tables) {
  otap::BatchBuilder builder(signal);
  for (const auto& [kind, table] : tables) {
    EXPECT_TRUE(builder.Set(kind, BuildRecords(table).ValueOrDie()).ok());
  }
  return builder.Build();
}

class NaiveJoin : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    seed_ = static_cast<uint64_t>(GetParam());
    rng_.seed(seed_);
    RecordProperty("seed", GetParam());
    signal_ = otap::kAllSignals[static_cast<size_t>(GetParam()) % 3];
  }

  uint64_t seed_ = 0;
  RandomEngine rng_;
  Signal signal_ = Signal::kLogs;
};
INSTANTIATE_TEST_SUITE_P(Seeds, NaiveJoin, ::testing::Range(1, 22));

TEST_P(NaiveJoin, EqualSeedsGiveEqualRecordsAndOthersDiffer) {
  RandomEngine again(seed_);
  RandomEngine other(seed_ + 1000);
  const auto lines = CanonicalRecords({RandomBatch(signal_, {}, rng_)});
  EXPECT_GE(lines.size(), 40U);
  EXPECT_EQ(lines, CanonicalRecords({RandomBatch(signal_, {}, again)}));
  EXPECT_NE(lines, CanonicalRecords({RandomBatch(signal_, {}, other)}));
}

TEST_P(NaiveJoin, RowOrderAndColumnOrderAndTypesDoNotMatter) {
  const BatchPtr batch = RandomBatch(signal_, {}, rng_);
  Tables tables = Explode(batch);
  for (auto& [kind, table] : tables) {
    std::vector<int64_t> order(static_cast<size_t>(table.num_rows));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), rng_);
    table = TakeRows(table, order);
    std::shuffle(table.columns.begin(), table.columns.end(), rng_);
    VisitLeaves(table, [](const std::string&, CellColumn& leaf) {
      if (leaf.type->id() == arrow::Type::DICTIONARY) {
        leaf.type = static_cast<const arrow::DictionaryType&>(*leaf.type).value_type();
      }
    });
  }
  EXPECT_EQ(
      DescribeDifference(CanonicalRecords({batch}), CanonicalRecords({Implode(signal_, tables)})),
      "");
}

TEST_P(NaiveJoin, RenumberedIdsDoNotMatter) {
  const BatchPtr batch = RandomBatch(signal_, {}, rng_);
  Tables tables = Explode(batch);
  for (auto& [kind, table] : tables) {
    VisitLeaves(table, [](const std::string& path, CellColumn& leaf) {
      if (path == "id" || path == "parent_id" || path == "resource.id" || path == "scope.id") {
        for (Cell& cell : leaf.cells) {
          if (!IsNull(cell)) {
            cell = 5'000 - 3 * std::get<uint64_t>(cell);
          }
        }
      }
    });
  }
  EXPECT_EQ(CanonicalRecords({batch}), CanonicalRecords({Implode(signal_, tables)}));
}

TEST_P(NaiveJoin, CuttingTheRootIntoTwoBatchesDoesNotMatter) {
  const BatchPtr batch = RandomBatch(signal_, {}, rng_);
  std::vector<BatchPtr> halves;
  for (int half = 0; half < 2; ++half) {
    Tables tables = Explode(batch);
    CellTable& root = tables.at(otap::RootTable(signal_));
    std::vector<int64_t> rows;
    for (int64_t row = half; row < root.num_rows; row += 2) {
      rows.push_back(row);
    }
    root = TakeRows(root, rows);
    // Rows of the other half stay behind as orphans, which appear nowhere.
    halves.push_back(Implode(signal_, tables));
  }
  EXPECT_EQ(CanonicalRecords({batch}), CanonicalRecords(halves));
}

TEST_P(NaiveJoin, DroppingOneRowOrRepeatingItShows) {
  const BatchPtr batch = RandomBatch(signal_, {}, rng_);
  const auto lines = CanonicalRecords({batch});
  for (const auto& [kind, table] : Explode(batch)) {
    SCOPED_TRACE(std::string(otap::GetTable(kind).directory));
    std::vector<int64_t> rows(static_cast<size_t>(table.num_rows));
    std::iota(rows.begin(), rows.end(), 0);
    const int64_t victim = Between(rng_, 0, table.num_rows - 1);
    Tables tables = Explode(batch);
    rows.push_back(victim);
    tables.at(kind) = TakeRows(table, rows);
    EXPECT_NE(lines, CanonicalRecords({Implode(signal_, tables)}));
    std::erase(rows, victim);
    tables.at(kind) = TakeRows(table, rows);
    EXPECT_NE(lines, CanonicalRecords({Implode(signal_, tables)}));
  }
}

/// Returns a value that means something else than `cell`.
Cell Changed(const Cell& cell, const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::DICTIONARY:
      return Changed(cell, *static_cast<const arrow::DictionaryType&>(type).value_type());
    case arrow::Type::BOOL:
      return IsNull(cell) || !std::get<bool>(cell);
    case arrow::Type::DOUBLE:
      return cell == Cell(8.25) ? 7.5 : 8.25;
    case arrow::Type::FIXED_SIZE_BINARY:
      return std::string(
          static_cast<size_t>(static_cast<const arrow::FixedSizeBinaryType&>(type).byte_width()),
          cell == Cell(std::string(16, 'x')) ? 'y' : 'x');
    case arrow::Type::STRING:
    case arrow::Type::BINARY:
      return IsNull(cell) ? "new" : std::get<std::string>(cell) + "x";
    case arrow::Type::LIST:
      return static_cast<const arrow::ListType&>(type).value_type()->id() == arrow::Type::UINT64
                 ? Cell(std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8})
             : static_cast<const arrow::ListType&>(type).value_type()->id() == arrow::Type::DOUBLE
                 ? Cell(std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8})
                 : Cell(std::vector<QuantileCell>{{9, 9}});
    default:
      if (const auto* number = std::get_if<uint64_t>(&cell)) {
        return *number == 1 ? uint64_t{2} : uint64_t{1};
      }
      if (const auto* number = std::get_if<int64_t>(&cell)) {
        return *number == 1 ? int64_t{2} : int64_t{1};
      }
      return arrow::is_unsigned_integer(type.id()) ? Cell(uint64_t{1}) : Cell(int64_t{1});
  }
}

/// Tells whether a change of the cell must show: ids and inactive values need not.
bool IsVisible(const CellTable& table, const std::string& path, size_t row) {
  static const std::map<std::string, uint64_t> kTypeOfValue = {
      {"str", 1}, {"int", 2}, {"double", 3}, {"bool", 4}, {"bytes", 7}};
  const size_t dot = path.find('.');
  const std::string name = dot == std::string::npos ? path : path.substr(dot + 1);
  const CellColumn* group =
      dot == std::string::npos ? nullptr : FindCells(table.columns, path.substr(0, dot));
  if (name == "id" || name == "parent_id" || (group != nullptr && IsNull(group->cells[row]))) {
    return false;
  }
  const CellColumn* type = FindCells(group != nullptr ? group->children : table.columns, "type");
  if (type == nullptr || name == "type" || name == "key") {
    return true;
  }
  const uint64_t active = std::get<uint64_t>(type->cells[row]);
  return name == "ser" ? active == 5 || active == 6 : kTypeOfValue.at(name) == active;
}

TEST_P(NaiveJoin, ChangingAnyOneCellShows) {
  RandomBatchOptions options;
  options.root_rows = 12;
  const BatchPtr batch = RandomBatch(signal_, options, rng_);
  const auto lines = CanonicalRecords({batch});
  Tables tables = Explode(batch);
  int changes = 0;
  for (auto& [kind, table] : tables) {
    VisitLeaves(table, [&, &changed = table](const std::string& path, CellColumn& leaf) {
      const size_t row = static_cast<size_t>(Between(rng_, 0, changed.num_rows - 1));
      if (!IsVisible(changed, path, row)) {
        return;
      }
      const Cell before = leaf.cells[row];
      leaf.cells[row] = Changed(before, *leaf.type);
      ++changes;
      EXPECT_NE(lines, CanonicalRecords({Implode(signal_, tables)})) << path << " row " << row;
      leaf.cells[row] = before;
    });
  }
  EXPECT_GT(changes, 5);
}

TEST_P(NaiveJoin, DefaultsEqualNullExceptWhereAbsenceHasAMeaning) {
  RandomBatchOptions options;
  options.valueless_exemplars = true;
  const BatchPtr batch = RandomBatch(signal_, options, rng_);
  Tables tables = Explode(batch);
  for (auto& [kind, table] : tables) {
    VisitLeaves(table, [&](const std::string& path, CellColumn& leaf) {
      const bool keeps = path == "sum" || path == "min" || path == "max" || path == "bool" ||
                         path == "int_value" || path == "double_value" || path == "body.bool" ||
                         path == "key" || path.ends_with("id") || path.ends_with("type");
      for (Cell& cell : leaf.cells) {
        if (!keeps && (cell == Cell(int64_t{0}) || cell == Cell(uint64_t{0}) ||
                       cell == Cell(std::string()) || cell == Cell(std::vector<double>()))) {
          cell = Cell();
        }
      }
    });
  }
  EXPECT_EQ(
      DescribeDifference(CanonicalRecords({batch}), CanonicalRecords({Implode(signal_, tables)})),
      "");
}

TEST(CanonicalRecords, TellsNegativeZeroFromZeroAndNull) {
  const auto logs_with = [](const Cell& value) {
    const Cell id = uint64_t{0};
    const CellTable logs{1, {{"id", arrow::uint16(), {id}, {}}}};
    const CellTable attributes{1,
                               {{"parent_id", arrow::uint16(), {id}, {}},
                                {"key", arrow::utf8(), {std::string("k")}, {}},
                                {"type", arrow::uint8(), {uint64_t{3}}, {}},
                                {"double", arrow::float64(), {value}, {}}}};
    return CanonicalRecords(
        {Implode(Signal::kLogs, {{TableKind::kLogs, logs}, {TableKind::kLogAttrs, attributes}})});
  };
  EXPECT_EQ(logs_with(0.0), logs_with(Cell()));
  EXPECT_NE(logs_with(0.0), logs_with(-0.0));
  EXPECT_EQ(logs_with(0.0),
            std::vector<std::string>{R"(logs{[log_attrs{key="k" value=3:default}] })"});
}

}  // namespace
}  // namespace df::testing
