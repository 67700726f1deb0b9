// What a selection reads of a tree is what it takes out of the records that were written.
#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/file_reader.h>

#include "lake/read/partition_reader.h"
#include "otap/rows.h"
#include "select/selector.h"
#include "testing/counted_reads.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/selections.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::Compile;
using df::testing::DrawTraceId;
using df::testing::DrawWishes;
using df::testing::LogsInOrder;
using df::testing::RandomEngine;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::SelectInMemory;
using df::testing::TemporaryFolder;
using df::testing::TimesOf;
using select::Wishes;

/// Compares a selection of a tree with the same of what was written; returns what was read.
Replayed ExpectSelected(const std::vector<otap::BatchPtr>& sent, const std::string& folder,
                        ReadOptions options, const Wishes& wishes) {
  options.selector = std::make_shared<const select::Selector>(wishes);
  Replayed replayed = ReplayTree(folder, options);
  EXPECT_EQ(replayed.report.num_errors(), 0) << df::testing::Messages(replayed);
  df::testing::ExpectSameRecords(SelectInMemory(sent, *options.selector), replayed);
  for (const otap::TableInfo& table : otap::AllTables()) {
    int64_t num_rows = 0;
    for (const otap::BatchPtr& batch : replayed.batches) {
      num_rows += batch->table(table.kind) == nullptr ? 0 : batch->table(table.kind)->num_rows();
    }
    // Attributes of resources and scopes count once, and go out with each batch that needs them.
    if (table.parent.has_value()) {
      EXPECT_EQ(replayed.report.table(table.kind).rows_emitted, num_rows) << table.directory;
    }
  }
  return replayed;
}

class SelectionSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(SelectionSeeds, OfOwnFilesIsWhatWasWrittenOfIt) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  RandomEngine random(GetParam() + 77);
  df::testing::RandomBatchOptions shape;
  shape.valueless_exemplars = false;
  const auto sent = df::testing::RandomBatches(8, std::nullopt, shape, random);
  auto layout = df::testing::RandomLakeOptions(df::testing::LakeLayout::kOwn, random);
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent, layout, random()).ok());
  for (int i = 0; i < 4; ++i) {
    ReadOptions options;
    options.batch_size = std::vector<int64_t>{1, 7, 100, 8192}[random() % 4];
    ExpectSelected(sent, folder.path(), options, DrawWishes(sent, random));
  }
}

TEST_P(SelectionSeeds, OfUpstreamFilesIsWhatWasWrittenOfIt) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  RandomEngine random(GetParam() + 7'000'000);
  auto shape = df::testing::JoinableUpstreamShape();
  shape.root_rows = 60;
  const auto sent = df::testing::RandomBatches(6, std::nullopt, shape, random);
  const auto layout = df::testing::JoinableUpstreamOptions(random);
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent, layout, random()).ok());
  ASSERT_EQ(ReplayTree(folder.path(), {}).report.rows_without_resource, 0);
  for (int i = 0; i < 4; ++i) {
    ExpectSelected(sent, folder.path(), {}, DrawWishes(sent, random));
  }
}

INSTANTIATE_TEST_SUITE_P(Random, SelectionSeeds, ::testing::Range<uint64_t>(0, 8));

