// Large pages come as the same rows, whatever wrote them.
#include "lake/format/page_splitter.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <arrow/builder.h>
#include <arrow/io/file.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <arrow/util/compression.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "lake/format/page_bytes.h"
#include "lake/format/table_file.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRows = 40'000;
constexpr PageLimits kPieces = {.piece_bytes = 100'000, .page_bytes = 4 << 20};

struct Writing {
  arrow::Compression::type codec = arrow::Compression::SNAPPY;
  parquet::ParquetDataPageVersion version = parquet::ParquetDataPageVersion::V1;
  bool has_checksum = false;
  size_t large_value = 1'500'000;  ///< bytes of one of the values
};

/// A file of logs with one page a column, and what is read of it.
class SplitPages : public ::testing::Test {
 protected:
  SplitPages() {
    std::string pattern = (fs::temp_directory_path() / "pages-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
  }
  ~SplitPages() override { fs::remove_all(folder_); }

  std::string path() const { return (folder_ / "part-1-a.parquet").string(); }
  size_t Between(size_t low, size_t high) { return low + random_() % (high - low + 1); }

  std::string Text() {
    std::string text;
    for (size_t left = Between(0, 20); left > 0; --left) {
      text += std::to_string(Between(0, 999)) + " of some; ";
    }
    return text;
  }

  void Write(const Writing& writing) {
    arrow::UInt32Builder ids;
    arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::NANO),
                                  arrow::default_memory_pool());
    arrow::StringBuilder severities;
    arrow::UInt8Builder types;
    arrow::StringBuilder texts;
    arrow::TypedBufferBuilder<bool> bodies;
    for (int64_t row = 0; row < kRows; ++row) {
      ASSERT_TRUE(ids.Append(static_cast<uint32_t>(row)).ok());
      ASSERT_TRUE(times.Append(row + 1).ok());
      // Long stretches without nulls, and others with many.
      const bool has_nulls = row / 5'000 % 2 == 1;
      ASSERT_TRUE(
          (has_nulls && Between(0, 1) == 0 ? severities.AppendNull() : severities.Append(Text()))
              .ok());
      const bool has_body = !has_nulls || Between(0, 2) > 0;
      ASSERT_TRUE(bodies.Append(has_body).ok());
      ASSERT_TRUE((has_body ? types.Append(1) : types.AppendNull()).ok());
      if (row == kRows / 3) {
        ASSERT_TRUE(texts.Append(std::string(writing.large_value, 'v')).ok());
      } else {
        ASSERT_TRUE(
            (has_body && Between(0, 9) > 0 ? texts.Append(Text()) : texts.AppendNull()).ok());
      }
    }
    const auto valid = bodies.Finish().ValueOrDie();
    const auto body = std::make_shared<arrow::StructArray>(
        arrow::struct_({arrow::field("type", arrow::uint8()), arrow::field("str", arrow::utf8())}),
        kRows, arrow::ArrayVector{types.Finish().ValueOrDie(), texts.Finish().ValueOrDie()}, valid);
    const auto table = arrow::Table::Make(
        arrow::schema(
            {arrow::field("id", arrow::uint32()),
             arrow::field("time_unix_nano", arrow::timestamp(arrow::TimeUnit::NANO), false),
             arrow::field("severity_text", arrow::utf8()), arrow::field("body", body->type())}),
        {ids.Finish().ValueOrDie(), times.Finish().ValueOrDie(), severities.Finish().ValueOrDie(),
         body});
    parquet::WriterProperties::Builder properties;
    properties.max_row_group_length(1 << 30)
        ->data_pagesize(1 << 30)
        ->max_rows_per_page(1 << 30)
        ->disable_dictionary()
        ->data_page_version(writing.version)
        ->compression(writing.codec);
    if (writing.has_checksum) {
      properties.enable_page_checksum();
    }
    const auto status = parquet::arrow::WriteTable(
        *table, arrow::default_memory_pool(),
        arrow::io::FileOutputStream::Open(path()).ValueOrDie(), 1 << 30, properties.build());
    ASSERT_TRUE(status.ok()) << status;
  }

  Result<DecodedRows> Read(const PageLimits& limits) {
    const auto local_store = storage::Store::Local();
    storage::Store& local = *local_store;
    ARROW_ASSIGN_OR_RAISE(const auto file,
                          TableFile::Open(local, path(), otap::TableKind::kLogs, {}));
    ARROW_ASSIGN_OR_RAISE(
        const auto stream,
        file->OpenRowGroup(0, std::vector<bool>(LeavesOf(otap::TableKind::kLogs).size(), true),
                           {.pages = limits}));
    return stream->Next(kRows);
  }

  static void ExpectSame(const DecodedRows& found, const DecodedRows& expected) {
    ASSERT_EQ(found.num_rows, expected.num_rows);
    for (size_t leaf = 0; leaf < expected.leaves.size(); ++leaf) {
      SCOPED_TRACE(LeavesOf(otap::TableKind::kLogs)[leaf].path());
      const LeafSlice& a = found.leaves[leaf];
      const LeafSlice& b = expected.leaves[leaf];
      ASSERT_EQ(a.values == nullptr, b.values == nullptr);
      EXPECT_TRUE(a.values == nullptr || a.values->Equals(*b.values));
      ASSERT_EQ(a.struct_validity == nullptr, b.struct_validity == nullptr);
      EXPECT_TRUE(a.struct_validity == nullptr || a.struct_validity->Equals(*b.struct_validity));
      EXPECT_EQ(a.num_refused(), 0);
    }
  }

  fs::path folder_;
  std::mt19937 random_;
};

