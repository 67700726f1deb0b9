#include "controller/controller.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

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
  int64_t failures = 0;
  bool throws = false;
  bool cannot_start = false;
  bool is_stubborn = false;
  bool blocks = false;
};

const config::FieldTable<WorkConfig>& WorkFields() {
  static const config::FieldTable<WorkConfig> table = {
      config::Integer("batches", &WorkConfig::batches, {0, 1'000'000}, "how many"),
      config::Bool("fails", &WorkConfig::fails, "the first instance fails"),
      config::Integer("failures", &WorkConfig::failures, {0, 100}, "how often instances fail"),
      config::Bool("throws", &WorkConfig::throws, "fails by an exception"),
      config::Bool("cannot_start", &WorkConfig::cannot_start, "cannot be made"),
      config::Bool("is_stubborn", &WorkConfig::is_stubborn, "does not heed a drain"),
      config::Bool("blocks", &WorkConfig::blocks, "takes the thread and does not give it back"),
  };
  return table;
}

/// What the instances of the receiver share: the work that is left.
struct Work : engine::NodeShared {
  std::atomic<int64_t> num_left{0};
  std::atomic<int64_t> num_failures_left{0};
};

/// Threads that receivers have run on.
std::mutex threads_mutex;
std::set<std::thread::id> threads;

/// Changes that receivers have taken while they ran.
std::atomic<int> num_applied{0};

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
    {
      const std::lock_guard lock(threads_mutex);
      threads.insert(std::this_thread::get_id());
    }
    ++running_receivers;
    if (--work_->num_failures_left >= 0) {
      if (config_->throws) {
        throw std::runtime_error("thrown");
      }
      co_return Status::IOError("broken");
    }
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
    if (config_->blocks) {
      while (true) {
        std::this_thread::yield();
      }
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
  Status OnConfig(const engine::NodeConfigPtr& config) override {
    if (dynamic_cast<const WorkConfig&>(*config).fails) {
      return Status::Invalid("cannot be told to fail");
    }
    ++num_applied;
    return Status::OK();
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
    .urn = "urn:otel:receiver:test_work",
    .kind = engine::NodeKind::kReceiver,
    .parse = [](const config::Section& section,
                const engine::ValidateContext&) -> engine::NodeConfigPtr {
      return std::make_shared<const WorkConfig>(config::Read(WorkFields(), section));
    },
    .applies_config = true,
    .make_shared = [](const engine::NodeConfig& config,
                      const engine::ValidateContext&) -> Result<engine::NodeSharedPtr> {
      auto work = std::make_shared<Work>();
      work->num_left = dynamic_cast<const WorkConfig&>(config).batches;
      work->num_failures_left = dynamic_cast<const WorkConfig&>(config).failures;
      return work;
    },
    .make_receiver =
        [](const engine::NodeConfigPtr& config, const engine::NodeSharedPtr& shared,
           const engine::InstanceInfo& info) -> Result<std::unique_ptr<engine::Receiver>> {
      if (dynamic_cast<const WorkConfig&>(*config).cannot_start) {
        return Status::IOError("no path");
      }
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
    .urn = "urn:otel:exporter:test_sink",
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
    plugin_urn: urn:otel:receiver:test_work
    out_ports: {{out: {{destinations: [sink]}}}}
    config: {}
  sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_sink"}}
)",
                                       config);
  return engine::LoadPipeline(text, "test.yaml", engine::NodeRegistry(kNodes), {.num_cores = 2})
      .ValueOrDie();
}

/// Of the plans that are made next.
std::string policies;

PipelinePlanPtr Plan(const std::string& config, const std::string& name = "main",
                     std::vector<int> cores = {0, 1}) {
  auto plan = std::make_shared<PipelinePlan>();
  plan->pipeline = Load(config);
  plan->pipeline.group = "default";
  plan->pipeline.name = name;
  plan->pipeline.cores = std::move(cores);
  plan->pipeline.policies.runtime_recovery.initial_backoff = std::chrono::milliseconds(1);
  plan->pipeline.policies.runtime_recovery.max_backoff = std::chrono::milliseconds(1);
  plan->node_configs = {config, ""};
  plan->policies = policies;
  plan->document = config;
  return plan;
}

