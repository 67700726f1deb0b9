#include "lake/format/footer.h"

#include <cstring>
#include <filesystem>
#include <random>
#include <string>

#include <arrow/array.h>
#include <arrow/io/memory.h>
#include <arrow/table.h>
#include <arrow/util/key_value_metadata.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <parquet/metadata.h>

#include "lake/format/table_file.h"
#include "testing/counted_reads.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;

/// A small file by Arrow: nothing in it needs repair.
std::string GoodFile() {
  arrow::FixedSizeBinaryBuilder ids(arrow::fixed_size_binary(16));
  arrow::StringBuilder names;
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(ids.Append(std::string(16, static_cast<char>('a' + i % 20))).ok());
    EXPECT_TRUE(names.Append("name " + std::to_string(i % 7)).ok());
  }
  const auto table = arrow::Table::Make(
      arrow::schema({arrow::field("trace_id", ids.type()), arrow::field("name", arrow::utf8())}),
      {ids.Finish().ValueOrDie(), names.Finish().ValueOrDie()});
  auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink, 20).ok());
  return sink->Finish().ValueOrDie()->ToString();
}

Result<Footer> Read(const std::string& bytes) {
  arrow::io::BufferReader file(arrow::Buffer::FromString(bytes));
  return ReadFooter(&file, {.file = "f.parquet"});
}

/// Returns one sample table of the upstream exporter that ships with the examples.
std::string SampleFile(const std::string& table) {
  const fs::path folder = fs::path(OTAP_SOURCE_DIR) / "examples/data/corner/parquet" / table;
  std::string first;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().string();
    if (entry.path().extension() == ".parquet" && (first.empty() || path < first)) {
      first = path;
    }
  }
  EXPECT_FALSE(first.empty()) << "no sample of " << table;
  return first;
}

std::string FooterBytes(const std::string& path) {
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  const auto file = local.OpenFile(path).ValueOrDie();
  const auto bytes = file->ReadAt(0, file->GetSize().ValueOrDie()).ValueOrDie()->ToString();
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + bytes.size() - 8, sizeof(length));
  return bytes.substr(bytes.size() - 8 - length, length);
}

/// A file with so many bytes of data and a footer with a text of its own.
std::string FileWith(int64_t num_values, size_t text_bytes) {
  arrow::DoubleBuilder values;
  for (int64_t i = 0; i < num_values; ++i) {
    EXPECT_TRUE(values.Append(static_cast<double>(i)).ok());
  }
  const auto table =
      arrow::Table::Make(arrow::schema({arrow::field("double", values.type())}),
                         std::vector<std::shared_ptr<arrow::Array>>{values.Finish().ValueOrDie()});
  auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
  const auto writer =
      parquet::arrow::FileWriter::Open(*table->schema(), arrow::default_memory_pool(), sink)
          .ValueOrDie();
  EXPECT_TRUE(writer->WriteTable(*table).ok());
  EXPECT_TRUE(
      writer
          ->AddKeyValueMetadata(arrow::key_value_metadata({"text"}, {std::string(text_bytes, 'x')}))
          .ok());
  EXPECT_TRUE(writer->Close().ok());
  return sink->Finish().ValueOrDie()->ToString();
}