class AnyWriting
    : public SplitPages,
      public ::testing::WithParamInterface<
          std::tuple<arrow::Compression::type, parquet::ParquetDataPageVersion, bool>> {};

TEST_P(AnyWriting, GivesTheSameRows) {
  const auto [codec, version, has_checksum] = GetParam();
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  random_.seed(seed);
  Write({.codec = codec, .version = version, .has_checksum = has_checksum});
  const auto expected = Read({});
  ASSERT_TRUE(expected.ok()) << expected.status();
  const auto found = Read(kPieces);
  ASSERT_TRUE(found.ok()) << found.status();
  ExpectSame(*found, *expected);
}

INSTANTIATE_TEST_SUITE_P(
    Codecs, AnyWriting,
    ::testing::Combine(::testing::Values(arrow::Compression::UNCOMPRESSED,
                                         arrow::Compression::SNAPPY, arrow::Compression::GZIP,
                                         arrow::Compression::BROTLI, arrow::Compression::ZSTD,
                                         arrow::Compression::LZ4, arrow::Compression::LZ4_HADOOP),
                       ::testing::Values(parquet::ParquetDataPageVersion::V1,
                                         parquet::ParquetDataPageVersion::V2),
                       ::testing::Bool()),
    [](const auto& writing) {
      return arrow::util::Codec::GetCodecAsString(std::get<0>(writing.param)) +
             (std::get<1>(writing.param) == parquet::ParquetDataPageVersion::V1 ? "V1" : "V2") +
             (std::get<2>(writing.param) ? "Checked" : "");
    });

TEST_F(SplitPages, AValueThatIsTooLargeCostsItsRow) {
  Write({.large_value = 5 << 20});
  const auto expected = Read({});
  ASSERT_TRUE(expected.ok()) << expected.status();
  const auto found = Read(kPieces);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->refused.size(), 1U);
  EXPECT_EQ(found->refused[0].first_row, kRows / 3);
  EXPECT_EQ(found->refused[0].num_rows, 1);
  EXPECT_NE(found->refused[0].why.message().find(
                "column body.str: found a value of 5242880 bytes, expected at most 4194304"),
            std::string::npos)
      << found->refused[0].why;
  const auto leaf = static_cast<size_t>(LeafIndex(otap::TableKind::kLogs, "body", "str"));
  for (const auto& [first, count] :
       {std::pair<int64_t, int64_t>{0, kRows / 3}, {kRows / 3 + 1, kRows - kRows / 3 - 1}}) {
    EXPECT_TRUE(found->leaves[leaf]
                    .values->Slice(first, count)
                    ->Equals(*expected->leaves[leaf].values->Slice(first, count)));
  }
}

