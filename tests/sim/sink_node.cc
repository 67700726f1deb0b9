#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "sim/scripted_nodes.h"

namespace df::sim {
namespace {

struct SinkConfig : engine::NodeConfig {
  int64_t seed = 0;
  int64_t nack_percent = 0;
  int64_t refuse_percent = 0;
  int64_t late_percent = 0;
  int64_t fall_percent = 0;
  int64_t hold_percent = 0;
  int64_t pause_percent = 0;
  int64_t stall_after = -1;
  int64_t fail_after = -1;
  int64_t throw_after = -1;
  std::chrono::nanoseconds tick{0};
};

const config::FieldTable<SinkConfig>& SinkFields() {
  static constexpr config::Range kPercent = {0, 100};
  static const config::FieldTable<SinkConfig> table = {
      config::Integer("seed", &SinkConfig::seed, {}, "of its choices"),
      config::Integer("nack_percent", &SinkConfig::nack_percent, kPercent, "refused for now"),
      config::Integer("refuse_percent", &SinkConfig::refuse_percent, kPercent, "refused for good"),
      config::Integer("late_percent", &SinkConfig::late_percent, kPercent, "answered later"),
      config::Integer("fall_percent", &SinkConfig::fall_percent, kPercent, "let fall"),
      config::Integer("hold_percent", &SinkConfig::hold_percent, kPercent, "held to the end"),
      config::Integer("pause_percent", &SinkConfig::pause_percent, kPercent, "waits in the call"),
      config::Integer("stall_after", &SinkConfig::stall_after, {-1, INT64_MAX},
                      "batches until one call never ends"),
      config::Integer("fail_after", &SinkConfig::fail_after, {-1, INT64_MAX},
                      "batches until an error"),
      config::Integer("throw_after", &SinkConfig::throw_after, {-1, INT64_MAX},
                      "batches until an exception"),
      config::Duration("tick", &SinkConfig::tick, "period of a timer", {0, INT64_MAX}),
  };
  return table;
}

constexpr engine::TimerId kAnswers = 0;
constexpr engine::TimerId kTicks = 1;

// A tick may find one batch in work and one that was taken before the tick was due; a third would
// mean that data goes before control.
constexpr int64_t kMaxBatchesBeforeTick = 2;

class Sink final : public engine::Exporter {
 public:
  Sink(std::shared_ptr<const SinkConfig> config, std::shared_ptr<ExporterScript> script)
      : config_(std::move(config)),
        script_(std::move(script)),
        random_(static_cast<uint64_t>(config_->seed)) {}

