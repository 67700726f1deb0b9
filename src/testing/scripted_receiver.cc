#include "testing/scripted_receiver.h"

#include <memory>
#include <utility>

namespace df::testing {
namespace {

class ScriptedReceiver final : public engine::Receiver, public engine::CompletionHandler {
 public:
  explicit ScriptedReceiver(std::shared_ptr<ReceiverScript> script) : script_(std::move(script)) {}

  runtime::Task<Status> Run(engine::Effects& effects) override {
    script_->more.emplace(&effects.loop());
    const runtime::Cancellation::Subscription on_drain(&effects.drain(),
                                                       [this] { script_->more->Notify(); });
    while (!effects.is_draining()) {
      if (!script_->batches.empty()) {
        otap::BatchPtr batch = std::move(script_->batches.front());
        script_->batches.pop_front();
        const auto number = static_cast<uint64_t>(script_->num_sent++);
        engine::CompletionToken token = script_->senders_wait
                                            ? effects.MakeAwaitedToken(this, number)
                                            : effects.MakeToken(this, number);
        engine::Pdata pdata(std::move(batch), std::move(token));
        if (!co_await effects.Send(std::move(pdata))) {
          ++script_->num_refused;
        }
      } else if (script_->ends_by_itself) {
        break;
      } else {
        co_await script_->more->Wait();
      }
    }
    while (script_->waits_for_outcomes && script_->num_outcomes < script_->num_sent) {
      co_await script_->more->Wait();
    }
    script_->has_ended = true;
    co_return script_->end_status;
  }

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override {
    ++script_->num_outcomes;
    script_->outcomes[calldata] = outcome;
    if (script_->waits_for_outcomes) {
      script_->more->Notify();
    }
  }

  engine::NodeReport Report() override { return {}; }

 private:
  std::shared_ptr<ReceiverScript> script_;
};

struct NoConfig : engine::NodeConfig {};

}  // namespace

void ReceiverScript::Send(otap::BatchPtr batch) {
  batches.push_back(std::move(batch));
  if (more.has_value()) {
    more->Notify();
  }
}

void ReceiverScript::End() {
  ends_by_itself = true;
  if (more.has_value()) {
    more->Notify();
  }
}

const engine::NodeDescriptor& ScriptedReceiverDescriptor() {
  static const engine::NodeDescriptor descriptor = {
      .urn = "urn:otel:receiver:test_scripted",
      .kind = engine::NodeKind::kReceiver,
      .summary = "sends what a test gives it",
      .fields = [] { return std::vector<config::FieldDescription>(); },
      .parse = [](const config::Section& section,
                  const engine::ValidateContext&) -> engine::NodeConfigPtr {
        return std::make_shared<const NoConfig>(
            config::Read(config::FieldTable<NoConfig>{}, section));
      },
      .make_shared = [](const engine::NodeConfig&, const engine::ValidateContext&)
          -> Result<engine::NodeSharedPtr> { return std::make_shared<ReceiverScript>(); },
      .make_receiver =
          [](const engine::NodeConfigPtr&, const engine::NodeSharedPtr& shared,
             const engine::InstanceInfo&) -> Result<std::unique_ptr<engine::Receiver>> {
        return std::make_unique<ScriptedReceiver>(std::static_pointer_cast<ReceiverScript>(shared));
      },
  };
  return descriptor;
}

}  // namespace df::testing
