#include <map>
#include <memory>
#include <utility>

#include "sim/scripted_nodes.h"

namespace df::sim {
namespace {

enum class StepMode : uint8_t { kPass, kKeep, kRelay, kTry };

struct StepConfig : engine::NodeConfig {
  int64_t seed = 0;
  StepMode mode = StepMode::kPass;
};

const config::FieldTable<StepConfig>& StepFields() {
  static const config::FieldTable<StepConfig> table = {
      config::Integer("seed", &StepConfig::seed, {}, "of its choices"),
      config::Enum("mode", &StepConfig::mode,
                   {{"pass", StepMode::kPass},
                    {"keep", StepMode::kKeep},
                    {"relay", StepMode::kRelay},
                    {"try", StepMode::kTry}},
                   "what it does with a batch"),
  };
  return table;
}

class Step final : public engine::Processor, public engine::CompletionHandler {
 public:
  Step(std::shared_ptr<const StepConfig> config, std::shared_ptr<Script> script)
      : config_(std::move(config)),
        script_(std::move(script)),
        random_(static_cast<uint64_t>(config_->seed)) {}

  Status Start(engine::Effects& effects) override {
    answered_.emplace(&effects.loop());
    return Status::OK();
  }

  runtime::Task<Status> Process(engine::Pdata pdata, engine::Effects& effects) override {
    switch (config_->mode) {
      case StepMode::kPass:
        co_await effects.Send(std::move(pdata));
        break;
      case StepMode::kKeep:
        kept_.push_back(std::move(pdata));
        if (kept_.size() == 1) {
          effects.WakeAt(0, effects.clock().Now() + std::chrono::microseconds(random_() % 9'000));
        } else if (kept_.size() > random_() % 6) {
          co_await SendKept(effects);
        }
        break;
      case StepMode::kRelay: {
        const uint64_t number = next_++;
        engine::Pdata copy(pdata.batch, effects.MakeToken(this, number));
        copy.charge = pdata.charge.Share();
        relayed_.emplace(number, std::move(pdata));
        co_await effects.Send(std::move(copy));
        break;
      }
      case StepMode::kTry:
        if (effects.TrySend(pdata) != runtime::PushResult::kSent) {
          script_->ledger->trace.Add(script_->name, "found no room", 0);
          pdata.token.Nack("no room", false, engine::NackCause::kRouteFull);
        }
        break;
    }
    co_return Status::OK();
  }

  runtime::Task<Status> OnTimer(engine::TimerId, engine::Effects& effects) override {
    co_await SendKept(effects);
    co_return Status::OK();
  }

  runtime::Task<Status> Finish(engine::Effects& effects) override {
    co_await SendKept(effects);
    while (!relayed_.empty()) {
      co_await answered_->Wait();
    }
    script_->ledger->trace.Add(script_->name, "finished", 0);
    co_return Status::OK();
  }

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override {
    auto relayed = relayed_.extract(calldata);
    if (relayed.empty()) {
      script_->ledger->AddProblem(1, "{}: a second outcome of {}", script_->name, calldata);
      return;
    }
    relayed.mapped().token.Complete(outcome);
    answered_->Notify();
  }

  engine::NodeReport Report() override { return {}; }

 private:
  runtime::Task<> SendKept(engine::Effects& effects) {
    while (!kept_.empty()) {
      engine::Pdata pdata = std::move(kept_.front());
      kept_.pop_front();
      co_await effects.Send(std::move(pdata));
    }
  }

  std::shared_ptr<const StepConfig> config_;
  std::shared_ptr<Script> script_;
  std::mt19937_64 random_;
  std::optional<runtime::Wakeup> answered_;
  std::deque<engine::Pdata> kept_;
  std::map<uint64_t, engine::Pdata> relayed_;
  uint64_t next_ = 0;
};

}  // namespace

const engine::NodeDescriptor& StepDescriptor() {
  static const engine::NodeDescriptor descriptor = {
      .urn = "urn:otel:processor:test_sim_step",
      .kind = engine::NodeKind::kProcessor,
      .summary = "passes batches on, sooner or later",
      .fields = [] { return config::Describe(StepFields()); },
      .parse = [](const config::Section& section,
                  const engine::ValidateContext&) -> engine::NodeConfigPtr {
        return std::make_shared<const StepConfig>(config::Read(StepFields(), section));
      },
      .make_shared = [](const engine::NodeConfig&, const engine::ValidateContext&)
          -> Result<engine::NodeSharedPtr> { return std::make_shared<Script>(); },
      .make_processor =
          [](const engine::NodeConfigPtr& config, const engine::NodeSharedPtr& shared,
             const engine::InstanceInfo&) -> Result<std::unique_ptr<engine::Processor>> {
        return std::make_unique<Step>(std::static_pointer_cast<const StepConfig>(config),
                                      std::static_pointer_cast<Script>(shared));
      },
  };
  return descriptor;
}

}  // namespace df::sim