/// Neighbouring ranges, with borders on times of records: nothing is given twice or left out
/// (S-14).
TEST(Selection, SlicesOfTimeAreTheWhole) {
  RandomEngine random(5);
  df::testing::RandomBatchOptions shape;
  shape.valueless_exemplars = false;
  const auto sent = df::testing::RandomBatches(6, std::nullopt, shape, random);
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent,
                                     {.layout = df::testing::LakeLayout::kOwn,
                                      .root_rows_per_file = 100,
                                      .row_group_rows = 20},
                                     3)
                  .ok());
  const std::vector<int64_t> times = TimesOf(sent);
  constexpr size_t kSlices = 48;
  Replayed together;
  int64_t num_items = 0;
  int64_t num_skipped = 0;
  for (size_t i = 0; i <= kSlices; ++i) {
    Wishes wishes;
    if (i > 0) {
      wishes.time.from = times[(i - 1) * (times.size() - 1) / (kSlices - 1)];
    }
    if (i < kSlices) {
      wishes.time.to = times[i * (times.size() - 1) / (kSlices - 1)];
    }
    const Replayed slice = ExpectSelected(sent, folder.path(), {}, wishes);
    num_skipped += slice.report.row_groups_skipped;
    for (const otap::BatchPtr& batch : slice.batches) {
      num_items += batch->num_items();
      if (batch->signal() != otap::Signal::kMetrics) {  // a metric is in the slice of each point
        together.batches.push_back(batch);
      }
    }
  }
  std::vector<otap::BatchPtr> whole;
  int64_t num_sent = 0;
  for (const otap::BatchPtr& batch : sent) {
    num_sent += batch->num_items();
    if (batch->signal() != otap::Signal::kMetrics) {
      whole.push_back(batch);
    }
  }
  EXPECT_EQ(num_items, num_sent);
  EXPECT_GT(num_skipped, 0);
  df::testing::ExpectSameRecords(whole, together);
}

TEST(Selection, ARootFileThatIsGoneIsNamedAllTheSame) {
  RandomEngine random(5);
  const auto sent = df::testing::RandomBatches(2, otap::Signal::kLogs, {}, random);
  TemporaryFolder folder;
  ASSERT_TRUE(
      df::testing::WriteLake(folder.path(), sent, {.layout = df::testing::LakeLayout::kOwn}, 3)
          .ok());
  std::filesystem::remove_all(folder.path() / "logs");
  ReadOptions options;
  Wishes wishes;
  wishes.time.from = 1;
  options.selector = std::make_shared<const select::Selector>(wishes);
  EXPECT_THAT(df::testing::Messages(ReplayTree(folder.path(), options)),
              ::testing::HasSubstr("no file of logs"));
}

TEST(Selection, ItemsWithoutAnAnswerAreLeftOutAndNamed) {
  RandomEngine random(5);
  df::testing::RandomBatchOptions shape;
  shape.without_attributes = 0.5;
  const auto sent = df::testing::RandomBatches(2, otap::Signal::kLogs, shape, random);
  TemporaryFolder folder;
  ASSERT_TRUE(
      df::testing::WriteLake(folder.path(), sent, {.layout = df::testing::LakeLayout::kOwn}, 3)
          .ok());
  ReadOptions options;
  Wishes wishes;
  wishes.where[0] = Compile("HasPrefix(attributes[\"no such key\"], \"a\")", otap::Signal::kLogs);
  options.selector = std::make_shared<const select::Selector>(wishes);
  const Replayed replayed = ReplayTree(folder.path(), options);
  EXPECT_TRUE(replayed.batches.empty());
  const TableCounts& logs = replayed.report.table(otap::TableKind::kLogs);
  EXPECT_EQ(logs.dropped(DropReason::kUnanswered), sent[0]->num_items() + sent[1]->num_items());
  EXPECT_EQ(logs.dropped(DropReason::kSelectedOut), 0);
  EXPECT_THAT(df::testing::Messages(replayed),
              ::testing::HasSubstr(fmt::format(
                  "left out {} items for which the condition of select.where has no answer: "
                  "HasPrefix: found nil for target, expected text",
                  sent[0]->num_items() + sent[1]->num_items())));
}

TEST(Selection, RowsThatAreLeftOutForWantOfTheirResourceAreNamed) {
  // Four batches of one resource each in one file: only the attribute files tell where they start.
  RandomEngine random(11);
  df::testing::RandomBatchOptions shape;
  shape.upstream_columns_only = true;
  shape.max_resources = 1;
  shape.max_scopes_per_resource = 1;
  shape.without_attributes = 0;
  shape.null_struct = 0;
  shape.missing_column = 0;
  const auto sent = df::testing::RandomBatches(4, otap::Signal::kLogs, shape, random);
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent, {}, 1).ok());
  const auto messages = [&](std::string_view condition, ResourceJoin join) {
    Wishes wishes;
    wishes.where[0] = Compile(condition, otap::Signal::kLogs);
    ReadOptions options;
    options.resource_join = join;
    options.selector = std::make_shared<const select::Selector>(wishes);
    return df::testing::Messages(ReplayTree(folder.path(), options));
  };
  const auto is_named = ::testing::HasSubstr(
      "160 rows are left out by a condition on resource or scope attributes: which are theirs "
      "cannot be told");
  EXPECT_THAT(messages("Len(resource.attributes) > 0", ResourceJoin::kDrop), is_named);
  EXPECT_THAT(messages("Len(scope.attributes) > 0", ResourceJoin::kDrop), is_named);
  // Those that are left out for another reason, or whose resources are known, are no loss.
  EXPECT_EQ(messages("Len(attributes) > 1000", ResourceJoin::kDrop), "");
  EXPECT_EQ(messages("Len(resource.attributes) > 1000", ResourceJoin::kInfer), "");
}

