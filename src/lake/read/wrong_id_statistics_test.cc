// Statistics of ids that are wrong do not hide that ids come more than once.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/footer_rewrites.h"
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
using ::testing::HasSubstr;

constexpr uint64_t kStep = 1'000'003;  // every id is a pattern of its own in the footer

df::testing::RandomBatchOptions Shape() {
  df::testing::RandomBatchOptions shape;
  shape.missing_column = 0;
  shape.without_attributes = 0;
  return shape;
}

/// A batch as a writer that is not ours leaves it, in one file a table.
struct Tree {
  Tree(const std::vector<otap::BatchPtr>& sent, otap::TableKind kind) {
    df::testing::LakeWriterOptions options;
    options.layout = df::testing::LakeLayout::kUpstream;
    options.partition_levels = 0;
    options.first_id = 50 * kStep;
    options.id_step = kStep;
    written = df::testing::WriteLake(folder.path(), sent, options, 7).ValueOrDie();
    for (const auto& one : written.files) {
      file = one.table == kind ? folder.path() / one.path : file;
    }
  }

  TemporaryFolder folder;
  df::testing::WrittenLake written;
  fs::path file;  ///< of the table asked for
};

TEST(RepeatedIds, StatisticsThatAreWrongHideNothing) {
  df::testing::RandomEngine random(7);
  const auto sent = df::testing::RandomBatches(1, otap::Signal::kLogs, Shape(), random);
  for (const bool is_first : {true, false}) {
    const Tree tree(sent, otap::TableKind::kLogs);
    const fs::path& file = tree.file;
    const fs::path copy =
        file.parent_path() / (is_first ? "part-1-a.parquet" : "part-9999999999999-z.parquet");
    fs::copy_file(file, copy);
    const auto first = static_cast<uint32_t>(50 * kStep);
    const auto num_rows = static_cast<uint32_t>(tree.written.rows.at(otap::TableKind::kLogs));
    const auto last = static_cast<uint32_t>(first + (num_rows - 1) * kStep);
    df::testing::ReplaceInFooter(copy, first, is_first ? 1 : last + 1);
    df::testing::ReplaceInFooter(copy, last, is_first ? 2 : last + 2);
    const Replayed replayed = ReplayTree(tree.folder.path(), {});
    EXPECT_THAT(Messages(replayed),
                HasSubstr(is_first ? "80 rows have an id that other rows of the table have too"
                                   : "40 ids that come more than once may have gone out"));
    EXPECT_GT(replayed.report.num_errors(), 0);
  }
}

TEST(RepeatedIds, WrongStatisticsOfChildrenHideNothing) {
  df::testing::RandomBatchOptions shape = Shape();
  shape.without_children = 0.5;
  bool is_done = false;
  for (uint64_t seed = 1; !is_done && seed < 50; ++seed) {
    df::testing::RandomEngine random(seed);
    const auto sent = df::testing::RandomBatches(1, otap::Signal::kTraces, shape, random);
    const Tree tree(sent, otap::TableKind::kSpanEvents);
    const fs::path& file = tree.file;
    const auto rows = df::testing::ReadTable(file.string()).ValueOrDie();
    const auto parents =
        std::static_pointer_cast<arrow::UInt32Array>(rows->GetColumnByName("parent_id"));
    const auto ids = std::static_pointer_cast<arrow::UInt32Array>(rows->GetColumnByName("id"));
    const auto largest = [](const arrow::UInt32Array& of) {
      return *std::max_element(of.raw_values(), of.raw_values() + of.length());
    };
    const uint32_t last = largest(*ids);
    if (parents->Value(0) == ids->Value(0) || largest(*parents) == last) {
      continue;  // the bytes of one column's statistics are those of another's
    }
    is_done = true;
    // A second file of the same events says that all its ids are larger.
    const fs::path copy = file.parent_path() / "part-9999999999999-z.parquet";
    fs::copy_file(file, copy);
    df::testing::ReplaceInFooter(copy, ids->Value(0), last + 1);
    df::testing::ReplaceInFooter(copy, last, last + 2);
    ReadOptions read;
    read.batch_size = 4;
    const Replayed replayed = ReplayTree(tree.folder.path(), read);
    EXPECT_GT(replayed.report.num_errors(), 0);
    EXPECT_THAT(Messages(replayed),
                ::testing::AnyOf(HasSubstr("have an id that other rows of the table"),
                                 HasSubstr("may have gone out with the children")));
  }
  EXPECT_TRUE(is_done);
}

/// Moves the parent ids that the footer of a file tells behind all that there are.
void MoveStatisticsAway(const fs::path& path) {
  const auto rows = df::testing::ReadTable(path.string()).ValueOrDie();
  const auto parents =
      std::static_pointer_cast<arrow::UInt32Array>(rows->GetColumnByName("parent_id"));
  const auto [least, most] =
      std::minmax_element(parents->raw_values(), parents->raw_values() + parents->length());
  df::testing::ReplaceInFooter(path, *most, *most + 2);
  df::testing::ReplaceInFooter(path, *least, *most + 1);
}

/// A tree of ours in which statistics hide a table of attributes.
struct HiddenTable {
  explicit HiddenTable(otap::TableKind kind) {
    df::testing::RandomEngine random(7);
    const auto sent = df::testing::RandomBatches(1, otap::Signal::kLogs, Shape(), random);
    df::testing::LakeWriterOptions options;
    options.layout = df::testing::LakeLayout::kOwn;
    options.first_id = 50 * kStep;
    options.id_step = kStep;
    written = df::testing::WriteLake(folder.path(), sent, options, 7).ValueOrDie();
    for (const auto& one : written.files) {
      if (one.table == kind) {
        file = folder.path() / one.path;
        MoveStatisticsAway(file);
      }
    }
  }

  TemporaryFolder folder;
  df::testing::WrittenLake written;
  fs::path file;  ///< the last one of the table
};

TEST(WrongStatistics, HideNoAttributesOfResourcesAndScopes) {
  for (const otap::TableKind kind :
       {otap::TableKind::kResourceAttrs, otap::TableKind::kScopeAttrs}) {
    const HiddenTable tree(kind);
    const Replayed replayed = ReplayTree(tree.folder.path(), {});
    EXPECT_EQ(replayed.report.table(kind).rows_emitted, tree.written.rows.at(kind));
    EXPECT_EQ(Messages(replayed), "");
  }
}

TEST(WrongStatistics, WhatCannotBeCheckedIsNamed) {
  for (const otap::TableKind kind :
       {otap::TableKind::kResourceAttrs, otap::TableKind::kScopeAttrs}) {
    const HiddenTable tree(kind);
    std::fstream bytes(tree.file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(4);
    bytes << std::string(64, '\xff');  // the first pages
    bytes.close();
    ReadOptions read;
    read.batch_size = 4;
    const Replayed replayed = ReplayTree(tree.folder.path(), read);
    EXPECT_THAT(Messages(replayed), HasSubstr(tree.file.filename().string()));
    EXPECT_GT(replayed.report.num_errors(), 0);
    EXPECT_EQ(replayed.report.files_failed, 1);
  }
}

}  // namespace
}  // namespace df::lake
