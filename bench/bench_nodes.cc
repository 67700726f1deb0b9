#include "bench_nodes.h"

#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "allocation_count.h"

namespace df::bench {
namespace {

struct NoConfig : engine::NodeConfig {};

std::vector<config::FieldDescription> NoFields() { return {}; }

engine::NodeConfigPtr ParseNothing(const config::Section&, const engine::ValidateContext&) {
  return std::make_shared<const NoConfig>();
}

class Source final : public engine::Receiver, public engine::CompletionHandler {
 public:
  explicit Source(std::shared_ptr<SourceScript> script) : script_(std::move(script)) {}

  runtime::Task<Status> Run(engine::Effects& effects) override {
    all_answered_.emplace(&effects.loop());
    co_await SendAll(script_->num_warm_up, effects);
    const int64_t allocations = NumAllocations();
    const auto start = std::chrono::steady_clock::now();
    co_await SendAll(script_->num_measured, effects);
    const auto nanos = (std::chrono::steady_clock::now() - start).count();
    const auto count = static_cast<double>(script_->num_measured);
    script_->allocations_per_batch = static_cast<double>(NumAllocations() - allocations) / count;
    script_->nanos_per_batch = static_cast<double>(nanos) / count;
    co_return Status::OK();
  }

  void OnOutcome(const engine::Outcome& outcome, uint64_t) override {
    script_->num_acked += outcome.is_ack ? 1 : 0;
    if (--num_open_ == 0) {
      all_answered_->Notify();
    }
  }

  engine::NodeReport Report() override { return {}; }

 private:
  runtime::Task<> SendAll(int64_t count, engine::Effects& effects) {
    num_open_ = 1;  // the send loop itself
    for (int64_t i = 0; i < count; ++i) {
      engine::CompletionToken token;
      if (script_->has_tokens) {
        ++num_open_;
        token = effects.MakeToken(this, static_cast<uint64_t>(i));
      }
      engine::Pdata pdata(script_->batch, std::move(token));
      co_await effects.Send(std::move(pdata));
    }
    if (--num_open_ > 0) {
      co_await all_answered_->Wait();
    }
  }

  std::shared_ptr<SourceScript> script_;
  std::optional<runtime::Wakeup> all_answered_;
  int64_t num_open_ = 0;
};

class Pass : public engine::Processor {
 public:
  Status Start(engine::Effects&) override { return Status::OK(); }
  runtime::Task<Status> Process(engine::Pdata pdata, engine::Effects& effects) override {
    co_await effects.Send(std::move(pdata));
    co_return Status::OK();
  }
  runtime::Task<Status> OnTimer(engine::TimerId, engine::Effects&) override {
    co_return Status::OK();
  }
  runtime::Task<Status> Finish(engine::Effects&) override { co_return Status::OK(); }
  engine::NodeReport Report() override { return {}; }
};

class Relay final : public Pass, public engine::CompletionHandler {
 public:
  runtime::Task<Status> Process(engine::Pdata pdata, engine::Effects& effects) override {
    if (free_.empty()) {
      free_.push_back(slots_.size());
      slots_.emplace_back();
    }
    const size_t slot = free_.back();
    free_.pop_back();
    engine::Pdata copy(pdata.batch, effects.MakeToken(this, slot));
    copy.charge = pdata.charge.Share();
    slots_[slot] = std::move(pdata);
    co_await effects.Send(std::move(copy));
    co_return Status::OK();
  }

  void OnOutcome(const engine::Outcome& outcome, uint64_t calldata) override {
    engine::Pdata pdata = std::move(slots_[calldata]);
    free_.push_back(calldata);
    pdata.token.Complete(outcome);
  }

 private:
  std::vector<engine::Pdata> slots_;
  std::vector<size_t> free_;
};

class Sink final : public engine::Exporter {
 public:
  Status Start(engine::Effects&) override { return Status::OK(); }
  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects&) override {
    pdata.token.Ack();
    co_return Status::OK();
  }
  runtime::Task<Status> OnTimer(engine::TimerId, engine::Effects&) override {
    co_return Status::OK();
  }
  runtime::Task<Status> Finish(engine::Effects&) override { co_return Status::OK(); }
  engine::NodeReport Report() override { return {}; }
};

template <typename Node>
Result<std::unique_ptr<engine::Processor>> MakeProcessor(const engine::NodeConfigPtr&,
                                                         const engine::NodeSharedPtr&,
                                                         const engine::InstanceInfo&) {
  return std::make_unique<Node>();
}

Result<engine::NodeSharedPtr> MakeScript(const engine::NodeConfig&,
                                         const engine::ValidateContext&) {
  return std::make_shared<SourceScript>();
}

Result<std::unique_ptr<engine::Receiver>> MakeSource(const engine::NodeConfigPtr&,
                                                     const engine::NodeSharedPtr& shared,
                                                     const engine::InstanceInfo&) {
  return std::make_unique<Source>(std::static_pointer_cast<SourceScript>(shared));
}

Result<std::unique_ptr<engine::Exporter>> MakeSink(const engine::NodeConfigPtr&,
                                                   const engine::NodeSharedPtr&,
                                                   const engine::InstanceInfo&) {
  return std::make_unique<Sink>();
}

}  // namespace

const engine::NodeDescriptor kSource = {
    .urn = "urn:otel:receiver:bench_source",
    .kind = engine::NodeKind::kReceiver,
    .summary = "sends one batch again and again",
    .fields = NoFields,
    .parse = ParseNothing,
    .make_shared = MakeScript,
    .make_receiver = MakeSource,
};

const engine::NodeDescriptor kPass = {
    .urn = "urn:otel:processor:bench_pass",
    .kind = engine::NodeKind::kProcessor,
    .summary = "sends on what it gets",
    .fields = NoFields,
    .parse = ParseNothing,
    .make_processor = MakeProcessor<Pass>,
};

const engine::NodeDescriptor kRelay = {
    .urn = "urn:otel:processor:bench_relay",
    .kind = engine::NodeKind::kProcessor,
    .summary = "sends on what it gets with a token of its own",
    .fields = NoFields,
    .parse = ParseNothing,
    .make_processor = MakeProcessor<Relay>,
};

const engine::NodeDescriptor kSink = {
    .urn = "urn:otel:exporter:bench_sink",
    .kind = engine::NodeKind::kExporter,
    .summary = "acks",
    .fields = NoFields,
    .parse = ParseNothing,
    .make_exporter = MakeSink,
};

}  // namespace df::bench