std::shared_ptr<arrow::Array> TimeColumn(const std::vector<std::optional<int64_t>>& values) {
  arrow::TimestampBuilder builder(arrow::timestamp(arrow::TimeUnit::NANO),
                                  arrow::default_memory_pool());
  for (const auto& value : values) {
    EXPECT_TRUE((value.has_value() ? builder.Append(*value) : builder.AppendNull()).ok());
  }
  return builder.Finish().ValueOrDie();
}

otap::BatchPtr LogsAt(const std::shared_ptr<arrow::Array>& time,
                      const std::shared_ptr<arrow::Array>& observed) {
  otap::BatchBuilder builder(otap::Signal::kLogs);
  EXPECT_TRUE(builder
                  .Set(otap::TableKind::kLogs,
                       arrow::RecordBatch::Make(
                           arrow::schema({arrow::field("time_unix_nano", time->type()),
                                          arrow::field("observed_time_unix_nano", time->type())}),
                           time->length(), {time, observed}))
                  .ok());
  return builder.Build();
}

/// Statistics of times that do not tell what a row has must not leave it out.
TEST(Selection, RowsWithoutATimeAreFoundByThatOfTheirObservation) {
  const std::vector<otap::BatchPtr> sent = {LogsAt(TimeColumn({1000, std::nullopt, 0, 3000}),
                                                   TimeColumn({9000, 2000, 2500, std::nullopt}))};
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent,
                                     {.layout = df::testing::LakeLayout::kOwn, .row_group_rows = 1},
                                     3)
                  .ok());
  for (const auto& [from, to, num_items, num_skipped] :
       {std::tuple(1000, 1001, 1, 3), std::tuple(2000, 2600, 2, 2), std::tuple(9000, 9001, 0, 4),
        std::tuple(0, 1000, 0, 4), std::tuple(3000, 3001, 1, 3)}) {
    SCOPED_TRACE(from);
    Wishes wishes;
    wishes.time = {from, to};
    const Replayed replayed = ExpectSelected(sent, folder.path(), {}, wishes);
    EXPECT_EQ(replayed.report.items, num_items);
    EXPECT_EQ(replayed.report.row_groups_skipped, num_skipped);
  }
}

/// Of a row group in which only some rows have a time of their own, both columns count.
TEST(Selection, TheStatisticsOfBothTimesCountWhereOneIsNotSet) {
  const std::vector<otap::BatchPtr> sent = {
      LogsAt(TimeColumn({5000, std::nullopt, 6000}), TimeColumn({9000, 100, 9000})),
      LogsAt(TimeColumn({5000, std::nullopt, 6000}), TimeColumn({10, 8000, 10}))};
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent,
                                     {.layout = df::testing::LakeLayout::kOwn, .row_group_rows = 3},
                                     3)
                  .ok());
  for (const auto& [from, to, num_items] :
       {std::tuple(100, 101, 1), std::tuple(8000, 8001, 1), std::tuple(5000, 6001, 4)}) {
    SCOPED_TRACE(from);
    Wishes wishes;
    wishes.time = {from, to};
    EXPECT_EQ(ExpectSelected(sent, folder.path(), {}, wishes).report.items, num_items);
  }
}

/// What each layout of the bytes is read with: pages that can be found, and found out.
struct FileForm {
  bool page_index = true;
  bool statistics = true;
  bool bloom_filters = true;
};

class FileForms : public ::testing::TestWithParam<FileForm> {};

