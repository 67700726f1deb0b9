#include "nodes/exporters/console/console_exporter.h"

#include <utility>

#include <fmt/format.h>

#include "otlp/encode.h"

namespace df::nodes::exporters::console {
namespace {

constexpr telemetry::Instrument kFailures = {telemetry::InstrumentKind::kCounter,
                                             "df.console.failures", "{batch}",
                                             "Batches that could not be printed", "reason"};

}  // namespace

ConsoleExporter::ConsoleExporter(std::shared_ptr<const ConsoleConfig> config,
                                 std::shared_ptr<ConsoleOutput> output)
    : config_(std::move(config)), output_(std::move(output)) {
  style_.has_unicode = config_->unicode;
  style_.has_color = config_->color == Color::kAlways ||
                     (config_->color == Color::kAuto && output_->takes_color());
}

Status ConsoleExporter::Start(engine::Effects& effects) {
  write_failures_ = &effects.metrics().AddCounter(kFailures, {{"reason", "write"}});
  encode_failures_ = &effects.metrics().AddCounter(kFailures, {{"reason", "encode"}});
  return Status::OK();
}

runtime::Task<Status> ConsoleExporter::Export(engine::Pdata pdata, engine::Effects&) {
  const Result<std::string> text = TextOf(pdata.batch);
  const Status status = text.ok() ? output_->Write(*text) : text.status();
  if (status.ok()) {
    ++num_batches_;
    num_items_[static_cast<size_t>(pdata.batch->signal())] += pdata.batch->num_items();
    pdata.token.Ack();
    co_return Status::OK();
  }
  (text.ok() ? write_failures_ : encode_failures_)->Add(1);
  ++num_failed_;
  num_refused_ += text.ok() ? 0 : 1;
  if (first_error_.empty()) {
    first_error_ = status.message();
  }
  pdata.token.Nack(status.message(), !text.ok());
  co_return Status::OK();
}

Result<std::string> ConsoleExporter::TextOf(const otap::BatchPtr& batch) const {
  otap::BatchPtr printed = batch;
  if (config_->max_records > 0) {
    ARROW_ASSIGN_OR_RAISE(printed, FirstRecords(batch, config_->max_records));
  }
  if (config_->format == Format::kJson) {
    ARROW_ASSIGN_OR_RAISE(std::string json, otlp::EncodeJson(*printed));
    json += '\n';
    return json;
  }
  const otlp::TextLayout layout = config_->verbosity == Verbosity::kDetailed
                                      ? otlp::TextLayout::kDetailed
                                      : otlp::TextLayout::kLines;
  ARROW_ASSIGN_OR_RAISE(const std::string text, otlp::EncodeText(*printed, layout));
  return Headline(*batch, printed->num_root_rows(), style_) + Dress(text, style_);
}

runtime::Task<Status> ConsoleExporter::OnTimer(engine::TimerId, engine::Effects&) {
  co_return Status::OK();
}

runtime::Task<Status> ConsoleExporter::Finish(engine::Effects&) { co_return Status::OK(); }

engine::NodeReport ConsoleExporter::Report() {
  const auto count = [&](otap::Signal signal) { return num_items_[static_cast<size_t>(signal)]; };
  engine::NodeReport report;
  report.lines.push_back(fmt::format("printed {} batches: {} log records, {} spans, {} data points",
                                     num_batches_, count(otap::Signal::kLogs),
                                     count(otap::Signal::kTraces), count(otap::Signal::kMetrics)));
  if (num_failed_ > 0) {
    report.lines.push_back(
        fmt::format("could not print {} times, {} of them permanently; the first: {}", num_failed_,
                    num_refused_, first_error_));
    report.num_problems = num_refused_;
  }
  return report;
}

}  // namespace df::nodes::exporters::console
