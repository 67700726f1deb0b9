// What becomes of batches under way when a node of the pipeline fails.
#include "nodes/receivers/parquet/parquet_receiver.h"

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/graph.h"
#include "engine/pipeline_instance.h"
#include "nodes/receivers/parquet/replay.h"
#include "otap/rows.h"
#include "select/condition.h"
#include "testing/cell.h"
#include "testing/corkable_exporter.h"
#include "testing/scripted_store.h"

namespace df::nodes::receivers::parquet {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Items of each signal that an exporter has taken.
std::map<otap::Signal, int64_t> Count(const std::vector<otap::BatchPtr>& batches) {
  std::map<otap::Signal, int64_t> items;
  for (const otap::BatchPtr& batch : batches) {
    items[batch->signal()] += batch->num_items();
  }
  return items;
}

/// Runs instance after instance of one pipeline over what they share, as the controller does.
class ParquetReceiverTest : public ::testing::Test {
 protected:
  ParquetReceiverTest() { Load(""); }

  /// Loads a pipeline whose receiver is told something more.
  void Load(const std::string& more) {
    // What a node has delivered is remembered by its name as long as the process lives.
    static int num_pipelines = 0;
    const std::string document =
        "nodes:\n  lake" + std::to_string(++num_pipelines) +
        std::string(R"(: {kind: receiver, plugin_urn: "urn:otel:otap:parquet:receiver",
         out_ports: {out: {destinations: [sink]}},
         config: {polling_interval: once, processing_options: {batch_size: 100}, )") +
        more + R"(base_uri: ")" + OTAP_SOURCE_DIR + R"(/examples/data/corner/parquet"}}
  sink: {kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}
)";
    pipeline_ =
        engine::LoadPipeline(document, "test.yaml",
                             engine::NodeRegistry(std::vector<const engine::NodeDescriptor*>{
                                 &kDescriptor, &testing::CorkableExporterDescriptor()}),
                             {})
            .ValueOrDie();
    NextGeneration();
  }

  /// What a change, a stop and a start of the pipeline make: nothing is shared with what ran.
  void NextGeneration() {
    shared_.clear();
    for (const engine::CheckedNode& node : pipeline_.nodes) {
      shared_.push_back(node.descriptor->make_shared(*node.config, {}).ValueOrDie());
    }
  }

  testing::ExporterScript& sink() { return static_cast<testing::ExporterScript&>(*shared_[1]); }

  engine::InstanceResult Run() {
    runtime::EventLoop loop;
    telemetry::Registry registry;
    auto instance =
        engine::PipelineInstance::Make(pipeline_, shared_, &loop, &registry, {}).ValueOrDie();
    instance->Start([&loop] { loop.Stop(); });
    loop.Run();
    return instance->TakeResult();
  }

  engine::NodeReport Report(const engine::InstanceResult& result) {
    return kDescriptor.merge_reports(shared_[0].get(), std::vector{result.reports[0]});
  }