/// Of row groups of many pages all is given that is wanted, whatever the files say of themselves.
TEST_P(FileForms, OfManyPagesGiveTheSame) {
  for (const auto layout : {df::testing::LakeLayout::kOwn, df::testing::LakeLayout::kUpstream}) {
    RandomEngine random(layout == df::testing::LakeLayout::kOwn ? 1 : 2);
    df::testing::RandomBatchOptions shape;
    shape.valueless_exemplars = false;
    // One batch a file of upstream's: resources of several are not always told apart.
    const bool is_upstream = layout == df::testing::LakeLayout::kUpstream;
    shape.root_rows = is_upstream ? 2400 : 600;
    shape.upstream_columns_only = is_upstream;
    shape.max_attributes = 2;
    shape.max_children = 1;
    shape.max_resources = 1;
    shape.missing_column = 0;
    std::vector<otap::BatchPtr> sent;
    for (const auto signal : {otap::Signal::kLogs, otap::Signal::kTraces}) {
      const auto batches = df::testing::RandomBatches(is_upstream ? 1 : 4, signal, shape, random);
      sent.insert(sent.end(), batches.begin(), batches.end());
    }
    df::testing::LakeWriterOptions options;
    options.layout = layout;
    options.rows_per_page = 100;
    options.statistics = GetParam().statistics;
    options.page_index = GetParam().page_index;
    options.bloom_filters = GetParam().bloom_filters;
    TemporaryFolder folder;
    ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent, options, 3).ok());
    ASSERT_EQ(ReplayTree(folder.path(), {}).report.rows_without_resource, 0);
    int64_t num_pages = 0;
    for (int i = 0; i < 4; ++i) {
      Wishes wishes;
      const std::vector<int64_t> times = TimesOf(sent);
      if (i % 3 == 0) {
        const size_t first = random() % times.size();
        wishes.time.from = times[first];
        wishes.time.to = times[std::min(first + 20, times.size() - 1)];
      } else if (i % 3 == 1) {
        wishes.trace_ids =
            std::unordered_set<std::string>{DrawTraceId(sent, random), DrawTraceId(sent, random)};
      } else {
        wishes = DrawWishes(sent, random);
      }
      ReadOptions read;
      read.batch_size = std::vector<int64_t>{7, 100, 8192}[random() % 3];
      const Replayed replayed = ExpectSelected(sent, folder.path(), read, wishes);
      num_pages += replayed.report.skipped(SkipCause::kColumns).pages +
                   replayed.report.skipped(SkipCause::kParents).pages;
    }
    EXPECT_EQ(num_pages > 0, GetParam().page_index);
  }
}

INSTANTIATE_TEST_SUITE_P(All, FileForms,
                         ::testing::Values(FileForm{}, FileForm{.page_index = false},
                                           FileForm{.statistics = false},
                                           FileForm{.bloom_filters = false},
                                           FileForm{false, false, false}));

/// Replays a tree that is read through a file system that counts; returns the share of its bytes.
double ShareRead(const TemporaryFolder& folder, const Wishes& wishes, int64_t num_expected,
                 Replayed* replayed) {
  int64_t size_bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    size_bytes += entry.is_regular_file() ? static_cast<int64_t>(entry.file_size()) : 0;
  }
  ReadOptions options;
  options.selector = std::make_shared<const select::Selector>(wishes);
  const auto files = std::make_shared<df::testing::CountedFileSystem>();
  const auto store =
      storage::Store::Over(storage::ParseStoreUri(folder.path().string()).ValueOrDie(), {}, files);
  *replayed = ReplayTree(folder.path(), options, store.get());
  EXPECT_EQ(replayed->report.num_errors(), 0) << df::testing::Messages(*replayed);
  EXPECT_EQ(replayed->report.items, num_expected);
  return static_cast<double>(files->num_bytes()) / static_cast<double>(size_bytes);
}

