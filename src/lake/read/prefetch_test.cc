// Partitions of an object store whose row groups are fetched ahead.
#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/far_tree.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/scripted_store.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::Answer;
using df::testing::Between;
using df::testing::FarTree;
using df::testing::kFar;
using df::testing::Messages;
using df::testing::Replayed;
using df::testing::ReplayTree;
using ::testing::HasSubstr;

ReadOptions OptionsOf(otap::Signal signal) {
  ReadOptions options;
  options.signals = {signal};
  options.batch_size = 16;
  return options;
}

class PrefetchSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(PrefetchSeeds, ChangesNothingInWhatIsRead) {
  df::testing::RandomEngine random(GetParam());
  for (const otap::Signal signal : otap::kAllSignals) {
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 60;
    const auto sent = df::testing::RandomBatches(4, signal, shape, random);
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.row_group_rows = Between(random, 3, 80);
    layout.root_rows_per_file = Between(random, 10, 200);
    layout.child_rows_per_file = Between(random, 10, 200);
    layout.split_batches = true;
    layout.child_order = static_cast<df::testing::ChildOrder>(Between(random, 0, 4));
    FarTree tree(sent, layout);
    std::mutex mutex;
    tree.script = [&](std::string_view, const std::string&) {
      const std::lock_guard lock(mutex);
      const int64_t drawn = Between(random, 0, 29);
      return drawn == 0   ? Answer::kFails
             : drawn == 1 ? Answer::kThrottled
             : drawn == 2 ? Answer::kShort
                          : Answer::kWhole;
    };
    for (const int64_t ahead_bytes : {0, 3'000, 1 << 20}) {
      SCOPED_TRACE(::testing::Message() << "ahead " << ahead_bytes);
      const auto store = tree.Open({.request_bytes = 2'000,
                                    .hole_bytes = 100,
                                    .tail_bytes = 256,
                                    .cache_bytes = 1024,
                                    .ahead_bytes = ahead_bytes});
      const Replayed replayed = ReplayTree("b", OptionsOf(signal), store.get());
      EXPECT_EQ(Messages(replayed), "");
      df::testing::ExpectSameRecords(sent, replayed);
      EXPECT_EQ(store->ahead_left(), ahead_bytes);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PrefetchSeeds, ::testing::Range<uint64_t>(1, 5));

/// Files of three row groups.
FarTree MakeTree(otap::Signal signal, std::vector<otap::BatchPtr>* sent) {
  df::testing::RandomEngine random(7);
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 300;
  shape.missing_column = 0;
  shape.without_attributes = 0;
  *sent = df::testing::RandomBatches(3, signal, shape, random);
  df::testing::LakeWriterOptions layout;
  layout.layout = df::testing::LakeLayout::kOwn;
  layout.row_group_rows = 100;
  layout.root_rows_per_file = 300;
  layout.child_rows_per_file = 300;
  return {*sent, layout};
}

TEST(Prefetch, TablesAreAskedForTogether) {
  std::vector<otap::BatchPtr> sent;
  FarTree tree = MakeTree(otap::Signal::kTraces, &sent);
  const auto store = tree.Open(kFar);
  const auto listing = ListLake(*store, "b", {otap::Signal::kTraces}, {}).ValueOrDie();
  ReadReport report;
  const auto files = std::make_shared<PartitionFiles>(
      LoadPartition(*store, "b", listing.partitions.front(), &report));
  std::mutex mutex;
  std::condition_variable asked;
  std::set<std::string> tables;
  constexpr size_t kTables = 8;  // spans, events, links, four of attributes, and one of these
  bool is_waited_for = true;
  tree.script = [&](std::string_view operation, const std::string& path) {
    std::unique_lock lock(mutex);
    if (operation == "read") {
      tables.insert(path.substr(2, path.find('/', 2) - 2));
      asked.notify_all();
      // No answer comes before all tables have been asked for.
      is_waited_for = asked.wait_for(lock, std::chrono::seconds(60), [&] {
        return tables.size() >= kTables;
      }) && is_waited_for;
    }
    return Answer::kWhole;
  };
  PartitionTask task{.signal = otap::Signal::kTraces, .files = files, .root_files = {0, 1, 2}};
  const ReadOptions options = OptionsOf(otap::Signal::kTraces);
  MemoryBudget budget(options.memory_limit_bytes);
  const auto reader =
      PartitionReader::Make(store.get(), "b", task, options, &budget, &report).ValueOrDie();
  ASSERT_TRUE(reader->Next().ValueOrDie().has_value());
  EXPECT_TRUE(is_waited_for) << ::testing::PrintToString(tables);
}

TEST(Prefetch, NothingIsFetchedTwice) {
  for (const otap::Signal signal : otap::kAllSignals) {
    std::vector<otap::BatchPtr> sent;
    for (const int64_t ahead_bytes : {20'000, 64 << 20}) {
      const FarTree tree = MakeTree(signal, &sent);
      storage::ReadOptions read = kFar;
      read.ahead_bytes = ahead_bytes;
      const auto store = tree.Open(read);
      const Replayed replayed = ReplayTree("b", OptionsOf(signal), store.get());
      EXPECT_EQ(Messages(replayed), "");
      df::testing::ExpectSameRecords(sent, replayed);
      std::map<std::string, int64_t> fetched;
      for (const auto& request : tree.objects->requests()) {
        const int64_t end =
            std::min(request.position + request.num_bytes, tree.footers.at(request.path));
        fetched[request.path] += std::max<int64_t>(end - request.position, 0);
      }
      EXPECT_EQ(fetched.size(), tree.footers.size());
      for (const auto& [path, num_bytes] : fetched) {
        // What stands before the footer is read with it; a column of ids once more at the end.
        EXPECT_LE(num_bytes, tree.footers.at(path) * 3 / 2) << path;
      }
    }
  }
}

TEST(Prefetch, AFileThatCannotBeReadCostsItsRowsOnly) {
  std::vector<otap::BatchPtr> sent;
  FarTree tree = MakeTree(otap::Signal::kLogs, &sent);
  std::string denied;
  for (const auto& file : tree.written.files) {
    denied = file.table == otap::TableKind::kLogAttrs ? "b/" + file.path : denied;
  }
  int num_reads = 0;
  std::mutex mutex;
  tree.script = [&](std::string_view operation, const std::string& path) {
    const std::lock_guard lock(mutex);
    // The footer is read; its columns are not.
    return operation == "read" && path == denied && ++num_reads > 2 ? Answer::kDenied
                                                                    : Answer::kWhole;
  };
  const auto store = tree.Open(kFar);
  const Replayed replayed = ReplayTree("b", OptionsOf(otap::Signal::kLogs), store.get());
  EXPECT_THAT(Messages(replayed), HasSubstr("access denied"));
  EXPECT_EQ(replayed.report.files_failed, 1);
  EXPECT_EQ(replayed.report.table(otap::TableKind::kLogs).rows_emitted,
            tree.written.rows.at(otap::TableKind::kLogs));
  EXPECT_EQ(store->ahead_left(), store->ahead_bytes());
}

}  // namespace
}  // namespace df::lake
