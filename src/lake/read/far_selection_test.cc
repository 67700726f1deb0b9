// Selections of trees in object stores: as of a folder, and without the pages of other rows.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include <gtest/gtest.h>
#include <parquet/file_reader.h>

#include "lake/read/partition_reader.h"
#include "otap/rows.h"
#include "select/selector.h"
#include "testing/far_tree.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/selections.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::Answer;
using df::testing::Between;
using df::testing::DrawTraceId;
using df::testing::DrawWishes;
using df::testing::ExpectFarSelection;
using df::testing::FarTree;
using df::testing::kFar;
using df::testing::LogsInOrder;
using df::testing::RandomEngine;
using df::testing::Replayed;
using df::testing::TimesOf;
using select::Wishes;

int64_t PagesSkipped(const ReadReport& report) {
  return report.skipped(SkipCause::kColumns).pages + report.skipped(SkipCause::kParents).pages;
}

/// Bytes that were asked for, by path, and how often.
struct Asked {
  int64_t num_bytes = 0;
  size_t num_requests = 0;
};

Asked AskedOf(const FarTree& tree) {
  Asked asked;
  for (const auto& request : tree.objects->requests()) {
    asked.num_bytes += request.num_bytes;
    ++asked.num_requests;
  }
  return asked;
}

class FarSelectionSeeds : public ::testing::TestWithParam<uint64_t> {};

