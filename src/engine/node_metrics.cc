#include "engine/node_metrics.h"

#include <string>
#include <utility>
#include <vector>

#include "telemetry/names.h"

namespace df::engine {
namespace {

namespace names = telemetry::names;

SignalCounters BySignal(telemetry::MetricSet* set, const telemetry::Instrument& instrument) {
  SignalCounters counters;
  for (const otap::Signal signal :
       {otap::Signal::kLogs, otap::Signal::kTraces, otap::Signal::kMetrics}) {
    counters[static_cast<size_t>(signal)] = &set->AddCounter(
        instrument, {{std::string(names::kSignal), std::string(otap::Name(signal))}});
  }
  return counters;
}

WaitMetrics Waits(telemetry::MetricSet* set, const char* reason) {
  const telemetry::Attributes attributes = {{std::string(names::kReason), reason}};
  return {&set->AddCounter(names::kNodeWaits, attributes),
          &set->AddCounter(names::kNodeWaitTime, attributes)};
}

}  // namespace

telemetry::Attributes PipelineAttributes(const InstanceInfo& info) {
  std::vector<telemetry::Attributes::Entry> entries = {
      {std::string(names::kPipelineGroupId), info.group},
      {std::string(names::kPipelineId), info.pipeline}};
  if (info.core.has_value()) {
    entries.emplace_back(names::kCoreId, std::to_string(*info.core));
  } else {
    entries.emplace_back(names::kInstanceIndex, std::to_string(info.instance_index));
  }
  return telemetry::Attributes(std::move(entries));
}

NodeMetrics::NodeMetrics(telemetry::Registry* registry, const InstanceInfo& info,
                         std::string_view node_type, config::MetricsLevel metrics_level)
    : level(metrics_level) {
  std::vector<telemetry::Attributes::Entry> entries = PipelineAttributes(info).entries();
  entries.emplace_back(names::kNodeId, info.node);
  entries.emplace_back(names::kNodeType, node_type);
  const telemetry::Attributes attributes(std::move(entries));
  node = &registry->FindOrAdd(names::kNodeScope, attributes);
  batches_in = BySignal(node, names::kNodeBatchesIn);
  items_in = BySignal(node, names::kNodeItemsIn);
  batches_out = BySignal(node, names::kNodeBatchesOut);
  items_out = BySignal(node, names::kNodeItemsOut);
  acked = &node->AddCounter(names::kNodeBatchesAcked);
  for (size_t cause = 0; cause < kNumNackCauses; ++cause) {
    for (const bool is_permanent : {false, true}) {
      nacked[cause][is_permanent ? 1 : 0] = &node->AddCounter(
          names::kNodeBatchesNacked,
          {{std::string(names::kPermanent), is_permanent ? "true" : "false"},
           {std::string(names::kReason), std::string(Name(static_cast<NackCause>(cause)))}});
    }
  }
  pending = &node->AddGauge(names::kNodeBatchesPending);
  memory_wait = Waits(node, "memory");
  room_wait = Waits(node, "room");
  empty_wait = Waits(node, "empty");
  if (node_type.starts_with("exporter:")) {
    failing = &node->AddGauge(names::kNodeFailingTime);
  }
  ticks_left_out = &node->AddCounter(names::kNodeTicksLeftOut);

  telemetry::MetricSet& edge = registry->FindOrAdd(names::kEdgeScope, attributes);
  edge_batches = &edge.AddGauge(names::kEdgeBatches);
  edge_bytes = &edge.AddGauge(names::kEdgeSize);
  edge_batches_limit = &edge.AddGauge(names::kEdgeBatchesLimit);
  edge_bytes_limit = &edge.AddGauge(names::kEdgeSizeLimit);
  if (has_times()) {
    busy_time = &node->AddCounter(names::kNodeBusyTime);
    for (const bool is_ack : {false, true}) {
      outcome_latency[is_ack ? 1 : 0] =
          &node->AddHistogram(names::kNodeOutcomeLatency, telemetry::LatencyBounds(),
                              {{std::string(names::kOutcome), is_ack ? "ack" : "nack"}});
    }
  }
  if (level >= config::MetricsLevel::kDetailed) {
    call_duration = &node->AddHistogram(names::kNodeCallDuration);
    edge_wait = &edge.AddHistogram(names::kEdgeWaitDuration);
  }
}

}  // namespace df::engine