ControllerOptions Unpinned() {
  ControllerOptions options;
  options.pins_threads = false;
  options.on_force = [](const std::string& why) {
    fmt::print(stderr, "forced: {}\n", why);
    std::_Exit(3);
  };
  options.check = [](const PipelineKey& key, std::string_view text,
                     std::span<const PipelinePlanPtr>) -> Result<PipelinePlanPtr> {
    if (text == "bad") {
      return Status::Invalid("bad");
    }
    return Plan(std::string(text), key.pipeline);
  };
  return options;
}

RunResult RunAll(std::vector<PipelinePlanPtr> plans) {
  return RunPipelines(std::move(plans), Unpinned()).ValueOrDie();
}

TEST(Controller, InstancesShareTheWorkAndTheProcessEndsWhenAllAreDone) {
  const RunResult result = RunAll({Plan("{batches: 5000}")});
  EXPECT_EQ(result.outcome, Outcome::kClean);
  EXPECT_FALSE(result.signal.has_value());
  ASSERT_THAT(result.pipelines, SizeIs(1));
  const PipelineSummary& pipeline = result.pipelines[0];
  EXPECT_THAT(pipeline.errors, IsEmpty());
  ASSERT_THAT(pipeline.nodes, SizeIs(2));
  EXPECT_THAT(pipeline.nodes[0].report.lines, ElementsAre("5000 of 5000 acked"));
  EXPECT_THAT(pipeline.nodes[1].report.lines, ElementsAre("instance 0: done", "instance 1: done"));
  EXPECT_EQ(pipeline.nodes[1].report.num_problems, 4);
}

TEST(Controller, AFailureOnOneCoreLeavesTheOtherAlone) {
  const RunResult result = RunAll({Plan("{batches: 100, fails: true}")});
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_THAT(result.pipelines[0].errors, ElementsAre("node 'source': broken"));
  EXPECT_THAT(result.pipelines[0].nodes[0].report.lines, ElementsAre("100 of 100 acked"));
  EXPECT_EQ(result.pipelines[0].num_restarts, 5);
}

TEST(Controller, AFailedInstanceGoesOnWithWhatIsLeftOfTheWork) {
  for (const char* config :
       {"{batches: 100, failures: 4}", "{batches: 100, failures: 4, throws: true}"}) {
    const RunResult result = RunAll({Plan(config)});
    EXPECT_EQ(result.outcome, Outcome::kClean);
    EXPECT_THAT(result.pipelines[0].errors, IsEmpty());
    EXPECT_THAT(result.pipelines[0].recovered, SizeIs(4));
    EXPECT_EQ(result.pipelines[0].num_restarts, 4);
    EXPECT_THAT(result.pipelines[0].nodes[0].report.lines, ElementsAre("100 of 100 acked"));
    EXPECT_THAT(result.pipelines[0].nodes[1].report.lines, SizeIs(6));
  }
}

TEST(Controller, AnErrorWhileStartingEndsTheProcessWithoutRestarts) {
  const RunResult result = RunAll({Plan("{cannot_start: true}")});
  EXPECT_EQ(result.outcome, Outcome::kFailed);
  EXPECT_EQ(result.pipelines[0].num_restarts, 0);
  EXPECT_THAT(result.pipelines[0].errors,
              ElementsAre("node 'source': no path", "node 'source': no path"));
}

