#include "controller/controller.h"

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/corkable_exporter.h"
#include "testing/pipeline_harness.h"

namespace df::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct WorkConfig : engine::NodeConfig {
  int64_t batches = 0;  ///< shared by all instances; 0 = wait for a drain
  bool fails = false;
  bool is_stubborn = false;
};

const config::FieldTable<WorkConfig>& WorkFields() {
  static const config::FieldTable<WorkConfig> table = {
      config::Integer("batches", &WorkConfig::batches, {0, 1'000'000}, "how many"),
      config::Bool("fails", &WorkConfig::fails, "the first instance fails"),
      config::Bool("is_stubborn", &WorkConfig::is_stubborn, "does not heed a drain"),
  };
  return table;
}

/// What the instances of the receiver share: the work that is left.
struct Work : engine::NodeShared {
  std::atomic<int64_t> num_left{0};
  std::atomic<int> num_running{0};
};

/// Set by the receiver as soon as it runs; a test that wants a signal to find it running waits for
/// it.
std::atomic<int> running_receivers{0};

/// Receivers that have seen the drain and do not heed it.
std::atomic<int> stubborn_receivers{0};

class WorkReceiver final : public engine::Receiver, public engine::CompletionHandler {
 public:
  WorkReceiver(std::shared_ptr<const WorkConfig> config, std::shared_ptr<Work> work,
               engine::InstanceInfo info)
      : config_(std::move(config)), work_(std::move(work)), info_(std::move(info)) {}

  runtime::Task<Status> Run(engine::Effects& effects) override {
    ++running_receivers;
    if (config_->fails && info_.instance_index == 0) {
      co_return Status::IOError("broken");
    }
    while (!effects.is_draining() && --work_->num_left >= 0) {
      engine::Pdata pdata(testing::SmallLogs(1), effects.MakeToken(this, 0));
      co_await effects.Send(std::move(pdata));
      ++num_sent_;
    }
    if (config_->batches == 0) {
      co_await effects.SleepFor(std::chrono::hours(1));
    }
    if (config_->is_stubborn) {
      ++stubborn_receivers;
      co_await effects.loop().SleepFor(std::chrono::hours(1), nullptr);
    }
    co_return Status::OK();
  }
  void OnOutcome(const engine::Outcome& outcome, uint64_t) override {
    num_acked_ += outcome.is_ack ? 1 : 0;
  }
  engine::NodeReport Report() override {
    return {.lines = {fmt::format("{}/{}", num_acked_, num_sent_)}, .num_problems = 1};
  }

 private:
  std::shared_ptr<const WorkConfig> config_;
  std::shared_ptr<Work> work_;
  engine::InstanceInfo info_;
  int64_t num_sent_ = 0;
  int64_t num_acked_ = 0;
};

engine::NodeReport MergeWork(const engine::NodeShared*,
                             std::span<const engine::NodeReport> reports) {
  int64_t acked = 0;
  int64_t sent = 0;
  for (const engine::NodeReport& report : reports) {
    acked += std::stoll(report.lines[0]);
    sent += std::stoll(report.lines[0].substr(report.lines[0].find('/') + 1));
  }
  return {.lines = {fmt::format("{} of {} acked", acked, sent)}};
}

const engine::NodeDescriptor kWork = {
    .urn = "urn:otel:test:work:receiver",
    .kind = engine::NodeKind::kReceiver,
    .parse = [](const config::Section& section,
                const engine::ValidateContext&) -> engine::NodeConfigPtr {
      return std::make_shared<const WorkConfig>(config::Read(WorkFields(), section));
    },
    .make_shared = [](const engine::NodeConfig& config,
                      const engine::ValidateContext&) -> Result<engine::NodeSharedPtr> {
      auto work = std::make_shared<Work>();
      work->num_left = dynamic_cast<const WorkConfig&>(config).batches;
      return work;
    },
    .make_receiver =
        [](const engine::NodeConfigPtr& config, const engine::NodeSharedPtr& shared,
           const engine::InstanceInfo& info) -> Result<std::unique_ptr<engine::Receiver>> {
      return std::make_unique<WorkReceiver>(std::static_pointer_cast<const WorkConfig>(config),
                                            std::static_pointer_cast<Work>(shared), info);
    },
    .merge_reports = MergeWork,
};

class Sink final : public engine::Exporter {
 public:
  Status Start(engine::Effects&) override { return Status::OK(); }
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects&) override {
    ++num_taken_;
    pdata.token.Ack();
    co_return Status::OK();
  }
  runtime::Task<Status> OnTimer(engine::TimerId, engine::Effects&) override {
    co_return Status::OK();
  }
  runtime::Task<Status> Finish(engine::Effects&) override { co_return Status::OK(); }
  engine::NodeReport Report() override { return {.lines = {"done"}, .num_problems = 2}; }

 private:
  int64_t num_taken_ = 0;
};