TEST(Footer, LittleOfTheDataIsReadWithIt) {
  for (size_t text_bytes = 1; text_bytes < 20'000; text_bytes += text_bytes < 2'200 ? 7 : 1'500) {
    const std::string bytes = FileWith(10'000, text_bytes);
    uint32_t length = 0;
    std::memcpy(&length, bytes.data() + bytes.size() - 8, sizeof(length));
    const auto num_bytes = std::make_shared<std::atomic<int64_t>>(0);
    df::testing::CountedFile file(
        std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(bytes)), num_bytes);
    const auto footer = ReadFooter(&file, {.file = "f.parquet"});
    ASSERT_TRUE(footer.ok()) << text_bytes << ": " << footer.status();
    EXPECT_EQ(footer->metadata->num_rows(), 10'000);
    EXPECT_EQ(footer->metadata->key_value_metadata()->Get("text").ValueOrDie().size(), text_bytes);
    EXPECT_LE(*num_bytes, std::max<int64_t>(length + 8, 2 << 10)) << text_bytes;
  }
}

TEST(Footer, LeavesCorrectFilesAlone) {
  const auto footer = Read(GoodFile());
  ASSERT_TRUE(footer.ok()) << footer.status();
  EXPECT_EQ(footer->num_repaired_columns, 0);
  EXPECT_EQ(footer->metadata->num_rows(), 50);
}

TEST(Footer, RepairsLengthPrefixedIdColumnsAndNothingElse) {
  struct Expectation {
    std::string table;
    int64_t repaired;
  };
  // Logs, links and exemplars keep trace and span ids as dictionaries; spans keep them native.
  for (const Expectation& expected :
       {Expectation{"logs", 2}, Expectation{"span_links", 2}, Expectation{"number_dp_exemplars", 2},
        Expectation{"spans", 0}, Expectation{"log_attrs", 0}}) {
    SCOPED_TRACE(expected.table);
    std::string footer = FooterBytes(SampleFile(expected.table));
    const std::string before = footer;
    const auto repaired = RepairFooter(&footer);
    ASSERT_TRUE(repaired.ok()) << repaired.status();
    EXPECT_EQ(*repaired, expected.repaired);
    ASSERT_EQ(footer.size(), before.size());
    // Only type bytes change: one in the schema and one per column chunk.
    int64_t num_changed = 0;
    for (size_t i = 0; i < footer.size(); ++i) {
      if (footer[i] != before[i]) {
        ++num_changed;
        EXPECT_EQ(before[i], 0x0E);
        EXPECT_EQ(footer[i], 0x0C);
      }
    }
    EXPECT_EQ(num_changed, 2 * expected.repaired);
    EXPECT_EQ(RepairFooter(&footer).ValueOrDie(), 0) << "a repaired footer needs no repair";
  }
}

TEST(Footer, RepairedIdsReadAsTheyWereSent) {
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  const auto file =
      TableFile::Open(local, SampleFile("span_links"), otap::TableKind::kSpanLinks, {})
          .ValueOrDie();
  const int leaf = LeafIndex(otap::TableKind::kSpanLinks, "trace_id");
  EXPECT_EQ(file->physical_type(leaf), parquet::Type::BYTE_ARRAY);
  auto decoder = file->OpenLeaf(
      0, leaf, *LeavesOf(otap::TableKind::kSpanLinks)[static_cast<size_t>(leaf)].column);
  ASSERT_TRUE(decoder.ok()) << decoder.status();
  const auto slice = (*decoder)->Next(file->num_rows(0));
  ASSERT_TRUE(slice.ok()) << slice.status();
  ASSERT_NE(slice->values, nullptr);
  EXPECT_EQ(slice->values->type()->ToString(), "fixed_size_binary[16]");
  EXPECT_TRUE(slice->values->ValidateFull().ok());
}

TEST(Footer, AFooterThatIsTooLargeIsRefusedByName) {
  const uint32_t length = (64 << 20) + 1;
  std::string file = "PAR1" + std::string(length, '\0');
  file.append(reinterpret_cast<const char*>(&length), sizeof(length));
  const auto footer = Read(file + "PAR1");
  ASSERT_FALSE(footer.ok());
  EXPECT_NE(footer.status().message().find("found a footer of 67108865 bytes, expected at most "
                                           "67108864"),
            std::string::npos)
      << footer.status();
}

TEST(Footer, EveryTruncationIsAnErrorThatMayPass) {
  const std::string good = GoodFile();
  for (size_t size = 0; size < good.size(); size += 1 + good.size() / 97) {
    const auto footer = Read(good.substr(0, size));
    ASSERT_FALSE(footer.ok()) << size;
    EXPECT_EQ(KindOf(footer.status()), ErrorKind::kParquet);
    EXPECT_THAT(footer.status().message(), ::testing::HasSubstr("file=f.parquet"));
  }
  EXPECT_TRUE(IsRetryable(Read(good.substr(0, good.size() / 2)).status()));
}

TEST(Footer, FlippedBytesNeverCrash) {
  const std::string good = GoodFile();
  uint32_t length = 0;
  std::memcpy(&length, good.data() + good.size() - 8, sizeof(length));
  for (size_t i = good.size() - 8 - length; i < good.size(); ++i) {
    for (const int bit : {0, 3, 7}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      (void)Read(bad);  // any answer is fine, a sanitizer report is not
    }
  }
}

TEST(Footer, RandomBytesAreRefused) {
  for (uint32_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    std::string bytes(random() % 300, '\0');
    for (char& byte : bytes) {
      byte = static_cast<char>(random());
    }
    (void)RepairFooter(&bytes);
    bytes += std::string("\x10\x00\x00\x00PAR1", 8);
    const auto footer = Read(bytes);
    EXPECT_FALSE(footer.ok());
  }
}

TEST(Footer, ALengthPastTheFileIsRefused) {
  std::string bytes = GoodFile();
  const uint32_t length = 0x7FFFFFFF;
  std::memcpy(bytes.data() + bytes.size() - 8, &length, sizeof(length));
  EXPECT_THAT(Read(bytes).status().message(), ::testing::HasSubstr("claims"));
}

TEST(Footer, TheDigestTellsContentsApart) {
  const auto a = Read(GoodFile());
  std::string other = GoodFile();
  EXPECT_EQ(a->digest, Read(other)->digest);
  EXPECT_NE(a->digest, Read("PAR1" + other)->digest) << "size is part of it";
}

}  // namespace
}  // namespace df::lake
