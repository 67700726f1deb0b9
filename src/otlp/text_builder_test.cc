#include "otlp/decode/text_builder.h"

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "testing/cell.h"
#include "testing/random_value.h"

namespace df::otlp {
namespace {

using otap::DictionaryRule;
using testing::Cell;

std::shared_ptr<arrow::Array> Finish(TextBuilder& builder, int64_t num_rows) {
  auto array = arrow::MakeArray(builder.Finish(num_rows).ValueOrDie());
  const arrow::Status valid = array->ValidateFull();
  EXPECT_TRUE(valid.ok()) << valid;
  return array;
}

/// Sets `count` rows to so many different texts in turn; returns the type of the column.
std::string TypeWith(DictionaryRule rule, int distinct, int count) {
  TextBuilder builder(TextBuilder::Kind::kText, rule);
  for (int row = 0; row < count; ++row) {
    EXPECT_TRUE(builder.Set(row, fmt::format("text {}", row % distinct)));
  }
  const auto array = Finish(builder, count);
  for (int row = 0; row < count; row += 97) {
    EXPECT_EQ(testing::ReadCell(*array, row).ValueOrDie(),
              Cell(fmt::format("text {}", row % distinct)));
  }
  return array->type()->ToString();
}

TEST(TextBuilder, WidthFollowsTheNumberOfTexts) {
  const std::string narrow = arrow::dictionary(arrow::uint8(), arrow::utf8())->ToString();
  const std::string wide = arrow::dictionary(arrow::uint16(), arrow::utf8())->ToString();
  EXPECT_EQ(TypeWith(DictionaryRule::kAny, 255, 1000), narrow);
  EXPECT_EQ(TypeWith(DictionaryRule::kAny, 256, 1000), wide);
  EXPECT_EQ(TypeWith(DictionaryRule::kWide, 2, 1000), wide);
}

TEST(TextBuilder, TextsThatHardlyRepeatStayPlain) {
  EXPECT_EQ(TypeWith(DictionaryRule::kAny, 100'000, 3000), "string");
}

TEST(TextBuilder, MoreTextsThanADictionaryTakesArePlain) {
  // Each twice in a row, so that they count as repeating until there are too many.
  TextBuilder builder(TextBuilder::Kind::kText, DictionaryRule::kAny);
  constexpr int kTexts = 65'536;
  for (int row = 0; row < 2 * kTexts; ++row) {
    ASSERT_TRUE(builder.Set(row, std::to_string(row / 2)));
  }
  const auto array = Finish(builder, 2 * kTexts);
  EXPECT_EQ(array->type()->ToString(), "string");
  EXPECT_EQ(testing::ReadCell(*array, 2 * kTexts - 1).ValueOrDie(), Cell("65535"));
  EXPECT_EQ(testing::ReadCell(*array, 0).ValueOrDie(), Cell("0"));
}

TEST(TextBuilder, RandomRowsReadBackFromOneBatchToTheNext) {
  for (const uint64_t seed : {1, 2, 3}) {
    testing::RandomEngine rng(seed);
    TextBuilder builder(TextBuilder::Kind::kBinary, DictionaryRule::kAny);
    for (int round = 0; round < 20; ++round) {
      const int64_t num_rows = testing::Between(rng, 1, 2000);
      const int64_t distinct = testing::Between(rng, 1, 3000);
      std::vector<Cell> expected(static_cast<size_t>(num_rows));
      for (int64_t row = 0; row < num_rows; ++row) {
        if (testing::Chance(rng, 0.8)) {
          const std::string text =
              std::string(static_cast<size_t>(testing::Between(rng, 0, 3)), 'x') +
              std::to_string(testing::Between(rng, 0, distinct));
          expected[static_cast<size_t>(row)] = text;
          ASSERT_TRUE(builder.Set(row, text));
        }
      }
      if (!builder.empty()) {
        const auto array = Finish(builder, num_rows);
        for (int64_t row = 0; row < num_rows; ++row) {
          ASSERT_EQ(testing::ReadCell(*array, row).ValueOrDie(), expected[static_cast<size_t>(row)])
              << "seed " << seed << " round " << round << " row " << row;
        }
      }
      builder.Clear();
    }
  }
}

TEST(TextBuilder, RefusesWhatIsNoText) {
  for (const std::string_view bytes : {"\xFF", "\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80"}) {
    TextBuilder text(TextBuilder::Kind::kText, DictionaryRule::kAny);
    EXPECT_FALSE(text.Set(0, bytes));
    TextBuilder long_text(TextBuilder::Kind::kText, DictionaryRule::kAny);
    EXPECT_FALSE(long_text.Set(0, std::string(100, 'a').append(bytes)));
    TextBuilder binary(TextBuilder::Kind::kBinary, DictionaryRule::kAny);
    EXPECT_TRUE(binary.Set(0, bytes));
  }
}

}  // namespace
}  // namespace df::otlp
