#include "nodes/exporters/perf/perf_exporter.h"

#include <utility>

namespace df::nodes::exporters::perf {
namespace {

constexpr engine::TimerId kReportTimer = 0;

}  // namespace

Status PerfExporter::Start(engine::Effects& effects) {
  effects_ = &effects;
  recorder_ = meter_->Begin(effects.clock().Now());
  effects.StartTimer(kReportTimer, frequency_);
  return Status::OK();
}

runtime::Task<Status> PerfExporter::Export(engine::Pdata pdata, engine::Effects& effects) {
  recorder_->Add(*pdata.batch, effects.clock().WallNow());
  pdata.token.Ack();
  co_return Status::OK();
}

runtime::Task<Status> PerfExporter::OnTimer(engine::TimerId, engine::Effects& effects) {
  meter_->Tick(effects.clock().Now());
  co_return Status::OK();
}

runtime::Task<Status> PerfExporter::Finish(engine::Effects&) {
  End();
  co_return Status::OK();
}

void PerfExporter::End() {
  if (effects_ != nullptr && !std::exchange(has_ended_, true)) {
    meter_->End(effects_->clock().Now());
  }
}

engine::NodeReport PerfExporter::Report() {
  End();  // a forced end leaves Finish out
  return meter_->Report();
}

}  // namespace df::nodes::exporters::perf
