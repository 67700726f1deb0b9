#include "otap/row_order.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <tuple>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/initialize.h>
#include <gtest/gtest.h>

namespace df::otap {
namespace {

/// A row of an attribute table of integers; a missing value stands for a null.
struct Row {
  uint32_t parent_id = 0;
  std::string key;
  std::optional<int64_t> value;
  int64_t position = 0;

  auto SortKey() const {
    return std::make_tuple(key, !value.has_value(), value.value_or(0), parent_id, position);
  }
  bool operator==(const Row&) const = default;
};

std::shared_ptr<arrow::RecordBatch> MakeTable(const std::vector<Row>& rows, bool has_dictionaries) {
  arrow::UInt32Builder parents;
  arrow::StringBuilder plain_keys;
  arrow::StringDictionaryBuilder coded_keys;
  arrow::UInt8Builder types;
  arrow::Int64Builder values;
  // What a stream has collected before stands in its dictionaries too.
  constexpr int64_t kOthers = 400;
  for (int64_t i = 0; i < kOthers; ++i) {
    EXPECT_TRUE(coded_keys.Append((i % 2 == 0 ? "j" : "l") + std::to_string(i)).ok());
  }
  for (const Row& row : rows) {
    EXPECT_TRUE(parents.Append(row.parent_id).ok() && types.Append(2).ok());
    EXPECT_TRUE(plain_keys.Append(row.key).ok() && coded_keys.Append(row.key).ok());
    EXPECT_TRUE((row.value.has_value() ? values.Append(*row.value) : values.AppendNull()).ok());
  }
  std::shared_ptr<arrow::Array> keys = plain_keys.Finish().ValueOrDie();
  if (has_dictionaries) {
    const auto coded = coded_keys.Finish().ValueOrDie();
    const auto& dictionary = static_cast<const arrow::DictionaryArray&>(*coded);
    arrow::UInt16Builder indices;
    for (int64_t row = kOthers; row < coded->length(); ++row) {
      EXPECT_TRUE(indices.Append(static_cast<uint16_t>(dictionary.GetValueIndex(row))).ok());
    }
    keys =
        arrow::DictionaryArray::FromArrays(arrow::dictionary(arrow::uint16(), arrow::utf8()),
                                           indices.Finish().ValueOrDie(), dictionary.dictionary())
            .ValueOrDie();
  }
  const auto parent_ids = parents.Finish().ValueOrDie();
  const auto schema =
      arrow::schema({arrow::field("parent_id", arrow::uint32()), arrow::field("key", keys->type()),
                     arrow::field("type", arrow::uint8()), arrow::field("int", arrow::int64())});
  return arrow::RecordBatch::Make(
      schema, parent_ids->length(),
      {parent_ids, keys, types.Finish().ValueOrDie(), values.Finish().ValueOrDie()});
}

std::vector<Row> ReadTable(const arrow::RecordBatch& table) {
  const auto& parents = static_cast<const arrow::UInt32Array&>(*table.column(0));
  const auto& values = static_cast<const arrow::Int64Array&>(*table.column(3));
  std::vector<Row> rows;
  for (int64_t row = 0; row < table.num_rows(); ++row) {
    Row read;
    read.parent_id = parents.Value(row);
    read.key = table.column(1)->GetScalar(row).ValueOrDie()->ToString();
    if (table.column(1)->type_id() == arrow::Type::DICTIONARY) {
      const auto& coded = static_cast<const arrow::DictionaryArray&>(*table.column(1));
      read.key = coded.dictionary()->GetScalar(coded.GetValueIndex(row)).ValueOrDie()->ToString();
    }
    read.value = values.IsNull(row) ? std::nullopt : std::optional(values.Value(row));
    rows.push_back(read);
  }
  return rows;
}

class RowOrder : public ::testing::TestWithParam<std::tuple<int, bool, bool>> {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

TEST_P(RowOrder, IsThatOfANaiveSort) {
  const auto [num_rows, has_wide_parents, has_dictionaries] = GetParam();
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 rng(seed);
  std::vector<Row> rows;
  for (int i = 0; i < num_rows; ++i) {
    Row row;
    row.parent_id = has_wide_parents ? rng() : rng() % 40;
    row.key = "k" + std::to_string(rng() % 200);
    if (rng() % 5 != 0) {
      row.value = static_cast<int64_t>(rng()) - (int64_t{1} << 31);
    }
    row.position = i;
    rows.push_back(row);
  }
  const auto sorted =
      SortForTransport(TableKind::kSpanEventAttrs, MakeTable(rows, has_dictionaries));
  ASSERT_TRUE(sorted.ok()) << sorted.status();
  std::sort(rows.begin(), rows.end(),
            [](const Row& a, const Row& b) { return a.SortKey() < b.SortKey(); });
  for (Row& row : rows) {
    row.position = 0;
  }
  EXPECT_EQ(ReadTable(**sorted), rows);
}

// Few rows, digits in passes, and, with wide parents, keys that do not fit one number.
INSTANTIATE_TEST_SUITE_P(Random, RowOrder,
                         ::testing::Combine(::testing::Values(0, 1, 2, 100, 300, 9000),
                                            ::testing::Bool(), ::testing::Bool()));

}  // namespace
}  // namespace df::otap
