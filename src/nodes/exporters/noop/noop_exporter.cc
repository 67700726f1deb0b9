#include "nodes/exporters/noop/noop_exporter.h"

#include <fmt/format.h>

namespace df::nodes::exporters::noop {

Status NoopExporter::Start(engine::Effects&) { return Status::OK(); }

runtime::Task<Status> NoopExporter::Export(engine::Pdata pdata, engine::Effects&) {
  ++num_batches_;
  num_items_[static_cast<size_t>(pdata.batch->signal())] += pdata.batch->num_items();
  pdata.token.Ack();
  co_return Status::OK();
}

runtime::Task<Status> NoopExporter::OnTimer(engine::TimerId, engine::Effects&) {
  co_return Status::OK();
}

runtime::Task<Status> NoopExporter::Finish(engine::Effects&) { co_return Status::OK(); }

engine::NodeReport NoopExporter::Report() {
  const auto count = [&](otap::Signal signal) { return num_items_[static_cast<size_t>(signal)]; };
  return {.lines = {fmt::format("took {} batches: {} log records, {} spans, {} data points",
                                num_batches_, count(otap::Signal::kLogs),
                                count(otap::Signal::kTraces), count(otap::Signal::kMetrics))}};
}

}  // namespace df::nodes::exporters::noop