const engine::NodeDescriptor kSink = {
    .urn = "urn:otel:test:sink:exporter",
    .kind = engine::NodeKind::kExporter,
    .parse = [](const config::Section&, const engine::ValidateContext&) -> engine::NodeConfigPtr {
      return std::make_shared<const engine::NodeConfig>();
    },
    .make_exporter = [](const engine::NodeConfigPtr&, const engine::NodeSharedPtr&,
                        const engine::InstanceInfo&) -> Result<std::unique_ptr<engine::Exporter>> {
      return std::make_unique<Sink>();
    },
};

engine::CheckedPipeline Load(const std::string& config) {
  // Makes Arrow's type objects before there are threads: its library is not built with
  // ThreadSanitizer, which would not see that their first use is safe.
  testing::SmallLogs(1);
  static const std::array<const engine::NodeDescriptor*, 2> kNodes = {&kWork, &kSink};
  const std::string text = fmt::format(R"(
nodes:
  source:
    kind: receiver
    plugin_urn: urn:otel:test:work:receiver
    out_ports: {{out: {{destinations: [sink]}}}}
    config: {}
  sink: {{kind: exporter, plugin_urn: "urn:otel:test:sink:exporter"}}
)",
                                       config);
  return engine::LoadPipeline(text, "test.yaml", engine::NodeRegistry(kNodes), {.num_cores = 2})
      .ValueOrDie();
}

RunOptions TwoCores() {
  return {.cores = {0, 1}, .pins_threads = false, .on_force = [](const std::string& why) {
            fmt::print(stderr, "forced: {}\n", why);
            std::_Exit(3);
          }};
}

TEST(Controller, InstancesShareTheWorkAndTheProcessEndsWhenAllAreDone) {
  const engine::CheckedPipeline pipeline = Load("{batches: 5000}");
  const RunResult result = RunPipeline(pipeline, TwoCores()).ValueOrDie();
  EXPECT_EQ(result.outcome, Outcome::kClean);
  EXPECT_FALSE(result.signal.has_value());
  EXPECT_THAT(result.errors, IsEmpty());
  ASSERT_THAT(result.nodes, SizeIs(2));
  EXPECT_THAT(result.nodes[0].report.lines, ElementsAre("5000 of 5000 acked"));
  EXPECT_THAT(result.nodes[1].report.lines, ElementsAre("instance 0: done", "instance 1: done"));
  EXPECT_EQ(result.nodes[1].report.num_problems, 4);
}

TEST(Controller, AFailureOnOneCoreLeavesTheOtherAlone) {
  const engine::CheckedPipeline pipeline = Load("{batches: 100, fails: true}");
  const RunResult result = RunPipeline(pipeline, TwoCores()).ValueOrDie();
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_THAT(result.errors, ElementsAre("node 'source': broken"));
  EXPECT_THAT(result.nodes[0].report.lines, ElementsAre("100 of 100 acked"));
}

/// Raises a signal when both instances run.
std::jthread RaiseWhenRunning() {
  running_receivers = 0;
  return std::jthread([] {
    while (running_receivers < 2) {
      std::this_thread::yield();
    }
    std::raise(SIGTERM);
  });
}

TEST(Controller, ASignalDrainsEveryInstance) {
  const engine::CheckedPipeline pipeline = Load("{}");
  const std::jthread raiser = RaiseWhenRunning();
  const RunResult result = RunPipeline(pipeline, TwoCores()).ValueOrDie();
  EXPECT_EQ(result.outcome, Outcome::kClean);
  EXPECT_EQ(result.signal, SIGTERM);
}

TEST(Controller, ADrainThatTakesTooLongIsForced) {
  const engine::CheckedPipeline pipeline = Load("{batches: 10, is_stubborn: true}");
  RunOptions options = TwoCores();
  options.drain_timeout = std::chrono::milliseconds(20);
  const std::jthread raiser = RaiseWhenRunning();
  const RunResult result = RunPipeline(pipeline, options).ValueOrDie();
  EXPECT_EQ(result.outcome, Outcome::kForced);
}

TEST(ControllerDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const engine::CheckedPipeline pipeline = Load("{is_stubborn: true}");
        const std::jthread raiser([] {
          while (running_receivers < 2) {
            std::this_thread::yield();
          }
          std::raise(SIGTERM);
          while (stubborn_receivers < 2) {
            std::this_thread::yield();
          }
          std::raise(SIGINT);
        });
        RunPipeline(pipeline, TwoCores()).ValueOrDie();
      },
      ::testing::ExitedWithCode(3), "forced: SIGINT while draining");
}

}  // namespace
}  // namespace df::controller
