// Files of which statistics show that nobody wants a row are not opened.
#include <array>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "lake/read/partition_reader.h"
#include "select/selector.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::LakeLayout;
using df::testing::Replayed;
using df::testing::TemporaryFolder;

/// A tree of random batches of all signals, several root files a partition.
class UnopenedFiles : public ::testing::TestWithParam<LakeLayout> {
 protected:
  void SetUp() override {
    df::testing::RandomEngine random(3);
    sent_ = df::testing::RandomBatches(12, std::nullopt, {}, random);
    ASSERT_TRUE(df::testing::WriteLake(folder_.path(), sent_,
                                       {.layout = GetParam(), .root_rows_per_file = 1}, 3)
                    .ok());
  }

  Replayed Replay(const select::Wishes& wishes) {
    ReadOptions options;
    options.selector = std::make_shared<const select::Selector>(wishes);
    return df::testing::ReplayTree(folder_.path(), options);
  }

  TemporaryFolder folder_;
  std::vector<otap::BatchPtr> sent_;
};

TEST_P(UnopenedFiles, OfTimesThatNobodyWants) {
  select::Wishes wishes;
  wishes.time.from = INT64_MAX - 1;
  const Replayed nothing = Replay(wishes);
  EXPECT_EQ(nothing.report.items, 0);
  EXPECT_EQ(nothing.report.num_errors(), 0) << df::testing::Messages(nothing);
  int64_t num_files = 0;
  for (const otap::TableInfo& table : otap::AllTables()) {
    EXPECT_EQ(nothing.report.table(table.kind).files_opened, 0) << table.directory;
    if (table.is_root()) {
      const TableCounts& counts = nothing.report.table(table.kind);
      EXPECT_EQ(counts.rows_dropped[static_cast<size_t>(DropReason::kSelectedOut)],
                counts.rows_listed)
          << table.directory;
      num_files += counts.rows_listed > 0 ? 1 : 0;
    }
  }
  EXPECT_GE(num_files, 3);
  EXPECT_GE(nothing.report.skipped(SkipCause::kTimes).files, num_files);
}

/// What resource ids mean is asked of all root files and attributes of a partition: for rows that
/// go out only.
TEST_P(UnopenedFiles, OfResourcesThatNoWantedRowHas) {
  select::Wishes wishes;
  wishes.where[0] =
      select::Condition::Compile("severity_number > 1000", otap::Signal::kLogs).ValueOrDie();
  wishes.where[1] = select::Condition::Compile("kind > 1000", otap::Signal::kTraces).ValueOrDie();
  wishes.where[2] =
      select::Condition::Compile("metric.name == \"?\"", otap::Signal::kMetrics).ValueOrDie();
  const Replayed nothing = Replay(wishes);
  EXPECT_EQ(nothing.report.items, 0);
  EXPECT_EQ(nothing.report.num_errors(), 0) << df::testing::Messages(nothing);
  for (const otap::TableInfo& table : otap::AllTables()) {
    const TableCounts& counts = nothing.report.table(table.kind);
    if (table.is_root()) {
      EXPECT_EQ(counts.files_opened > 0, counts.rows_listed > 0) << table.directory;
    } else {
      EXPECT_EQ(counts.files_opened, 0) << table.directory;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Layouts, UnopenedFiles,
                         ::testing::Values(LakeLayout::kOwn, LakeLayout::kUpstream));

}  // namespace
}  // namespace df::lake
