// What reaches a node besides batches: wake-ups, memory pressure, changes of its configuration.
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/pipeline_harness.h"

namespace df::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// What the probe does, and what it was told.
struct ProbeScript {
  std::function<Status(Effects&)> on_start = [](Effects&) { return Status::OK(); };
  bool throws_on_outcome = false;
  bool throws_on_report = false;
  bool makes_tokens = false;
  bool uses_try_send = false;
  std::vector<runtime::PushResult> tried;
  std::vector<TimerId> woken;
  std::vector<MemoryPressure> pressures;
  int num_configs = 0;
  int num_collects = 0;
};

ProbeScript* g_probe = nullptr;  // of the test that runs

class Probe final : public Processor, public CompletionHandler {
 public:
  Status Start(Effects& effects) override { return g_probe->on_start(effects); }
  runtime::Task<Status> Process(Pdata pdata, Effects& effects) override {
    if (g_probe->uses_try_send) {
      g_probe->tried.push_back(effects.TrySend(pdata));
      co_return Status::OK();
    }
    if (g_probe->makes_tokens) {
      pdata.token.Ack();
      pdata.token = effects.MakeToken(this, 1);
    }
    co_await effects.Send(std::move(pdata));
    co_return Status::OK();
  }
  runtime::Task<Status> OnTimer(TimerId id, Effects&) override {
    g_probe->woken.push_back(id);
    co_return Status::OK();
  }
  runtime::Task<Status> Finish(Effects&) override { co_return Status::OK(); }
  NodeReport Report() override {
    if (g_probe->throws_on_report) {
      throw std::runtime_error("no words");
    }
    return {};
  }
  Status OnConfig(const NodeConfigPtr&) override {
    ++g_probe->num_configs;
    return Status::OK();
  }
  void OnMemoryPressure(MemoryPressure pressure) override {
    g_probe->pressures.push_back(pressure);
  }
  void OnCollect() override { ++g_probe->num_collects; }
  void OnOutcome(const Outcome&, uint64_t) override {
    if (g_probe->throws_on_outcome) {
      throw std::runtime_error("cannot hear");
    }
  }
};

const NodeDescriptor kProbe = {
    .urn = "urn:otel:processor:test_probe",
    .kind = NodeKind::kProcessor,
    .summary = "for tests",
    .fields = [] { return std::vector<config::FieldDescription>(); },
    .parse = [](const config::Section&, const ValidateContext&) -> NodeConfigPtr {
      return std::make_shared<const NodeConfig>();
    },
    .applies_config = true,
    .make_processor = [](const NodeConfigPtr&, const NodeSharedPtr&, const InstanceInfo&)
        -> Result<std::unique_ptr<Processor>> { return std::make_unique<Probe>(); }};

constexpr char kDocument[] = R"(
settings: {default_pdata_channel_size: 1}
nodes:
  source: {kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
           out_ports: {out: {destinations: [probe]}}}
  probe: {kind: processor, plugin_urn: "urn:otel:processor:test_probe",
          out_ports: {out: {destinations: [sink]}}}
  sink: {kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}
)";

class ControlTest : public ::testing::Test {
 protected:
  ControlTest() { g_probe = &probe_; }
  ~ControlTest() override { g_probe = nullptr; }

  /// Nodes count in the order of the document.
  static constexpr size_t kProbeIndex = 1;
  ProbeScript probe_;
};

TEST_F(ControlTest, AWakeUpComesOnceAndTheLastOneSetCounts) {
  probe_.on_start = [](Effects& effects) {
    effects.WakeAt(3, effects.clock().Now() + seconds(1));
    effects.WakeAt(3, effects.clock().Now() + seconds(2));
    effects.WakeAt(4, effects.clock().Now() + milliseconds(1));
    effects.WakeAt(5, effects.clock().Now() + milliseconds(1));
    effects.CancelTimer(5);
    return Status::OK();
  };
  testing::PipelineHarness harness(kDocument, {&kProbe});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.RunUntilIdle();
  harness.Advance(milliseconds(1500));
  EXPECT_THAT(probe_.woken, ElementsAre(4));
  harness.Advance(milliseconds(600));
  EXPECT_THAT(probe_.woken, ElementsAre(4, 3));
  harness.Advance(seconds(10));
  EXPECT_THAT(probe_.woken, ElementsAre(4, 3));
}