TEST(Controller, PipelinesOnOneCoreShareItsThread) {
  threads.clear();
  const RunResult result =
      RunAll({Plan("{batches: 10}", "one", {0, 1}), Plan("{batches: 10}", "two", {0, 1}),
              Plan("{batches: 10}", "three", {1})});
  EXPECT_THAT(threads, SizeIs(2));
  for (const PipelineSummary& pipeline : result.pipelines) {
    EXPECT_THAT(pipeline.nodes[0].report.lines, ElementsAre("10 of 10 acked"));
  }
}

/// A controller that runs on a thread of its own until the test has seen enough.
class RunningController {
 public:
  explicit RunningController(std::vector<PipelinePlanPtr> plans, bool stays_up = true) {
    ControllerOptions options = Unpinned();
    options.stays_up = stays_up;
    controller_ = Controller::Make(std::move(plans), std::move(options)).ValueOrDie();
    thread_ = std::jthread([this] { result_ = controller_->Run(); });
  }

  ControlPlane* operator->() { return controller_.get(); }

  void WaitUntilReady() {
    const auto is_ready = [](const PipelineStatus& pipeline) { return pipeline.is_ready; };
    std::vector<PipelineStatus> pipelines;
    while (pipelines.empty() || !std::ranges::all_of(pipelines, is_ready)) {
      std::this_thread::yield();
      pipelines = controller_->Pipelines();
    }
  }

  /// Waits for the end of an operation that was accepted.
  OperationStatus Await(const Result<OperationStatus>& accepted) {
    using enum OperationStatus::State;
    OperationStatus status = accepted.ValueOrDie();
    while (status.state == kPending || status.state == kRunning || status.state == kRollingBack) {
      std::this_thread::yield();
      status = controller_->Operation(key, status.id).ValueOrDie();
    }
    return status;
  }

  RunResult End() {
    controller_->Shutdown("test");
    thread_.join();
    return std::move(result_);
  }

  PipelineKey key = {"default", "main"};

 private:
  std::unique_ptr<Controller> controller_;
  RunResult result_;
  std::jthread thread_;
};

TEST(Controller, IsToldToStopAndStartAndEnd) {
  RunningController controller({Plan("{}")});
  controller.WaitUntilReady();
  EXPECT_EQ(controller.Await(controller->Stop(controller.key, std::chrono::seconds(5))).state,
            OperationStatus::State::kSucceeded);
  EXPECT_EQ(controller->Pipeline(controller.key)->phase, config::InstancePhase::kStopped);
  EXPECT_FALSE(controller->Pipeline(controller.key)->is_ready);
  EXPECT_EQ(controller.Await(controller->Start(controller.key)).state,
            OperationStatus::State::kSucceeded);
  EXPECT_TRUE(controller->Pipeline(controller.key)->is_ready);
  const RunResult result = controller.End();
  EXPECT_EQ(result.outcome, Outcome::kClean);
  EXPECT_EQ(result.reason, "test");
  EXPECT_TRUE(controller->is_draining());
  EXPECT_TRUE(controller->Start(controller.key).status().IsCancelled());
}

TEST(Controller, APipelineIsReadyAllThroughItsReplacement) {
  RunningController controller({Plan("{}")});
  controller.WaitUntilReady();
  std::atomic<bool> is_over{false};
  std::atomic<int> num_looks{0};
  std::jthread observer([&] {
    while (!is_over) {
      EXPECT_TRUE(controller->Pipeline(controller.key)->is_ready);
      ++num_looks;
    }
  });
  for (int i = 1; i <= 5; ++i) {
    // Another policy: no node takes it while it runs.
    policies = std::to_string(i);
    const auto accepted = controller->Put(controller.key, "{}", {});
    EXPECT_EQ(controller.Await(accepted).state, OperationStatus::State::kSucceeded);
  }
  while (num_looks < 2) {
    std::this_thread::yield();
  }
  is_over = true;
  observer.join();
  controller.End();
}

