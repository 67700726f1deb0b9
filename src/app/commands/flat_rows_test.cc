#include "app/commands/flat_rows.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "app/commands/records.h"
#include "app/commands/value_json.h"
#include "select/selector.h"
#include "testing/random_batch.h"

namespace df::app {
namespace {

using otap::Signal;
using Json = nlohmann::json;

/// What a column is called in `logs --json` and the like; "" where that has none.
std::string JsonName(std::string_view column) {
  static const std::map<std::string, std::string, std::less<>> renamed = {
      {"scope_name", "scope"},
      {"resource_attributes", "resource"},
      {"scope_schema_url", ""},
      {"resource_schema_url", ""},
      {"dropped_attributes_count", ""},
      {"dropped_events_count", ""},
      {"dropped_links_count", ""},
      {"status_code", ""},
      {"temporality", ""},
      {"type", ""},
      {"int_value", ""},
      {"double_value", ""},
      {"time", ""},
      {"start_time", ""},
      {"end_time", ""},
      {"observed_time", ""}};
  const auto found = renamed.find(column);
  return found == renamed.end() ? std::string(column) : found->second;
}

std::string QuotedJson(const std::string& text) {
  std::string json;
  AppendJson(select::MakeText(text), &json);
  return json;
}

class FlatRowsTest : public ::testing::TestWithParam<Signal> {
 protected:
  void SetUp() override { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

/// Compares the cells of a row with the JSON line of the record, which other tests compare with
/// OTLP JSON.
void ExpectAsInJson(Signal signal, const arrow::RecordBatch& rows, int64_t row,
                    const std::string& line) {
  const Json json = Json::parse(line);
  for (const FlatColumn& column : FlatColumnsOf(signal)) {
    const std::string name = JsonName(column.name);
    if (name.empty()) {
      continue;
    }
    SCOPED_TRACE(fmt::format("{} of {}", column.name, line));
    const auto array = rows.GetColumnByName(std::string(column.name));
    ASSERT_NE(array, nullptr);
    if (array->IsNull(row)) {
      EXPECT_FALSE(json.contains(name));
      continue;
    }
    const std::string text = array->GetScalar(row).ValueOrDie()->ToString();
    switch (column.type) {
      case FlatType::kInteger:
      case FlatType::kCount:
        if (text == "0" && !json.contains(name)) {
          break;  // lines leave out what says nothing
        }
        ASSERT_TRUE(json.contains(name));
        EXPECT_EQ(json[name].dump(), text);
        break;
      case FlatType::kDouble: {
        const double value = static_cast<const arrow::DoubleArray&>(*array).Value(row);
        std::string number;
        AppendJson(select::Value{value}, &number);
        EXPECT_NE(line.find(fmt::format("\"{}\":{}", name, number)), std::string::npos);
        break;
      }
      case FlatType::kBoolean:
        EXPECT_EQ(json.value(name, false), text == "true");
        break;
      case FlatType::kText:
      case FlatType::kId:
        EXPECT_NE(line.find(fmt::format("\"{}\":{}", name, QuotedJson(text))), std::string::npos);
        break;
      case FlatType::kValue: {
        const bool is_text = json[name].is_string();
        EXPECT_NE(line.find(fmt::format("\"{}\":{}", name, is_text ? QuotedJson(text) : text)),
                  std::string::npos);
        break;
      }
      case FlatType::kJson:
      case FlatType::kCounts:
        EXPECT_NE(line.find(fmt::format("\"{}\":{}", name, text)), std::string::npos);
        break;
      case FlatType::kTime:
        break;
    }
  }
}

TEST_P(FlatRowsTest, CellsSayWhatLinesOfJsonSay) {
  const Signal signal = GetParam();
  const FlatRows flat = FlatRows::Make(signal).ValueOrDie();
  const RecordFields fields = RecordFields::Make(signal).ValueOrDie();
  int64_t num_rows = 0;
  for (const uint64_t seed : {71, 72, 73}) {
    SCOPED_TRACE(seed);
    df::testing::RandomEngine random(seed);
    const otap::BatchPtr batch = df::testing::RandomBatch(signal, {}, random);
    for (const otap::TableKind table : ItemTablesOf(*batch)) {
      const auto rows = flat.Convert(*batch, table).ValueOrDie();
      ASSERT_TRUE(rows->ValidateFull().ok()) << rows->ValidateFull();
      ASSERT_TRUE(rows->schema()->Equals(*flat.schema()));
      ASSERT_EQ(rows->num_rows(), batch->table(table)->num_rows());
      RecordTexts texts(fields, *batch, table, {.form = RecordForm::kJson});
      const auto stored = select::EventTimes(*batch->table(table), table);
      const auto& times = static_cast<const arrow::TimestampArray&>(
          *rows->GetColumnByName(signal == Signal::kTraces ? "start_time" : "time"));
      for (int64_t row = 0; row < rows->num_rows(); ++row, ++num_rows) {
        ExpectAsInJson(signal, *rows, row, texts.At(row));
        // Those of logs may be times of observation where the own one is not set.
        if (times.IsValid(row)) {
          EXPECT_EQ(times.Value(row), stored[static_cast<size_t>(row)]);
        } else if (signal != Signal::kLogs) {
          EXPECT_EQ(stored[static_cast<size_t>(row)], 0);
        }
      }
    }
  }
  EXPECT_GT(num_rows, 50);
}

INSTANTIATE_TEST_SUITE_P(Signals, FlatRowsTest, ::testing::ValuesIn(otap::kAllSignals),
                         [](const auto& one) { return std::string(otap::Name(one.param)); });

}  // namespace
}  // namespace df::app
