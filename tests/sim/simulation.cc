#include "sim/simulation.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "engine/pipeline_instance.h"
#include "otlp/compare/item_counts.h"
#include "otlp/encode.h"
#include "sim/batch_pool.h"
#include "sim/plan.h"
#include "sim/scripted_nodes.h"
#include "telemetry/names.h"
#include "testing/simulated_clock.h"

namespace df::sim {
namespace {

namespace names = telemetry::names;

/// A pipeline that goes on at one moment for so many steps will go on for ever.
constexpr int64_t kMaxStepsAtOnce = 200'000;
constexpr int64_t kMaxMoments = 100'000;

/// Longer than any pause of a node that is drawn.
constexpr std::chrono::nanoseconds kMaxQuiet = std::chrono::seconds(1);

/// Encoding is the dearest check: some seeds are enough.
constexpr uint64_t kEncodeEvery = 8;

class RandomOrder final : public runtime::ReadyOrder {
 public:
  RandomOrder(uint64_t seed, bool is_random) : random_(seed), is_random_(is_random) {}

  size_t Choose(size_t num_ready) override {
    if (++num_steps_ > kMaxStepsAtOnce) {
      on_livelock();
    }
    return is_random_ ? random_() % num_ready : 0;
  }

  void OnTimeMoves() { num_steps_ = 0; }

  std::function<void()> on_livelock;

 private:
  std::mt19937_64 random_;
  bool is_random_;
  int64_t num_steps_ = 0;
};

class Simulation {
 public:
  Simulation(uint64_t seed, std::vector<const engine::NodeDescriptor*> nodes)
      : order_(seed, false), ledger_(&clock_) {
    nodes.push_back(&SourceDescriptor());
    nodes.push_back(&StepDescriptor());
    nodes.push_back(&SinkDescriptor());
    registry_.emplace(nodes);
    plan_ = DrawPlan(seed, *registry_);
    order_ = RandomOrder(seed, plan_.is_order_random);
  }

  SimulationResult Run() {
    result_.seed = plan_.seed;
    result_.document = plan_.ToYaml();
    const Status status = Prepare();
    if (!status.ok()) {
      ledger_.AddProblem(7, "{}", status.message());
    } else {
      RunInstance(/*is_second=*/false);
      if (plan_.is_restarted && ledger_.problems.empty()) {
        Restart();
      }
    }
    TakeResult();
    return std::move(result_);
  }

 private:
  void TakeResult() {
    result_.problems = ledger_.problems;
    result_.trace_hash = ledger_.trace.hash();
    result_.num_events = ledger_.trace.num_events();
    result_.num_batches = static_cast<int64_t>(ledger_.batches.size());
    for (const BatchFate& fate : ledger_.batches) {
      result_.num_acked += fate.is_acked ? 1 : 0;
    }
    if (!result_.problems.empty()) {
      result_.last_events = ledger_.trace.Last();
    }
  }

  Status Prepare() {
    order_.on_livelock = [this] {
      ledger_.AddProblem(4, "the pipeline goes on for ever at one moment");
      TakeResult();
      fmt::print(stderr, "{}", result_.Explain());
      std::fflush(stderr);
      std::abort();
    };
    ARROW_ASSIGN_OR_RAISE(
        pipeline_, engine::LoadPipeline(result_.document, "simulation.yaml", *registry_, {}));
    std::mt19937_64 random(plan_.seed + 1);
    size_t receiver = 0;
    for (const engine::CheckedNode& node : pipeline_.nodes) {
      engine::NodeSharedPtr shared;
      if (node.descriptor->make_shared != nullptr) {
        ARROW_ASSIGN_OR_RAISE(shared, node.descriptor->make_shared(*node.config, {}));
      }
      if (auto* script = dynamic_cast<Script*>(shared.get())) {
        script->name = node.name;
        script->ledger = &ledger_;
      }
      if (auto* script = dynamic_cast<ReceiverScript*>(shared.get())) {
        for (int64_t i = 0; i < plan_.num_batches[receiver]; ++i) {
          script->to_send.push_back(ledger_.AddBatch(*PooledBatch(random())));
        }
        ++receiver;
        receivers_.push_back(script);
      }
      if (auto* script = dynamic_cast<ExporterScript*>(shared.get())) {
        exporters_.push_back(script);
      }
      shared_.push_back(std::move(shared));
    }
    return Status::OK();
  }

