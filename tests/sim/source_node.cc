#include <memory>
#include <utility>

#include "sim/scripted_nodes.h"

namespace df::sim {
namespace {

struct SourceConfig : engine::NodeConfig {
  int64_t seed = 0;
  int64_t pause_percent = 0;
  int64_t try_percent = 0;
  bool stays = false;
};

const config::FieldTable<SourceConfig>& SourceFields() {
  static const config::FieldTable<SourceConfig> table = {
      config::Integer("seed", &SourceConfig::seed, {}, "of its choices"),
      config::Integer("pause_percent", &SourceConfig::pause_percent, {0, 100}, "before a batch"),
      config::Integer("try_percent", &SourceConfig::try_percent, {0, 100}, "sent without waiting"),
      config::Bool("stays", &SourceConfig::stays, "waits for a drain when everything is sent"),
  };
  return table;
}

class Source final : public engine::Receiver, public engine::CompletionHandler {
 public:
  Source(std::shared_ptr<const SourceConfig> config, std::shared_ptr<ReceiverScript> script)
      : config_(std::move(config)),
        script_(std::move(script)),
        random_(static_cast<uint64_t>(config_->seed)) {}

  runtime::Task<Status> Run(engine::Effects& effects) override {
    script_->is_done = false;
    script_->stays = config_->stays;
    while (!script_->to_send.empty() && !effects.is_draining()) {
      if (Draw(config_->pause_percent)) {
        co_await effects.SleepFor(std::chrono::microseconds(1 + random_() % 20'000));
        continue;
      }
      const int64_t number = script_->to_send.front();
      script_->to_send.pop_front();
      Ledger& ledger = *script_->ledger;
      ledger.OnToken(number);
      engine::Pdata pdata(ledger.batches[static_cast<size_t>(number)].batch,
                          effects.MakeToken(this, static_cast<uint64_t>(number)));
      if (Draw(config_->try_percent)) {
        const runtime::PushResult result = effects.TrySend(pdata);
        ledger.trace.Add(script_->name, "try", number);
        script_->num_sends += result == runtime::PushResult::kSent ? 1 : 0;
        continue;  // what found no room falls here
      }
      ledger.trace.Add(script_->name, "send", number);
      ++script_->num_sends;
      const bool is_sent = co_await effects.Send(std::move(pdata));
      ledger.trace.Add(script_->name, is_sent ? "sent" : "no taker", number);
    }
    script_->is_done = true;
    while (config_->stays && !effects.is_draining()) {
      co_await effects.SleepFor(std::chrono::seconds(1));
    }
    script_->ledger->trace.Add(script_->name, "end", 0);
    co_return Status::OK();
  }

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override {
    script_->ledger->trace.Add(script_->name,
                               outcome.is_ack ? "acked" : engine::Name(outcome.cause),
                               static_cast<int64_t>(calldata));
    script_->ledger->OnOutcome(static_cast<int64_t>(calldata), outcome);
  }

  engine::NodeReport Report() override { return {}; }

 private:
  bool Draw(int64_t percent) { return static_cast<int64_t>(random_() % 100) < percent; }

  std::shared_ptr<const SourceConfig> config_;
  std::shared_ptr<ReceiverScript> script_;
  std::mt19937_64 random_;
};

}  // namespace

const engine::NodeDescriptor& SourceDescriptor() {
  static const engine::NodeDescriptor descriptor = {
      .urn = "urn:otel:receiver:test_sim_source",
      .kind = engine::NodeKind::kReceiver,
      .summary = "sends numbered batches at random times",
      .fields = [] { return config::Describe(SourceFields()); },
      .parse = [](const config::Section& section,
                  const engine::ValidateContext&) -> engine::NodeConfigPtr {
        return std::make_shared<const SourceConfig>(config::Read(SourceFields(), section));
      },
      .make_shared = [](const engine::NodeConfig&, const engine::ValidateContext&)
          -> Result<engine::NodeSharedPtr> { return std::make_shared<ReceiverScript>(); },
      .make_receiver =
          [](const engine::NodeConfigPtr& config, const engine::NodeSharedPtr& shared,
             const engine::InstanceInfo&) -> Result<std::unique_ptr<engine::Receiver>> {
        return std::make_unique<Source>(std::static_pointer_cast<const SourceConfig>(config),
                                        std::static_pointer_cast<ReceiverScript>(shared));
      },
  };
  return descriptor;
}

}  // namespace df::sim