/// Row groups of many pages, in every order of children, while requests fail.
TEST_P(FarSelectionSeeds, GivesWhatWasWritten) {
  RandomEngine random(GetParam());
  int64_t num_pages = 0;
  df::testing::RandomBatchOptions shape;
  shape.valueless_exemplars = false;
  shape.root_rows = 3'000;
  shape.max_attributes = 2;
  shape.max_children = 1;
  shape.max_resources = 1;
  shape.missing_column = 0;
  std::vector<otap::BatchPtr> sent;
  for (const auto signal : {otap::Signal::kLogs, otap::Signal::kTraces}) {
    const auto batches = df::testing::RandomBatches(2, signal, shape, random);
    sent.insert(sent.end(), batches.begin(), batches.end());
  }
  df::testing::LakeWriterOptions options;
  options.layout = df::testing::LakeLayout::kOwn;
  options.rows_per_page = 100;
  options.encoding = df::testing::ValueEncoding::kPlain;
  options.child_order = static_cast<df::testing::ChildOrder>(Between(random, 0, 4));
  FarTree tree(sent, options);
  tree.script = df::testing::FailSome(GetParam() + 1000);
  for (int i = 0; i < 4; ++i) {
    Wishes wishes;
    const std::vector<int64_t> times = TimesOf(sent);
    if (i == 0) {
      const size_t first = random() % times.size();
      wishes.time.from = times[first];
      wishes.time.to = times[std::min(first + 3, times.size() - 1)];
    } else if (i == 1) {
      wishes.trace_ids =
          std::unordered_set<std::string>{DrawTraceId(sent, random), DrawTraceId(sent, random)};
    } else {
      wishes = DrawWishes(sent, random);
    }
    ReadOptions read;
    read.batch_size = std::vector<int64_t>{7, 100, 8192}[i < 2 ? 0 : random() % 3];
    storage::ReadOptions far = kFar;
    far.hole_bytes = std::vector<int64_t>{1, 20'000, 1 << 20}[random() % 3];
    far.ahead_bytes = std::vector<int64_t>{0, 100'000, 64 << 20}[i < 2 ? 2 : random() % 3];
    num_pages += PagesSkipped(ExpectFarSelection(sent, tree.Open(far).get(), read, wishes).report);
  }
  EXPECT_GT(num_pages, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, FarSelectionSeeds, ::testing::Range<uint64_t>(1, 5));

df::testing::LakeWriterOptions ManyPages() {
  return {.layout = df::testing::LakeLayout::kOwn,
          .encoding = df::testing::ValueEncoding::kPlain,
          .rows_per_page = 1'000};
}

constexpr int64_t kRows = 20'000;

/// Some rows in the middle of the third page.
Wishes TenRows() {
  Wishes wishes;
  wishes.time = {1'000'000 + 10 * 2'500, 1'000'000 + 10 * 2'510};
  return wishes;
}

TEST(FarSelection, ReadsThePagesOfItsRows) {
  RandomEngine random(5);
  const std::vector<otap::BatchPtr> sent = {LogsInOrder(0, kRows, random)};
  const FarTree tree(sent, ManyPages());
  const auto store = tree.Open(kFar);
  const Replayed replayed = ExpectFarSelection(sent, store.get(), {}, TenRows());
  EXPECT_EQ(replayed.report.items, 10);
  EXPECT_EQ(PagesSkipped(replayed.report), 8);  // two in front of each column's; none behind
  // Of 16, 8, 8 and 4 bytes a row: the times, which all are looked at, and a page of the others.
  EXPECT_LT(AskedOf(tree).num_bytes, kRows * 14);
}

TEST(FarSelection, ReadsTheLastPageToItsEnd) {
  RandomEngine random(5);
  const std::vector<otap::BatchPtr> sent = {LogsInOrder(0, kRows, random)};
  const FarTree tree(sent, ManyPages());
  Wishes wishes;
  wishes.time.from = 1'000'000 + 10 * (kRows - 5);
  const Replayed replayed = ExpectFarSelection(sent, tree.Open(kFar).get(), {}, wishes);
  EXPECT_EQ(replayed.report.items, 5);
  EXPECT_EQ(PagesSkipped(replayed.report), 4 * 19);
}

TEST(FarSelection, BelievesTheIndexesOfKnownWritersOnly) {
  RandomEngine random(5);
  const std::vector<otap::BatchPtr> sent = {LogsInOrder(0, kRows, random)};
  for (const auto& [writer, is_known] :
       {std::pair("df_engine", true), std::pair("parquet-rs version 58.4.0", true),
        std::pair("parquet-cpp-arrow version 21.0.0", false), std::pair("mine", false)}) {
    SCOPED_TRACE(writer);
    auto layout = ManyPages();
    layout.created_by = writer;
    const FarTree tree(sent, layout);
    const Replayed replayed = ExpectFarSelection(sent, tree.Open(kFar).get(), {}, TenRows());
    EXPECT_EQ(PagesSkipped(replayed.report) > 0, is_known);
  }
}

/// Adds to the first row of a page that an offset index names, in all of them.
void Shift(FarTree* tree, int64_t row, int64_t by) {
  for (const auto& file : tree->written.files) {
    const std::string path = "b/" + file.path;
    auto bytes = tree->objects->OpenBytes(path).ValueOrDie();
    const int64_t size = bytes->GetSize().ValueOrDie();
    std::string content = bytes->ReadAt(0, size).ValueOrDie()->ToString();
    const auto metadata = parquet::ParquetFileReader::Open(bytes)->metadata();
    // A number of Thrift's of two bytes.
    const auto text = [](int64_t value) {
      const int64_t zigzag = value * 2;
      return std::string{static_cast<char>(0x80 | (zigzag & 0x7F)), static_cast<char>(zigzag >> 7)};
    };
    int num_changed = 0;
    for (int column = 0; column < metadata->num_columns(); ++column) {
      const auto at = metadata->RowGroup(0)->ColumnChunk(column)->GetOffsetIndexLocation();
      if (!at.has_value()) {
        continue;
      }
      const auto begin = static_cast<size_t>(at->offset);
      const size_t found = content.find(text(row), begin);
      if (found < begin + static_cast<size_t>(at->length)) {
        content.replace(found, 2, text(row + by));
        ++num_changed;
      }
    }
    EXPECT_GT(num_changed, 2);
    ASSERT_TRUE(tree->objects->CreateFile(path, content).ok());
  }
}

/// What an index says of pages that are not read is not compared: a shift must be seen in those
/// that are.
TEST(FarSelection, IndexesThatAreWrongShiftNoRow) {
  RandomEngine random(5);
  const std::vector<otap::BatchPtr> sent = {LogsInOrder(0, kRows, random)};
  for (const int64_t row : {1'000, 2'000, 3'000, 4'000}) {
    for (const int64_t by : {-600, -1, 1, 600}) {
      SCOPED_TRACE(::testing::Message() << row << " " << by);
      FarTree tree(sent, ManyPages());
      Shift(&tree, row, by);
      const Replayed replayed = ExpectFarSelection(sent, tree.Open(kFar).get(), {}, TenRows());
      const bool is_beside = row == 2'000 || row == 3'000;
      EXPECT_EQ(PagesSkipped(replayed.report) > 0, !is_beside);
    }
  }
}

/// A trace is looked for in all files at once, and little of their bloom filters is read.
TEST(FarSelection, ATraceIsLookedForInAllFilesTogether) {
  RandomEngine random(5);
  constexpr int kFiles = 6;
  std::vector<otap::BatchPtr> sent;
  for (int64_t file = 0; file < kFiles; ++file) {
    sent.push_back(LogsInOrder(file * kRows, kRows, random));
  }
  auto layout = ManyPages();
  layout.bloom_filters = true;
  layout.root_rows_per_file = 1;
  FarTree tree(sent, layout);
  const auto store = tree.Open(kFar);
  const auto listing = ListLake(*store, "b", {otap::Signal::kLogs}, {}).ValueOrDie();
  ReadReport report;
  const auto files = std::make_shared<PartitionFiles>(
      LoadPartition(*store, "b", listing.partitions.front(), &report));
  ASSERT_EQ(files->of(otap::TableKind::kLogs).size(), size_t{kFiles});
  std::mutex mutex;
  std::condition_variable asked;
  std::set<std::string> paths;
  bool is_waited_for = true;
  int64_t num_bytes = 0;
  const size_t num_before = tree.objects->requests().size();
  tree.script = [&](std::string_view operation, const std::string& path) {
    std::unique_lock lock(mutex);
    if (operation == "read") {
      paths.insert(path);
      asked.notify_all();
      // No answer comes before all files have been asked.
      is_waited_for = asked.wait_for(lock, std::chrono::seconds(60), [&] {
        return paths.size() == kFiles;
      }) && is_waited_for;
    }
    return Answer::kWhole;
  };
  ReadOptions options;
  options.signals = {otap::Signal::kLogs};
  Wishes wishes;
  wishes.trace_ids = std::unordered_set<std::string>{std::string(16, 'x')};
  options.selector = std::make_shared<const select::Selector>(wishes);
  MemoryBudget budget(options.memory_limit_bytes);
  PartitionTask task{.signal = otap::Signal::kLogs, .files = files, .root_files = {}};
  for (size_t i = 0; i < kFiles; ++i) {
    task.root_files.push_back(i);
  }
  const auto reader =
      PartitionReader::Make(store.get(), "b", task, options, &budget, &report).ValueOrDie();
  EXPECT_FALSE(reader->Next().ValueOrDie().has_value());
  EXPECT_TRUE(is_waited_for) << ::testing::PrintToString(paths);
  EXPECT_EQ(report.skipped(SkipCause::kTraceIds).row_groups, kFiles);
  const auto requests = tree.objects->requests();
  for (size_t i = num_before; i < requests.size(); ++i) {
    num_bytes += requests[i].num_bytes;
  }
  // The footers, and of filters of 32 KiB a header and a block of 32 bytes.
  EXPECT_LT(num_bytes, kFiles * 10'000);
}

/// Of more ids than single blocks are read for, filters are read whole, and no column for nothing.
TEST(FarSelection, TracesThatNobodyHasCostTheirFilters) {
  RandomEngine random(5);
  constexpr int64_t kFiles = 4;
  std::vector<otap::BatchPtr> sent;
  for (int64_t file = 0; file < kFiles; ++file) {
    sent.push_back(LogsInOrder(file * kRows, kRows, random));
  }
  auto layout = ManyPages();
  layout.bloom_filters = true;
  layout.root_rows_per_file = 1;
  Wishes wishes;
  wishes.trace_ids.emplace();
  while (wishes.trace_ids->size() < 9) {
    wishes.trace_ids->insert(std::string(16, static_cast<char>('a' + wishes.trace_ids->size())));
  }
  const FarTree tree(sent, layout);
  const Replayed replayed = ExpectFarSelection(sent, tree.Open(kFar).get(), {}, wishes);
  EXPECT_EQ(replayed.report.skipped(SkipCause::kTraceIds).row_groups, kFiles);
  // Ids take 16 bytes a row.
  EXPECT_LT(AskedOf(tree).num_bytes, kFiles * kRows * 4);
}

}  // namespace
}  // namespace df::lake