  Status Start(engine::Effects& effects) override {
    never_.emplace(&effects.loop());
    if (config_->tick.count() > 0) {
      effects.StartTimer(kTicks, config_->tick);
      next_tick_ = effects.clock().Now() + config_->tick;
    }
    return Status::OK();
  }

  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects& effects) override {
    const int64_t number = script_->num_exports++;
    Ledger& ledger = *script_->ledger;
    ledger.trace.Add(script_->name, "export", pdata.batch->num_items());
    CountBatchBeforeTick(effects);
    if (!script_->behaves_well) {
      if (number == config_->throw_after || number == config_->fail_after) {
        script_->has_failed = true;
        ledger.trace.Add(script_->name, "fails", number);
        if (number == config_->throw_after) {
          throw std::runtime_error("thrown by a simulation");
        }
        co_return Status::IOError("returned by a simulation");
      }
      if (number == config_->stall_after) {
        script_->is_stalled = true;
        ledger.trace.Add(script_->name, "stalls", number);
        co_await never_->Wait();
      }
      if (Draw(config_->pause_percent)) {
        const auto pause = std::chrono::microseconds(random_() % 30'000);
        co_await effects.loop().SleepFor(pause, nullptr);
        is_late_ = true;  // time has passed in this call, so ticks wait behind it
      }
    }
    Taken taken;
    taken.items = ledger.OnDelivered(pdata.batch);
    taken.pdata = std::move(pdata);
    Decide(std::move(taken), effects);
    co_return Status::OK();
  }

  runtime::Task<Status> OnTimer(engine::TimerId id, engine::Effects& effects) override {
    const runtime::SteadyTime now = effects.clock().Now();
    script_->ledger->trace.Add(script_->name, id == kTicks ? "tick" : "answers", 0);
    if (id == kAnswers) {
      AnswerDue(now);
      SetTimer(effects);
      co_return Status::OK();
    }
    ++script_->num_ticks;
    if (now < next_tick_) {
      script_->ledger->AddProblem(5, "{}: a tick {} ns early", script_->name,
                                  (next_tick_ - now).count());
    }
    while (next_tick_ <= now) {
      next_tick_ += config_->tick;
    }
    num_since_due_ = 0;
    is_late_ = false;
    co_return Status::OK();
  }

  runtime::Task<Status> Finish(engine::Effects& effects) override {
    held_.clear();  // never answered: they fall
    while (!late_.empty()) {
      co_await effects.loop().SleepUntil(FirstDue(), nullptr);
      AnswerDue(effects.clock().Now());
    }
    script_->ledger->trace.Add(script_->name, "finished", 0);
    co_return Status::OK();
  }

  engine::NodeReport Report() override { return {}; }

 private:
  struct Taken {
    engine::Pdata pdata;
    std::vector<int64_t> items;
    runtime::SteadyTime due;
  };

  bool Draw(int64_t percent) { return static_cast<int64_t>(random_() % 100) < percent; }

  void CountBatchBeforeTick(engine::Effects& effects) {
    if (config_->tick.count() == 0 || effects.clock().Now() < next_tick_ || is_late_) {
      return;
    }
    if (++num_since_due_ > kMaxBatchesBeforeTick) {
      script_->ledger->AddProblem(5, "{}: {} batches came before a tick that was due",
                                  script_->name, num_since_due_);
    }
  }

  void Decide(Taken taken, engine::Effects& effects) {
    if (script_->behaves_well) {
      Answer(std::move(taken), engine::Outcome::Ack());
    } else if (Draw(config_->fall_percent)) {
      script_->ledger->trace.Add(script_->name, "lets fall", 0);
    } else if (Draw(config_->hold_percent)) {
      held_.push_back(std::move(taken));
    } else if (Draw(config_->late_percent)) {
      taken.due = effects.clock().Now() + std::chrono::microseconds(random_() % 60'000);
      late_.push_back(std::move(taken));
      SetTimer(effects);
    } else {
      Answer(std::move(taken), DrawOutcome());
    }
  }

  engine::Outcome DrawOutcome() {
    if (Draw(config_->nack_percent)) {
      return engine::Outcome::Nack("not now", false);
    }
    if (Draw(config_->refuse_percent)) {
      return engine::Outcome::Nack("never", true);
    }
    return engine::Outcome::Ack();
  }

  void Answer(Taken taken, const engine::Outcome& outcome) {
    script_->ledger->trace.Add(script_->name, outcome.is_ack ? "acks" : "nacks",
                               taken.pdata.batch->num_items());
    script_->ledger->OnAnswered(taken.items, outcome.is_ack);
    taken.pdata.token.Complete(outcome);
  }

  runtime::SteadyTime FirstDue() const {
    return std::min_element(late_.begin(), late_.end(),
                            [](const Taken& a, const Taken& b) { return a.due < b.due; })
        ->due;
  }

  void AnswerDue(runtime::SteadyTime now) {
    for (size_t i = 0; i < late_.size();) {
      if (late_[i].due > now) {
        ++i;
        continue;
      }
      Taken taken = std::move(late_[i]);
      late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(i));
      const engine::Outcome outcome = DrawOutcome();
      Answer(std::move(taken), outcome);
    }
  }

  void SetTimer(engine::Effects& effects) {
    if (!late_.empty()) {
      effects.WakeAt(kAnswers, FirstDue());
    }
  }

  std::shared_ptr<const SinkConfig> config_;
  std::shared_ptr<ExporterScript> script_;
  std::mt19937_64 random_;
  std::optional<runtime::Wakeup> never_;
  std::deque<Taken> late_;
  std::deque<Taken> held_;
  runtime::SteadyTime next_tick_;
  int64_t num_since_due_ = 0;
  bool is_late_ = false;
};

}  // namespace

const engine::NodeDescriptor& SinkDescriptor() {
  static const engine::NodeDescriptor descriptor = {
      .urn = "urn:otel:exporter:test_sim_sink",
      .kind = engine::NodeKind::kExporter,
      .summary = "answers batches at random",
      .fields = [] { return config::Describe(SinkFields()); },
      .parse = [](const config::Section& section,
                  const engine::ValidateContext&) -> engine::NodeConfigPtr {
        return std::make_shared<const SinkConfig>(config::Read(SinkFields(), section));
      },
      .make_shared = [](const engine::NodeConfig&, const engine::ValidateContext&)
          -> Result<engine::NodeSharedPtr> { return std::make_shared<ExporterScript>(); },
      .make_exporter =
          [](const engine::NodeConfigPtr& config, const engine::NodeSharedPtr& shared,
             const engine::InstanceInfo&) -> Result<std::unique_ptr<engine::Exporter>> {
        return std::make_unique<Sink>(std::static_pointer_cast<const SinkConfig>(config),
                                      std::static_pointer_cast<ExporterScript>(shared));
      },
  };
  return descriptor;
}

}  // namespace df::sim
