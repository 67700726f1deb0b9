#include "lake/format/leaf_decoder.h"

#include <random>
#include <string>
#include <vector>

#include <arrow/builder.h>
#include <arrow/compute/api.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <parquet/column_page.h>
#include <parquet/file_reader.h>

namespace df::lake {
namespace {

using otap::ColumnType;

/// How a column is written.
struct Layout {
  std::string name;
  bool dictionary = true;
  bool page_v2 = false;
  parquet::Encoding::type encoding = parquet::Encoding::PLAIN;
  arrow::Compression::type codec = arrow::Compression::UNCOMPRESSED;
  int64_t dictionary_limit = 1 << 20;
};

std::vector<Layout> Layouts() {
  using parquet::Encoding;
  return {
      {"dictionary"},
      {"plain", false},
      {"dictionary_v2", true, true},
      {"plain_v2_zstd", false, true, Encoding::PLAIN, arrow::Compression::ZSTD},
      {"snappy", true, false, Encoding::PLAIN, arrow::Compression::SNAPPY},
      {"falls_back_to_plain", true, false, Encoding::PLAIN, arrow::Compression::UNCOMPRESSED, 300},
  };
}

std::shared_ptr<arrow::io::BufferReader> Write(const std::shared_ptr<arrow::Array>& column,
                                               const Layout& layout) {
  auto table = arrow::Table::Make(arrow::schema({arrow::field("c", column->type())}), {column});
  auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  parquet::WriterProperties::Builder properties;
  properties.data_pagesize(700)
      ->compression(layout.codec)
      ->dictionary_pagesize_limit(layout.dictionary_limit);
  properties.data_page_version(layout.page_v2 ? parquet::ParquetDataPageVersion::V2
                                              : parquet::ParquetDataPageVersion::V1);
  properties.write_batch_size(64);
  if (!layout.dictionary) {
    properties.disable_dictionary();
    properties.encoding(layout.encoding);
  }
  const auto status = parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink,
                                                 1 << 20, properties.build());
  EXPECT_TRUE(status.ok()) << status;
  return std::make_shared<arrow::io::BufferReader>(sink->Finish().ValueOrDie());
}

/// Reads a column back in slices of random sizes and joins them natively.
arrow::Result<std::shared_ptr<arrow::Array>> ReadBack(
    const std::shared_ptr<arrow::io::BufferReader>& file, const otap::Column& target,
    int64_t num_rows, std::mt19937& random, bool* saw_dictionary) {
  auto reader = parquet::ParquetFileReader::Open(file);
  auto pages = reader->RowGroup(0)->GetColumnPageReader(0);
  ARROW_ASSIGN_OR_RAISE(
      auto decoder,
      LeafDecoder::Make(std::move(pages), *reader->metadata()->schema()->Column(0), target, {}));
  arrow::ArrayVector parts;
  for (int64_t row = 0; row < num_rows;) {
    const int64_t count = std::min<int64_t>(1 + random() % 300, num_rows - row);
    ARROW_ASSIGN_OR_RAISE(const LeafSlice slice, decoder->Next(count));
    std::shared_ptr<arrow::Array> part = slice.values;
    if (part == nullptr) {
      ARROW_ASSIGN_OR_RAISE(part, arrow::MakeArrayOfNull(otap::NativeType(target), count));
    }
    ARROW_RETURN_NOT_OK(part->ValidateFull());
    if (part->type_id() == arrow::Type::DICTIONARY) {
      *saw_dictionary = true;
      const auto& dictionary = static_cast<const arrow::DictionaryArray&>(*part);
      ARROW_ASSIGN_OR_RAISE(part,
                            arrow::compute::Take(*dictionary.dictionary(), *dictionary.indices()));
    }
    parts.push_back(std::move(part));
    row += count;
  }
  if (const auto past = decoder->Next(1); past.ok()) {
    return arrow::Status::Invalid("the decoder gave a row past the end");
  }
  return arrow::Concatenate(parts);
}

/// Random values of a type; a small pool makes dictionaries, runs of nulls make level runs.
template <typename Builder, typename MakeValue>
std::shared_ptr<arrow::Array> RandomColumn(Builder& builder, int64_t num_rows, double null_share,
                                           std::mt19937& random, MakeValue make_value) {
  int64_t run = 0;
  bool is_null = false;
  for (int64_t row = 0; row < num_rows; ++row) {
    if (run == 0) {
      run = 1 + random() % (random() % 3 == 0 ? 200 : 3);
      is_null = std::uniform_real_distribution<>(0, 1)(random) < null_share;
    }
    --run;
    EXPECT_TRUE((is_null ? builder.AppendNull() : builder.Append(make_value())).ok());
  }
  return builder.Finish().ValueOrDie();
}

class LeafDecoderLayouts : public testing::TestWithParam<Layout> {
 protected:
  template <typename Builder, typename MakeValue>
  void Check(ColumnType type, Builder builder, MakeValue make_value) {
    for (const double null_share : {0.0, 0.4, 1.0}) {
      for (const uint32_t seed : {11U, 12U}) {
        SCOPED_TRACE(testing::Message() << "seed " << seed << " layout " << GetParam().name
                                        << " nulls " << null_share);
        CheckOnce(type, builder, make_value, null_share, seed);
      }
    }
  }

