// Faults that are planted in an archive with every table, each alone: verify finds it and says
// where.
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "engine_process.h"
#include "otap/schema.h"
#include "testing/table_rewrites.h"
#include "tree_files.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ArrayPtr = std::shared_ptr<arrow::Array>;

Ran Verify(const fs::path& folder, const fs::path& lake) {
  return RunIn(folder, {"verify", lake.string(), "--no-cache"});
}

/// Writes rows into a file in place of those that are there, as another writer would.
void Rewrite(const arrow::RecordBatch& batch, const fs::path& file) {
  const auto rows = arrow::RecordBatch::Make(batch.schema(), batch.num_rows(), batch.columns());
  const auto table = arrow::Table::FromRecordBatches({rows}).ValueOrDie();
  const auto out = arrow::io::FileOutputStream::Open(file.string()).ValueOrDie();
  const auto status =
      parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out, 1 << 20);
  ASSERT_TRUE(status.ok()) << status.ToString();
  ASSERT_TRUE(out->Close().ok());
}

/// Replaces a column of the first file of a table; null drops it.
void RewriteColumn(const fs::path& lake, const std::string& table, const std::string& column,
                   const std::function<ArrayPtr(const ArrayPtr&)>& make) {
  const fs::path file = FilesOf(lake, table).front();
  const auto rows = testing::ReadTable(file.string()).ValueOrDie();
  const auto old = testing::ColumnAt(*rows, column).ValueOrDie();
  ASSERT_NE(old, nullptr) << column;
  const auto rewritten =
      testing::ReplaceColumn(*rows, column, column.substr(column.find('.') + 1), make(old));
  ASSERT_TRUE(rewritten.ok()) << rewritten.status().ToString();
  Rewrite(**rewritten, file);
}

ArrayPtr Dropped(const ArrayPtr&) { return nullptr; }

/// The column with the value of its first row in all rows.
ArrayPtr AllAsTheFirst(const ArrayPtr& column) {
  return arrow::MakeArrayFromScalar(*column->GetScalar(0).ValueOrDie(), column->length())
      .ValueOrDie();
}

/// The column with a value that cannot be right in its first row.
std::function<ArrayPtr(const ArrayPtr&)> WithFirst(const std::string& value) {
  return [value](const ArrayPtr& column) {
    const auto plain =
        column->type_id() == arrow::Type::DICTIONARY
            ? arrow::compute::Cast(
                  *column, static_cast<const arrow::DictionaryType&>(*column->type()).value_type())
                  .ValueOrDie()
            : column;
    ArrayPtr first = arrow::MakeArrayOfNull(plain->type(), 1).ValueOrDie();
    if (!value.empty()) {
      const auto scalar = arrow::Scalar::Parse(plain->type(), value).ValueOrDie();
      first = arrow::MakeArrayFromScalar(*scalar, 1).ValueOrDie();
    }
    return arrow::Concatenate({first, plain->Slice(1)}).ValueOrDie();
  };
}

std::function<ArrayPtr(const ArrayPtr&)> As(const std::shared_ptr<arrow::DataType>& type) {
  return
      [type](const ArrayPtr& column) { return testing::Retype(column, type).ValueOrDie().column; };
}

struct Fault {
  std::string name;
  std::function<void(const fs::path& lake)> plant;
  std::vector<std::string> said;
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.name; }

Fault ColumnFault(const std::string& name, const std::string& table, const std::string& column,
                  std::function<ArrayPtr(const ArrayPtr&)> make,
                  const std::vector<std::string>& said) {
  std::vector<std::string> all = said;
  all.push_back(table);
  return {name, [=](const fs::path& lake) { RewriteColumn(lake, table, column, make); }, all};
}

