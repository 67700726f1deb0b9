#include "nodes/processors/batch/batch_processor.h"

#include <span>
#include <utility>

#include <fmt/format.h>

#include "otap/concat.h"

namespace df::nodes::processors::batch {
namespace {

constexpr telemetry::Instrument kFlushes = {telemetry::InstrumentKind::kCounter,
                                            "df.processor.batch.flushes", "{batch}",
                                            "Batches sent, by what made them go", "reason"};
constexpr telemetry::Instrument kPendingItems = {
    telemetry::InstrumentKind::kUpDownCounter, "df.processor.batch.pending.items", "{item}",
    "Log records, spans and data points that wait for more"};
constexpr telemetry::Instrument kPendingBytes = {telemetry::InstrumentKind::kUpDownCounter,
                                                 "df.processor.batch.pending.size", "By",
                                                 "Bytes that wait for more"};

/// The timer of a signal.
engine::TimerId TimerOf(otap::Signal signal) { return static_cast<engine::TimerId>(signal); }

}  // namespace

Status BatchProcessor::Start(engine::Effects& effects) {
  effects_ = &effects;
  for (size_t i = 0; i < kReasonNames.size(); ++i) {
    flushes_[i] =
        &effects.metrics().AddCounter(kFlushes, {{"reason", std::string(kReasonNames[i])}});
  }
  pending_items_ = &effects.metrics().AddGauge(kPendingItems);
  pending_bytes_ = &effects.metrics().AddGauge(kPendingBytes);
  // A node before this one may wait for what is pending here, so that Finish would come too late.
  on_drain_.emplace(&effects.drain(), [this] { WakeForAll(); });
  return Status::OK();
}

runtime::Task<Status> BatchProcessor::Process(engine::Pdata pdata, engine::Effects& effects) {
  ++num_inputs_;
  otap::BatchPtr batch = std::move(pdata.batch);
  const otap::Signal signal = batch->signal();
  if (batch->num_root_rows() == 0) {
    pdata.token.Ack();
    co_return Status::OK();
  }
  PendingBatch& waiting = pending(signal);
  if (waiting.num_root_rows() + batch->num_root_rows() > otap::kMaxRootRows) {
    co_await Flush(signal, Reason::kSize);
  }
  const bool was_empty = waiting.is_empty();
  if (was_empty) {
    waiting.first_at = effects.clock().Now();
  }
  const OutcomeLedger::Input input = ledger_.Open(std::move(pdata.token), std::move(pdata.charge));
  co_await AddInput(std::move(batch), input);
  ledger_.Close(input);
  if (const std::optional<Reason> reason = ReasonToFlush(waiting)) {
    co_await Flush(signal, *reason);
  }
  if (!waiting.is_empty() && waiting.inputs().front() == input) {
    // The oldest part came just now, with this input.
    waiting.first_at = effects.clock().Now();
    effects.WakeAt(TimerOf(signal), waiting.first_at + config_->max_batch_duration);
  } else if (waiting.is_empty()) {
    effects.CancelTimer(TimerOf(signal));
  }
  UpdateGauges();
  co_return Status::OK();
}

runtime::Task<> BatchProcessor::AddInput(otap::BatchPtr batch, OutcomeLedger::Input input) {
  const otap::Signal signal = batch->signal();
  Result<std::vector<otap::BatchPtr>> pieces = Divide(batch, config_->otap, pending(signal));
  if (!pieces.ok()) {
    if (++num_refused_ == 1) {
      first_refusal_ = pieces.status().message();
    }
    ledger_.AddPart(input);
    ledger_.FailPart(input, engine::Outcome::Nack(pieces.status().message(), true));
    co_return;
  }
  for (size_t i = 0; i < pieces->size(); ++i) {
    if (i > 0) {
      co_await Flush(signal, Reason::kSize);
    }
    ledger_.AddPart(input);
    pending(signal).Add(std::move((*pieces)[i]), input);
  }
}

std::optional<BatchProcessor::Reason> BatchProcessor::ReasonToFlush(
    const PendingBatch& waiting) const {
  if (waiting.is_empty()) {
    return std::nullopt;
  }
  if (waiting.SizeIn(config_->otap.sizer) >= config_->otap.min_size) {
    return Reason::kSize;
  }
  if (effects_->is_draining()) {
    return Reason::kDrain;
  }
  if (is_memory_short_) {
    return Reason::kMemory;
  }
  if (effects_->clock().Now() >= waiting.first_at + config_->max_batch_duration) {
    return Reason::kTimeout;
  }
  return std::nullopt;
}

runtime::Task<> BatchProcessor::Flush(otap::Signal signal, Reason reason) {
  PendingBatch& waiting = pending(signal);
  if (waiting.is_empty()) {
    co_return;
  }
  flushes_[static_cast<size_t>(reason)]->Add(1);
  Result<otap::BatchPtr> joined = otap::Concat(waiting.batches());
  if (joined.ok()) {
    const uint64_t output = ledger_.AddOutput(waiting.inputs());
    waiting.Clear();
    co_await SendOutput(std::move(joined).ValueUnsafe(), output);
    co_return;
  }
  // Columns that are too large for one array: each part is a batch for itself.
  const PendingBatch parts = std::exchange(waiting, PendingBatch());
  for (size_t i = 0; i < parts.batches().size(); ++i) {
    const uint64_t output = ledger_.AddOutput(std::span(&parts.inputs()[i], 1));
    co_await SendOutput(parts.batches()[i], output);
  }
}

runtime::Task<> BatchProcessor::SendOutput(otap::BatchPtr batch, uint64_t output) {
  ++num_outputs_;
  engine::Pdata pdata(std::move(batch), effects_->MakeToken(this, output));
  UpdateGauges();
  co_await effects_->Send(std::move(pdata));
}

runtime::Task<Status> BatchProcessor::OnTimer(engine::TimerId id, engine::Effects& effects) {
  const auto signal = static_cast<otap::Signal>(id);
  PendingBatch& waiting = pending(signal);
  if (const std::optional<Reason> reason = ReasonToFlush(waiting)) {
    co_await Flush(signal, *reason);
  } else if (!waiting.is_empty()) {
    effects.WakeAt(id, waiting.first_at + config_->max_batch_duration);
  }
  UpdateGauges();
  co_return Status::OK();
}

runtime::Task<Status> BatchProcessor::Finish(engine::Effects&) {
  for (const otap::Signal signal : otap::kAllSignals) {
    co_await Flush(signal, Reason::kDrain);
  }
  UpdateGauges();
  co_return Status::OK();
}

Status BatchProcessor::OnConfig(const engine::NodeConfigPtr& config) {
  config_ = std::static_pointer_cast<const BatchConfig>(config);
  WakeForAll();
  return Status::OK();
}

void BatchProcessor::OnMemoryPressure(engine::MemoryPressure pressure) {
  is_memory_short_ = pressure != engine::MemoryPressure::kNormal;
  if (is_memory_short_) {
    WakeForAll();
  }
}

void BatchProcessor::WakeForAll() {
  if (effects_ == nullptr) {
    return;
  }
  for (const otap::Signal signal : otap::kAllSignals) {
    if (!pending(signal).is_empty()) {
      effects_->WakeAt(TimerOf(signal), effects_->clock().Now());
    }
  }
}

void BatchProcessor::OnOutcome(const engine::Outcome& outcome, uint64_t calldata) {
  ledger_.Complete(calldata, outcome);
}

void BatchProcessor::UpdateGauges() {
  int64_t items = 0;
  int64_t bytes = 0;
  for (const PendingBatch& waiting : pending_) {
    items += waiting.num_items();
    bytes += waiting.num_bytes();
  }
  pending_items_->Set(items);
  pending_bytes_->Set(bytes);
}

engine::NodeReport BatchProcessor::Report() {
  engine::NodeReport report;
  report.lines.push_back(fmt::format("made {} batches of {}", num_outputs_, num_inputs_));
  if (num_refused_ > 0) {
    report.lines.push_back(
        fmt::format("refused {} batches; the first: {}", num_refused_, first_refusal_));
    report.num_problems = num_refused_;
  }
  return report;
}

}  // namespace df::nodes::processors::batch
