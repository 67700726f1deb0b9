#include "engine/node.h"

#include <utility>

#include <fmt/format.h>

namespace df::engine {

std::string_view Name(NodeKind kind) {
  switch (kind) {
    case NodeKind::kReceiver:
      return "receiver";
    case NodeKind::kProcessor:
      return "processor";
    case NodeKind::kExporter:
      return "exporter";
  }
  return "";
}

Status Controllable::OnConfig(const NodeConfigPtr&) {
  return Status::NotImplemented("the node cannot change its configuration while it runs");
}

void Controllable::OnMemoryPressure(MemoryPressure) {}

void Controllable::OnCollect() {}

Status OneToOneProcessor::Start(Effects&) { return Status::OK(); }

runtime::Task<Status> OneToOneProcessor::Process(Pdata pdata, Effects& effects) {
  Result<otap::BatchPtr> transformed = Transform(pdata.batch);
  if (!transformed.ok()) {
    if (++num_refused_ == 1) {
      first_refusal_ = transformed.status().message();
    }
    pdata.token.Nack(transformed.status().message(), true);
    co_return Status::OK();
  }
  if (*transformed == nullptr) {
    pdata.token.Ack();
    co_return Status::OK();
  }
  pdata.batch = std::move(transformed).ValueUnsafe();
  pdata.charge.Release();
  co_await effects.Send(std::move(pdata));
  co_return Status::OK();
}

runtime::Task<Status> OneToOneProcessor::OnTimer(TimerId, Effects&) { co_return Status::OK(); }

runtime::Task<Status> OneToOneProcessor::Finish(Effects&) { co_return Status::OK(); }

NodeReport OneToOneProcessor::Report() {
  NodeReport report;
  if (num_refused_ > 0) {
    report.lines.push_back(
        fmt::format("refused {} batches; the first: {}", num_refused_, first_refusal_));
    report.num_problems = num_refused_;
  }
  return report;
}

}  // namespace df::engine