TEST(Selection, LittleIsReadForLittle) {
  RandomEngine random(5);
  constexpr int64_t kRows = 50'000;
  constexpr int64_t kFiles = 20;
  std::vector<otap::BatchPtr> sent;
  for (int64_t file = 0; file < kFiles; ++file) {
    sent.push_back(LogsInOrder(file * kRows, kRows, random));
  }
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent,
                                     {.layout = df::testing::LakeLayout::kOwn,
                                      .root_rows_per_file = 1,
                                      .encoding = df::testing::ValueEncoding::kDelta,
                                      .rows_per_page = 2'000,
                                      .bloom_filters = true},
                                     3)
                  .ok());
  constexpr int64_t kWanted = kRows * kFiles / 100;
  Wishes slice;
  slice.time.from = 1'000'000 + 10 * (7 * kRows - kWanted / 2);
  slice.time.to = *slice.time.from + 10 * kWanted;
  Replayed replayed;
  EXPECT_LT(ShareRead(folder, slice, kWanted, &replayed), 0.03);
  const SkipCounts& by_times = replayed.report.skipped(SkipCause::kTimes);
  EXPECT_EQ(by_times.files, kFiles - 2);
  EXPECT_EQ(by_times.row_groups, kFiles - 2);
  EXPECT_EQ(by_times.rows, (kFiles - 2) * kRows);
  EXPECT_GT(by_times.bytes, (kFiles - 2) * kRows * 24);
  const SkipCounts& by_columns = replayed.report.skipped(SkipCause::kColumns);
  EXPECT_EQ(by_columns.rows, 2 * kRows - kWanted);
  EXPECT_GT(by_columns.pages, 40);

  const auto traces = std::static_pointer_cast<arrow::FixedSizeBinaryArray>(
      otap::FindArray(sent[11]->root(), "trace_id"));
  Wishes trace;
  trace.trace_ids = std::unordered_set<std::string>{std::string(traces->GetView(777))};
  EXPECT_LT(ShareRead(folder, trace, 1, &replayed), 0.06);
  EXPECT_GE(replayed.report.skipped(SkipCause::kTraceIds).row_groups, kFiles - 3);

  Wishes nothing;
  nothing.where[0] = Compile("severity_number > 50", otap::Signal::kLogs);
  EXPECT_LT(ShareRead(folder, nothing, 0, &replayed), 0.05);
  EXPECT_EQ(replayed.report.skipped(SkipCause::kColumns).row_groups, kFiles);
  nothing.where[0] =
      Compile("severity_number > 50 and attributes[\"a\"] == 1", otap::Signal::kLogs);
  EXPECT_LT(ShareRead(folder, nothing, 0, &replayed), 0.05);
}

/// A page index that says that pages hold other rows than they do must not shift any row.
TEST(Selection, PageIndexesThatAreWrongChangeNothing) {
  RandomEngine random(5);
  const std::vector<otap::BatchPtr> sent = {LogsInOrder(0, 20'000, random)};
  TemporaryFolder folder;
  const auto written = df::testing::WriteLake(
      folder.path(), sent, {.layout = df::testing::LakeLayout::kOwn, .rows_per_page = 1'000}, 3);
  ASSERT_TRUE(written.ok());
  const auto path = folder.path() / written->files.front().path;
  Wishes wishes;
  wishes.time = {1'000'000 + 10 * 1'999, 1'000'000 + 10 * 2'010};
  ASSERT_GT(
      ExpectSelected(sent, folder.path(), {}, wishes).report.skipped(SkipCause::kColumns).pages, 1);
  const auto metadata = parquet::ParquetFileReader::OpenFile(path.string())->metadata();
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  int num_changed = 0;
  for (int column = 0; column < metadata->num_columns(); ++column) {
    const auto location = metadata->RowGroup(0)->ColumnChunk(column)->GetOffsetIndexLocation();
    ASSERT_TRUE(location.has_value());
    std::string bytes(static_cast<size_t>(location->length), '\0');
    file.seekg(location->offset);
    file.read(bytes.data(), location->length);
    // The first row of the third page, 2,000, as a number of Thrift's: now 1,999.
    const size_t at = bytes.find("\xA0\x1F");
    if (at != std::string::npos) {
      bytes[at] = '\x9E';
      file.seekp(location->offset);
      file.write(bytes.data(), location->length);
      ++num_changed;
    }
  }
  file.close();
  ASSERT_GT(num_changed, 2);
  ExpectSelected(sent, folder.path(), {}, wishes);
}

}  // namespace
}  // namespace df::lake