  engine::CheckedPipeline pipeline_;
  std::vector<engine::NodeSharedPtr> shared_;
};

const std::map<otap::Signal, int64_t> kEverything = {
    {otap::Signal::kLogs, 2000}, {otap::Signal::kTraces, 2000}, {otap::Signal::kMetrics, 4998}};

TEST_F(ParquetReceiverTest, AReplayThatEndsBeforeItHasListedTheTreeIsIncomplete) {
  const engine::NodeReport report = kDescriptor.merge_reports(shared_[0].get(), {});
  EXPECT_GT(report.num_problems, 0) << "nothing was read, so nothing was delivered";
  EXPECT_THAT(report.lines, Contains(HasSubstr("not listed")));
  ASSERT_NE(report.source, nullptr);
  EXPECT_FALSE(report.source->has_listed_all);
  EXPECT_FALSE(report.source->has_found_nothing) << "nobody has looked";
}

TEST_F(ParquetReceiverTest, WhatAFailedNodeHadUnderWayIsReadAgain) {
  sink().next_status = Status::IOError("gone for a moment");
  const engine::InstanceResult failed = Run();
  EXPECT_THAT(failed.errors, Contains(HasSubstr("gone for a moment")));
  EXPECT_FALSE(failed.is_permanent);
  EXPECT_THAT(Report(failed).lines, Contains(HasSubstr("not delivered whole: 1 partitions")));
  EXPECT_GT(Report(failed).num_problems, 0);

  sink().taken.clear();
  const engine::InstanceResult again = Run();
  EXPECT_THAT(again.errors, IsEmpty());
  EXPECT_EQ(Count(sink().taken), kEverything) << "the partition comes whole";
  EXPECT_EQ(Report(again).num_problems, 0);
}

/// The rows of spans for which a condition is true.
otap::RowSet SpansWhere(const std::string& condition, const otap::Batch& batch) {
  return select::Condition::Compile(condition, otap::Signal::kTraces)
      .ValueOrDie()
      .Ask(batch, otap::TableKind::kSpans, otap::RowSet(batch.num_root_rows(), true))
      .yes;
}

TEST_F(ParquetReceiverTest, SpansOfTracesThatHaveWhatIsAskedForAreSelected) {
  const std::string question = "status.code == STATUS_CODE_ERROR and kind == SPAN_KIND_SERVER";
  EXPECT_THAT(Run().errors, IsEmpty());
  std::map<std::string, int64_t> spans;  // by trace
  std::set<std::string> traces;
  for (const otap::BatchPtr& batch : sink().taken) {
    if (batch->signal() == otap::Signal::kTraces) {
      const auto ids = otap::FindArray(batch->root(), "trace_id");
      const otap::RowSet is_true = SpansWhere(question, *batch);
      for (int64_t row = 0; row < batch->num_root_rows(); ++row) {
        const std::string id = std::get<std::string>(testing::ReadCell(*ids, row).ValueOrDie());
        ++spans[id];
        if (is_true.Has(row)) {
          traces.insert(id);
        }
      }
    }
  }
  int64_t num_wanted = 0;
  for (const std::string& trace : traces) {
    num_wanted += spans[trace];
  }
  ASSERT_GT(num_wanted, 0);
  ASSERT_LT(num_wanted, 1'000);

  Load(
      fmt::format("max_concurrent_partitions: 3, signal_types: [traces], "
                  "select: {{where: {{traces: \"trace.any({})\"}}}}, ",
                  question));
  const engine::InstanceResult result = Run();
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_EQ(Count(sink().taken),
            (std::map<otap::Signal, int64_t>{{otap::Signal::kTraces, num_wanted}}));
  EXPECT_THAT(Report(result).lines,
              Contains(fmt::format("trace.any({}) is true of {} traces of traces", question,
                                   traces.size())));
  EXPECT_EQ(Report(result).num_problems, 0);
}

TEST_F(ParquetReceiverTest, WhatHasNoAnswerWhileTracesAreLookedForIsNamed) {
  Load(
      "signal_types: [traces], select: {where: {traces: "
      "\"trace.any(HasPrefix(attributes[\\\"none\\\"], \\\"x\\\"))\"}}, ");
  const engine::InstanceResult result = Run();
  EXPECT_THAT(sink().taken, IsEmpty());
  EXPECT_THAT(Report(result).lines, Contains(HasSubstr("looking for traces: left out 2000 items")));
  EXPECT_GT(Report(result).num_problems, 0);
}

TEST_F(ParquetReceiverTest, WhatWasDeliveredIsNotReadAgain) {
  EXPECT_THAT(Run().errors, IsEmpty());
  EXPECT_EQ(Count(sink().taken), kEverything);
  sink().taken.clear();
  EXPECT_THAT(Run().errors, IsEmpty());
  EXPECT_THAT(sink().taken, IsEmpty());
}

TEST_F(ParquetReceiverTest, WhatWasDeliveredIsNotSentByTheNextGeneration) {
  EXPECT_THAT(Run().errors, IsEmpty());
  EXPECT_EQ(Count(sink().taken), kEverything);
  NextGeneration();
  const engine::InstanceResult again = Run();
  EXPECT_THAT(again.errors, IsEmpty());
  EXPECT_THAT(sink().taken, IsEmpty());
  EXPECT_THAT(Report(again).lines, Contains(HasSubstr("had delivered before")));
  EXPECT_EQ(Report(again).num_problems, 0);
}

TEST_F(ParquetReceiverTest, WhatDidNotArriveIsSentByTheNextGeneration) {
  sink().next_outcomes.push_back(engine::Outcome::Nack("too large", true));
  EXPECT_EQ(Report(Run()).num_problems, 1);
  NextGeneration();
  const engine::InstanceResult again = Run();
  EXPECT_THAT(again.errors, IsEmpty());
  int64_t num_rows = 0;
  for (const otap::BatchPtr& batch : sink().taken) {
    num_rows += batch->num_root_rows();
  }
  EXPECT_EQ(num_rows, 100) << "the one batch that was refused, whatever it is cut from";
  EXPECT_EQ(Report(again).num_problems, 0);
}

TEST_F(ParquetReceiverTest, ADrainEndsTheWaitForAStore) {
  runtime::EventLoop loop;
  telemetry::Registry registry;
  std::unique_ptr<engine::PipelineInstance> instance;
  const auto objects =
      std::make_shared<testing::ScriptedStore>([&](std::string_view, const std::string&) {
        loop.Post([&] { instance->RequestDrain(); });
        return testing::Answer::kFails;
      });
  const std::shared_ptr<storage::Store> store =
      storage::Store::Over({.kind = storage::StoreKind::kS3, .path = "b/lake"},
                           {.retry = {.init_backoff = std::chrono::seconds(20),
                                      .max_backoff = std::chrono::seconds(20),
                                      .retry_timeout = std::chrono::hours(1)}},
                           objects);
  ParquetReceiverConfig config;
  config.polling_interval.interval = std::nullopt;
  config.uri = store->uri();
  shared_[0] = std::make_shared<Replay>(config, store);
  instance = engine::PipelineInstance::Make(pipeline_, shared_, &loop, &registry, {}).ValueOrDie();
  instance->Start([&loop] { loop.Stop(); });
  loop.Run();
  EXPECT_EQ(store->counts().requests_of(storage::Operation::kList), 1)
      << "the wait of 20 s was not waited for";
  const engine::InstanceResult result = instance->TakeResult();
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_THAT(Report(result).lines, Contains(HasSubstr("the tree was not listed")));
  EXPECT_EQ(
      registry.Snapshot().Sum("df.store.requests", telemetry::Attributes({{"operation", "list"}})),
      1);
}

TEST(Replay, ACacheThatCannotBeOpenedIsNamed) {
  ParquetReceiverConfig config;
  config.catalog.cache = "/dev/null/cache";
  Replay replay(config, storage::Store::Local());
  const Status opened = replay.OpenCache();
  EXPECT_THAT(opened.message(), HasSubstr("catalog.cache"));
  EXPECT_THAT(opened.message(), HasSubstr("/dev/null/cache"));
}

TEST_F(ParquetReceiverTest, ABatchThatIsRefusedIsNamedAndNotReadAgain) {
  sink().next_outcomes.push_back(engine::Outcome::Nack("too large", true));
  const engine::InstanceResult result = Run();
  EXPECT_THAT(result.reports[0].lines, Contains(HasSubstr("too large")));
  EXPECT_EQ(Report(result).num_problems, 1);
  sink().taken.clear();
  EXPECT_THAT(Run().errors, IsEmpty());
  EXPECT_THAT(sink().taken, IsEmpty());
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
