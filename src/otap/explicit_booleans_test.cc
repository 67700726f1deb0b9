#include "otap/explicit_booleans.h"

#include <memory>
#include <optional>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "otap/batch.h"
#include "otap/column_concat.h"
#include "otap/concat.h"

namespace df::otap {
namespace {

using TablePtr = std::shared_ptr<arrow::RecordBatch>;

/// Attributes of the types given; booleans with the values given, or without a column.
TablePtr Attributes(const std::vector<uint8_t>& types,
                    std::optional<std::vector<std::optional<bool>>> booleans) {
  arrow::UInt8Builder type_builder;
  EXPECT_TRUE(type_builder.AppendValues(types).ok());
  arrow::FieldVector fields = {arrow::field("type", arrow::uint8())};
  arrow::ArrayVector columns = {type_builder.Finish().ValueOrDie()};
  if (booleans.has_value()) {
    arrow::BooleanBuilder builder;
    for (const auto& value : *booleans) {
      EXPECT_TRUE((value.has_value() ? builder.Append(*value) : builder.AppendNull()).ok());
    }
    fields.push_back(arrow::field("bool", arrow::boolean()));
    columns.push_back(builder.Finish().ValueOrDie());
  }
  return arrow::RecordBatch::Make(arrow::schema(fields), std::ssize(types), columns);
}

TEST(ExplicitBooleans, AMissingColumnIsFalseAlsoBesideOneThatIsThere) {
  const TablePtr without = Attributes({4, 1, 4}, std::nullopt);
  const TablePtr with = Attributes({4, 4, 1}, {{true, std::nullopt, std::nullopt}});
  const TablePtr joined =
      ConcatTables(TableKind::kLogAttrs, std::vector{without, with}).ValueOrDie();
  const auto values = joined->GetColumnByName("bool");
  ASSERT_NE(values, nullptr);
  const auto expected = Attributes(
      {4, 1, 4, 4, 4, 1}, {{false, std::nullopt, false, true, std::nullopt, std::nullopt}});
  EXPECT_TRUE(values->Equals(expected->GetColumnByName("bool"))) << values->ToString();
}

TEST(ExplicitBooleans, NothingIsAddedWhereNothingIsMeant) {
  const TablePtr texts = Attributes({1, 2, 0}, std::nullopt);
  EXPECT_EQ(WithExplicitBooleans(TableKind::kLogAttrs, texts).ValueOrDie(), texts);
  const TablePtr with = Attributes({4}, std::vector<std::optional<bool>>{std::nullopt});
  EXPECT_EQ(WithExplicitBooleans(TableKind::kLogAttrs, with).ValueOrDie(), with);
}

TEST(ExplicitBooleans, BodiesHaveThemToo) {
  const TablePtr values = Attributes({4, 1}, std::nullopt);
  const auto body =
      arrow::StructArray::Make(values->columns(), values->schema()->fields()).ValueOrDie();
  const TablePtr logs = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("body", body->type())}), 2, arrow::ArrayVector{body});
  const TablePtr found = WithExplicitBooleans(TableKind::kLogs, logs).ValueOrDie();
  const auto& with = static_cast<const arrow::StructArray&>(*found->GetColumnByName("body"));
  const auto booleans = with.GetFieldByName("bool");
  ASSERT_NE(booleans, nullptr);
  EXPECT_TRUE(booleans->IsValid(0));
  EXPECT_FALSE(static_cast<const arrow::BooleanArray&>(*booleans).Value(0));
  EXPECT_TRUE(booleans->IsNull(1));
}

}  // namespace
}  // namespace df::otap
