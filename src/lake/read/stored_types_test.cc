// Schemas that writers store beside Parquet's own: damage costs nothing, units count.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <arrow/ipc/writer.h>
#include <arrow/util/base64.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/table_rewrites.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::CanonicalRecords;
using otap::TableKind;
using ::testing::HasSubstr;

using Keys = std::vector<std::pair<std::string, std::string>>;

/// One signal in a tree with one root file, which is written again with keys of its own.
class StoredSchemas : public ::testing::Test {
 protected:
  void Fill(otap::Signal signal) {
    options_.signals = {signal};
    df::testing::RandomEngine random(20'261'128);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 9;
    shape.missing_column = 0;
    shape.dictionary = 0;
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
      if (file.table == otap::RootTable(signal)) {
        path_ = folder_.path() / file.path;
      }
    }
    table_ = df::testing::ReadTable(path_.string()).ValueOrDie();
  }

  /// Replays the tree with a root file of this content and these keys beside the exporter's.
  df::testing::Replayed Replay(const arrow::RecordBatch& content, const Keys& keys,
                               bool has_own_keys = true) {
    const Status written = Write(content, keys, has_own_keys);
    EXPECT_TRUE(written.ok()) << written;
    return df::testing::ReplayTree(folder_.path(), options_);
  }

  Status Write(const arrow::RecordBatch& content, const Keys& keys, bool has_own_keys) {
    ARROW_ASSIGN_OR_RAISE(const auto table, arrow::Table::FromRecordBatches({content.Slice(0)}));
    ARROW_ASSIGN_OR_RAISE(const auto sink, arrow::io::FileOutputStream::Open(path_.string()));
    ARROW_ASSIGN_OR_RAISE(auto writer, parquet::arrow::FileWriter::Open(
                                           *table->schema(), arrow::default_memory_pool(), sink,
                                           parquet::default_writer_properties(),
                                           parquet::default_arrow_writer_properties()));
    ARROW_RETURN_NOT_OK(writer->WriteTable(*table));
    auto metadata = std::make_shared<arrow::KeyValueMetadata>();
    if (has_own_keys) {
      metadata->Append("otap.format_version", "1");
      metadata->Append("otap.id_scope", "partition");
    }
    for (const auto& [key, value] : keys) {
      metadata->Append(key, value);
    }
    ARROW_RETURN_NOT_OK(writer->AddKeyValueMetadata(metadata));
    ARROW_RETURN_NOT_OK(writer->Close());
    return sink->Close();
  }

  std::string StoredArrowSchema() const {
    return arrow::util::base64_encode(
        arrow::ipc::SerializeSchema(*table_->schema()).ValueOrDie()->ToString());
  }

  /// The table with durations as plain whole numbers, `nanos_per_unit` to each.
  std::shared_ptr<arrow::RecordBatch> WithDurations(bool as_numbers, int64_t nanos_per_unit) const {
    std::shared_ptr<arrow::Array> column;
    if (as_numbers) {
      arrow::Int64Builder builder;
      for (int64_t row = 0; row < table_->num_rows(); ++row) {
        EXPECT_TRUE(builder.Append(1'000 + row).ok());
      }
      column = builder.Finish().ValueOrDie();
    } else {
      arrow::DurationBuilder builder(arrow::duration(arrow::TimeUnit::NANO),
                                     arrow::default_memory_pool());
      for (int64_t row = 0; row < table_->num_rows(); ++row) {
        EXPECT_TRUE(builder.Append((1'000 + row) * nanos_per_unit).ok());
      }
      column = builder.Finish().ValueOrDie();
    }
    return df::testing::ReplaceColumn(*table_, kDuration, kDuration, column).ValueOrDie();
  }

  static Keys SparkSchema(const std::string& type) {
    return {{"org.apache.spark.sql.parquet.row.metadata",
             fmt::format(R"({{"type":"struct","fields":[{{"name":"id","type":"integer",)"
                         R"("nullable":true,"metadata":{{}}}},{{"name":"{}","type":"{}",)"
                         R"("nullable":true,"metadata":{{}}}}]}})",
                         kDuration, type)}};
  }

  static constexpr const char* kDuration = "duration_time_unix_nano";
  df::testing::TemporaryFolder folder_;
  ReadOptions options_;
  fs::path path_;
  std::shared_ptr<arrow::RecordBatch> table_;
};

TEST_F(StoredSchemas, DamagedArrowSchemasCostNothingAndAreNamedWithTheirFile) {
  for (const otap::Signal signal : otap::kAllSignals) {
    SCOPED_TRACE(otap::GetTable(otap::RootTable(signal)).directory);
    fs::remove_all(folder_.path());
    fs::create_directories(folder_.path());
    Fill(signal);
    const std::string stored = StoredArrowSchema();
    const auto whole = Replay(*table_, {{"ARROW:schema", stored}});
    ASSERT_TRUE(whole.report.problems.empty());
    std::string zeros = stored;
    std::fill(zeros.begin() + 16, zeros.end(), 'A');
    for (const std::string& damaged :
         {std::string("no base64 at all!"), stored.substr(0, stored.size() / 2), stored.substr(4),
          std::string("AAAA"), zeros, stored.substr(stored.size() / 2)}) {
      const auto replayed = Replay(*table_, {{"ARROW:schema", damaged}});
      EXPECT_EQ(CanonicalRecords(replayed.batches), CanonicalRecords(whole.batches));
      EXPECT_TRUE(replayed.report.problems.empty()) << replayed.report.problems[0].message;
      EXPECT_EQ(replayed.report.notices.size(), whole.report.notices.size() + 1);
      EXPECT_TRUE(std::any_of(
          replayed.report.notices.begin(), replayed.report.notices.end(),
          [&](const Problem& n) {
            return n.message.find("the stored Arrow schema is damaged and not used (") !=
                       std::string::npos &&
                   n.message.find("file=" + fs::relative(path_, folder_.path()).string()) !=
                       std::string::npos;
          }))
          << damaged.substr(0, 40);
    }
  }
}

TEST_F(StoredSchemas, ArrowSchemasWithBitsTurnedAreExactOrNamed) {
  Fill(otap::Signal::kLogs);
  const std::string whole = arrow::ipc::SerializeSchema(*table_->schema()).ValueOrDie()->ToString();
  const auto wanted = CanonicalRecords(Replay(*table_, {}).batches);
  const uint32_t seed = 11;
  std::mt19937 random(seed);
  int num_exact = 0;
  for (int round = 0; round < 200; ++round) {
    std::string turned = whole;
    turned[random() % turned.size()] ^= static_cast<char>(1 << (random() % 8));
    const auto replayed = Replay(*table_, {{"ARROW:schema", arrow::util::base64_encode(turned)}});
    const bool is_exact = CanonicalRecords(replayed.batches) == wanted;
    num_exact += is_exact ? 1 : 0;
    EXPECT_TRUE(is_exact || !replayed.report.problems.empty())
        << "seed " << seed << " round " << round;
  }
  EXPECT_GT(num_exact, 150);
}

TEST_F(StoredSchemas, IntervalsOfSparkAreReadByTheirUnitOrRefused) {
  Fill(otap::Signal::kTraces);
  const auto numbers = WithDurations(true, 1);
  for (const char* type : {"interval day to second", "interval second", "interval day"}) {
    const auto replayed = Replay(*numbers, SparkSchema(type));
    EXPECT_TRUE(replayed.report.problems.empty()) << replayed.report.problems[0].message;
    const auto wanted = Replay(*WithDurations(false, 1'000), {});
    EXPECT_EQ(CanonicalRecords(replayed.batches), CanonicalRecords(wanted.batches)) << type;
  }
  const auto plain = Replay(*numbers, SparkSchema("long"));
  EXPECT_TRUE(plain.report.problems.empty());
  const auto nanos = Replay(*WithDurations(false, 1), {});
  EXPECT_EQ(CanonicalRecords(plain.batches), CanonicalRecords(nanos.batches));

  for (const char* type : {"interval year to month", "interval month", "interval"}) {
    const auto refused = Replay(*numbers, SparkSchema(type));
    ASSERT_FALSE(refused.report.problems.empty()) << type;
    EXPECT_THAT(
        refused.report.problems[0].message,
        HasSubstr(fmt::format("column {}: found {}, expected duration[ns]", kDuration, type)));
  }
  const Keys damaged = {{"org.apache.spark.sql.parquet.row.metadata", R"({"type":"struct","fi)"}};
  const auto unknown = Replay(*numbers, damaged, false);
  ASSERT_FALSE(unknown.report.problems.empty());
  EXPECT_THAT(unknown.report.problems[0].message,
              HasSubstr(fmt::format("column {}: its unit is unknown: the stored Spark schema is "
                                    "damaged and not used",
                                    kDuration)));
}

}  // namespace
}  // namespace df::lake