  void RunInstance(bool is_second) {
    telemetry::Registry metrics;
    runtime::EventLoop loop(clock_);
    loop.SetReadyOrder(&order_);
    auto made = engine::PipelineInstance::Make(pipeline_, shared_, &loop, &metrics, {});
    if (!made.ok()) {
      ledger_.AddProblem(7, "{}", made.status().message());
      return;
    }
    instance_ = std::move(made).ValueUnsafe();
    Drive(&loop, is_second);
    if (instance_->has_ended()) {
      Finish(&metrics, is_second);
    }
    // Whatever the end was, the last destructor is the last outcome.
    instance_.reset();
    CheckOutcomes();
  }

  /// Moves from timer to timer until the instance has ended.
  void Drive(runtime::EventLoop* loop, bool is_second) {
    const runtime::SteadyTime start = clock_.Now();
    instance_->Start([] {});
    loop->RunUntilIdle();
    CheckQuiescent();
    for (int64_t moment = 0; !instance_->has_ended(); ++moment) {
      const std::optional<runtime::SteadyTime> next = loop->NextDeadline();
      const bool is_drain_due = !is_second && plan_.drain_after.count() > 0 &&
                                (!next.has_value() || start + plan_.drain_after <= *next);
      if (!instance_->is_draining() && (is_drain_due || IsWaitingForDrain(next))) {
        if (is_drain_due && start + plan_.drain_after > clock_.Now()) {
          clock_.Advance(start + plan_.drain_after - clock_.Now());
        }
        RequestDrain(is_drain_due);
      } else if (!next.has_value()) {
        ledger_.AddProblem(4, "a drain goes on and nothing will happen any more");
        return;
      } else if (*next > clock_.Now()) {
        clock_.Advance(*next - clock_.Now());
      }
      order_.OnTimeMoves();
      loop->RunUntilIdle();
      CheckQuiescent();
      if (moment > kMaxMoments) {
        ledger_.AddProblem(4, "the pipeline does not come to its end");
        return;
      }
    }
  }

  /// Nothing but a drain brings the pipeline on: no timer is left, or only periodic ones.
  bool IsWaitingForDrain(std::optional<runtime::SteadyTime> next) const {
    return !next.has_value() || *next - ledger_.trace.last_progress() > kMaxQuiet;
  }

  void RequestDrain(bool is_planned) {
    ledger_.trace.Add("simulation", "drain", 0);
    if (!is_planned && !MayWaitForEver()) {
      ledger_.AddProblem(4, "the pipeline hangs: nothing happens any more before it has ended");
    }
    instance_->RequestDrain();
    drain_deadline_ = clock_.Now() + plan_.drain_timeout;
  }

  bool MayWaitForEver() const {
    bool has_staying_receiver = false;
    for (const ReceiverScript* receiver : receivers_) {
      if (!receiver->is_done) {
        return plan_.may_stall;  // it waits behind something
      }
      has_staying_receiver |= receiver->stays;
    }
    return has_staying_receiver || plan_.may_stall;
  }

  void CheckQuiescent() {
    const int64_t used = instance_->memory().used_bytes();
    if (!plan_.changes_sizes && used != ledger_.live_bytes()) {
      ledger_.AddProblem(3, "{} bytes are charged and {} are on their way", used,
                         ledger_.live_bytes());
    }
    for (const engine::EdgeLeft& edge : instance_->WhatIsLeft()) {
      if (edge.num_batches > plan_.max_messages) {
        ledger_.AddProblem(3, "{} batches wait in front of '{}', allowed are {}", edge.num_batches,
                           edge.node, plan_.max_messages);
      }
      if (edge.size_bytes > plan_.max_bytes && edge.num_batches > 1) {
        ledger_.AddProblem(3, "{} bytes wait in front of '{}'", edge.size_bytes, edge.node);
      }
      if (edge.num_senders > 0 && edge.num_batches == 0 && !instance_->has_ended()) {
        ledger_.AddProblem(3, "senders wait in front of '{}', which is empty", edge.node);
      }
      // Other nodes may wait for room inside a call of a timer.
      const bool is_sink = edge.node.starts_with("sink");
      if (is_sink && edge.num_batches > 0 && edge.num_in_node == 0 && !instance_->has_ended()) {
        ledger_.AddProblem(5, "'{}' has nothing to do, and {} batches wait for it", edge.node,
                           edge.num_batches);
      }
    }
  }

