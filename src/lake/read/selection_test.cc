// What a selection reads of a tree is what it takes out of the records that were written.
#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <arrow/array.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/read/partition_reader.h"
#include "otap/rows.h"
#include "select/selector.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::RandomEngine;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using select::Wishes;

/// Times of all items, each once, in order.
std::vector<int64_t> TimesOf(const std::vector<otap::BatchPtr>& batches) {
  std::set<int64_t> times;
  for (const otap::BatchPtr& batch : batches) {
    for (const otap::TableInfo& info : otap::AllTables()) {
      const bool is_points =
          info.parent == otap::TableKind::kUnivariateMetrics && !info.is_attributes;
      const bool has_times = is_points || (info.kind == otap::RootTable(batch->signal()) &&
                                           batch->signal() != otap::Signal::kMetrics);
      if (has_times && batch->table(info.kind) != nullptr) {
        const auto found = select::EventTimes(*batch->table(info.kind), info.kind);
        times.insert(found.begin(), found.end());
      }
    }
  }
  return {times.begin(), times.end()};
}

std::vector<otap::BatchPtr> SelectInMemory(const std::vector<otap::BatchPtr>& batches,
                                           const select::Selector& selector) {
  std::vector<otap::BatchPtr> selected;
  for (const otap::BatchPtr& batch : batches) {
    auto kept = selector.Select(batch).ValueOrDie();
    if (kept.batch != nullptr && kept.batch->root() != nullptr) {
      selected.push_back(std::move(kept.batch));
    }
  }
  return selected;
}

std::optional<select::Condition> Compile(std::string_view text, otap::Signal signal) {
  return select::Condition::Compile(text, signal).ValueOrDie();
}

/// A trace id of the batches, or one that none has.
std::string DrawTraceId(const std::vector<otap::BatchPtr>& batches, RandomEngine& random) {
  for (int attempt = 0; attempt < 20; ++attempt) {
    const otap::BatchPtr& batch = batches[random() % batches.size()];
    const auto ids = otap::FindArray(batch->root(), "trace_id");
    if (ids != nullptr && ids->type_id() == arrow::Type::FIXED_SIZE_BINARY) {
      const auto& found = static_cast<const arrow::FixedSizeBinaryArray&>(*ids);
      return std::string(
          found.GetView(static_cast<int64_t>(random() % static_cast<uint64_t>(found.length()))));
    }
  }
  return std::string(16, 'x');
}

Wishes DrawWishes(const std::vector<otap::BatchPtr>& batches, RandomEngine& random) {
  Wishes wishes;
  const std::vector<int64_t> times = TimesOf(batches);
  if (random() % 2 == 0) {
    wishes.time.from = times[random() % times.size()];
  }
  if (random() % 2 == 0) {
    wishes.time.to = times[random() % times.size()];
  }
  if (random() % 4 == 0) {
    wishes.trace_ids =
        std::unordered_set<std::string>{DrawTraceId(batches, random), DrawTraceId(batches, random)};
  }
  if (random() % 2 == 0) {
    const auto n = random() % 20;
    wishes.where[0] =
        Compile(fmt::format("severity_number >= {} or IsMatch(body.string, \"a\")", n),
                otap::Signal::kLogs);
    wishes.where[1] = Compile(fmt::format("kind == {} or Len(attributes) > {}", n % 5, 1 + n % 3),
                              otap::Signal::kTraces);
    wishes.where[2] =
        Compile(fmt::format("metric.type == {} or flags > 0", 1 + n % 5), otap::Signal::kMetrics);
  } else if (random() % 2 == 0) {
    wishes.where[0] = Compile("severity_number < 9", otap::Signal::kLogs);
    wishes.where[1] = Compile("IsRootSpan()", otap::Signal::kTraces);
    wishes.where[2] = Compile("Len(resource.attributes) > 1", otap::Signal::kMetrics);
  }
  return wishes;
}

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
  df::testing::RandomBatchOptions shape;
  shape.valueless_exemplars = false;
  shape.upstream_columns_only = true;
  shape.root_rows = 60;
  const auto sent = df::testing::RandomBatches(6, std::nullopt, shape, random);
  auto layout = df::testing::RandomLakeOptions(df::testing::LakeLayout::kUpstream, random);
  layout.root_rows_per_file = 1;
  layout.split_batches = false;
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent, layout, random()).ok());
  if (ReplayTree(folder.path(), {}).report.rows_without_resource > 0) {
    return;  // more resources than ids in a batch, which is told apart elsewhere
  }
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

}  // namespace
}  // namespace df::lake
