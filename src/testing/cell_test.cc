#include "testing/cell.h"

#include <bit>
#include <cmath>
#include <limits>

#include <arrow/api.h>
#include <arrow/json/from_string.h>
#include <gtest/gtest.h>

namespace df::testing {
namespace {

std::shared_ptr<arrow::Array> FromJson(const std::shared_ptr<arrow::DataType>& type,
                                       std::string_view json) {
  return arrow::json::ArrayFromJSONString(type, json).ValueOrDie();
}

std::vector<Cell> ReadAll(const arrow::Array& array) {
  std::vector<Cell> cells;
  for (int64_t row = 0; row < array.length(); ++row) {
    cells.push_back(ReadCell(array, row).ValueOrDie());
  }
  return cells;
}

struct FormCase {
  std::shared_ptr<arrow::DataType> type;
  std::string json;
  std::vector<Cell> cells;
};

std::vector<FormCase> Forms() {
  using arrow::dictionary;
  using arrow::TimeUnit;
  const Cell null;
  const Cell one = uint64_t{1};
  const Cell minus = int64_t{-7};
  const Cell text = std::string("ab");
  const std::vector<uint64_t> counts = {1, ~uint64_t{0}};
  const std::vector<double> bounds = {0.5, -2};
  const std::vector<QuantileCell> quantiles = {{0.5, 2}, {1, -1}};
  const auto quantile_list = arrow::list(arrow::struct_(
      {arrow::field("quantile", arrow::float64()), arrow::field("value", arrow::float64())}));
  const std::string texts = R"(["ab", null, ""])";
  const std::vector<Cell> text_cells = {text, null, std::string()};
  std::vector<FormCase> forms = {
      {arrow::boolean(), "[true, null, false]", {true, null, false}},
      {arrow::float64(), "[1.5, null]", {1.5, null}},
      {arrow::int32(), "[-7, null]", {minus, null}},
      {arrow::int64(), "[-7, null]", {minus, null}},
      {arrow::duration(TimeUnit::NANO), "[-7, null]", {minus, null}},
      {arrow::timestamp(TimeUnit::NANO), "[-7, null]", {minus, null}},
      {arrow::timestamp(TimeUnit::MILLI, "UTC"), "[3, null]", {int64_t{3'000'000}, null}},
      {arrow::timestamp(TimeUnit::SECOND), "[-3, null]", {int64_t{-3'000'000'000}, null}},
      {arrow::fixed_size_binary(2), R"(["ab", null])", {text, null}},
      {arrow::list(arrow::uint64()),
       "[[1, 18446744073709551615], null, []]",
       {counts, null, std::vector<uint64_t>()}},
      {arrow::large_list(arrow::float64()),
       "[[0.5, -2], null, []]",
       {bounds, null, std::vector<double>()}},
      {quantile_list,
       "[[[0.5, 2], [1, -1]], null, []]",
       {quantiles, null, std::vector<QuantileCell>()}},
      {dictionary(arrow::int8(), arrow::fixed_size_binary(2)), R"(["ab", null])", {text, null}},
      {dictionary(arrow::uint16(), arrow::int64()), "[-7, null]", {minus, null}},
  };
  for (const auto& type : {arrow::uint8(), arrow::uint16(), arrow::uint32(), arrow::uint64()}) {
    forms.push_back({type, "[1, null]", {one, null}});
  }
  for (const auto& type :
       {arrow::utf8(), arrow::binary(), arrow::large_utf8(), arrow::large_binary(),
        arrow::utf8_view(), arrow::binary_view(), dictionary(arrow::uint8(), arrow::utf8()),
        dictionary(arrow::int32(), arrow::binary())}) {
    forms.push_back({type, texts, text_cells});
  }
  return forms;
}

TEST(Cell, ReadsWhatArrowWroteInEveryForm) {
  for (const FormCase& form : Forms()) {
    SCOPED_TRACE(form.type->ToString());
    EXPECT_EQ(ReadAll(*FromJson(form.type, form.json)), form.cells);
  }
}

TEST(Cell, BuildsWhatArrowWouldInEveryForm) {
  for (const FormCase& form : Forms()) {
    SCOPED_TRACE(form.type->ToString());
    const auto built = BuildArray(form.type, form.cells).ValueOrDie();
    EXPECT_TRUE(built->ValidateFull().ok());
    EXPECT_TRUE(built->Equals(FromJson(form.type, form.json))) << built->ToString();
  }
}

TEST(Cell, HonoursTheOffsetOfASlice) {
  for (const FormCase& form : Forms()) {
    SCOPED_TRACE(form.type->ToString());
    const std::vector<Cell> tail(form.cells.begin() + 1, form.cells.end());
    EXPECT_EQ(ReadAll(*FromJson(form.type, form.json)->Slice(1)), tail);
  }
  const auto type = arrow::struct_({arrow::field("id", arrow::uint16())});
  const auto groups = FromJson(type, R"([{"id": 4}, {"id": 5}, null, {"id": null}])");
  const auto records =
      arrow::RecordBatch::Make(arrow::schema({arrow::field("resource", type)}), 4, {groups});
  const CellTable table = ReadCells(*records->Slice(1)).ValueOrDie();
  EXPECT_EQ(table.columns[0].cells, (std::vector<Cell>{true, Cell(), true}));
  EXPECT_EQ(table.columns[0].children[0].cells[0], Cell(uint64_t{5}));
  EXPECT_TRUE(IsNull(table.columns[0].children[0].cells[2]));
}

TEST(Cell, TakesANullInADictionaryForANull) {
  const auto array = arrow::DictionaryArray::FromArrays(FromJson(arrow::uint8(), "[1, 0, null]"),
                                                        FromJson(arrow::utf8(), R"(["a", null])"))
                         .ValueOrDie();
  EXPECT_EQ(ReadAll(*array), (std::vector<Cell>{Cell(), std::string("a"), Cell()}));
}

TEST(Cell, RefusesADictionaryThatIsTooNarrow) {
  std::vector<Cell> cells;
  for (int64_t i = 0; i < 129; ++i) {
    cells.emplace_back(i);
  }
  EXPECT_FALSE(BuildArray(arrow::dictionary(arrow::int8(), arrow::int64()), cells).ok());
  EXPECT_TRUE(BuildArray(arrow::dictionary(arrow::uint8(), arrow::int64()), cells).ok());
  cells.pop_back();
  EXPECT_TRUE(BuildArray(arrow::dictionary(arrow::int8(), arrow::int64()), cells).ok());
}

TEST(Cell, HasOneTextPerValue) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double other_nan = std::bit_cast<double>(std::bit_cast<uint64_t>(nan) | 1);
  const std::vector<Cell> cells = {Cell(),
                                   std::string(),
                                   std::string("null"),
                                   std::string("\"\\x22"),
                                   std::string("\"\""),
                                   std::string("\n"),
                                   std::string("\\n"),
                                   0.0,
                                   -0.0,
                                   nan,
                                   other_nan,
                                   std::vector<double>{1, 2},
                                   std::vector<double>{12},
                                   std::vector<QuantileCell>{{1, 2}},
                                   true,
                                   false};
  for (size_t left = 0; left < cells.size(); ++left) {
    for (size_t right = 0; right < cells.size(); ++right) {
      EXPECT_EQ(CellText(cells[left]) == CellText(cells[right]), left == right)
          << CellText(cells[left]) << " " << CellText(cells[right]);
    }
  }
}

}  // namespace
}  // namespace df::testing