  void Finish(telemetry::Registry* metrics, bool is_second) {
    if (drain_deadline_.has_value() && clock_.Now() > *drain_deadline_) {
      ledger_.AddProblem(4, "the drain has ended after its deadline");
    }
    const engine::InstanceResult result = instance_->TakeResult();
    result_.was_forced |= result.was_forced;
    bool has_failed = false;
    for (const ExporterScript* exporter : exporters_) {
      has_failed |= exporter->has_failed;
    }
    result_.has_failed = has_failed;
    if (has_failed != !result.errors.empty() && !is_second) {
      ledger_.AddProblem(4, "errors of the pipeline: [{}]", fmt::join(result.errors, "; "));
    }
    const bool is_timeout_short = plan_.drain_timeout < std::chrono::seconds(1);
    if (result.was_forced && !plan_.may_stall && !is_timeout_short) {
      ledger_.AddProblem(4, "the drain was ended by force, and nothing has held it up");
    }
    const bool is_clean = !result.was_forced && !has_failed;
    CheckItems(is_clean);
    CheckMetrics(metrics->Snapshot(), is_clean);
    if (!is_second && plan_.seed % kEncodeEvery == 0) {
      CheckRecords();
    }
  }

  void CheckOutcomes() {
    for (size_t i = 0; i < ledger_.batches.size(); ++i) {
      const BatchFate& fate = ledger_.batches[i];
      if (fate.num_outcomes != fate.num_tokens) {
        ledger_.AddProblem(1, "batch {} was sent {} times and had {} outcomes", i, fate.num_tokens,
                           fate.num_outcomes);
      }
    }
    if (ledger_.live_bytes() != 0) {
      ledger_.AddProblem(1, "{} bytes are left", ledger_.live_bytes());
    }
  }

  void CheckItems(bool is_clean) {
    for (size_t i = 0; i < ledger_.items.size(); ++i) {
      const ItemFate& item = ledger_.items[i];
      const BatchFate& batch = ledger_.batches[static_cast<size_t>(item.batch)];
      const int64_t most = plan_.max_copies * std::max(1, batch.num_tokens);
      if (!plan_.may_repeat && item.num_deliveries > most) {
        ledger_.AddProblem(2, "item {} was delivered {} times", i, item.num_deliveries);
      }
      if (is_clean && batch.is_acked && !plan_.may_repeat && plan_.max_copies == 1 &&
          batch.num_tokens == 1 && item.num_acked != 1) {
        ledger_.AddProblem(2, "item {} was acked {} times and sent once", i, item.num_acked);
      }
    }
  }

  void CheckMetrics(const telemetry::MetricSnapshot& metrics, bool is_clean) {
    const auto sum = [&metrics](const telemetry::Instrument& instrument, const std::string& node) {
      return metrics.Sum(instrument.name,
                         telemetry::Attributes({{std::string(names::kNodeId), node}}));
    };
    int64_t num_handed_over = 0;
    int64_t num_taken = 0;
    for (const PlanNode& node : plan_.nodes) {
      int64_t fan_out = 1;
      for (const PlanPort& port : node.ports) {
        if (port.strategy == config::DispatchStrategy::kBroadcast) {
          fan_out = std::max(fan_out, static_cast<int64_t>(port.destinations.size()));
        }
      }
      num_handed_over += sum(names::kNodeBatchesOut, node.name) * fan_out;
      num_taken += sum(names::kNodeBatchesIn, node.name);
      if (sum(names::kNodeBatchesPending, node.name) != 0) {
        ledger_.AddProblem(8, "{}: {} pending at the end", node.name,
                           sum(names::kNodeBatchesPending, node.name));
      }
    }
    // A node with several ports may broadcast on one of them and not on another.
    if (is_clean && num_taken > num_handed_over) {
      ledger_.AddProblem(8, "{} batches were handed over and {} taken", num_handed_over, num_taken);
    }
    CheckEnds(sum);
  }

  /// Compares the metrics of the first and last nodes with what those have seen themselves.
  template <typename Sum>
  void CheckEnds(const Sum& sum) {
    int64_t num_outcomes = 0;
    for (const ReceiverScript* receiver : receivers_) {
      num_outcomes += sum(names::kNodeBatchesAcked, receiver->name) +
                      sum(names::kNodeBatchesNacked, receiver->name);
      const int64_t num_out = sum(names::kNodeBatchesOut, receiver->name);
      if (num_out != receiver->num_sends) {
        ledger_.AddProblem(8, "{} has sent {} batches, the metric says {}", receiver->name,
                           receiver->num_sends, num_out);
      }
    }
    int64_t num_expected = -num_outcomes_before_;
    for (const BatchFate& fate : ledger_.batches) {
      num_expected += fate.num_outcomes;
    }
    if (num_outcomes != num_expected) {
      ledger_.AddProblem(8, "{} outcomes were heard, metrics say {}", num_expected, num_outcomes);
    }
    for (const ExporterScript* exporter : exporters_) {
      const int64_t num_in = sum(names::kNodeBatchesIn, exporter->name);
      if (num_in != exporter->num_exports) {
        ledger_.AddProblem(8, "{} has taken {} batches, the metric says {}", exporter->name,
                           exporter->num_exports, num_in);
      }
    }
  }

