#include "nodes/processors/debug/debug_processor.h"

#include <utility>

#include <fmt/format.h>

#include "otlp/encode.h"

namespace df::nodes::processors::debug {
namespace {

constexpr engine::TimerId kSumsTimer = 0;

otlp::TextLayout LayoutOf(Verbosity verbosity) {
  return verbosity == Verbosity::kDetailed ? otlp::TextLayout::kDetailed : otlp::TextLayout::kLines;
}

}  // namespace

Status DebugProcessor::Start(engine::Effects& effects) {
  if (config_.mode == Mode::kSignal && config_.interval.count() > 0) {
    effects.StartTimer(kSumsTimer, config_.interval);
  }
  return Status::OK();
}

runtime::Task<Status> DebugProcessor::Process(engine::Pdata pdata, engine::Effects& effects) {
  totals_.counts[static_cast<size_t>(pdata.batch->signal())].Add(*pdata.batch);
  if (config_.mode == Mode::kBatch && config_.Prints(pdata.batch->signal())) {
    PrintBatch(*pdata.batch);
  }
  co_await effects.Send(std::move(pdata));
  co_return Status::OK();
}

void DebugProcessor::PrintBatch(const otap::Batch& batch) {
  const otap::Signal signal = batch.signal();
  BatchCounts counts;
  counts.Add(batch);
  std::string block = fmt::format("{}: {}\n", otap::Name(signal), counts.Describe(signal));
  if (config_.verbosity == Verbosity::kBasic) {
    Print(Status::OK(), block);
    return;
  }
  const Result<std::string> records = otlp::EncodeText(batch, LayoutOf(config_.verbosity));
  if (records.ok()) {
    block += *records;
  }
  Print(records.status(), block);
}

void DebugProcessor::PrintSums() {
  for (const otap::Signal signal : otap::kAllSignals) {
    const BatchCounts& counts = totals_.counts[static_cast<size_t>(signal)];
    int64_t& printed = printed_batches_[static_cast<size_t>(signal)];
    if (config_.Prints(signal) && counts.batches != printed) {
      printed = counts.batches;
      Print(Status::OK(), fmt::format("{}: {} batches, {}\n", otap::Name(signal), counts.batches,
                                      counts.Describe(signal)));
    }
  }
}

void DebugProcessor::Print(const Status& made, std::string_view block) {
  Status status = shared_->output().Print(block);
  if (status.ok()) {
    status = made;
  }
  if (!status.ok()) {
    ++totals_.not_printed;
    if (totals_.first_error.empty()) {
      totals_.first_error = status.message();
    }
  }
}

runtime::Task<Status> DebugProcessor::OnTimer(engine::TimerId, engine::Effects&) {
  PrintSums();
  co_return Status::OK();
}

runtime::Task<Status> DebugProcessor::Finish(engine::Effects&) {
  if (config_.mode == Mode::kSignal) {
    PrintSums();
  }
  co_return Status::OK();
}

engine::NodeReport DebugProcessor::Report() {
  shared_->Add(totals_);
  return totals_.Report();
}

DebugTotals& DebugTotals::operator+=(const DebugTotals& other) {
  for (size_t i = 0; i < counts.size(); ++i) {
    counts[i] += other.counts[i];
  }
  not_printed += other.not_printed;
  if (first_error.empty()) {
    first_error = other.first_error;
  }
  return *this;
}

engine::NodeReport DebugTotals::Report() const {
  engine::NodeReport report;
  for (const otap::Signal signal : otap::kAllSignals) {
    const BatchCounts& seen = counts[static_cast<size_t>(signal)];
    if (seen.batches > 0) {
      report.lines.push_back(fmt::format("saw {}: {} batches, {}", otap::Name(signal), seen.batches,
                                         seen.Describe(signal)));
    }
  }
  if (report.lines.empty()) {
    report.lines.emplace_back("saw nothing");
  }
  if (not_printed > 0) {
    report.lines.push_back(
        fmt::format("could not print {} times; the first: {}", not_printed, first_error));
    report.num_problems += not_printed;
  }
  return report;
}

void DebugShared::Add(const DebugTotals& totals) {
  const std::lock_guard lock(mutex_);
  totals_ += totals;
}

DebugTotals DebugShared::totals() const {
  const std::lock_guard lock(mutex_);
  return totals_;
}

}  // namespace df::nodes::processors::debug