 private:
  template <typename Builder, typename MakeValue>
  void CheckOnce(ColumnType type, Builder& builder, MakeValue make_value, double null_share,
                 uint32_t seed) {
    const Layout& layout = GetParam();
    std::mt19937 random(seed);
    constexpr int64_t kRows = 2'000;
    const auto written =
        RandomColumn(builder, kRows, null_share, random, [&] { return make_value(random); });
    const otap::Column target{"c", type};
    bool saw_dictionary = false;
    const auto read = ReadBack(Write(written, layout), target, kRows, random, &saw_dictionary);
    ASSERT_TRUE(read.ok()) << read.status();
    auto numbers = written;
    if (arrow::is_decimal(numbers->type_id()) && type == ColumnType::kTimestamp) {
      numbers = arrow::compute::Cast(*numbers, arrow::int64()).ValueOrDie();
    }
    const auto expected = arrow::compute::Cast(*numbers, otap::NativeType(target)).ValueOrDie();
    EXPECT_TRUE(
        expected->Equals(**read, arrow::EqualOptions().nans_equal(true).signed_zeros_equal(false)))
        << expected->ToString() << (*read)->ToString();
  }
};

TEST_P(LeafDecoderLayouts, Int32) {
  Check(ColumnType::kInt32, arrow::Int32Builder(),
        [](std::mt19937& r) { return static_cast<int32_t>(r() % 40) - 20; });
}
TEST_P(LeafDecoderLayouts, UInt32AllBits) {
  Check(ColumnType::kUInt32, arrow::UInt32Builder(),
        [](std::mt19937& r) { return static_cast<uint32_t>(r()); });
}
TEST_P(LeafDecoderLayouts, UInt16ReadWide) {
  Check(ColumnType::kUInt32, arrow::UInt16Builder(),
        [](std::mt19937& r) { return static_cast<uint16_t>(r()); });
}
TEST_P(LeafDecoderLayouts, UInt8) {
  Check(ColumnType::kUInt8, arrow::UInt8Builder(),
        [](std::mt19937& r) { return static_cast<uint8_t>(r()); });
}
TEST_P(LeafDecoderLayouts, UInt64) {
  Check(ColumnType::kUInt64, arrow::UInt64Builder(),
        [](std::mt19937& r) { return uint64_t{r()} << 32 | r(); });
}
TEST_P(LeafDecoderLayouts, UInt64FromDecimal) {
  Check(ColumnType::kUInt64, arrow::Decimal128Builder(arrow::decimal128(20, 0)),
        [](std::mt19937& r) {
          constexpr uint64_t kOdd[] = {0, 1, 255, 256, uint64_t{1} << 63, ~uint64_t{0}};
          return arrow::Decimal128(0, r() % 2 == 0 ? kOdd[r() % 6] : uint64_t{r()} << 32 | r());
        });
}
TEST_P(LeafDecoderLayouts, Int64FromDecimal) {
  Check(ColumnType::kInt64, arrow::Decimal128Builder(arrow::decimal128(19, 0)),
        [](std::mt19937& r) {
          constexpr int64_t kOdd[] = {0,
                                      -1,
                                      255,
                                      -256,
                                      std::numeric_limits<int64_t>::min(),
                                      std::numeric_limits<int64_t>::max()};
          return arrow::Decimal128(r() % 2 == 0 ? kOdd[r() % 6] : static_cast<int32_t>(r()));
        });
}
TEST_P(LeafDecoderLayouts, Int32FromShortDecimal) {
  Check(ColumnType::kInt32, arrow::Decimal128Builder(arrow::decimal128(5, 0)), [](std::mt19937& r) {
    return arrow::Decimal128(static_cast<int32_t>(r() % 199'999) - 99'999);
  });
}
TEST_P(LeafDecoderLayouts, UInt8FromLongDecimal) {
  Check(ColumnType::kUInt8, arrow::Decimal256Builder(arrow::decimal256(60, 0)),
        [](std::mt19937& r) { return arrow::Decimal256(static_cast<int32_t>(r() % 256)); });
}
TEST_P(LeafDecoderLayouts, TimestampFromDecimal) {
  Check(ColumnType::kTimestamp, arrow::Decimal128Builder(arrow::decimal128(20, 0)),
        [](std::mt19937& r) {
          return arrow::Decimal128(int64_t{1'700'000'000'000'000'000} + static_cast<int64_t>(r()));
        });
}
TEST_P(LeafDecoderLayouts, Int64FromInt32) {
  Check(ColumnType::kInt64, arrow::Int32Builder(),
        [](std::mt19937& r) { return static_cast<int32_t>(r()); });
}
TEST_P(LeafDecoderLayouts, Float64) {
  Check(ColumnType::kFloat64, arrow::DoubleBuilder(), [](std::mt19937& r) {
    constexpr double kOdd[] = {0.0, -0.0, 1.5, std::numeric_limits<double>::quiet_NaN(),
                               std::numeric_limits<double>::infinity()};
    return kOdd[r() % 5];
  });
}
TEST_P(LeafDecoderLayouts, Float64FromFloat) {
  Check(ColumnType::kFloat64, arrow::FloatBuilder(),
        [](std::mt19937& r) { return static_cast<float>(r() % 100) / 3; });
}
TEST_P(LeafDecoderLayouts, Bool) {
  Check(ColumnType::kBool, arrow::BooleanBuilder(), [](std::mt19937& r) { return r() % 2 == 0; });
}
TEST_P(LeafDecoderLayouts, Timestamp) {
  Check(ColumnType::kTimestamp,
        arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::NANO, "UTC"),
                                arrow::default_memory_pool()),
        [](std::mt19937& r) {
          return int64_t{1'700'000'000'000'000'000} + static_cast<int64_t>(r());
        });
}
TEST_P(LeafDecoderLayouts, TimestampFromMillis) {
  Check(ColumnType::kTimestamp,
        arrow::TimestampBuilder(arrow::timestamp(arrow::TimeUnit::MILLI),
                                arrow::default_memory_pool()),
        [](std::mt19937& r) {
          return int64_t{1'700'000'000'000} + static_cast<int64_t>(r() % 1000);
        });
}
TEST_P(LeafDecoderLayouts, Text) {
  Check(ColumnType::kUtf8, arrow::StringBuilder(), [](std::mt19937& r) {
    return std::string(r() % 4, static_cast<char>('a' + r() % 20)) + std::to_string(r() % 50);
  });
}
TEST_P(LeafDecoderLayouts, Binary) {
  Check(ColumnType::kBinary, arrow::BinaryBuilder(),
        [](std::mt19937& r) { return std::string(r() % 30, '\xFF'); });
}
TEST_P(LeafDecoderLayouts, FixedBinary) {
  Check(ColumnType::kFixedBinary8, arrow::FixedSizeBinaryBuilder(arrow::fixed_size_binary(8)),
        [](std::mt19937& r) { return "id" + std::to_string(100'000 + r() % 60); });
}
TEST_P(LeafDecoderLayouts, FixedBinaryFromByteArray) {
  Check(ColumnType::kFixedBinary16, arrow::BinaryBuilder(),
        [](std::mt19937& r) { return "trace-" + std::to_string(1'000'000'000 + r() % 300); });
}

INSTANTIATE_TEST_SUITE_P(All, LeafDecoderLayouts, testing::ValuesIn(Layouts()));

struct BadColumn {
  std::string name;
  std::shared_ptr<arrow::Array> column;
  ColumnType target;
  ErrorKind kind;
};

template <typename Builder, typename T>
std::shared_ptr<arrow::Array> Column(Builder builder, std::vector<T> values) {
  EXPECT_TRUE(builder.AppendValues(values).ok());
  return builder.Finish().ValueOrDie();
}

std::shared_ptr<arrow::Array> DecimalColumn(const arrow::Decimal128& value) {
  arrow::Decimal128Builder builder(arrow::decimal128(38, 0));
  EXPECT_TRUE(builder.Append(value).ok());
  return builder.Finish().ValueOrDie();
}

TEST(LeafDecoder, RefusesWhatCannotBecomeTheModelsType) {
  const std::vector<BadColumn> cases = {
      {"text for a number", Column(arrow::StringBuilder(), std::vector<std::string>{"7"}),
       ColumnType::kInt64, ErrorKind::kSchemaReconstruction},
      {"number for text", Column(arrow::Int64Builder(), std::vector<int64_t>{7}), ColumnType::kUtf8,
       ErrorKind::kSchemaReconstruction},
      {"number too large", Column(arrow::Int64Builder(), std::vector<int64_t>{int64_t{1} << 40}),
       ColumnType::kUInt32, ErrorKind::kArrow},
      {"negative count", Column(arrow::Int64Builder(), std::vector<int64_t>{-1}),
       ColumnType::kUInt64, ErrorKind::kArrow},
      {"millis past the range",
       Column(arrow::Int64Builder(), std::vector<int64_t>{int64_t{1} << 60}),
       ColumnType::kTimestamp, ErrorKind::kArrow},
      {"id of the wrong size", Column(arrow::BinaryBuilder(), std::vector<std::string>{"short"}),
       ColumnType::kFixedBinary16, ErrorKind::kArrow},
      {"decimal past 64 bits", DecimalColumn(arrow::Decimal128(1, 0)), ColumnType::kUInt64,
       ErrorKind::kArrow},
      {"decimal past 63 bits", DecimalColumn(arrow::Decimal128(0, uint64_t{1} << 63)),
       ColumnType::kInt64, ErrorKind::kArrow},
      {"decimal far below 0", DecimalColumn(arrow::Decimal128(-2, 5)), ColumnType::kInt64,
       ErrorKind::kArrow},
      {"negative decimal", DecimalColumn(arrow::Decimal128(-1)), ColumnType::kUInt64,
       ErrorKind::kArrow},
      {"decimal time past 63 bits", DecimalColumn(arrow::Decimal128(0, ~uint64_t{0})),
       ColumnType::kTimestamp, ErrorKind::kArrow},
  };
  for (const BadColumn& bad : cases) {
    SCOPED_TRACE(bad.name);
    auto column = bad.column;
    if (bad.name.starts_with("millis")) {
      column = column->View(arrow::timestamp(arrow::TimeUnit::MILLI)).ValueOrDie();
    }
    std::mt19937 random(1);
    bool saw_dictionary = false;
    const auto read = ReadBack(Write(column, {"plain", false}), otap::Column{"c", bad.target}, 1,
                               random, &saw_dictionary);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(KindOf(read.status()), bad.kind) << read.status();
    EXPECT_NE(read.status().message().find("column c"), std::string::npos) << read.status();
  }
}

TEST(LeafDecoder, DecimalTimesAreScaledByTheUnitThatIsStoredBesideThem) {
  const auto file = Write(DecimalColumn(arrow::Decimal128(1'500)), {"plain", false});
  auto reader = parquet::ParquetFileReader::Open(file);
  const auto decoder = LeafDecoder::Make(
      reader->RowGroup(0)->GetColumnPageReader(0), *reader->metadata()->schema()->Column(0),
      otap::Column{"c", ColumnType::kDuration}, {}, /*nanos_per_unit=*/1'000);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  const auto slice = (*decoder)->Next(1);
  ASSERT_TRUE(slice.ok()) << slice.status();
  EXPECT_EQ(static_cast<const arrow::DurationArray&>(*slice->values).Value(0), 1'500'000);
}

TEST(LeafDecoder, ReadsTextThatIsAllEmpty) {
  std::mt19937 random(1);
  arrow::StringBuilder builder;
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(builder.Append("").ok());
  }
  const auto written = builder.Finish().ValueOrDie();
  for (const auto encoding :
       {parquet::Encoding::PLAIN, parquet::Encoding::DELTA_LENGTH_BYTE_ARRAY}) {
    bool saw_dictionary = false;
    const auto read = ReadBack(Write(written, {"plain", false, false, encoding}),
                               {"c", ColumnType::kUtf8}, 600, random, &saw_dictionary);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(written->Equals(**read));
  }
}

TEST(LeafDecoder, KeepsTheDictionaryOfTheFileNarrow) {
  std::mt19937 random(3);
  bool saw_dictionary = false;
  const auto column = Column(arrow::StringBuilder(), std::vector<std::string>{"a", "b", "a"});
  ASSERT_TRUE(
      ReadBack(Write(column, {"dictionary"}), {"c", ColumnType::kUtf8}, 3, random, &saw_dictionary)
          .ok());
  EXPECT_TRUE(saw_dictionary);
}

/// Pages of a column whose dictionary page counts more values than it has.
class MoreDictionaryValues final : public parquet::PageReader {
 public:
  MoreDictionaryValues(std::unique_ptr<parquet::PageReader> pages, int32_t num_more)
      : pages_(std::move(pages)), num_more_(num_more) {}

  std::shared_ptr<parquet::Page> NextPage() override {
    std::shared_ptr<parquet::Page> page = pages_->NextPage();
    if (page == nullptr || page->type() != parquet::PageType::DICTIONARY_PAGE) {
      return page;
    }
    const auto& dictionary = static_cast<const parquet::DictionaryPage&>(*page);
    return std::make_shared<parquet::DictionaryPage>(
        dictionary.buffer(), dictionary.num_values() + num_more_, dictionary.encoding());
  }
  void set_max_page_header_size(uint32_t size) override { pages_->set_max_page_header_size(size); }

 private:
  std::unique_ptr<parquet::PageReader> pages_;
  int32_t num_more_;
};

TEST(LeafDecoder, ADictionaryPageThatCountsMoreValuesThanItHasIsRefusedBeforeItIsCopied) {
  const auto column = Column(arrow::StringBuilder(),
                             std::vector<std::string>{std::string(400, 'a'), std::string(90, 'b')});
  const auto file = Write(column, {"dictionary"});
  for (const int32_t num_more : {1, 2, 32, 100}) {
    auto reader = parquet::ParquetFileReader::Open(file);
    auto pages = std::make_unique<MoreDictionaryValues>(reader->RowGroup(0)->GetColumnPageReader(0),
                                                        num_more);
    auto decoder = LeafDecoder::Make(std::move(pages), *reader->metadata()->schema()->Column(0),
                                     {"c", ColumnType::kUtf8}, {});
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    const auto slice = (*decoder)->Next(2);
    ASSERT_FALSE(slice.ok());
    // Written before it is refused, they would lie behind the buffer.
    EXPECT_NE(slice.status().message().find("has a dictionary page of 498 bytes for"),
              std::string::npos)
        << slice.status();
  }
}

TEST(LeafDecoder, GoesNativePast65535Entries) {
  arrow::StringBuilder builder;
  for (int i = 0; i < 70'000; ++i) {
    ASSERT_TRUE(builder.Append(std::to_string(i)).ok());
  }
  const auto column = builder.Finish().ValueOrDie();
  std::mt19937 random(4);
  bool saw_dictionary = false;
  const auto read = ReadBack(Write(column, {"dictionary", true, false, parquet::Encoding::PLAIN,
                                            arrow::Compression::UNCOMPRESSED, 64 << 20}),
                             {"c", ColumnType::kUtf8}, 70'000, random, &saw_dictionary);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(saw_dictionary);
  EXPECT_TRUE(column->Equals(**read));
}

}  // namespace
}  // namespace df::lake