TEST_F(SplitPages, ABrokenPageGivesNoRows) {
  for (const auto codec : {arrow::Compression::UNCOMPRESSED, arrow::Compression::SNAPPY}) {
    Write({.codec = codec, .has_checksum = true});
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    const auto size = static_cast<int64_t>(fs::file_size(path()));
    // The bodies are last; somewhere behind the middle of theirs.
    file.seekg(size * 3 / 4);
    const int byte = file.get();
    file.seekp(size * 3 / 4);
    file.put(static_cast<char>(byte ^ 0x10));
    file.close();
    const auto found = Read(kPieces);
    ASSERT_FALSE(found.ok());
    EXPECT_NE(found.status().message().find("checksum"), std::string::npos) << found.status();
  }
}

/// What Arrow makes of bytes is what comes piece by piece; what it refuses costs nothing but an
/// error.
TEST(PageBytes, BrokenBytesInflateAsTheyDoAtOnce) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (const auto type : {arrow::Compression::SNAPPY, arrow::Compression::LZ4}) {
    const auto codec = arrow::util::Codec::Create(type).ValueOrDie();
    for (int run = 0; run < 1'500; ++run) {
      std::string plain;
      for (size_t words = random() % 2'000; words > 0; --words) {
        plain +=
            random() % 3 == 0 ? std::string(random() % 90, 'r') : std::to_string(random() % 99);
      }
      std::string packed(
          static_cast<size_t>(codec->MaxCompressedLen(
              static_cast<int64_t>(plain.size()), reinterpret_cast<const uint8_t*>(plain.data()))),
          '\0');
      packed.resize(
          static_cast<size_t>(codec
                                  ->Compress(static_cast<int64_t>(plain.size()),
                                             reinterpret_cast<const uint8_t*>(plain.data()),
                                             static_cast<int64_t>(packed.size()),
                                             reinterpret_cast<uint8_t*>(packed.data()))
                                  .ValueOrDie()));
      for (int change = run % 4; change > 0 && !packed.empty(); --change) {
        packed[random() % packed.size()] = static_cast<char>(random());
      }
      std::string at_once(plain.size(), '\0');
      const auto size = codec->Decompress(
          static_cast<int64_t>(packed.size()), reinterpret_cast<const uint8_t*>(packed.data()),
          static_cast<int64_t>(at_once.size()), reinterpret_cast<uint8_t*>(at_once.data()));
      const auto bytes =
          InflatePage(type,
                      std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(packed)))
              .ValueOrDie();
      std::string in_pieces(plain.size(), '\0');
      Status status;
      for (size_t at = 0; status.ok() && at < in_pieces.size();) {
        const size_t count = std::min<size_t>(1 + random() % 700, in_pieces.size() - at);
        status = bytes->Read(static_cast<int64_t>(count),
                             reinterpret_cast<uint8_t*>(in_pieces.data()) + at);
        at += count;
      }
      if (!size.ok() || *size != static_cast<int64_t>(plain.size())) {
        continue;
      }
      if (status.ok()) {
        ASSERT_EQ(in_pieces, at_once) << "run " << run;
      } else {  // LZ4 takes a copy of what is not written yet for zeros
        ASSERT_EQ(type, arrow::Compression::LZ4);
        ASSERT_NE(status.message().find("copies from 0 bytes back"), std::string::npos) << status;
      }
    }
  }
}

}  // namespace
}  // namespace df::lake
