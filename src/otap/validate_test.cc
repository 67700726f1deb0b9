#include "otap/validate.h"

#include <functional>

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "testing/cell.h"
#include "testing/random_batch.h"

namespace df::otap {
namespace {

using ::df::testing::BuildArray;
using ::df::testing::BuildRecords;
using ::df::testing::Cell;
using ::df::testing::CellColumn;
using ::df::testing::CellTable;
using ::df::testing::FindCells;
using ::df::testing::RandomBatch;
using ::df::testing::RandomBatchOptions;
using ::df::testing::RandomEngine;
using ::df::testing::ReadCells;
using ::testing::AllOf;
using ::testing::HasSubstr;

/// Makes a column of `num_rows` equal cells.
CellColumn Repeated(const std::string& name, const std::shared_ptr<arrow::DataType>& type,
                    Cell cell, size_t num_rows = 2) {
  return {name, type, std::vector<Cell>(num_rows, std::move(cell)), {}};
}

CellTable Table(std::vector<CellColumn> columns) {
  return {static_cast<int64_t>(columns.front().cells.size()), std::move(columns)};
}

const Cell kOne = uint64_t{1};
const Cell kText = std::string("text");

/// The smallest valid attribute table.
CellTable Attributes() {
  return Table({Repeated("parent_id", arrow::uint16(), kOne), Repeated("key", arrow::utf8(), kText),
                Repeated("type", arrow::uint8(), kOne)});
}

std::string Check(TableKind kind, const CellTable& table) {
  return ValidateTable(kind, **BuildRecords(table)).message();
}

TEST(ValidateTable, AcceptsTheSmallestTables) {
  EXPECT_EQ(Check(TableKind::kLogAttrs, Attributes()), "");
  EXPECT_EQ(Check(TableKind::kLogs, Table({Repeated("id", arrow::uint16(), Cell())})), "");
  EXPECT_EQ(Check(TableKind::kSpanEvents, Table({Repeated("parent_id", arrow::uint16(), kOne),
                                                 Repeated("name", arrow::utf8(), kText)})),
            "");
}

TEST(ValidateTable, RefusesColumnsThatTheModelLacks) {
  CellTable table = Attributes();
  table.columns.push_back(Repeated("nonsense", arrow::utf8(), kText));
  EXPECT_THAT(Check(TableKind::kLogAttrs, table),
              AllOf(HasSubstr("log_attrs"), HasSubstr("nonsense"), HasSubstr("model lacks")));
  CellTable metrics = Table({Repeated("dropped_attributes_count", arrow::uint32(), Cell())});
  EXPECT_THAT(Check(TableKind::kUnivariateMetrics, metrics), HasSubstr("model lacks"));
  EXPECT_THAT(Check(TableKind::kMultivariateMetrics, metrics), HasSubstr("model lacks"));
  CellTable logs = Table({Repeated("resource", nullptr, Cell(true))});
  logs.columns[0].children = {Repeated("name", arrow::utf8(), kText)};
  EXPECT_THAT(Check(TableKind::kLogs, logs),
              AllOf(HasSubstr("resource.name"), HasSubstr("model lacks")));
}

TEST(ValidateTable, RefusesRepeatedColumnsAndOtherOrders) {
  CellTable table = Attributes();
  table.columns.insert(table.columns.begin() + 1, table.columns[1]);
  EXPECT_THAT(Check(TableKind::kLogAttrs, table), HasSubstr("column key: found it twice"));
  table = Attributes();
  std::swap(table.columns[0], table.columns[2]);
  EXPECT_THAT(Check(TableKind::kLogAttrs, table), HasSubstr("required"));
  CellTable logs =
      Table({Repeated("flags", arrow::uint32(), kOne), Repeated("id", arrow::uint16(), Cell())});
  EXPECT_THAT(Check(TableKind::kLogs, logs), HasSubstr("order of the model"));
}

TEST(ValidateTable, RefusesMissingRequiredColumns) {
  for (const char* name : {"parent_id", "key", "type"}) {
    CellTable table = Attributes();
    std::erase_if(table.columns, [&](const CellColumn& column) { return column.name == name; });
    EXPECT_THAT(Check(TableKind::kLogAttrs, table),
                AllOf(HasSubstr(std::string("column ") + name), HasSubstr("found nothing")));
  }
}

TEST(ValidateTable, RefusesNullsInRequiredColumns) {
  for (size_t i = 0; i < 3; ++i) {
    CellTable table = Attributes();
    table.columns[i].cells[1] = Cell();
    EXPECT_THAT(Check(TableKind::kLogAttrs, table),
                AllOf(HasSubstr(table.columns[i].name), HasSubstr("found 1 nulls")));
  }
}

TEST(ValidateTable, FindsNullsThatStandInADictionary) {
  const auto values = *BuildArray(arrow::utf8(), {kText, Cell()});
  const auto keys = *arrow::DictionaryArray::FromArrays(
      *BuildArray(arrow::uint8(), {Cell(uint64_t{0}), Cell(uint64_t{1})}), values);
  const auto records = *BuildRecords(Attributes());
  const auto changed = *records->SetColumn(1, arrow::field("key", keys->type()), keys);
  EXPECT_THAT(ValidateTable(TableKind::kLogAttrs, *changed).message(), HasSubstr("found 1 nulls"));
}

TEST(ValidateTable, RequiresStructChildrenEvenUnderNullStructs) {
  CellTable logs = Table({Repeated("body", nullptr, Cell())});
  logs.columns[0].children = {Repeated("type", arrow::uint8(), Cell(uint64_t{0})),
                              Repeated("str", arrow::utf8(), Cell())};
  EXPECT_EQ(Check(TableKind::kLogs, logs), "");
  logs.columns[0].children[0].cells[0] = Cell();
  EXPECT_THAT(Check(TableKind::kLogs, logs),
              AllOf(HasSubstr("body.type"), HasSubstr("found 1 nulls")));
  logs.columns[0].children.erase(logs.columns[0].children.begin());
  EXPECT_THAT(Check(TableKind::kLogs, logs),
              AllOf(HasSubstr("body.type"), HasSubstr("found nothing")));
}

TEST(ValidateTable, LooksOnlyAtTheRowsOfASlice) {
  CellTable table = Attributes();
  table.columns[1].cells[0] = Cell();
  const auto records = *BuildRecords(table);
  EXPECT_FALSE(ValidateTable(TableKind::kLogAttrs, *records).ok());
  EXPECT_TRUE(ValidateTable(TableKind::kLogAttrs, *records->Slice(1)).ok());
  EXPECT_FALSE(ValidateTable(TableKind::kLogAttrs, *records->Slice(0, 1)).ok());
}

/// A type of one column of a table, and whether the model allows it.
struct TypeCase {
  TableKind kind;
  std::string column;
  std::shared_ptr<arrow::DataType> type;
  bool is_allowed;
};

std::shared_ptr<arrow::DataType> Dictionary(const std::shared_ptr<arrow::DataType>& index,
                                            const std::shared_ptr<arrow::DataType>& value) {
  return arrow::dictionary(index, value);
}

TEST(ValidateTable, AllowsTheTypesAndDictionaryWidthsOfTheModelOnly) {
  using arrow::uint16;
  using arrow::uint32;
  using arrow::uint8;
  const auto utf8 = arrow::utf8();
  const auto id16 = arrow::fixed_size_binary(16);
  const auto id8 = arrow::fixed_size_binary(8);
  const std::vector<TypeCase> cases = {
      // D8: native, u8 and u16 keys.
      {TableKind::kLogs, "schema_url", utf8, true},
      {TableKind::kLogs, "schema_url", Dictionary(uint8(), utf8), true},
      {TableKind::kLogs, "schema_url", Dictionary(uint16(), utf8), true},
      {TableKind::kLogs, "schema_url", Dictionary(uint32(), utf8), false},
      {TableKind::kLogs, "schema_url", Dictionary(arrow::int8(), utf8), false},
      {TableKind::kLogs, "schema_url", Dictionary(arrow::int32(), utf8), false},
      {TableKind::kLogs, "schema_url", Dictionary(uint8(), arrow::binary()), false},
      {TableKind::kLogs, "schema_url", arrow::utf8_view(), false},
      {TableKind::kLogs, "schema_url", arrow::large_utf8(), false},
      {TableKind::kLogs, "schema_url", arrow::binary(), false},
      {TableKind::kLogs, "trace_id", Dictionary(uint8(), id16), true},
      {TableKind::kLogs, "trace_id", id8, false},
      {TableKind::kLogs, "severity_number", Dictionary(uint8(), arrow::int32()), true},
      {TableKind::kLogs, "severity_number", arrow::int64(), false},
      // D16: native and u16 keys.
      {TableKind::kLogAttrs, "str", utf8, true},
      {TableKind::kLogAttrs, "str", Dictionary(uint16(), utf8), true},
      {TableKind::kLogAttrs, "str", Dictionary(uint8(), utf8), false},
      {TableKind::kLogAttrs, "int", Dictionary(uint16(), arrow::int64()), true},
      {TableKind::kLogAttrs, "int", Dictionary(uint8(), arrow::int64()), false},
      {TableKind::kLogAttrs, "ser", Dictionary(uint16(), arrow::binary()), true},
      {TableKind::kLogAttrs, "ser", arrow::binary_view(), false},
      // N: native only.
      {TableKind::kLogAttrs, "double", Dictionary(uint16(), arrow::float64()), false},
      {TableKind::kLogs, "id", uint32(), false},
      {TableKind::kLogs, "flags", Dictionary(uint8(), uint32()), false},
      {TableKind::kSpans, "parent_span_id", id8, true},
      {TableKind::kSpans, "parent_span_id", Dictionary(uint8(), id8), false},
      {TableKind::kLogs, "time_unix_nano", arrow::timestamp(arrow::TimeUnit::NANO), true},
      {TableKind::kLogs, "time_unix_nano", arrow::timestamp(arrow::TimeUnit::NANO, "UTC"), false},
      {TableKind::kLogs, "time_unix_nano", arrow::timestamp(arrow::TimeUnit::MILLI), false},
      {TableKind::kLogs, "time_unix_nano", arrow::int64(), false},
      {TableKind::kHistogramDataPoints, "bucket_counts", arrow::list(arrow::uint64()), true},
      {TableKind::kHistogramDataPoints, "bucket_counts",
       arrow::list(arrow::field("other", arrow::uint64(), false)), true},
      {TableKind::kHistogramDataPoints, "bucket_counts", arrow::large_list(arrow::uint64()), false},
      {TableKind::kHistogramDataPoints, "bucket_counts", arrow::list(arrow::int64()), false},
      {TableKind::kLogs, "body", utf8, false},
  };
  for (const TypeCase& test : cases) {
    SCOPED_TRACE(test.column + " as " + test.type->ToString());
    const TableInfo& info = GetTable(test.kind);
    std::vector<CellColumn> columns;
    for (const otap::Column& column : info.columns) {
      if (column.name == test.column) {
        columns.push_back(Repeated(test.column, test.type, Cell()));
      } else if (column.required) {
        columns.push_back(Repeated(std::string(column.name), NativeType(column), kOne));
        if (column.type == ColumnType::kUtf8) {
          columns.back().cells.assign(2, kText);
        } else if (column.type == ColumnType::kFixedBinary16) {
          columns.back().cells.assign(2, Cell(std::string(16, 'x')));
        } else if (column.type == ColumnType::kFixedBinary8) {
          columns.back().cells.assign(2, Cell(std::string(8, 'x')));
        }
      }
    }
    const std::string message = Check(test.kind, Table(columns));
    EXPECT_EQ(message.empty(), test.is_allowed) << message;
    if (!test.is_allowed) {
      EXPECT_THAT(message,
                  AllOf(HasSubstr(test.column), HasSubstr("found"), HasSubstr("expected")));
    }
  }
}

TEST(ValidateTable, AllowsDictionaryParentsWhereIdsHave32BitsOnly) {
  CellTable table = Attributes();
  table.columns[0].type = Dictionary(arrow::uint8(), arrow::uint32());
  EXPECT_EQ(Check(TableKind::kSpanEventAttrs, table), "");
  table.columns[0].type = Dictionary(arrow::uint8(), arrow::uint16());
  EXPECT_THAT(Check(TableKind::kLogAttrs, table), HasSubstr("parent_id"));
}

TEST(ValidateTable, RefusesIndicesAndTextThatAreWrong) {
  const auto records = *BuildRecords(Attributes());
  const auto indices = *BuildArray(arrow::uint8(), {Cell(uint64_t{0}), Cell(uint64_t{9})});
  const auto keys = std::make_shared<arrow::DictionaryArray>(
      Dictionary(arrow::uint8(), arrow::utf8()), indices, *BuildArray(arrow::utf8(), {kText}));
  const auto changed = *records->SetColumn(1, arrow::field("key", keys->type()), keys);
  EXPECT_THAT(ValidateTable(TableKind::kLogAttrs, *changed).message(), HasSubstr("log_attrs"));
  CellTable table = Attributes();
  table.columns[1].cells[0] = std::string("\xff");
  EXPECT_THAT(Check(TableKind::kLogAttrs, table), HasSubstr("UTF8"));
}

class ValidateRandom : public ::testing::TestWithParam<int> {
 protected:
  /// Applies a change to the cells of the tables of a random batch and validates the result.
  static Status ValidateChanged(const Batch& batch, TableKind kind,
                                const std::function<void(CellTable&)>& change) {
    BatchBuilder builder(batch.signal());
    for (const TableInfo& info : AllTables()) {
      if (batch.table(info.kind) == nullptr) {
        continue;
      }
      ARROW_ASSIGN_OR_RAISE(CellTable table, ReadCells(*batch.table(info.kind)));
      if (info.kind == kind) {
        change(table);
      }
      ARROW_ASSIGN_OR_RAISE(auto records, BuildRecords(table));
      ARROW_RETURN_NOT_OK(builder.Set(info.kind, records));
    }
    return Validate(*builder.Build());
  }

