#include "otap/id_encoding.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/validate.h"
#include "testing/cell.h"
#include "testing/lake_columns.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"

namespace df::otap {
namespace {

using ::df::testing::BuildRecords;
using ::df::testing::Cell;
using ::df::testing::CellColumn;
using ::df::testing::CellTable;
using ::df::testing::CellText;
using ::df::testing::FindCells;
using ::df::testing::IsNull;
using ::df::testing::RandomBatch;
using ::df::testing::RandomBatchOptions;
using ::df::testing::RandomEngine;
using ::df::testing::ReadCells;
using ::testing::HasSubstr;

constexpr int kNull = -1;

std::vector<Cell> Ids(const std::vector<int64_t>& values) {
  std::vector<Cell> cells;
  for (const int64_t value : values) {
    cells.push_back(value == kNull ? Cell() : Cell(static_cast<uint64_t>(value)));
  }
  return cells;
}

std::vector<Cell> Texts(const std::vector<std::optional<std::string>>& values) {
  std::vector<Cell> cells;
  for (const auto& value : values) {
    cells.push_back(value.has_value() ? Cell(*value) : Cell());
  }
  return cells;
}

CellColumn Group(const std::string& name, const std::vector<int64_t>& ids) {
  CellColumn group{name, nullptr, std::vector<Cell>(ids.size(), Cell(true)), {}};
  group.children.push_back({"id", arrow::uint16(), Ids(ids), {}});
  return group;
}

Signal SignalOf(TableKind kind) {
  for (const Signal signal : kAllSignals) {
    if (GetTable(kind).has_signal(signal)) {
      return signal;
    }
  }
  return Signal::kLogs;
}

/// Decodes one table that stands alone in a batch of the wire.
arrow::Result<CellTable> Decode(TableKind kind, const std::shared_ptr<arrow::RecordBatch>& table) {
  BatchBuilder builder(SignalOf(kind), IdEncoding::kTransport);
  ARROW_RETURN_NOT_OK(builder.Set(kind, table));
  ARROW_ASSIGN_OR_RAISE(const BatchPtr decoded, DecodeTransportIds(builder.Build()));
  EXPECT_EQ(decoded->id_encoding(), IdEncoding::kPlain);
  return ReadCells(*decoded->table(kind));
}

CellTable Decode(TableKind kind, std::vector<CellColumn> columns) {
  const CellTable table{std::ssize(columns.front().cells), std::move(columns)};
  return Decode(kind, *BuildRecords(table)).ValueOrDie();
}

std::vector<Cell> Parents(TableKind kind, std::vector<CellColumn> columns) {
  return FindCells(Decode(kind, std::move(columns)).columns, "parent_id")->cells;
}

TEST(DecodeTransportIds, AddsDeltasUpAndSkipsNulls) {
  const CellTable logs =
      Decode(TableKind::kLogs, {{"id", arrow::uint16(), Ids({0, kNull, 1, 1, kNull, 1}), {}},
                                Group("resource", {0, 0, 0, 1, 0, 1}),
                                Group("scope", {1, 0, 1, 0, 0, 3})});
  EXPECT_EQ(FindCells(logs.columns, "id")->cells, Ids({0, kNull, 1, 2, kNull, 3}));
  EXPECT_EQ(FindCells(logs.columns, "resource")->children[0].cells, Ids({0, 0, 0, 1, 1, 2}));
  EXPECT_EQ(FindCells(logs.columns, "scope")->children[0].cells, Ids({1, 1, 2, 2, 2, 5}));
}

TEST(DecodeTransportIds, AddsIdsAndParentsOfDataPointsUp) {
  const CellTable points =
      Decode(TableKind::kNumberDataPoints, {{"id", arrow::uint32(), Ids({0, 1, 1, 1}), {}},
                                            {"parent_id", arrow::uint16(), Ids({0, 0, 1, 2}), {}}});
  EXPECT_EQ(FindCells(points.columns, "id")->cells, Ids({0, 1, 2, 3}));
  EXPECT_EQ(FindCells(points.columns, "parent_id")->cells, Ids({0, 0, 1, 3}));
}

TEST(DecodeTransportIds, StartsEventRunsWhereTheNameChanges) {
  for (const auto& type : {arrow::utf8(), arrow::dictionary(arrow::uint8(), arrow::utf8())}) {
    EXPECT_EQ(Parents(TableKind::kSpanEvents,
                      {{"parent_id", arrow::uint16(), Ids({2, 0, 3, 1, 1, 4}), {}},
                       {"name", type, Texts({"a", "a", "a", "b", "b", "a"}), {}}}),
              Ids({2, 2, 5, 1, 2, 4}));
  }
}

TEST(DecodeTransportIds, StartsLinkRunsWhereTheTraceChanges) {
  const std::string first(16, '1');
  const std::string second(16, '2');
  const auto id = arrow::fixed_size_binary(16);
  for (const auto& type : {id, arrow::dictionary(arrow::uint16(), id)}) {
    EXPECT_EQ(Parents(TableKind::kSpanLinks,
                      {{"parent_id", arrow::uint16(), Ids({0, 4, 1, 0}), {}},
                       {"trace_id", type, Texts({first, first, second, second}), {}}}),
              Ids({0, 4, 1, 1}));
  }
}

std::vector<CellColumn> Exemplars() {
  return {{"parent_id", arrow::uint32(), Ids({0, 2, 1, 4, 0, 3, 1}), {}},
          {"int_value", arrow::int64(), {int64_t{5}, int64_t{5}, int64_t{7}, {}, {}, {}, {}}, {}},
          {"double_value", arrow::float64(), {{}, {}, {}, 1.5, 1.5, {}, {}}, {}}};
}

TEST(DecodeTransportIds, StartsExemplarRunsWhereEitherValueChanges) {
  EXPECT_EQ(Parents(TableKind::kNumberDpExemplars, Exemplars()), Ids({0, 2, 1, 4, 4, 3, 4}));
}

TEST(DecodeTransportIds, TreatsNullAndZeroOfExemplarsAsDifferent) {
  EXPECT_EQ(Parents(TableKind::kHistogramDpExemplars,
                    {{"parent_id", arrow::uint32(), Ids({3, 1, 1}), {}},
                     {"int_value", arrow::int64(), {int64_t{0}, {}, {}}, {}}}),
            Ids({3, 1, 2}));
}

TEST(DecodeTransportIds, AddsExemplarParentsUpWhenNeitherValueColumnIsThere) {
  std::vector<CellColumn> columns = Exemplars();
  columns.resize(1);
  EXPECT_EQ(Parents(TableKind::kExpHistogramDpExemplars, columns), Ids({0, 2, 3, 7, 7, 10, 11}));
}

/// The attribute table of format reference 3.4: types and keys with their string, integer and
/// serialised values.
std::vector<CellColumn> ReferenceAttributes(bool with_dictionaries) {
  const auto form = [&](const std::shared_ptr<arrow::DataType>& type) {
    return with_dictionaries ? arrow::dictionary(arrow::uint16(), type) : type;
  };
  std::vector<CellColumn> columns = {
      {"parent_id", form(arrow::uint32()), Ids({1, 1, 0, 0, 3, 1, 4, 4, 6, 2, 3}), {}},
      {"key",
       form(arrow::utf8()),
       Texts({"k1", "k1", "k1", "k1", "k2", "k2", "k2", "k9", "k9", "m", "m"}),
       {}},
      {"type", arrow::uint8(), Ids({1, 1, 1, 1, 1, 2, 2, 1, 1, 5, 5}), {}},
      {"str",
       form(arrow::utf8()),
       Texts({"v1", "v1", "v1", "v2", "v2", {}, {}, {}, {}, {}, {}}),
       {}},
      {"int", form(arrow::int64()), std::vector<Cell>(11), {}},
      {"ser", form(arrow::binary()), std::vector<Cell>(11), {}}};
  columns[4].cells[5] = columns[4].cells[6] = int64_t{9};
  columns[5].cells[9] = columns[5].cells[10] = std::string("\xa0");
  return columns;
}

TEST(DecodeTransportIds, ReadsTheAttributeTableOfTheReference) {
  for (const bool with_dictionaries : {false, true}) {
    EXPECT_EQ(Parents(TableKind::kSpanEventAttrs, ReferenceAttributes(with_dictionaries)),
              Ids({1, 2, 2, 0, 3, 1, 5, 4, 6, 2, 3}));
  }
}

TEST(DecodeTransportIds, StopsAttributeRunsWithoutTheColumnOfTheType) {
  EXPECT_EQ(Parents(TableKind::kLogAttrs, {{"parent_id", arrow::uint16(), Ids({3, 2}), {}},
                                           {"key", arrow::utf8(), Texts({"k", "k"}), {}},
                                           {"type", arrow::uint8(), Ids({1, 1}), {}}}),
            Ids({3, 2}));
}

TEST(DecodeTransportIds, ContinuesRunsOfDoublesBooleansAndBytesByTheirBits) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Cell bytes = std::string("b");
  EXPECT_EQ(Parents(TableKind::kLogAttrs,
                    {{"parent_id", arrow::uint16(), Ids({1, 1, 1, 1, 1, 1, 1, 1, 1}), {}},
                     {"key", arrow::utf8(), std::vector<Cell>(9, Cell(std::string("k"))), {}},
                     {"type", arrow::uint8(), Ids({3, 3, 3, 3, 4, 4, 4, 7, 7}), {}},
                     {"double", arrow::float64(), {nan, nan, 0.0, -0.0, {}, {}, {}, {}, {}}, {}},
                     {"bool", arrow::boolean(), {{}, {}, {}, {}, true, true, false, {}, {}}, {}},
                     {"bytes", arrow::binary(), {{}, {}, {}, {}, {}, {}, {}, bytes, bytes}, {}}}),
            Ids({1, 2, 1, 1, 1, 2, 1, 1, 2}));
}

TEST(DecodeTransportIds, NeverContinuesRunsOfEmptyAndUnknownTypes) {
  EXPECT_EQ(Parents(TableKind::kLogAttrs,
                    {{"parent_id", arrow::uint16(), Ids({1, 1, 1, 1, 1, 1}), {}},
                     {"key", arrow::utf8(), std::vector<Cell>(6, Cell(std::string("k"))), {}},
                     {"type", arrow::uint8(), Ids({0, 0, 6, 6, 9, 9}), {}}}),
            Ids({1, 1, 1, 1, 1, 1}));
}

TEST(DecodeTransportIds, ComparesDictionariesByValueNotByIndex) {
  const auto indices = *testing::BuildArray(arrow::uint8(), Ids({0, 1, 2, 3, 3}));
  const auto names = *testing::BuildArray(arrow::utf8(), Texts({"a", "a", "b", {}}));
  const auto column = *arrow::DictionaryArray::FromArrays(indices, names);
  const auto parents = *testing::BuildArray(arrow::uint16(), Ids({4, 1, 1, 2, 2}));
  const auto table =
      arrow::RecordBatch::Make(arrow::schema({arrow::field("parent_id", parents->type()),
                                              arrow::field("name", column->type())}),
                               5, {parents, column});
  EXPECT_EQ(FindCells(Decode(TableKind::kSpanEvents, table)->columns, "parent_id")->cells,
            Ids({4, 5, 1, 2, 4}));
}

TEST(DecodeTransportIds, WrapsAtTheWidthOfTheColumn) {
  const CellTable points = Decode(TableKind::kNumberDataPoints,
                                  {{"id", arrow::uint32(), Ids({5, 0xffff'fffe, 1}), {}},
                                   {"parent_id", arrow::uint16(), Ids({5, 0xfffe, 1}), {}}});
  EXPECT_EQ(FindCells(points.columns, "id")->cells, Ids({5, 3, 4}));
  EXPECT_EQ(FindCells(points.columns, "parent_id")->cells, Ids({5, 3, 4}));
}

TEST(DecodeTransportIds, ReturnsAPlainBatchAsItIs) {
  RandomEngine rng(1);
  const BatchPtr batch = RandomBatch(Signal::kTraces, {}, rng);
  EXPECT_EQ(*DecodeTransportIds(batch), batch);
}

TEST(DecodeTransportIds, RefusesIdTypesOutsideTheModel) {
  const auto refuse = [](TableKind kind, std::vector<CellColumn> columns, const char* path) {
    const CellTable table{std::ssize(columns.front().cells), std::move(columns)};
    const auto result = Decode(kind, *BuildRecords(table));
    ASSERT_FALSE(result.ok());
    EXPECT_TRUE(result.status().IsInvalid());
    EXPECT_THAT(result.status().message(), HasSubstr(std::string(GetTable(kind).directory)));
    EXPECT_THAT(result.status().message(), HasSubstr(path));
  };
  refuse(TableKind::kLogs, {{"id", arrow::uint32(), Ids({0}), {}}}, "column id");
  CellColumn resource = Group("resource", {0});
  resource.children[0].type = arrow::uint32();
  refuse(TableKind::kLogs, {resource}, "resource.id");
  refuse(TableKind::kLogs, {{"scope", arrow::utf8(), Texts({"x"}), {}}}, "scope");
  refuse(TableKind::kNumberDataPoints, {{"parent_id", arrow::uint32(), Ids({0}), {}}}, "parent_id");
  refuse(TableKind::kLogAttrs,
         {{"parent_id", arrow::dictionary(arrow::uint8(), arrow::uint16()), Ids({0}), {}}},
         "parent_id");
  refuse(TableKind::kSpanEvents,
         {{"parent_id", arrow::uint16(), Ids({0}), {}},
          {"name", arrow::large_utf8(), Texts({"x"}), {}}},
         "name");
}

/// The encoder of format reference 3.3 and 3.4, by the letter and on cells.
class NaiveEncoder {
 public:
  static BatchPtr Encode(const Batch& batch, double dictionary_share, RandomEngine& rng) {
    BatchBuilder builder(batch.signal(), IdEncoding::kTransport);
    for (const TableInfo& info : AllTables()) {
      if (batch.table(info.kind) == nullptr) {
        continue;
      }
      CellTable table = ReadCells(*batch.table(info.kind)).ValueOrDie();
      EncodeParents(info, table);
      if (CellColumn* ids = FindCells(table.columns, "id")) {
        EncodeDelta(*ids, info.id_bits);
      }
      for (const char* name : {"resource", "scope"}) {
        CellColumn* group = info.is_root() ? FindCells(table.columns, name) : nullptr;
        if (CellColumn* ids = group == nullptr ? nullptr : FindCells(group->children, "id")) {
          EncodeDelta(*ids, 16);
        }
      }
      CellColumn* parents = FindCells(table.columns, "parent_id");
      if (info.parent_id_bits == 32) {
        parents->type = testing::Chance(rng, dictionary_share)
                            ? arrow::dictionary(arrow::uint16(), arrow::uint32())
                            : arrow::uint32();
      }
      // Rows in front, which the offset of a slice must skip.
      std::vector<int64_t> order = {0, table.num_rows - 1, 0};
      for (int64_t row = 0; row < table.num_rows; ++row) {
        order.push_back(row);
      }
      EXPECT_TRUE(builder.Set(info.kind, (*BuildRecords(TakeRows(table, order)))->Slice(3)).ok());
    }
    return builder.Build();
  }

 private:
  static uint64_t Difference(const Cell& now, uint64_t before, int bits) {
    return (std::get<uint64_t>(now) - before) & ((uint64_t{1} << bits) - 1);
  }

  static void EncodeDelta(CellColumn& ids, int bits) {
    uint64_t before = 0;
    for (Cell& id : ids.cells) {
      if (!IsNull(id)) {
        const uint64_t value = std::get<uint64_t>(id);
        id = Difference(id, before, bits);
        before = value;
      }
    }
  }

  static Cell At(const CellTable& table, std::string_view name, size_t row) {
    const CellColumn* column = FindCells(table.columns, name);
    return column == nullptr ? Cell() : column->cells[row];
  }

  static bool ContinuesRun(const TableInfo& info, const CellTable& table, size_t row) {
    const auto same = [&](std::string_view name) {
      return CellText(At(table, name, row)) == CellText(At(table, name, row - 1));
    };
    switch (info.parent_encoding) {
      case ParentEncoding::kNone:
      case ParentEncoding::kDelta:
        return true;
      case ParentEncoding::kQuasiDelta:
        return same(info.quasi_delta_key[0]) &&
               (info.quasi_delta_key[1].empty() || same(info.quasi_delta_key[1]));
      case ParentEncoding::kQuasiDeltaAttribute:
        break;
    }
    const auto type = std::get<uint64_t>(At(table, "type", row));
    const std::string_view active = type == 1   ? "str"
                                    : type == 2 ? "int"
                                    : type == 3 ? "double"
                                    : type == 4 ? "bool"
                                    : type == 7 ? "bytes"
                                                : "";
    return !active.empty() && same("type") && same("key") && !IsNull(At(table, active, row)) &&
           same(active);
  }

  static void EncodeParents(const TableInfo& info, CellTable& table) {
    CellColumn* parents = FindCells(table.columns, "parent_id");
    if (parents == nullptr) {
      return;
    }
    const std::vector<Cell> plain = parents->cells;
    for (size_t row = 1; row < plain.size(); ++row) {
      if (ContinuesRun(info, table, row)) {
        parents->cells[row] =
            Difference(plain[row], std::get<uint64_t>(plain[row - 1]), info.parent_id_bits);
      }
    }
  }
};

class DecodeRandom : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, DecodeRandom, ::testing::Range(1, 37));

TEST_P(DecodeRandom, UndoesTheEncoderCellByCell) {
  RandomEngine rng(static_cast<uint64_t>(GetParam()));
  const Signal signal = kAllSignals[static_cast<size_t>(GetParam()) % 3];
  RandomBatchOptions options;
  options.values.distinct_texts = static_cast<int>(testing::Between(rng, 1, 6));
  options.max_attributes = 6;
  options.null_share = 0.3;
  const BatchPtr drawn = RandomBatch(signal, options, rng);
  // Long runs need rows in the order in which producers put them.
  const auto order = testing::Chance(rng, 0.7) ? testing::ChildOrder::kByKey
                                               : testing::ChildOrder::kShuffledInBatch;
  BatchBuilder builder(signal);
  for (const TableInfo& info : AllTables()) {
    if (drawn->table(info.kind) != nullptr) {
      CellTable table = ReadCells(*drawn->table(info.kind)).ValueOrDie();
      ASSERT_TRUE(
          builder
              .Set(info.kind, *BuildRecords(testing::OrderBatchRows(std::move(table), order, rng)))
              .ok());
    }
  }
  const BatchPtr plain = builder.Build();
  const BatchPtr encoded = NaiveEncoder::Encode(*plain, 0.5, rng);
  const BatchPtr decoded = DecodeTransportIds(encoded).ValueOrDie();
  EXPECT_EQ(Validate(*decoded).ToString(), "OK");
  for (const TableInfo& info : AllTables()) {
    ASSERT_EQ(plain->table(info.kind) == nullptr, decoded->table(info.kind) == nullptr);
    if (plain->table(info.kind) == nullptr) {
      continue;
    }
    SCOPED_TRACE(std::string(info.directory));
    const CellTable expected = ReadCells(*plain->table(info.kind)).ValueOrDie();
    const CellTable actual = ReadCells(*decoded->table(info.kind)).ValueOrDie();
    for (const CellColumn& column : expected.columns) {
      const CellColumn* found = FindCells(actual.columns, column.name);
      ASSERT_NE(found, nullptr);
      if (column.name == "id" || column.name == "parent_id") {
        EXPECT_EQ(found->cells, column.cells) << column.name;
      }
    }
  }
  EXPECT_EQ(testing::DescribeDifference(testing::CanonicalRecords({plain}),
                                        testing::CanonicalRecords({decoded})),
            "");
}

}  // namespace
}  // namespace df::otap