TEST(Controller, AChangeThatANodeTakesWhileItRunsReplacesNothing) {
  num_applied = 0;
  RunningController controller({Plan("{}")});
  controller.WaitUntilReady();
  const OperationStatus taken =
      controller.Await(controller->Put(controller.key, "{batches: 0}", {}));
  EXPECT_EQ(taken.action, "apply_in_place");
  EXPECT_EQ(taken.state, OperationStatus::State::kSucceeded);
  EXPECT_EQ(num_applied, 2);
  EXPECT_EQ(controller->PipelineDocument(controller.key).ValueOrDie(), "{batches: 0}");
  const OperationStatus refused =
      controller.Await(controller->Put(controller.key, "{fails: true}", {}));
  EXPECT_EQ(refused.state, OperationStatus::State::kRolledBack);
  EXPECT_EQ(refused.reason,
            "node 'source': cannot be told to fail; node 'source': cannot be told to fail");
  EXPECT_EQ(controller->PipelineDocument(controller.key).ValueOrDie(), "{batches: 0}");
  EXPECT_TRUE(controller->Put(controller.key, "bad", {}).status().IsInvalid());
  controller.End();
}

TEST(Controller, APipelineIsMadeAndDeletedWhileAnotherRuns) {
  RunningController controller({Plan("{}", "other", {0})});
  controller.WaitUntilReady();
  EXPECT_EQ(controller.Await(controller->Put(controller.key, "{cannot_start: true}", {})).state,
            OperationStatus::State::kRolledBack);
  EXPECT_EQ(controller.Await(controller->Put(controller.key, "{}", {})).state,
            OperationStatus::State::kSucceeded);
  EXPECT_THAT(controller->Pipelines(), SizeIs(2));
  EXPECT_FALSE(controller->metrics().Snapshot().families.empty());
  EXPECT_EQ(controller.Await(controller->Delete(controller.key, std::chrono::seconds(5))).state,
            OperationStatus::State::kSucceeded);
  EXPECT_THAT(controller->Pipelines(), SizeIs(1));
  EXPECT_EQ(controller.End().outcome, Outcome::kClean);
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
  const std::jthread raiser = RaiseWhenRunning();
  const RunResult result = RunAll({Plan("{}")});
  EXPECT_EQ(result.outcome, Outcome::kClean);
  EXPECT_EQ(result.signal, SIGTERM);
}

TEST(Controller, ADrainThatTakesTooLongIsForced) {
  auto plan = std::make_shared<PipelinePlan>(*Plan("{batches: 10, is_stubborn: true}"));
  plan->pipeline.policies.shutdown.drain_timeout = std::chrono::milliseconds(20);
  const std::jthread raiser = RaiseWhenRunning();
  const RunResult result = RunAll({plan});
  EXPECT_EQ(result.outcome, Outcome::kForced);
}

TEST(ControllerDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        const PipelinePlanPtr plan = Plan("{is_stubborn: true}");
        const std::jthread raiser([] {
          while (running_receivers < 2) {
            std::this_thread::yield();
          }
          std::raise(SIGTERM);
          // The time counts from when the signal is seen, which a drain shows.
          while (stubborn_receivers < 2) {
            std::this_thread::yield();
          }
          const auto counts = std::chrono::steady_clock::now() + SignalPolicy::kSameWish;
          while (std::chrono::steady_clock::now() < counts) {
            std::this_thread::yield();
          }
          std::raise(SIGINT);
        });
        RunAll({plan});
      },
      ::testing::ExitedWithCode(3), "forced: SIGINT while draining");
}

TEST(ControllerDeathTest, AThreadThatDoesNotEndIsForcedWithoutAnySignal) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        auto plan = std::make_shared<PipelinePlan>(*Plan("{blocks: true}"));
        plan->pipeline.policies.shutdown.drain_timeout = std::chrono::milliseconds(1);
        RunningController controller({plan});
        while (running_receivers < 2) {
          std::this_thread::yield();
        }
        controller.End();
      },
      ::testing::ExitedWithCode(3), "forced: 2 instances do not end");
}

}  // namespace
}  // namespace df::controller
