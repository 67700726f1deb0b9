#include "nodes/receivers/traffic_generator/traffic_generator.h"

#include <algorithm>

#include <fmt/format.h>

#include "nodes/receivers/traffic_generator/batches.h"

namespace df::nodes::receivers::traffic_generator {
namespace {

constexpr telemetry::Instrument kBehind = {
    telemetry::InstrumentKind::kCounter, "df.receiver.traffic_generator.behind", "s",
    "Time by which the rate was missed because the pipeline took nothing"};

// A rate that is low enough is sent in so many batches a second.
constexpr int64_t kBatchesPerSecond = 10;
// Beyond it a rate is not caught up with.
constexpr std::chrono::seconds kMaxLag{1};
// Batches of each signal that are sent again and again.
constexpr size_t kNumPreGenerated = 8;

/// The part of `total` that belongs to one of `count`; all parts together are `total`.
int64_t ShareOf(int64_t total, int index, int count) {
  return total / count + (index < total % count ? 1 : 0);
}

}  // namespace

TrafficGenerator::TrafficGenerator(std::shared_ptr<const TrafficGeneratorConfig> config,
                                   const engine::InstanceInfo& info)
    : config_(std::move(config)),
      pools_(*config_),
      random_(static_cast<uint64_t>(config_->seed) * 1000 +
              static_cast<uint64_t>(info.instance_index)) {
  const TrafficConfig& traffic = config_->traffic;
  if (traffic.signals_per_second.has_value()) {
    rate_ = ShareOf(*traffic.signals_per_second, info.instance_index, info.num_instances);
  }
  if (traffic.max_signal_count.has_value()) {
    max_count_ = ShareOf(*traffic.max_signal_count, info.instance_index, info.num_instances);
  }
}

otap::Signal TrafficGenerator::NextSignal() const {
  otap::Signal next = otap::Signal::kLogs;
  double least = 0;
  bool is_found = false;
  for (const otap::Signal signal : otap::kAllSignals) {
    const int64_t weight = config_->traffic.WeightOf(signal);
    if (weight == 0) {
      continue;
    }
    const double progress = static_cast<double>(num_of_signal_[static_cast<size_t>(signal)]) /
                            static_cast<double>(weight);
    if (!is_found || progress < least) {
      is_found = true;
      least = progress;
      next = signal;
    }
  }
  return next;
}

int64_t TrafficGenerator::NextSize() const {
  int64_t size = config_->traffic.max_batch_size;
  if (rate_.has_value() && config_->traffic.production_mode == ProductionMode::kSmooth) {
    size = std::min(size, std::max<int64_t>(1, *rate_ / kBatchesPerSecond));
  } else if (rate_.has_value()) {
    // The last batch of a second is what is left of it.
    size = std::min(size, *rate_ - num_paced_ % *rate_);
  }
  if (max_count_.has_value()) {
    size = std::min(size, *max_count_ - num_sent_);
  }
  return size;
}

Result<otap::BatchPtr> TrafficGenerator::NextBatch(otap::Signal signal, int64_t num_rows,
                                                   const runtime::Clock& clock) {
  const int64_t now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(clock.WallNow().time_since_epoch())
          .count();
  if (config_->generation_strategy == GenerationStrategy::kFresh) {
    return MakeBatch(signal, pools_, num_rows, now, &random_);
  }
  auto& batches = pre_generated_[static_cast<size_t>(signal)];
  size_t& next = next_pre_generated_[static_cast<size_t>(signal)];
  if (batches.size() < kNumPreGenerated) {
    ARROW_ASSIGN_OR_RAISE(auto batch, MakeBatch(signal, pools_, num_rows, now, &random_));
    batches.push_back(batch);
    return batch;
  }
  otap::BatchPtr& batch = batches[next++ % kNumPreGenerated];
  if (batch->num_root_rows() != num_rows) {
    return MakeBatch(signal, pools_, num_rows, now, &random_);  // the last one
  }
  return batch;
}

runtime::SteadyTime TrafficGenerator::DueTime(runtime::SteadyTime start) const {
  constexpr int64_t kSecond = 1'000'000'000;
  if (!rate_.has_value()) {
    return start;
  }
  if (config_->traffic.production_mode == ProductionMode::kOpen) {
    return start + std::chrono::seconds(num_paced_ / *rate_);
  }
  // Whole seconds first: the product of all of it would not fit.
  return start + std::chrono::seconds(num_paced_ / *rate_) +
         std::chrono::nanoseconds(static_cast<int64_t>(static_cast<double>(num_paced_ % *rate_) *
                                                       static_cast<double>(kSecond) /
                                                       static_cast<double>(*rate_)));
}

/// Returns false when a drain is requested.
runtime::Task<bool> TrafficGenerator::WaitForTurn(engine::Effects& effects,
                                                  runtime::SteadyTime* start) {
  const runtime::SteadyTime due = DueTime(*start);
  const runtime::SteadyTime now = effects.clock().Now();
  if (rate_.has_value() && now - due > kMaxLag) {
    behind_->Add((now - due).count());
    *start = now;
    num_paced_ = 0;
  }
  if (due > now) {
    co_return co_await effects.loop().SleepUntil(due, &effects.drain());
  }
  co_return !effects.is_draining();
}

runtime::Task<Status> TrafficGenerator::Run(engine::Effects& effects) {
  behind_ = &effects.metrics().AddCounter(kBehind);
  if (rate_ == 0) {
    co_return Status::OK();  // others have all of it
  }
  runtime::SteadyTime start = effects.clock().Now();
  while (!max_count_.has_value() || num_sent_ < *max_count_) {
    if (!co_await WaitForTurn(effects, &start)) {
      break;
    }
    const otap::Signal signal = NextSignal();
    const int64_t num_rows = NextSize();
    Result<otap::BatchPtr> batch = NextBatch(signal, num_rows, effects.clock());
    if (!batch.ok()) {
      co_return batch.status();
    }
    engine::Pdata pdata(*std::move(batch), effects.MakeToken(this, 0));
    if (!co_await effects.Send(std::move(pdata))) {
      break;
    }
    num_sent_ += num_rows;
    num_paced_ += num_rows;
    num_of_signal_[static_cast<size_t>(signal)] += num_rows;
  }
  co_return Status::OK();
}

void TrafficGenerator::OnOutcome(const engine::Outcome& outcome, uint64_t) {
  if (outcome.is_ack) {
    ++num_acked_;
  } else if (++num_nacked_ == 1) {
    first_reason_ = outcome.reason;
  }
}

engine::NodeReport TrafficGenerator::Report() {
  const auto count = [this](otap::Signal signal) {
    return num_of_signal_[static_cast<size_t>(signal)];
  };
  engine::NodeReport report;
  report.lines.push_back(fmt::format("sent {} log records, {} spans and {} metrics",
                                     count(otap::Signal::kLogs), count(otap::Signal::kTraces),
                                     count(otap::Signal::kMetrics)));
  if (config_->enable_ack_nack || num_nacked_ > 0) {
    report.lines.push_back(fmt::format("{} batches were acked, {} nacked{}{}", num_acked_,
                                       num_nacked_,
                                       num_nacked_ == 0 ? "" : "; the first: ", first_reason_));
    report.num_problems = num_nacked_;
  }
  return report;
}

}  // namespace df::nodes::receivers::traffic_generator
