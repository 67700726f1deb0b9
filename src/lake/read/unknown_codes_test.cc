// Codes of values and metrics that are not known, or do not fit what is there: nothing goes out as
// something else without a word.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/file.h>
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
using df::testing::Messages;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using otap::TableKind;
using ::testing::HasSubstr;
using ::testing::Not;
using BatchPtr = std::shared_ptr<arrow::RecordBatch>;

/// One random batch of a signal, in one file a table.
struct Tree {
  explicit Tree(otap::Signal signal) {
    df::testing::RandomBatchOptions shape;
    shape.missing_column = 0;
    shape.null_share = 0;
    shape.without_attributes = 0;
    df::testing::RandomEngine random(11);
    df::testing::LakeWriterOptions options;
    options.layout = df::testing::LakeLayout::kUpstream;
    options.partition_levels = 0;
    const auto sent = df::testing::RandomBatches(1, signal, shape, random);
    written = df::testing::WriteLake(folder.path(), sent, options, 11).ValueOrDie();
  }

  fs::path FileOf(TableKind kind) const {
    const auto found = std::find_if(written.files.begin(), written.files.end(),
                                    [kind](const auto& one) { return one.table == kind; });
    return found == written.files.end() ? fs::path() : folder.path() / found->path;
  }
  BatchPtr Read(TableKind kind) const {
    return df::testing::ReadTable(FileOf(kind).string()).ValueOrDie();
  }
  /// Replaces a column; null drops it.
  void Replace(TableKind kind, const std::string& column,
               const std::shared_ptr<arrow::Array>& with) const {
    const auto batch = df::testing::ReplaceColumn(*Read(kind), column, column, with).ValueOrDie();
    const auto table = arrow::Table::FromRecordBatches({batch}).ValueOrDie();
    const auto out = arrow::io::FileOutputStream::Open(FileOf(kind).string()).ValueOrDie();
    ASSERT_TRUE(
        parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out, 1 << 20).ok());
    ASSERT_TRUE(out->Close().ok());
  }
  /// Replaces a code in all rows that `is_meant`. Returns how many there are.
  template <typename IsMeant>
  int64_t ReplaceCodes(TableKind kind, const std::string& column, uint8_t code,
                       const IsMeant& is_meant) const {
    const auto old =
        std::static_pointer_cast<arrow::UInt8Array>(Read(kind)->GetColumnByName(column));
    arrow::UInt8Builder builder;
    int64_t count = 0;
    for (int64_t row = 0; row < old->length(); ++row) {
      const bool is_one = is_meant(row, old->Value(row));
      count += is_one ? 1 : 0;
      EXPECT_TRUE(builder.Append(is_one ? code : old->Value(row)).ok());
    }
    Replace(kind, column, builder.Finish().ValueOrDie());
    return count;
  }

  TemporaryFolder folder;
  df::testing::WrittenLake written;
};

uint32_t IdAt(const BatchPtr& rows, const std::string& column, int64_t row) {
  const auto ids = rows->GetColumnByName(column);
  return ids->type_id() == arrow::Type::UINT16
             ? std::static_pointer_cast<arrow::UInt16Array>(ids)->Value(row)
             : std::static_pointer_cast<arrow::UInt32Array>(ids)->Value(row);
}

TEST(UnknownCodes, PointsThatTheirMetricHasNoPlaceForAreNamedAndCounted) {
  for (const uint8_t code : {0, 3, 77}) {
    const Tree tree(otap::Signal::kMetrics);
    const BatchPtr metrics = tree.Read(TableKind::kUnivariateMetrics);
    const BatchPtr points = tree.Read(TableKind::kNumberDataPoints);
    const uint32_t metric = IdAt(points, "parent_id", 0);
    int64_t num_points = 0;
    for (int64_t row = 0; row < points->num_rows(); ++row) {
      num_points += IdAt(points, "parent_id", row) == metric ? 1 : 0;
    }
    tree.ReplaceCodes(TableKind::kUnivariateMetrics, "metric_type", code,
                      [&](int64_t row, uint8_t) { return IdAt(metrics, "id", row) == metric; });
    const Replayed replayed = ReplayTree(tree.folder.path(), {});
    const TableCounts& counts = replayed.report.table(TableKind::kNumberDataPoints);
    EXPECT_EQ(counts.dropped(DropReason::kMisplaced), num_points);
    EXPECT_EQ(counts.rows_emitted, points->num_rows() - num_points);
    EXPECT_TRUE(replayed.report.CheckConservation().ok());
    EXPECT_THAT(Messages(replayed),
                HasSubstr("whose metrics have the metric_type " + std::to_string(code)));
    EXPECT_EQ(replayed.report.table(TableKind::kUnivariateMetrics).rows_emitted,
              metrics->num_rows());
    int64_t num_sent = 0;
    for (const auto& batch : replayed.batches) {
      const auto& sent = batch->table(TableKind::kNumberDataPoints);
      num_sent += sent == nullptr ? 0 : sent->num_rows();
    }
    EXPECT_EQ(num_sent, points->num_rows() - num_points);
  }
}

TEST(UnknownCodes, TypesOfValuesAreNamed) {
  const Tree tree(otap::Signal::kLogs);
  const int64_t count = tree.ReplaceCodes(TableKind::kLogAttrs, "type", 8,
                                          [](int64_t, uint8_t code) { return code == 1; });
  ASSERT_GT(count, 0);
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  EXPECT_THAT(Messages(replayed), HasSubstr("column type: found 8, expected 0 to 7"));
  EXPECT_GE(replayed.report.num_errors(), count);
}

TEST(UnknownCodes, TypesOfMetricsAreNamedAlsoWithoutPoints) {
  const Tree tree(otap::Signal::kMetrics);
  tree.ReplaceCodes(TableKind::kUnivariateMetrics, "metric_type", 6,
                    [](int64_t row, uint8_t) { return row == 0; });
  EXPECT_THAT(Messages(ReplayTree(tree.folder.path(), {})),
              HasSubstr("column metric_type: found 6, expected 0 to 5"));
}

TEST(UnknownCodes, MapsAndArraysWithoutTheirBytesAreNamed) {
  const Tree tree(otap::Signal::kLogs);
  const auto types = std::static_pointer_cast<arrow::UInt8Array>(
      tree.Read(TableKind::kLogAttrs)->GetColumnByName("type"));
  ASSERT_TRUE(std::any_of(types->raw_values(), types->raw_values() + types->length(),
                          [](uint8_t code) { return code == 5 || code == 6; }));
  EXPECT_THAT(Messages(ReplayTree(tree.folder.path(), {})), Not(HasSubstr("have no bytes")));
  tree.Replace(TableKind::kLogAttrs, "ser", nullptr);
  EXPECT_THAT(Messages(ReplayTree(tree.folder.path(), {})),
              HasSubstr("maps and arrays have no bytes"));
}

}  // namespace
}  // namespace df::lake