TEST_F(ControlTest, WakeUpsAreNotLeftOutWhenTheControlQueueIsFull) {
  probe_.on_start = [](Effects& effects) {
    for (TimerId id = 0; id < 40; ++id) {
      effects.WakeAt(id, effects.clock().Now() + seconds(1));
    }
    return Status::OK();
  };
  testing::PipelineHarness harness(
      std::string("settings: {default_node_ctrl_msg_channel_size: 1, default_pdata_channel_size: "
                  "1}\n") +
          std::string(kDocument).substr(std::string(kDocument).find("nodes:")),
      {&kProbe});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.RunUntilIdle();
  harness.Advance(seconds(1));
  EXPECT_THAT(probe_.woken, SizeIs(40));
}

TEST_F(ControlTest, ControlReachesANodeThatWaitsForRoom) {
  testing::PipelineHarness harness(kDocument, {&kProbe});
  harness.sink().is_corked = true;
  for (int i = 0; i < 6; ++i) {
    harness.source().Send(testing::SmallLogs(1));
  }
  harness.RunUntilIdle();
  ASSERT_EQ(harness.source().num_sent, 5) << "sink holds one, its edge one, the probe one, its "
                                             "edge one, and the source waits with the fifth";
  EXPECT_TRUE(harness.instance().ApplyConfig(kProbeIndex, nullptr).ok());
  harness.instance().Collect();
  EXPECT_EQ(probe_.num_configs, 1);
  EXPECT_EQ(probe_.num_collects, 1);
}

TEST_F(ControlTest, ANodeThatDoesNotApplyConfigurationSaysSo) {
  testing::PipelineHarness harness(kDocument, {&kProbe});
  harness.RunUntilIdle();
  EXPECT_THAT(harness.instance().ApplyConfig(0, nullptr).message(),
              HasSubstr("cannot change its configuration"));
}

TEST_F(ControlTest, AReceiverWaitsOverTheSoftLimitAndEveryNodeHearsOfIt) {
  const int64_t size_bytes = testing::SmallLogs(100)->size_bytes();
  testing::PipelineHarness harness(
      std::string(kDocument).substr(std::string(kDocument).find("nodes:")), {&kProbe},
      {.memory =
           MemoryAccount::Limits{.soft_bytes = 3 * size_bytes, .hard_bytes = 5 * size_bytes}});
  harness.sink().is_corked = true;
  for (int i = 0; i < 10; ++i) {
    harness.source().Send(testing::SmallLogs(100));
  }
  harness.RunUntilIdle();
  EXPECT_EQ(harness.source().num_sent, 4) << "three are under the limit, the fourth waits";
  EXPECT_EQ(harness.instance().memory().used_bytes(), 4 * size_bytes);
  EXPECT_THAT(probe_.pressures, ElementsAre(MemoryPressure::kSoft));
  harness.sink().Uncork();
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  EXPECT_EQ(harness.source().num_outcomes, 10);
  EXPECT_EQ(harness.instance().memory().used_bytes(), 0);
  EXPECT_EQ(harness.instance().memory().pressure(), MemoryPressure::kNormal);
  EXPECT_LE(harness.instance().memory().peak_bytes(), 4 * size_bytes);
}

TEST_F(ControlTest, TrySendDoesNotWait) {
  probe_.uses_try_send = true;
  testing::PipelineHarness harness(kDocument, {&kProbe});
  harness.sink().is_corked = true;
  for (int i = 0; i < 4; ++i) {
    harness.source().Send(testing::SmallLogs(1));
    harness.RunUntilIdle();
  }
  using runtime::PushResult;
  EXPECT_THAT(probe_.tried, ElementsAre(PushResult::kSent, PushResult::kSent, PushResult::kFull,
                                        PushResult::kFull));
  EXPECT_EQ(harness.source().outcomes.at(2).cause, NackCause::kDropped);
}

TEST_F(ControlTest, AHandlerThatThrowsFailsItsPipelineOnly) {
  probe_.makes_tokens = true;
  probe_.throws_on_outcome = true;
  testing::PipelineHarness harness(kDocument, {&kProbe});
  harness.source().Send(testing::SmallLogs(1));
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended()) << "the receivers were told to stop";
  EXPECT_THAT(harness.TakeResult().errors, ElementsAre("node 'probe': cannot hear"));
}

TEST_F(ControlTest, AReportThatThrowsIsAProblemOfTheReport) {
  probe_.throws_on_report = true;
  testing::PipelineHarness harness(kDocument, {&kProbe});
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  const InstanceResult result = harness.TakeResult();
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_EQ(result.reports[kProbeIndex].num_problems, 1);
  EXPECT_THAT(result.reports[kProbeIndex].lines, ElementsAre("no report: no words"));
}

}  // namespace
}  // namespace df::engine
