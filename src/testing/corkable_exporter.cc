#include "testing/corkable_exporter.h"

#include <chrono>
#include <memory>
#include <utility>

namespace df::testing {
namespace {

struct CorkableConfig : engine::NodeConfig {
  std::optional<std::chrono::nanoseconds> tick;
};

const config::FieldTable<CorkableConfig>& CorkableFields() {
  static const config::FieldTable<CorkableConfig> table = {
      config::OptionalDuration("tick", &CorkableConfig::tick, "period of a timer", {1, INT64_MAX}),
  };
  return table;
}

class CorkableExporter final : public engine::Exporter {
 public:
  CorkableExporter(std::shared_ptr<const CorkableConfig> config,
                   std::shared_ptr<ExporterScript> script)
      : config_(std::move(config)), script_(std::move(script)) {}
  ~CorkableExporter() override { script_->held.clear(); }

  Status Start(engine::Effects& effects) override {
    script_->uncorked.emplace(&effects.loop());
    if (config_->tick.has_value()) {
      effects.StartTimer(0, *config_->tick);
    }
    return script_->start_status;
  }

  runtime::Task<Status> Export(engine::Pdata pdata, engine::Effects&) override {
    while (script_->is_corked) {
      co_await script_->uncorked->Wait();
    }
    if (!script_->next_status.ok()) {
      co_return std::exchange(script_->next_status, Status::OK());
    }
    script_->taken.push_back(pdata.batch);
    if (script_->holds) {
      script_->held.push_back(std::move(pdata));
      co_return Status::OK();
    }
    if (script_->lets_fall) {
      co_return Status::OK();
    }
    if (script_->next_outcomes.empty()) {
      pdata.token.Ack();
    } else {
      pdata.token.Complete(script_->next_outcomes.front());
      script_->next_outcomes.pop_front();
    }
    co_return Status::OK();
  }

  runtime::Task<Status> OnTimer(engine::TimerId, engine::Effects&) override {
    ++script_->num_timer_calls;
    co_return Status::OK();
  }

  runtime::Task<Status> Finish(engine::Effects&) override {
    while (!script_->held.empty()) {
      co_await script_->uncorked->Wait();
    }
    script_->has_finished = true;
    co_return Status::OK();
  }

  engine::NodeReport Report() override {
    return {.lines = {fmt::format("took {} batches", script_->taken.size())}};
  }

 private:
  std::shared_ptr<const CorkableConfig> config_;
  std::shared_ptr<ExporterScript> script_;
};

}  // namespace

void ExporterScript::Uncork() {
  is_corked = false;
  if (uncorked.has_value()) {
    uncorked->Notify();
  }
}

void ExporterScript::Answer(size_t index, const engine::Outcome& outcome) {
  // Taken out first: an outcome may bring the next batch.
  engine::Pdata pdata = std::move(held[index]);
  held.erase(held.begin() + static_cast<std::ptrdiff_t>(index));
  pdata.token.Complete(outcome);
  if (uncorked.has_value()) {
    uncorked->Notify();
  }
}

const engine::NodeDescriptor& CorkableExporterDescriptor() {
  static const engine::NodeDescriptor descriptor = {
      .urn = "urn:otel:exporter:test_corkable",
      .kind = engine::NodeKind::kExporter,
      .summary = "keeps what it gets for a test",
      .fields = [] { return config::Describe(CorkableFields()); },
      .parse = [](const config::Section& section,
                  const engine::ValidateContext&) -> engine::NodeConfigPtr {
        return std::make_shared<const CorkableConfig>(config::Read(CorkableFields(), section));
      },
      .make_shared = [](const engine::NodeConfig&, const engine::ValidateContext&)
          -> Result<engine::NodeSharedPtr> { return std::make_shared<ExporterScript>(); },
      .make_exporter =
          [](const engine::NodeConfigPtr& config, const engine::NodeSharedPtr& shared,
             const engine::InstanceInfo&) -> Result<std::unique_ptr<engine::Exporter>> {
        return std::make_unique<CorkableExporter>(
            std::static_pointer_cast<const CorkableConfig>(config),
            std::static_pointer_cast<ExporterScript>(shared));
      },
  };
  return descriptor;
}

}  // namespace df::testing