  RandomEngine rng_{static_cast<uint64_t>(GetParam())};
  Signal signal_ = kAllSignals[static_cast<size_t>(GetParam()) % 3];
};
INSTANTIATE_TEST_SUITE_P(Seeds, ValidateRandom, ::testing::Range(1, 25));

TEST_P(ValidateRandom, AcceptsEveryRandomBatch) {
  for (const double share : {0.0, 0.5, 1.0}) {
    RandomBatchOptions options;
    options.dictionary = share;
    options.sliced = share;
    options.missing_column = share / 4;
    options.null_ids_for_bare_children = share > 0.7;
    options.keep_empty_id_columns = share > 0.2;
    const BatchPtr batch = RandomBatch(signal_, options, rng_);
    EXPECT_EQ(Validate(*batch).ToString(), "OK");
  }
  RandomBatchOptions empty;
  empty.root_rows = 0;
  EXPECT_TRUE(Validate(*RandomBatch(signal_, empty, rng_)).ok());
}

TEST_P(ValidateRandom, FindsAnyOneOrphan) {
  RandomBatchOptions options;
  options.missing_column = 0;
  const BatchPtr batch = RandomBatch(signal_, options, rng_);
  for (const TableInfo& info : AllTables()) {
    if (info.parent_id_bits == 0 || batch->table(info.kind) == nullptr) {
      continue;
    }
    const Status status = ValidateChanged(*batch, info.kind, [&](CellTable& table) {
      CellColumn* parents = FindCells(table.columns, "parent_id");
      parents->type = info.parent_id_bits == 16 ? arrow::uint16() : arrow::uint32();
      const auto victim = static_cast<size_t>(testing::Between(rng_, 0, table.num_rows - 1));
      parents->cells[victim] = uint64_t{60'000};
    });
    EXPECT_THAT(status.message(),
                AllOf(HasSubstr(std::string(info.directory)), HasSubstr("60000")));
  }
}

TEST_P(ValidateRandom, FindsAnyOneRepeatedId) {
  RandomBatchOptions options;
  options.missing_column = 0;
  options.without_attributes = 0.2;
  const BatchPtr batch = RandomBatch(signal_, options, rng_);
  for (const TableInfo& info : AllTables()) {
    if (info.id_bits == 0 || batch->table(info.kind) == nullptr ||
        batch->table(info.kind)->num_rows() < 10) {
      continue;
    }
    const Status status = ValidateChanged(*batch, info.kind, [&](CellTable& table) {
      auto& ids = FindCells(table.columns, "id")->cells;
      std::vector<Cell*> numbered;
      for (Cell& id : ids) {
        if (!testing::IsNull(id)) {
          numbered.push_back(&id);
        }
      }
      *numbered.back() = *numbered.front();
    });
    EXPECT_THAT(status.message(),
                AllOf(HasSubstr(std::string(info.directory)), HasSubstr("twice")));
  }
}

BatchPtr Logs(int64_t num_rows, bool with_ids) {
  CellTable logs = Table({Repeated("id", arrow::uint16(), Cell(), static_cast<size_t>(num_rows))});
  for (size_t row = 0; with_ids && row < logs.columns[0].cells.size(); ++row) {
    logs.columns[0].cells[row] = static_cast<uint64_t>(row);
  }
  BatchBuilder builder(Signal::kLogs);
  EXPECT_TRUE(builder.Set(TableKind::kLogs, *BuildRecords(logs)).ok());
  return builder.Build();
}

TEST(Validate, LimitsTheRowsOfTheRoot) {
  EXPECT_TRUE(Validate(*Logs(kMaxRootRows, true)).ok());
  EXPECT_THAT(Validate(*Logs(kMaxRootRows + 1, false)).message(), HasSubstr("65536 rows"));
}

TEST(Validate, AllowsAnyNumberOfNullIds) { EXPECT_TRUE(Validate(*Logs(100, false)).ok()); }

TEST(Validate, RefusesChildrenWithoutATableOfParents) {
  BatchBuilder builder(Signal::kLogs);
  ASSERT_TRUE(builder.Set(TableKind::kLogAttrs, *BuildRecords(Attributes())).ok());
  EXPECT_THAT(Validate(*builder.Build()).message(), HasSubstr("log_attrs"));
  BatchBuilder resources(Signal::kLogs);
  ASSERT_TRUE(resources.Set(TableKind::kLogs, Logs(3, true)->root()).ok());
  ASSERT_TRUE(resources.Set(TableKind::kResourceAttrs, *BuildRecords(Attributes())).ok());
  EXPECT_THAT(Validate(*resources.Build()).message(),
              AllOf(HasSubstr("resource_attrs"), HasSubstr("logs.resource.id")));
}

TEST(Validate, RefusesTransportIds) {
  BatchBuilder builder(Signal::kLogs, IdEncoding::kTransport);
  EXPECT_THAT(Validate(*builder.Build()).message(), HasSubstr("transport"));
}

TEST(Validate, FindsSparseRepeatedIdsAndOrphans) {
  const auto events = [](std::vector<Cell> ids) {
    const size_t count = ids.size();
    CellTable table = Table({{"id", arrow::uint32(), std::move(ids), {}},
                             Repeated("parent_id", arrow::uint16(), Cell(uint64_t{0}), count),
                             Repeated("name", arrow::utf8(), kText, count)});
    return *BuildRecords(table);
  };
  const auto spans =
      Table({Repeated("id", arrow::uint16(), Cell(uint64_t{0}), 1),
             Repeated("start_time_unix_nano", arrow::timestamp(arrow::TimeUnit::NANO),
                      Cell(int64_t{0}), 1),
             Repeated("duration_time_unix_nano", arrow::duration(arrow::TimeUnit::NANO),
                      Cell(int64_t{0}), 1),
             Repeated("trace_id", arrow::fixed_size_binary(16), std::string(16, 't'), 1),
             Repeated("span_id", arrow::fixed_size_binary(8), std::string(8, 's'), 1),
             Repeated("name", arrow::utf8(), kText, 1)});
  const Cell huge = uint64_t{0xffff'ffff};
  for (const bool is_repeated : {false, true}) {
    BatchBuilder builder(Signal::kTraces);
    ASSERT_TRUE(builder.Set(TableKind::kSpans, *BuildRecords(spans)).ok());
    ASSERT_TRUE(builder
                    .Set(TableKind::kSpanEvents,
                         events({huge, Cell(uint64_t{5}), is_repeated ? huge : Cell(uint64_t{6})}))
                    .ok());
    CellTable attributes = Attributes();
    attributes.columns[0] = Repeated("parent_id", arrow::uint32(), huge);
    ASSERT_TRUE(builder.Set(TableKind::kSpanEventAttrs, *BuildRecords(attributes)).ok());
    EXPECT_EQ(Validate(*builder.Build()).ok(), !is_repeated);
  }
  BatchBuilder builder(Signal::kTraces);
  ASSERT_TRUE(builder.Set(TableKind::kSpans, *BuildRecords(spans)).ok());
  ASSERT_TRUE(builder.Set(TableKind::kSpanEvents, events({huge, Cell(uint64_t{5})})).ok());
  CellTable attributes = Attributes();
  attributes.columns[0] = Repeated("parent_id", arrow::uint32(), uint64_t{0xffff'fffe});
  ASSERT_TRUE(builder.Set(TableKind::kSpanEventAttrs, *BuildRecords(attributes)).ok());
  EXPECT_THAT(Validate(*builder.Build()).message(), HasSubstr("4294967294"));
}

}  // namespace
}  // namespace df::otap
