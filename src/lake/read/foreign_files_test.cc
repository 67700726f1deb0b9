// Files as other writers leave them: in codecs, types and encryption that are read exactly, or
// named with what was found.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>
#include <parquet/encryption/encryption.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/table_rewrites.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::CanonicalRecords;
using df::testing::Replayed;
using otap::Signal;
using otap::TableKind;
using ::testing::HasSubstr;

using Properties = parquet::WriterProperties::Builder;

constexpr int64_t kRootRows = 12;
constexpr int64_t kGroupRows = 4;

/// One signal in a tree with a file for each table, one of which is written again.
class ForeignFiles : public ::testing::Test {
 protected:
  void Fill(Signal signal, TableKind rewritten) {
    options_.signals = {signal};
    df::testing::RandomEngine random(20'261'129);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = kRootRows;
    shape.missing_column = 0;
    shape.dictionary = 0;
    shape.null_share = 0;
    shape.null_struct = 0;
    shape.valueless_exemplars = false;
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.partition_levels = 0;
    layout.dictionary = df::testing::DictionaryForm::kNone;
    const auto written =
        df::testing::WriteLake(folder_.path(), {df::testing::RandomBatch(signal, shape, random)},
                               layout, 7)
            .ValueOrDie();
    for (const auto& file : written.files) {
      if (file.table == rewritten) {
        path_ = folder_.path() / file.path;
      }
    }
    table_ = df::testing::ReadTable(path_.string()).ValueOrDie();
    whole_ = CanonicalRecords(Replay().batches);
  }

  Replayed Replay() const { return df::testing::ReplayTree(folder_.path(), options_); }

  void Write(const arrow::RecordBatch& content, Properties properties) const {
    const auto table = arrow::Table::FromRecordBatches({content.Slice(0)}).ValueOrDie();
    const auto sink = arrow::io::FileOutputStream::Open(path_.string()).ValueOrDie();
    auto writer = parquet::arrow::FileWriter::Open(*table->schema(), arrow::default_memory_pool(),
                                                   sink, properties.build())
                      .ValueOrDie();
    ASSERT_TRUE(writer
                    ->AddKeyValueMetadata(arrow::key_value_metadata(
                        {"otap.format_version", "otap.id_scope"}, {"1", "partition"}))
                    .ok());
    ASSERT_TRUE(writer->WriteTable(*table, kGroupRows).ok());
    ASSERT_TRUE(writer->Close().ok());
    ASSERT_TRUE(sink->Close().ok());
  }