std::vector<Fault> Faults() {
  std::vector<Fault> faults;
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (table.kind == otap::TableKind::kMultivariateMetrics) {
      continue;
    }
    const std::string directory(table.directory);
    faults.push_back({"no_" + directory,
                      [directory](const fs::path& lake) { fs::remove_all(lake / directory); },
                      {directory}});
  }
  const std::vector<Fault> columns = {
      ColumnFault("attributes_of_no_log", "log_attrs", "parent_id", WithFirst("65000"),
                  {"whose parent_id names no row of logs"}),
      ColumnFault("attributes_without_a_log", "log_attrs", "parent_id", WithFirst(""),
                  {"whose parent_id is null"}),
      ColumnFault("attributes_without_keys", "log_attrs", "key", Dropped, {"key"}),
      ColumnFault("an_attribute_without_a_key", "log_attrs", "key", WithFirst(""),
                  {"column key: nulls"}),
      ColumnFault("attributes_without_types", "log_attrs", "type", Dropped, {"type"}),
      ColumnFault("an_unknown_type", "log_attrs", "type", WithFirst("99"),
                  {"column type: found 99"}),
      ColumnFault("events_of_no_span", "span_events", "parent_id", WithFirst("65000"),
                  {"names no row of spans"}),
      ColumnFault("events_without_spans", "span_events", "parent_id", Dropped, {"parent_id"}),
      ColumnFault("points_of_no_metric", "number_data_points", "parent_id", WithFirst("65000"),
                  {"names no row of univariate_metrics"}),
      ColumnFault("exemplars_of_no_point", "number_dp_exemplars", "parent_id",
                  WithFirst("4000000000"), {"names no row of number_data_points"}),
      ColumnFault("logs_with_one_id", "logs", "id", AllAsTheFirst,
                  {"have an id that other rows of the table have too"}),
      ColumnFault("spans_with_one_id", "spans", "id", AllAsTheFirst,
                  {"have an id that other rows of the table have too"}),
      ColumnFault("times_as_text", "logs", "time_unix_nano", As(arrow::utf8()), {"time_unix_nano"}),
      ColumnFault("trace_ids_that_are_short", "spans", "trace_id", As(arrow::fixed_size_binary(15)),
                  {"trace_id"}),
      ColumnFault("spans_without_names", "spans", "name", Dropped, {"name"}),
      ColumnFault("an_unknown_metric_type", "univariate_metrics", "metric_type", WithFirst("77"),
                  {"column metric_type: found 77"}),
      ColumnFault("points_of_another_type", "number_data_points", "parent_id", WithFirst("1"),
                  {"whose metrics have the metric_type"}),
      ColumnFault("maps_without_their_bytes", "log_attrs", "ser", Dropped, {"have no bytes"}),
  };
  faults.insert(faults.end(), columns.begin(), columns.end());
  return faults;
}

class PlantedFaultTest : public ::testing::TestWithParam<Fault> {
 protected:
  /// Every table, as few files.
  static fs::path Sound() {
    static const TemporaryFolder folder;
    static const fs::path lake = [] {
      const fs::path path = folder.path() / "lake";
      fs::copy(fs::path(OTAP_SOURCE_DIR) / "examples/data/corner/parquet", path,
               fs::copy_options::recursive);
      const Ran made =
          RunIn(folder.path(), {"compact", path.string(), "--older-than", "0s", "--no-cache"});
      EXPECT_EQ(made.exit_code, 0) << made.output << made.log;
      return path;
    }();
    return lake;
  }

  TemporaryFolder folder_;
};

// Whose resources and scopes are can be told of files of ours only, so these stay as they are.
TEST_F(PlantedFaultTest, WithChildrenRewrittenAsTheyAreItHasNoProblems) {
  const fs::path lake = folder_.path() / "lake";
  fs::copy(Sound(), lake, fs::copy_options::recursive);
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (table.parent.has_value() && fs::exists(lake / std::string(table.directory))) {
      const fs::path file = FilesOf(lake, std::string(table.directory)).front();
      Rewrite(*testing::ReadTable(file.string()).ValueOrDie(), file);
    }
  }
  const Ran ran = Verify(folder_.path(), lake);
  EXPECT_EQ(ran.exit_code, 0) << ran.output << ran.log;
  EXPECT_THAT(ran.output, HasSubstr("no problems"));
}

TEST_P(PlantedFaultTest, IsFoundAndNamed) {
  const Fault& fault = GetParam();
  const fs::path lake = folder_.path() / "lake";
  fs::copy(Sound(), lake, fs::copy_options::recursive);
  fault.plant(lake);
  const Ran ran = Verify(folder_.path(), lake);
  EXPECT_EQ(ran.exit_code, 4) << ran.output << ran.log;
  EXPECT_THAT(ran.output, HasSubstr("problem: "));
  for (const std::string& said : fault.said) {
    EXPECT_THAT(ran.output, HasSubstr(said));
  }
}

INSTANTIATE_TEST_SUITE_P(All, PlantedFaultTest, ::testing::ValuesIn(Faults()),
                         [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace df::e2e
