#include "nodes/processors/type_router/type_router_processor.h"

#include <algorithm>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace df::nodes::processors::type_router {
namespace {

using enum telemetry::InstrumentKind;
constexpr telemetry::Instrument kRouted = {kCounter, "df.type_router.batches.routed", "{batch}",
                                           "Batches that were sent to a port", "signal"};
constexpr telemetry::Instrument kParked = {kCounter, "df.type_router.batches.parked", "{batch}",
                                           "Batches that were kept until their port had room",
                                           "signal"};
constexpr telemetry::Instrument kRejected = {
    kCounter, "df.type_router.batches.rejected", "{batch}",
    "Batches that were nacked because their port was full or closed", "reason,signal"};
constexpr telemetry::Instrument kDropped = {kCounter, "df.type_router.batches.dropped", "{batch}",
                                            "Batches without a port", "signal"};

}  // namespace

Status TypeRouterProcessor::Start(engine::Effects& effects) {
  effects_ = &effects;
  wakeup_.emplace(&effects.loop());
  for (const otap::Signal signal : otap::kAllSignals) {
    telemetry::MetricSet& metrics = effects.metrics();
    const std::string name(otap::Name(signal));
    counters_[static_cast<size_t>(signal)] = {
        .routed = &metrics.AddCounter(kRouted, {{"signal", name}}),
        .parked = &metrics.AddCounter(kParked, {{"signal", name}}),
        .rejected_full = &metrics.AddCounter(kRejected, {{"reason", "full"}, {"signal", name}}),
        .rejected_closed = &metrics.AddCounter(kRejected, {{"reason", "closed"}, {"signal", name}}),
        .dropped = &metrics.AddCounter(kDropped, {{"signal", name}}),
    };
  }
  return FindRoutes(effects);
}

Status TypeRouterProcessor::FindRoutes(engine::Effects& effects) {
  bool is_default_of_a_signal = false;
  for (const otap::Signal signal : otap::kAllSignals) {
    const Result<engine::PortIndex> port = effects.FindPort(otap::Name(signal));
    if (port.ok()) {
      route_of_signal_[static_cast<size_t>(signal)] = RouteOfPort(*port);
      is_default_of_a_signal |= *port == effects.default_port();
    }
  }
  if (is_default_of_a_signal) {
    return Status::OK();
  }
  for (std::optional<size_t>& route : route_of_signal_) {
    if (!route.has_value()) {
      route = RouteOfPort(effects.default_port());
    }
  }
  return Status::OK();
}

size_t TypeRouterProcessor::RouteOfPort(engine::PortIndex port) {
  for (size_t i = 0; i < num_routes_; ++i) {
    if (routes_[i].port == port) {
      return i;
    }
  }
  routes_[num_routes_].port = port;
  return num_routes_++;
}

runtime::Task<Status> TypeRouterProcessor::Process(engine::Pdata pdata, engine::Effects& effects) {
  const otap::Signal signal = pdata.batch->signal();
  const SignalCounters& counters = counters_[static_cast<size_t>(signal)];
  const std::optional<size_t> index = route_of_signal_[static_cast<size_t>(signal)];
  if (!index.has_value()) {
    counters.dropped->Add(1);
    pdata.token.Nack(fmt::format("no port for {}", otap::Name(signal)), true);
    co_return Status::OK();
  }
  Route& route = routes_[*index];
  while (route.is_parked && config_->admission_policy.on_full == OnFull::kBackpressure) {
    co_await wakeup_->Wait();
  }
  // A batch that is still parked keeps its place in front, whatever room there is by now.
  const runtime::PushResult result =
      route.is_parked ? runtime::PushResult::kFull : effects.TrySend(pdata, route.port);
  if (result == runtime::PushResult::kSent) {
    counters.routed->Add(1);
  } else if (result == runtime::PushResult::kClosed) {
    counters.rejected_closed->Add(1);
    pdata.token.Nack(fmt::format("the destination of {} has ended", otap::Name(signal)), false,
                     engine::NackCause::kRouteClosed);
  } else if (config_->admission_policy.on_full == OnFull::kRejectImmediately) {
    counters.rejected_full->Add(1);
    pdata.token.Nack(fmt::format("the destination of {} has no room", otap::Name(signal)), false,
                     engine::NackCause::kRouteFull);
  } else {
    counters.parked->Add(1);
    counters.routed->Add(1);
    route.is_parked = true;
    route.sending = SendParked(*index, std::move(pdata));
    route.sending.Start();
  }
  co_return Status::OK();
}

/// Runs beside the calls of the node, so that the wait of one route is not that of the others.
runtime::Task<> TypeRouterProcessor::SendParked(size_t index, engine::Pdata pdata) {
  co_await effects_->Send(std::move(pdata), routes_[index].port);
  routes_[index].is_parked = false;
  wakeup_->Notify();
}

runtime::Task<Status> TypeRouterProcessor::OnTimer(engine::TimerId, engine::Effects&) {
  co_return Status::OK();
}

runtime::Task<Status> TypeRouterProcessor::Finish(engine::Effects&) {
  while (is_any_parked()) {
    co_await wakeup_->Wait();
  }
  co_return Status::OK();
}

bool TypeRouterProcessor::is_any_parked() const {
  return std::any_of(routes_.begin(), routes_.end(),
                     [](const Route& route) { return route.is_parked; });
}

Status TypeRouterProcessor::OnConfig(const engine::NodeConfigPtr& config) {
  config_ = std::static_pointer_cast<const TypeRouterConfig>(config);
  wakeup_->Notify();  // for a Process that waits: it may reject now
  return Status::OK();
}

engine::NodeReport TypeRouterProcessor::Report() {
  engine::NodeReport report;
  const auto value = [](const telemetry::Counter* counter) {
    return counter == nullptr ? 0 : counter->value();
  };
  for (const otap::Signal signal : otap::kAllSignals) {
    const SignalCounters& counters = counters_[static_cast<size_t>(signal)];
    const int64_t rejected = value(counters.rejected_full) + value(counters.rejected_closed);
    if (value(counters.routed) + rejected + value(counters.dropped) > 0) {
      report.lines.push_back(fmt::format("{}: {} batches routed, {} rejected, {} without a port",
                                         otap::Name(signal), value(counters.routed), rejected,
                                         value(counters.dropped)));
      report.num_problems += value(counters.dropped);
    }
  }
  return report;
}

}  // namespace df::nodes::processors::type_router
