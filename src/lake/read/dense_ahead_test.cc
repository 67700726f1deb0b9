// Selections that want most rows of files in object stores: row groups are fetched ahead, each
// once.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "lake/read/partition_reader.h"
#include "select/selector.h"
#include "testing/far_tree.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/selections.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::Between;
using df::testing::DrawWishes;
using df::testing::ExpectFarSelection;
using df::testing::FarTree;
using df::testing::kFar;
using df::testing::LogsInOrder;
using df::testing::RandomEngine;
using df::testing::Replayed;
using df::testing::TimesOf;
using select::Wishes;

Wishes From(int64_t nanos) {
  Wishes wishes;
  wishes.time.from = nanos;
  return wishes;
}

class DenseAheadSeeds : public ::testing::TestWithParam<uint64_t> {};

/// Many row groups, of which a selection wants all, those of one half, or any, while requests fail.
TEST_P(DenseAheadSeeds, GivesWhatWasWritten) {
  RandomEngine random(GetParam());
  df::testing::RandomBatchOptions shape;
  shape.valueless_exemplars = false;
  shape.root_rows = 250;
  shape.max_attributes = 2;
  shape.max_children = 1;
  shape.max_resources = 1;
  shape.missing_column = 0;
  std::vector<otap::BatchPtr> sent;
  for (const auto signal : {otap::Signal::kLogs, otap::Signal::kTraces}) {
    const auto batches = df::testing::RandomBatches(3, signal, shape, random);
    sent.insert(sent.end(), batches.begin(), batches.end());
  }
  df::testing::LakeWriterOptions options;
  options.layout = df::testing::LakeLayout::kOwn;
  options.rows_per_page = 10;
  options.row_group_rows = Between(random, 20, 80);
  options.root_rows_per_file = random() % 2 == 0 ? 0 : 1;
  options.child_order = static_cast<df::testing::ChildOrder>(Between(random, 0, 4));
  FarTree tree(sent, options);
  tree.script = df::testing::FailSome(GetParam() + 1000);
  const std::vector<int64_t> times = TimesOf(sent);
  for (int i = 0; i < 6; ++i) {
    SCOPED_TRACE(::testing::Message() << "seed " << GetParam() << ", selection " << i);
    Wishes wishes = i == 0   ? From(times.front())
                    : i == 1 ? From(times[times.size() / 2])
                             : DrawWishes(sent, random);
    ReadOptions read;
    read.batch_size = std::vector<int64_t>{50, 8192}[random() % 2];
    storage::ReadOptions far = kFar;
    far.ahead_bytes = std::vector<int64_t>{0, 30'000, 64 << 20}[random() % 3];
    ExpectFarSelection(sent, tree.Open(far).get(), read, wishes);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, DenseAheadSeeds, ::testing::Range<uint64_t>(1, 5));

constexpr int64_t kRows = 2'000;

/// Log records in files of one row group each.
std::vector<otap::BatchPtr> Files(int count) {
  RandomEngine random(5);
  std::vector<otap::BatchPtr> sent;
  for (int64_t file = 0; file < count; ++file) {
    sent.push_back(LogsInOrder(file * kRows, kRows, random));
  }
  return sent;
}

df::testing::LakeWriterOptions OneBatchAFile() {
  df::testing::LakeWriterOptions layout;
  layout.layout = df::testing::LakeLayout::kOwn;
  layout.encoding = df::testing::ValueEncoding::kPlain;
  layout.root_rows_per_file = 1;
  return layout;
}

TEST(DenseAhead, FetchesSeveralRowGroupsAtATime) {
  constexpr int kFiles = 12;
  constexpr int kAtOnce = 4;
  FarTree tree(Files(kFiles), OneBatchAFile());
  const auto store = tree.Open(kFar);
  const auto listing = ListLake(*store, "b", {otap::Signal::kLogs}, {}).ValueOrDie();
  ReadReport report;
  const auto files = std::make_shared<PartitionFiles>(
      LoadPartition(*store, "b", listing.partitions.front(), &report));
  ASSERT_EQ(files->of(otap::TableKind::kLogs).size(), size_t{kFiles});
  ReadOptions options;
  options.signals = {otap::Signal::kLogs};
  options.selector = std::make_shared<const select::Selector>(From(1'000'000));
  MemoryBudget budget(options.memory_limit_bytes);
  PartitionTask task{.signal = otap::Signal::kLogs, .files = files, .root_files = {}};
  for (size_t i = 0; i < kFiles; ++i) {
    task.root_files.push_back(i);
  }
  const auto reader =
      PartitionReader::Make(store.get(), "b", task, options, &budget, &report).ValueOrDie();
  int64_t num_rows = reader->Next().ValueOrDie()->batch->num_root_rows();
  // The times of all files were read before; the reader alone would go on with one file.
  const auto count_fetched = [&] {
    std::map<std::string, int64_t> bytes;
    for (const auto& request : tree.objects->requests()) {
      bytes[request.path] += request.num_bytes;
    }
    return std::count_if(bytes.begin(), bytes.end(),
                         [](const auto& path) { return path.second > kRows * 24; });
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (count_fetched() < kAtOnce && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_GE(count_fetched(), kAtOnce);
  while (auto payload = reader->Next().ValueOrDie()) {
    num_rows += payload->batch->num_root_rows();
  }
  EXPECT_EQ(num_rows, kFiles * kRows);
}

TEST(DenseAhead, FetchesNothingTwice) {
  RandomEngine random(9);
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 2'000;
  shape.max_attributes = 3;
  shape.missing_column = 0;
  shape.max_resources = 1;
  shape.without_attributes = 0;
  const auto sent = df::testing::RandomBatches(2, otap::Signal::kTraces, shape, random);
  df::testing::LakeWriterOptions layout;
  layout.layout = df::testing::LakeLayout::kOwn;
  layout.row_group_rows = 200;
  layout.child_order = df::testing::ChildOrder::kAsGiven;
  const FarTree tree(sent, layout);
  int64_t size_bytes = 0;
  for (const auto& file : tree.written.files) {
    size_bytes += static_cast<int64_t>(std::filesystem::file_size(tree.folder() / file.path));
  }
  ReadOptions read;
  read.signals = {otap::Signal::kTraces};
  ExpectFarSelection(sent, tree.Open(kFar).get(), read, From(TimesOf(sent).front()));
  int64_t num_bytes = 0;
  for (const auto& request : tree.objects->requests()) {
    num_bytes += request.num_bytes;
  }
  // Ends of files are read again by each handle that is opened.
  EXPECT_LT(num_bytes, size_bytes * 11 / 10);
}

TEST(DenseAhead, WhatIsNotWantedAnyMoreIsNotFetchedOn) {
  constexpr int kFiles = 40;
  const auto sent = Files(kFiles);
  const FarTree tree(sent, OneBatchAFile());
  Wishes wishes;
  // Two files and a half: statistics rule out the others.
  wishes.time = {1'000'000, 1'000'000 + 10 * kRows * 5 / 2};
  const Replayed replayed = ExpectFarSelection(sent, tree.Open(kFar).get(), {}, wishes);
  EXPECT_EQ(replayed.report.items, kRows * 5 / 2);
  std::set<std::string> data;
  for (const auto& request : tree.objects->requests()) {
    if (request.position < 1'000) {
      data.insert(request.path);
    }
  }
  EXPECT_EQ(data.size(), 3U) << ::testing::PrintToString(data);
}

}  // namespace
}  // namespace df::lake
