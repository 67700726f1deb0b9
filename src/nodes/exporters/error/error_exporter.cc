#include "nodes/exporters/error/error_exporter.h"

#include <fmt/format.h>

namespace df::nodes::exporters::error {

Status ErrorExporter::Start(engine::Effects&) { return Status::OK(); }

runtime::Task<Status> ErrorExporter::Export(engine::Pdata pdata, engine::Effects&) {
  // The 53 upper bits: every library draws the same share from the same seed.
  const double draw = static_cast<double>(random_() >> 11) * 0x1p-53;
  if (draw < config_->ratio) {
    ++num_refused_;
    pdata.token.Nack(config_->message, config_->permanent);
    co_return Status::OK();
  }
  ++num_taken_;
  num_items_taken_[static_cast<size_t>(pdata.batch->signal())] += pdata.batch->num_items();
  pdata.token.Ack();
  co_return Status::OK();
}

runtime::Task<Status> ErrorExporter::OnTimer(engine::TimerId, engine::Effects&) {
  co_return Status::OK();
}

runtime::Task<Status> ErrorExporter::Finish(engine::Effects&) { co_return Status::OK(); }

engine::NodeReport ErrorExporter::Report() {
  const auto count = [&](otap::Signal signal) {
    return num_items_taken_[static_cast<size_t>(signal)];
  };
  // A refusal that may pass is for the sender to judge: another attempt may have been taken.
  return {
      .lines = {fmt::format("refused {} batches, took {}: {} log records, {} spans, {} data points",
                            num_refused_, num_taken_, count(otap::Signal::kLogs),
                            count(otap::Signal::kTraces), count(otap::Signal::kMetrics))},
      .num_problems = config_->permanent ? num_refused_ : 0};
}

}  // namespace df::nodes::exporters::error
