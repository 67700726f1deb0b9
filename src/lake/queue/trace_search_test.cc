// Traces that a question is true of, beside the same found in memory.
#include "lake/queue/trace_search.h"

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/filter.h"
#include "otap/rows.h"
#include "testing/cell.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::LakeLayout;
using df::testing::RandomEngine;
using df::testing::TemporaryFolder;
using otap::Signal;
using ::testing::HasSubstr;

const auto kNow = [] { return std::chrono::system_clock::time_point(std::chrono::hours(500'000)); };

select::Selector SelectorOf(const std::string& text, Signal signal) {
  select::Wishes wishes;
  wishes.where[static_cast<size_t>(signal)] =
      select::Condition::Compile(text, signal, select::TraceQuestions::kAllowed).ValueOrDie();
  return select::Selector(std::move(wishes));
}

/// Returns the trace id of each row of the root table; "" for a row without one.
std::vector<std::string> TraceIdsOf(const otap::Batch& batch) {
  const auto column = otap::FindArray(batch.root(), "trace_id");
  std::vector<std::string> ids(static_cast<size_t>(batch.num_root_rows()));
  for (size_t row = 0; column != nullptr && row < ids.size(); ++row) {
    const auto cell = df::testing::ReadCell(*column, static_cast<int64_t>(row)).ValueOrDie();
    if (const auto* bytes = std::get_if<std::string>(&cell)) {
      ids[row] = bytes->find_first_not_of('\0') == std::string::npos ? "" : *bytes;
    }
  }
  return ids;
}

class TraceSearchTest : public ::testing::Test {
 protected:
  TraceSearchTest() : store_(storage::Store::Local()) {}

  ReadOptions OptionsOf(const std::string& text, Signal signal) const {
    ReadOptions read;
    read.signals = {signal};
    read.batch_size = 50;
    read.selector = std::make_shared<const select::Selector>(SelectorOf(text, signal));
    return read;
  }

  std::shared_ptr<TraceSearch> Search(const ReadOptions& read, int64_t max_bytes = 1 << 20) const {
    const std::string base = folder_.path().string();
    return std::make_shared<TraceSearch>(
        store_, base, read,
        [this, base](const ReadOptions& pass) -> Result<std::unique_ptr<WorkList>> {
          return std::make_unique<WorkList>(store_, base, pass, FollowOptions{}, kNow);
        },
        max_bytes);
  }

  TemporaryFolder folder_;
  std::shared_ptr<storage::Store> store_;
};

bool Never() { return false; }

/// So many traces; few have spans (or log records) in several batches.
std::vector<otap::BatchPtr> BatchesOfTraces(Signal signal, LakeLayout layout, RandomEngine& random,
                                            uint64_t num_traces = 40) {
  df::testing::RandomBatchOptions shape;
  shape.valueless_exemplars = false;
  if (layout == LakeLayout::kUpstream) {
    shape = df::testing::JoinableUpstreamShape();
  }
  shape.root_rows = 60;
  std::vector<otap::BatchPtr> batches;
  for (const otap::BatchPtr& batch : df::testing::RandomBatches(5, signal, shape, random)) {
    arrow::FixedSizeBinaryBuilder ids(arrow::fixed_size_binary(16));
    for (int64_t row = 0; row < batch->num_root_rows(); ++row) {
      const auto trace = random() % num_traces;
      std::string id(16, trace == 0 ? '\0' : 'x');  // zeros are no trace
      id[14] = static_cast<char>(trace / 256);
      id[15] = static_cast<char>(trace % 256);
      const bool is_null = trace == 1 && signal == Signal::kLogs;  // spans have no nulls there
      EXPECT_TRUE((is_null ? ids.AppendNull() : ids.Append(id)).ok());
    }
    const auto& root = batch->root();
    const int index = root->schema()->GetFieldIndex("trace_id");
    const auto array = ids.Finish().ValueOrDie();
    const auto field = arrow::field("trace_id", array->type());
    const auto changed = index < 0 ? root->AddColumn(root->num_columns(), field, array)
                                   : root->SetColumn(index, field, array);
    otap::BatchBuilder builder(signal);
    for (const otap::TableInfo& table : otap::AllTables()) {
      if (const auto& rows = batch->table(table.kind); rows != nullptr) {
        EXPECT_TRUE(builder
                        .Set(table.kind,
                             table.kind == otap::RootTable(signal) ? changed.ValueOrDie() : rows)
                        .ok());
      }
    }
    batches.push_back(builder.Build());
  }
  return batches;
}

/// What is wanted, by going through all batches twice.
std::vector<otap::BatchPtr> SelectNaively(const std::vector<otap::BatchPtr>& batches,
                                          const std::string& question, const std::string& rest,
                                          bool is_not) {
  const Signal signal = batches.front()->signal();
  const otap::TableKind root = otap::RootTable(signal);
  const auto ask = [&](const std::string& text, const otap::Batch& batch) {
    return select::Condition::Compile(text, signal)
        .ValueOrDie()
        .Ask(batch, root, otap::RowSet(batch.num_root_rows(), true))
        .yes;
  };
  std::set<std::string> traces;
  for (const otap::BatchPtr& batch : batches) {
    const auto ids = TraceIdsOf(*batch);
    otap::RowSet yes = ask(question, *batch);
    yes.ForEach([&](int64_t row) { traces.insert(ids[static_cast<size_t>(row)]); });
  }
  traces.erase("");
  std::vector<otap::BatchPtr> selected;
  for (const otap::BatchPtr& batch : batches) {
    const auto ids = TraceIdsOf(*batch);
    otap::RowSet wanted = ask(rest, *batch);
    otap::RowSet of_traces(batch->num_root_rows());
    of_traces.SetWhere(
        [&](int64_t row) { return traces.contains(ids[static_cast<size_t>(row)]) != is_not; });
    wanted.Intersect(of_traces);
    if (wanted.Count() > 0) {
      otap::Selection rows;
      rows.Set(root, std::move(wanted));
      selected.push_back(otap::Filter(batch, rows).ValueOrDie());
    }
  }
  return selected;
}

class TraceSearchSeeds : public TraceSearchTest, public ::testing::WithParamInterface<uint64_t> {};

TEST_P(TraceSearchSeeds, GiveTheWholeTraces) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  RandomEngine random(GetParam() + 9'000);
  const auto layout = GetParam() % 2 == 0 ? LakeLayout::kOwn : LakeLayout::kUpstream;
  const Signal signal = GetParam() % 4 < 2 ? Signal::kTraces : Signal::kLogs;
  const auto sent = BatchesOfTraces(signal, layout, random);
  const auto options = layout == LakeLayout::kUpstream
                           ? df::testing::JoinableUpstreamOptions(random)
                           : df::testing::RandomLakeOptions(layout, random);
  ASSERT_TRUE(df::testing::WriteLake(folder_.path(), sent, options, random()).ok());
  const std::vector<std::string> questions = {
      signal == Signal::kTraces ? "status.code == STATUS_CODE_ERROR and Len(name) < 4"
                                : "severity_number == 17 or severity_number == 3",
      "attributes != {} and dropped_attributes_count > 5",
      "Len(resource.attributes) > 1 and Len(attributes) == 1",
      "instrumentation_scope.name != \"\" and Len(scope.attributes) == 1",
      "false",
      "true"};
  for (const std::string& question : questions) {
    const bool is_not = random() % 2 == 0;
    const std::string rest = random() % 2 == 0 ? "true" : "dropped_attributes_count < 100000";
    const std::string text =
        fmt::format("{}trace.any({}) and {}", is_not ? "not " : "", question, rest);
    SCOPED_TRACE(text);
    ReadOptions read = OptionsOf(text, signal);
    const auto search = Search(read);
    std::vector<std::thread> others;
    for (int i = 0; i < 2; ++i) {
      others.emplace_back([&] { EXPECT_TRUE(search->Run(1 << 22, Never).ok()); });
    }
    EXPECT_TRUE(search->Run(1 << 22, Never).ok());
    for (std::thread& other : others) {
      other.join();
    }
    EXPECT_EQ(search->Report().num_errors(), 0)
        << (search->Report().problems.empty() ? "" : search->Report().problems[0].message);
    read.selector = search->selector();
    const df::testing::Replayed replayed = df::testing::ReplayTree(folder_.path(), read);
    df::testing::ExpectSameRecords(SelectNaively(sent, question, rest, is_not), replayed);
    EXPECT_EQ(replayed.report.num_errors(), 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Random, TraceSearchSeeds, ::testing::Range<uint64_t>(0, 8));

TEST_F(TraceSearchTest, TakesNoMoreTracesThanFit) {
  RandomEngine random(3);
  const auto sent = BatchesOfTraces(Signal::kTraces, LakeLayout::kOwn, random);
  ASSERT_TRUE(df::testing::WriteLake(folder_.path(), sent, {.layout = LakeLayout::kOwn}, 3).ok());
  const ReadOptions read = OptionsOf("trace.any(true)", Signal::kTraces);
  EXPECT_TRUE(Search(read, 32 * 39)->Run(1 << 22, Never).ok());
  const Status status = Search(read, 32 * 20)->Run(1 << 22, Never);
  EXPECT_TRUE(IsPermanent(status)) << "it would be true of so many again";
  EXPECT_THAT(status.message(), HasSubstr("trace.any(true) is true of more than 20 traces"));
}

/// What somebody was at who is stopped is looked at by the others.
TEST_F(TraceSearchTest, WorkOfThoseThatStopIsDoneByOthers) {
  RandomEngine random(4);
  const auto sent = BatchesOfTraces(Signal::kTraces, LakeLayout::kOwn, random, 10'000);
  ASSERT_TRUE(df::testing::WriteLake(folder_.path(), sent,
                                     {.layout = LakeLayout::kOwn, .batches_per_partition = 2}, 3)
                  .ok());
  const auto search = Search(OptionsOf("trace.any(true)", Signal::kTraces));
  int num_asked = 0;
  const Status stopped = search->Run(1 << 22, [&] { return ++num_asked > 2; });
  EXPECT_TRUE(stopped.IsCancelled()) << stopped;
  EXPECT_TRUE(search->Describe().empty());
  ASSERT_TRUE(search->Run(1 << 22, Never).ok());
  std::set<std::string> traces;
  for (const auto& batch : sent) {
    for (const std::string& id : TraceIdsOf(*batch)) {
      traces.insert(id);
    }
  }
  traces.erase("");
  EXPECT_THAT(search->Describe(),
              ::testing::ElementsAre(
                  fmt::format("trace.any(true) is true of {} traces of traces", traces.size())));
}

TEST_F(TraceSearchTest, WhatHasNoAnswerIsNamed) {
  RandomEngine random(5);
  const auto sent = BatchesOfTraces(Signal::kTraces, LakeLayout::kOwn, random);
  ASSERT_TRUE(df::testing::WriteLake(folder_.path(), sent, {.layout = LakeLayout::kOwn}, 3).ok());
  const auto search =
      Search(OptionsOf("trace.any(HasPrefix(attributes[\"none\"], \"x\"))", Signal::kTraces));
  ASSERT_TRUE(search->Run(1 << 22, Never).ok());
  ASSERT_EQ(search->Report().problems.size(), 1U);
  EXPECT_THAT(search->Report().problems[0].message, HasSubstr("has no answer"));
}

/// A part in front that has no answer counts, though no trace is found.
TEST_F(TraceSearchTest, WhatHasNoAnswerBeforeTracesAreAskedForIsNamed) {
  RandomEngine random(7);
  const auto sent = BatchesOfTraces(Signal::kTraces, LakeLayout::kOwn, random);
  ASSERT_TRUE(df::testing::WriteLake(folder_.path(), sent, {.layout = LakeLayout::kOwn}, 3).ok());
  for (const bool is_first : {true, false}) {
    const std::string part = "1 / (dropped_events_count - dropped_events_count) == 1";
    ReadOptions read =
        OptionsOf(is_first ? "trace.any(false) and " + part : part + " and trace.any(false)",
                  Signal::kTraces);
    const auto search = Search(read);
    ASSERT_TRUE(search->Run(1 << 22, Never).ok());
    read.selector = search->selector();
    const df::testing::Replayed replayed = df::testing::ReplayTree(folder_.path(), read);
    EXPECT_EQ(replayed.report.num_errors(), is_first ? 0 : 1);
    EXPECT_EQ(replayed.report.skipped(SkipCause::kTraceIds).rows, is_first ? 300 : 0);
  }
}

TEST_F(TraceSearchTest, ABaseThatIsNotThereEndsAllCalls) {
  const auto search = std::make_shared<TraceSearch>(
      store_, folder_.path().string() + "/none", OptionsOf("trace.any(true)", Signal::kTraces),
      [this](const ReadOptions& pass) -> Result<std::unique_ptr<WorkList>> {
        return std::make_unique<WorkList>(store_, folder_.path().string() + "/none", pass,
                                          FollowOptions{}, kNow);
      },
      1 << 20);
  EXPECT_FALSE(search->Run(1 << 22, Never).ok());
  EXPECT_FALSE(search->Run(1 << 22, Never).ok());
}

TEST_F(TraceSearchTest, WhatMayPassIsTriedAgainByTheNextCall) {
  RandomEngine random(6);
  const auto sent = BatchesOfTraces(Signal::kTraces, LakeLayout::kOwn, random);
  ASSERT_TRUE(df::testing::WriteLake(folder_.path(), sent, {.layout = LakeLayout::kOwn}, 3).ok());
  int num_lists = 0;
  TraceSearch search(
      store_, folder_.path().string(),
      OptionsOf("trace.any(true) or trace.any(false)", Signal::kTraces),
      [&](const ReadOptions& pass) -> Result<std::unique_ptr<WorkList>> {
        if (num_lists++ % 2 == 0) {  // at the begin of each of the two passes
          return Status::IOError("gone for a moment");
        }
        return std::make_unique<WorkList>(store_, folder_.path().string(), pass, FollowOptions{},
                                          kNow);
      },
      1 << 20);
  EXPECT_TRUE(search.Run(1 << 22, Never).IsIOError());
  EXPECT_TRUE(search.Run(1 << 22, Never).IsIOError());
  ASSERT_TRUE(search.Run(1 << 22, Never).ok());
  EXPECT_EQ(num_lists, 4);
  EXPECT_THAT(search.Describe(),
              ::testing::ElementsAre(HasSubstr("trace.any(true) is true of 39 traces"),
                                     HasSubstr("trace.any(false) is true of 0 traces")));
}

}  // namespace
}  // namespace df::lake