  /// Compares the OTLP records of the batches that have arrived in full, and once.
  void CheckRecords() {
    if (plan_.changes_records || plan_.may_repeat || plan_.max_copies > 1) {
      return;
    }
    for (const otap::Signal signal :
         {otap::Signal::kLogs, otap::Signal::kTraces, otap::Signal::kMetrics}) {
      otlp::ItemCounts counts(signal, {});
      for (const BatchFate& fate : ledger_.batches) {
        const int64_t num_delivered = NumDelivered(fate);
        if (fate.batch->signal() != signal || num_delivered == 0) {
          continue;
        }
        if (num_delivered != fate.batch->num_items()) {
          return;  // of a batch that was divided a part has arrived: what else of it, nobody knows
        }
        Require(counts.AddExpected(otlp::EncodeRequest(*fate.batch).ValueOrDie()));
      }
      for (const otap::BatchPtr& batch : ledger_.delivered) {
        if (batch->signal() == signal) {
          Require(counts.AddActual(otlp::EncodeRequest(*batch).ValueOrDie()));
        }
      }
      const otlp::Comparison comparison = counts.Compare();
      if (!comparison.is_equal()) {
        ledger_.AddProblem(6, "{}", comparison.Line(signal));
      }
    }
  }

  int64_t NumDelivered(const BatchFate& fate) const {
    int64_t count = 0;
    for (int64_t i = 0; i < fate.batch->num_items(); ++i) {
      count += ledger_.items[static_cast<size_t>(fate.first_item + i)].num_deliveries;
    }
    return count;
  }

  void Require(const Status& status) {
    if (!status.ok()) {
      ledger_.AddProblem(6, "{}", status.message());
    }
  }

  /// A second instance over the same shared state, as after a restart; its exporters behave.
  void Restart() {
    ledger_.trace.Add("simulation", "restart", 0);
    for (ReceiverScript* receiver : receivers_) {
      receiver->num_sends = 0;
    }
    std::vector<int64_t> expected;
    size_t receiver = 0;
    int64_t left = plan_.num_batches.empty() ? 0 : plan_.num_batches[0];
    for (ReceiverScript* script : receivers_) {
      script->to_send.clear();
    }
    for (size_t i = 0; i < ledger_.batches.size(); ++i) {
      while (left == 0) {
        left = plan_.num_batches[++receiver];
      }
      --left;
      const BatchFate& fate = ledger_.batches[i];
      num_outcomes_before_ += fate.num_outcomes;
      if (!fate.is_acked) {
        receivers_[receiver]->to_send.push_back(static_cast<int64_t>(i));
        expected.push_back(fate.num_tokens + 1);
      } else {
        expected.push_back(fate.num_tokens);
      }
    }
    for (ExporterScript* exporter : exporters_) {
      exporter->behaves_well = true;
      exporter->num_exports = 0;
      exporter->has_failed = false;
    }
    drain_deadline_.reset();
    RunInstance(/*is_second=*/true);
    for (size_t i = 0; i < ledger_.batches.size(); ++i) {
      if (ledger_.batches[i].num_tokens != expected[i]) {
        ledger_.AddProblem(9, "batch {} was sent {} times, expected {}", i,
                           ledger_.batches[i].num_tokens, expected[i]);
      }
    }
  }

  testing::SimulatedClock clock_;
  RandomOrder order_;
  std::optional<engine::NodeRegistry> registry_;
  Plan plan_;
  Ledger ledger_;
  engine::CheckedPipeline pipeline_;
  std::vector<engine::NodeSharedPtr> shared_;
  std::vector<ReceiverScript*> receivers_;
  std::vector<ExporterScript*> exporters_;
  std::unique_ptr<engine::PipelineInstance> instance_;
  std::optional<runtime::SteadyTime> drain_deadline_;
  int64_t num_outcomes_before_ = 0;
  SimulationResult result_;
};

}  // namespace

std::string SimulationResult::Explain() const {
  std::string text = fmt::format("seed {}: {} problems\n", seed, problems.size());
  for (const std::string& problem : problems) {
    text += fmt::format("  {}\n", problem);
  }
  text +=
      fmt::format("\n{}\nlast of {} events (hash {:016x}):\n", document, num_events, trace_hash);
  for (const std::string& event : last_events) {
    text += event + "\n";
  }
  return text + fmt::format("again: ./dev sim --seeds 1 --seed {}\n", seed);
}

SimulationResult Simulate(uint64_t seed, const std::vector<const engine::NodeDescriptor*>& nodes) {
  return Simulation(seed, nodes).Run();
}

}  // namespace df::sim
