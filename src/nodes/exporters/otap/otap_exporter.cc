#include "nodes/exporters/otap/otap_exporter.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>

namespace df::nodes::exporters::otap {
namespace {

/// How long before the deadline of a drain what is not answered is nacked.
constexpr std::chrono::nanoseconds kDrainMargin = std::chrono::milliseconds(500);
/// How long servers may take to end streams on which everything is answered.
constexpr std::chrono::nanoseconds kMaxEndTime = std::chrono::seconds(1);

}  // namespace

OtapExporter::OtapExporter(const LaneSettings& settings, int64_t streams_per_signal,
                           MakeOpener make_opener)
    : settings_(settings),
      streams_per_signal_(streams_per_signal),
      make_opener_(std::move(make_opener)) {}

Status OtapExporter::Start(engine::Effects& effects) {
  ARROW_RETURN_NOT_OK(arrow::compute::Initialize());
  effects_ = &effects;
  ARROW_ASSIGN_OR_RAISE(opener_, make_opener_(effects));
  metrics_.emplace(&effects.metrics());
  limit_.emplace(settings_.max_request_bytes);
  too_large_.emplace(effects.info().node, metrics_->too_large);
  const delivery::Destination destination{&*limit_, &*too_large_};
  for (const df::otap::Signal signal : df::otap::kAllSignals) {
    Lanes& lanes = lanes_[static_cast<size_t>(signal)];
    for (int64_t i = 0; i < streams_per_signal_; ++i) {
      lanes.push_back(std::make_unique<Lane>(signal, settings_, destination, opener_.get(),
                                             &effects.loop(), &*metrics_));
    }
  }
  drain_margin_.emplace(&effects, kDrainMargin, [this] { GiveUp(); });
  return Status::OK();
}

runtime::Task<Status> OtapExporter::Export(engine::Pdata pdata, engine::Effects&) {
  if (pdata.batch->num_root_rows() == 0) {
    pdata.token.Ack();
    co_return Status::OK();
  }
  ++num_batches_;
  const Lanes& lanes = lanes_[static_cast<size_t>(pdata.batch->signal())];
  const auto lane = std::min_element(lanes.begin(), lanes.end(), [](const auto& a, const auto& b) {
    return a->num_in_flight() < b->num_in_flight();
  });
  co_await (*lane)->Send(std::move(pdata));
  co_return Status::OK();
}

runtime::Task<Status> OtapExporter::OnTimer(engine::TimerId, engine::Effects&) {
  co_return Status::OK();
}

runtime::Task<Status> OtapExporter::Finish(engine::Effects& effects) {
  for (const Lanes& lanes : lanes_) {
    for (const auto& lane : lanes) {
      co_await lane->WaitForAnswers();
      lane->FinishStreams();
    }
  }
  const runtime::SteadyTime until = effects.clock().Now() + kMaxEndTime;
  for (const Lanes& lanes : lanes_) {
    for (const auto& lane : lanes) {
      co_await lane->WaitForEnds(until);
    }
  }
  co_return Status::OK();
}

void OtapExporter::GiveUp() {
  for (const Lanes& lanes : lanes_) {
    for (const auto& lane : lanes) {
      lane->GiveUp("the pipeline is ending and the server has not answered");
    }
  }
}

engine::NodeReport OtapExporter::Report() {
  engine::NodeReport report;
  int64_t num_failed = 0;
  std::string first_failure;
  for (const Lanes& lanes : lanes_) {
    for (const auto& lane : lanes) {
      num_failed += lane->num_failed();
      report.num_problems += lane->num_refused();
      report.num_problems += lane->num_refused_items();
      first_failure = first_failure.empty() ? lane->first_failure() : first_failure;
    }
  }
  report.lines.push_back(
      fmt::format("sent {} batches, {} were not delivered", num_batches_, num_failed));
  if (num_failed > 0) {
    report.lines.push_back(fmt::format("the first: {}", first_failure));
  }
  if (too_large_.has_value()) {
    too_large_->AppendTo(&report.lines);
  }
  return report;
}

}  // namespace df::nodes::exporters::otap