  std::string Bytes() const {
    std::ifstream stream(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  void SetBytes(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

  /// The table with a column of another type in the place of one.
  std::shared_ptr<arrow::RecordBatch> As(const std::string& column,
                                         const std::shared_ptr<arrow::DataType>& type,
                                         bool is_safe = true) const {
    const auto old = df::testing::ColumnAt(*table_, column).ValueOrDie();
    return df::testing::ReplaceColumn(
               *table_, column, column,
               arrow::compute::Cast(*old, type, arrow::compute::CastOptions(is_safe)).ValueOrDie())
        .ValueOrDie();
  }

  /// Expects one problem with the text and the file, which costs `rows_lost` rows of it.
  void ExpectRefused(const std::string& text, int64_t rows_lost) {
    const Replayed replayed = Replay();
    ASSERT_EQ(replayed.report.problems.size(), 1U) << Messages(replayed);
    const std::string& message = replayed.report.problems[0].message;
    EXPECT_THAT(message, HasSubstr(text));
    EXPECT_THAT(message, HasSubstr("file=" + fs::relative(path_, folder_.path()).string()));
    const auto records = CanonicalRecords(replayed.batches);
    EXPECT_EQ(records.size() + static_cast<size_t>(rows_lost), whole_.size());
    EXPECT_TRUE(std::includes(whole_.begin(), whole_.end(), records.begin(), records.end()));
  }

  df::testing::TemporaryFolder folder_;
  ReadOptions options_;
  fs::path path_;
  std::shared_ptr<arrow::RecordBatch> table_;
  std::vector<std::string> whole_;
};

/// Drifts of a schema between files of one partition.
class SchemaDrifts : public ForeignFiles {
 protected:
  using Batch = std::shared_ptr<arrow::RecordBatch>;

  /// Makes files of one row each: drift `i` in file `i`, or none of them.
  void WriteFiles(bool has_drifts) {
    const fs::path folder = path_.parent_path();
    for (const fs::path& path : paths_) {
      fs::remove(path);
    }
    fs::remove(path_);
    paths_.clear();
    for (int64_t row = 0; row < kRootRows; ++row) {
      const Batch content = table_->Slice(row, 1);
      path_ = folder / fmt::format("part-{:02}-a.parquet", row);
      Write(has_drifts ? Drifted(content, row) : *content, Properties());
      paths_.push_back(path_);
    }
  }

  const arrow::RecordBatch& Drifted(const Batch& content, int64_t drift) {
    drifted_ = content;
    switch (drift) {
      case 1:
        Replace("event_name", nullptr);
        break;
      case 2:
        Reverse();
        break;
      case 3:
        Retype("dropped_attributes_count", arrow::uint64());
        Retype("resource.id", arrow::uint64());
        Retype("flags", arrow::uint64());
        break;
      case 4:
        Retype("severity_number", arrow::int64());
        break;
      case 5:
        Retype("body.double", arrow::float32());
        break;
      case 6:
        Retype("severity_text", arrow::dictionary(arrow::int8(), arrow::utf8()));
        Retype("body.str", arrow::dictionary(arrow::int64(), arrow::utf8()));
        break;
      case 7:
        MakeRequired("time_unix_nano");
        break;
      case 8:
        Replace("severity_text", One(arrow::Int64Scalar(7)));
        break;
      case 9:
        GrowStruct("body");
        break;
      case 10:
        drifted_ =
            drifted_->AddColumn(0, "vendor_note", One(arrow::StringScalar("note"))).ValueOrDie();
        break;
      default:
        break;  // 0 has the column that 1 has not, 11 is as 0
    }
    return *drifted_;
  }

  void Replace(const std::string& column, const std::shared_ptr<arrow::Array>& values) {
    const std::string name = values == nullptr ? "" : column.substr(column.rfind('.') + 1);
    drifted_ = df::testing::ReplaceColumn(*drifted_, column, name, values).ValueOrDie();
  }

  void Retype(const std::string& column, const std::shared_ptr<arrow::DataType>& type) {
    const auto values = df::testing::ColumnAt(*drifted_, column).ValueOrDie();
    Replace(column, arrow::compute::Cast(*values, type).ValueOrDie());
  }

  void Reverse() {
    std::vector<int> order;
    for (int i = drifted_->num_columns(); i > 0; --i) {
      order.push_back(i - 1);
    }
    drifted_ = drifted_->SelectColumns(order).ValueOrDie();
  }

  void MakeRequired(const std::string& column) {
    const int index = drifted_->schema()->GetFieldIndex(column);
    const auto schema =
        drifted_->schema()->SetField(index, drifted_->schema()->field(index)->WithNullable(false));
    drifted_ =
        arrow::RecordBatch::Make(schema.ValueOrDie(), drifted_->num_rows(), drifted_->columns());
  }

  void GrowStruct(const std::string& column) {
    const int index = drifted_->schema()->GetFieldIndex(column);
    const auto& old = static_cast<const arrow::StructArray&>(*drifted_->column(index));
    ASSERT_EQ(old.null_count(), 0);
    arrow::ArrayVector children = old.Flatten().ValueOrDie();
    arrow::FieldVector fields = old.type()->fields();
    children.push_back(One(arrow::Int64Scalar(7)));
    fields.push_back(arrow::field("vendor_number", arrow::int64()));
    const auto grown = arrow::StructArray::Make(children, fields);
    drifted_ =
        drifted_->SetColumn(index, arrow::field(column, (*grown)->type()), *grown).ValueOrDie();
  }

  static std::shared_ptr<arrow::Array> One(const arrow::Scalar& value) {
    return arrow::MakeArrayFromScalar(value, 1).ValueOrDie();
  }

  std::vector<fs::path> paths_;
  Batch drifted_;
};

TEST_F(SchemaDrifts, TwelveInOnePartitionCostTheFileThatCannotBeHeld) {
  Fill(Signal::kLogs, TableKind::kLogs);
  const auto half = arrow::MakeArrayFromScalar(arrow::DoubleScalar(0.5), kRootRows).ValueOrDie();
  const auto none = arrow::MakeArrayOfNull(arrow::utf8(), kRootRows).ValueOrDie();
  table_ = df::testing::ReplaceColumn(*table_, "event_name", "event_name", none).ValueOrDie();
  table_ = df::testing::ReplaceColumn(*table_, "body.double", "double", half).ValueOrDie();
  WriteFiles(false);
  const Replayed before = Replay();
  ASSERT_TRUE(before.report.problems.empty()) << Messages(before);
  const auto whole = CanonicalRecords(before.batches);
  ASSERT_EQ(whole.size(), static_cast<size_t>(kRootRows));

  WriteFiles(true);
  const Replayed replayed = Replay();
  const auto records = CanonicalRecords(replayed.batches);
  EXPECT_EQ(records.size() + 1, whole.size());
  EXPECT_TRUE(std::includes(whole.begin(), whole.end(), records.begin(), records.end()));
  ASSERT_EQ(replayed.report.problems.size(), 1U) << Messages(replayed);
  EXPECT_THAT(replayed.report.problems[0].message,
              HasSubstr("column severity_text: found INT64 (no logical type), expected string"));
  EXPECT_THAT(replayed.report.problems[0].message, HasSubstr("part-08-a.parquet"));
  std::string notices;
  for (const Problem& notice : replayed.report.notices) {
    notices += notice.message + "\n";
  }
  EXPECT_THAT(notices, HasSubstr("are not read: vendor_note"));
  EXPECT_THAT(notices, HasSubstr("are not read: body.vendor_number"));
  EXPECT_THAT(notices, HasSubstr("numbers of 32 bits are read as they are stored: body.double"));
}

TEST_F(ForeignFiles, DecimalsWithoutFractionAreTheNumbersThatTheyAre) {
  Fill(Signal::kMetrics, TableKind::kHistogramDataPoints);
  const std::map<std::string, std::shared_ptr<arrow::DataType>> columns = {
      {"id", arrow::decimal128(10, 0)},
      {"parent_id", arrow::decimal128(20, 0)},
      {"count", arrow::decimal128(20, 0)},
      {"flags", arrow::decimal256(50, 0)},
      {"bucket_counts", arrow::list(arrow::field("item", arrow::decimal128(20, 0)))}};
  for (const auto& [column, type] : columns) {
    SCOPED_TRACE(column);
    Write(*As(column, type), Properties());
    const Replayed replayed = Replay();
    EXPECT_TRUE(replayed.report.problems.empty()) << Messages(replayed);
    EXPECT_EQ(CanonicalRecords(replayed.batches), whole_);
  }
}

TEST_F(ForeignFiles, DecimalsWithAFractionAreRefusedByName) {
  Fill(Signal::kMetrics, TableKind::kHistogramDataPoints);
  Write(*As("flags", arrow::decimal128(20, 2)), Properties());
  const Replayed replayed = Replay();
  ASSERT_FALSE(replayed.report.problems.empty());
  EXPECT_THAT(
      Messages(replayed),
      HasSubstr("column flags: found FIXED_LEN_BYTE_ARRAY (Decimal(precision=20, scale=2)), "
                "expected uint32"));
}

TEST_F(ForeignFiles, ListsOfShortFloatsAreNamedAsOtherShortFloatsAre) {
  Fill(Signal::kMetrics, TableKind::kHistogramDataPoints);
  Write(*As("explicit_bounds", arrow::list(arrow::field("item", arrow::float32())),
            /*is_safe=*/false),
        Properties());
  const Replayed replayed = Replay();
  EXPECT_TRUE(replayed.report.problems.empty()) << Messages(replayed);
  EXPECT_TRUE(std::any_of(replayed.report.notices.begin(), replayed.report.notices.end(),
                          [](const Problem& notice) {
                            return notice.message.find(
                                       "numbers of 32 bits are read as they are "
                                       "stored: explicit_bounds [table=") != std::string::npos;
                          }));
}

/// Encrypts some columns with keys of their own, or all with that of the footer.
Properties Encrypted(const std::vector<std::string>& columns, bool has_plain_footer) {
  const auto key = [] { return arrow::util::SecureString(16, 'k'); };
  parquet::FileEncryptionProperties::Builder encryption(key());
  if (has_plain_footer) {
    encryption.set_plaintext_footer();
  }
  if (!columns.empty()) {
    parquet::ColumnPathToEncryptionPropertiesMap keys;
    for (const std::string& column : columns) {
      keys[column] =
          parquet::ColumnEncryptionProperties::Builder().key(key())->key_id("column")->build();
    }
    encryption.encrypted_columns(keys);
  }
  Properties properties;
  properties.encryption(encryption.build());
  return properties;
}

TEST_F(ForeignFiles, EncryptedFilesAreNamedAsEncrypted) {
  Fill(Signal::kLogs, TableKind::kLogs);
  Write(*table_, Encrypted({}, false));
  ExpectRefused("found an encrypted footer, expected a plain one", kRootRows);
  Write(*table_, Encrypted({"body.str"}, false));
  ExpectRefused("found an encrypted footer, expected a plain one", kRootRows);
}

TEST_F(ForeignFiles, EncryptedColumnsBehindAPlainFooterAreNamedAsEncrypted) {
  Fill(Signal::kLogs, TableKind::kLogs);
  Write(*table_, Encrypted({"body.str"}, true));
  ExpectRefused("column body.str: found encrypted values, expected plain ones", kRootRows);
  Write(*table_, Encrypted({"time_unix_nano", "scope.name"}, true));
  ExpectRefused(
      "column scope.name: found encrypted values, expected plain ones: encrypted columns "
      "are not read; column time_unix_nano: found encrypted",
      kRootRows);
  Write(*table_, Encrypted({}, true));
  ExpectRefused("column id: found encrypted values, expected plain ones", kRootRows);
}

TEST_F(ForeignFiles, EncryptedListsAreNamedAsEncrypted) {
  Fill(Signal::kMetrics, TableKind::kHistogramDataPoints);
  Write(*table_, Encrypted({"bucket_counts.list.element"}, true));
  EXPECT_THAT(Messages(Replay()),
              HasSubstr("column bucket_counts: found encrypted values, expected plain ones"));
}

TEST_F(ForeignFiles, EncryptedColumnsThatAreNotOfTheModelCostNothing) {
  Fill(Signal::kLogs, TableKind::kLogs);
  const auto secret =
      arrow::MakeArrayFromScalar(arrow::StringScalar("secret"), kRootRows).ValueOrDie();
  const auto grown = table_->AddColumn(0, "vendor_secret", secret).ValueOrDie();
  Write(*grown, Encrypted({"vendor_secret"}, true));
  const Replayed replayed = Replay();
  EXPECT_TRUE(replayed.report.problems.empty()) << Messages(replayed);
  EXPECT_EQ(CanonicalRecords(replayed.batches), whole_);
}

/// Turns a bit of the last byte of a column chunk.
std::string Damaged(std::string bytes, const std::string& path, int row_group,
                    const std::string& column) {
  const auto metadata = parquet::ParquetFileReader::OpenFile(path)->metadata();
  const auto chunk =
      metadata->RowGroup(row_group)->ColumnChunk(metadata->schema()->ColumnIndex(column));
  const int64_t start =
      chunk->has_dictionary_page() ? chunk->dictionary_page_offset() : chunk->data_page_offset();
  bytes[static_cast<size_t>(start + chunk->total_compressed_size() - 1)] ^= 0x10;
  return bytes;
}

TEST_F(ForeignFiles, AByteThatChangedNamesItsColumnAndCostsItsRowGroup) {
  Fill(Signal::kLogs, TableKind::kLogs);
  for (const auto version :
       {parquet::ParquetDataPageVersion::V1, parquet::ParquetDataPageVersion::V2}) {
    for (const char* column : {"body.type", "severity_number", "time_unix_nano", "scope.name"}) {
      SCOPED_TRACE(column);
      Properties properties;
      properties.enable_page_checksum()->data_page_version(version)->compression(
          arrow::Compression::ZSTD);
      Write(*table_, std::move(properties));
      SetBytes(Damaged(Bytes(), path_.string(), 1, column));
      ExpectRefused(fmt::format("column {}: could not verify page integrity", column), kGroupRows);
      EXPECT_THAT(Messages(Replay()), HasSubstr("row_group=1"));
    }
  }
}

/// The schema and the column chunks of a footer name each column: a byte of one that changed must
/// not pass for a column of somebody else's.
TEST_F(ForeignFiles, ANameThatChangedInTheFooterCostsTheFile) {
  Fill(Signal::kLogs, TableKind::kLogAttrs);
  for (const std::string column : {"str", "double", "bytes"}) {
    SCOPED_TRACE(column);
    Write(*table_, {});
    std::string bytes = Bytes();
    uint32_t footer_bytes = 0;
    std::memcpy(&footer_bytes, bytes.data() + bytes.size() - 8, sizeof(footer_bytes));
    // The schema stands in front; a text of Thrift's has its length in front of it.
    const std::string name = std::string(1, static_cast<char>(column.size())) + column;
    const size_t at = bytes.find(name, bytes.size() - 8 - footer_bytes);
    ASSERT_NE(at, std::string::npos);
    bytes[at + column.size()] ^= 0x01;
    SetBytes(bytes);
    EXPECT_THAT(Messages(Replay()), HasSubstr(fmt::format("and {} in row group 0", column)));
  }
}

TEST_F(ForeignFiles, AByteOfAListThatChangedNamesItsColumns) {
  Fill(Signal::kMetrics, TableKind::kHistogramDataPoints);
  Properties properties;
  properties.enable_page_checksum();
  Write(*table_, std::move(properties));
  SetBytes(Damaged(Bytes(), path_.string(), 0, "bucket_counts.list.element"));
  EXPECT_THAT(Messages(Replay()), HasSubstr("columns bucket_counts, explicit_bounds: "));
}

TEST_F(ForeignFiles, ACodecThatIsNotThereIsNamed) {
  Fill(Signal::kLogs, TableKind::kLogs);
  Properties properties;
  properties.compression(arrow::Compression::SNAPPY);
  Write(*table_, std::move(properties));
  // In the metadata of a chunk the codec stands between its path and its count of values.
  std::string bytes = Bytes();
  const std::string snappy = "severity_text\x15\x02\x16";
  size_t num_changed = 0;
  for (size_t at = bytes.find(snappy); at != std::string::npos; at = bytes.find(snappy, at + 1)) {
    bytes[at + snappy.size() - 2] = '\x06';  // LZO
    ++num_changed;
  }
  ASSERT_EQ(num_changed, static_cast<size_t>(kRootRows / kGroupRows));
  SetBytes(bytes);
  const std::string said = Messages(Replay());
  EXPECT_THAT(said, HasSubstr("column severity_text: found codec lzo, expected none, snappy, gzip, "
                              "brotli, lz4, lz4_raw or zstd"));
  EXPECT_THAT(said, HasSubstr("file=" + fs::relative(path_, folder_.path()).string()));
}

}  // namespace
}  // namespace df::lake
