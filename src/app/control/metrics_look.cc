#include "app/control/metrics_look.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "app/control/reply_fields.h"
#include "base/text.h"
#include "telemetry/names.h"

namespace df::app {
namespace {

using nlohmann::json;
namespace names = telemetry::names;

/// How points of a metric are put together.
struct Column {
  std::string_view metric;
  double NodeNumbers::* number;
  bool is_largest = false;  ///< in place of the sum
};

constexpr auto kColumns = std::to_array<Column>({
    {names::kNodeItemsIn.name, &NodeNumbers::items_in},
    {names::kNodeItemsOut.name, &NodeNumbers::items_out},
    {names::kNodeBatchesNacked.name, &NodeNumbers::refused},
    {names::kEdgeBatches.name, &NodeNumbers::queued},
    {names::kEdgeSize.name, &NodeNumbers::queued_bytes},
    {names::kNodeFailingTime.name, &NodeNumbers::failing_seconds, /*is_largest=*/true},
    {"df.receiver.otlp.requests.size", &NodeNumbers::bytes_in},
    {"df.receiver.otap.received.size", &NodeNumbers::bytes_in},
    {"df.exporter.otlp_http.request.size", &NodeNumbers::bytes_out},
    {"df.exporter.otlp_grpc.request.size", &NodeNumbers::bytes_out},
    {"df.exporter.otap.sent.size", &NodeNumbers::bytes_out},
    {"df.exporter.parquet.size", &NodeNumbers::bytes_out},
});

double ValueOf(const json& point) {
  const auto found = point.is_object() ? point.find("value") : point.end();
  return point.is_object() && found != point.end() && found->is_number() ? found->get<double>() : 0;
}

std::string SetText(const json& point, std::string_view key) {
  return TextOf(PartsOf(point, "set"), std::string(key).c_str());
}

void AddPoint(const Column* column, const json& point, MetricsLook* look) {
  const std::string pipeline = SetText(point, names::kPipelineId);
  const std::string node = SetText(point, names::kNodeId);
  if (pipeline.empty() || (column != nullptr && node.empty())) {
    return;
  }
  PipelineNumbers& numbers = look->pipelines[{SetText(point, names::kPipelineGroupId), pipeline}];
  if (column == nullptr) {
    numbers.memory_bytes += ValueOf(point);
    return;
  }
  NodeNumbers& of_node = numbers.nodes[node];
  of_node.type = SetText(point, names::kNodeType);
  double& number = of_node.*(column->number);
  number = column->is_largest ? std::max(number, ValueOf(point)) : number + ValueOf(point);
}

bool IsOfKind(const std::string& type, std::string_view kind) {
  return type.starts_with(kind) && type.substr(kind.size()).starts_with(':');
}

/// Receivers stand first, exporters last.
int RankOf(const std::string& type) {
  return IsOfKind(type, "receiver") ? 0 : IsOfKind(type, "exporter") ? 2 : 1;
}

TopRow RowOf(const NodeNumbers& before, const NodeNumbers& after, double seconds) {
  const auto rate = [&](double NodeNumbers::* number) {
    const double grown = after.*number - before.*number;
    return (grown < 0 ? after.*number : grown) / seconds;
  };
  return {.type = after.type,
          .items_in = rate(&NodeNumbers::items_in),
          .items_out = rate(&NodeNumbers::items_out),
          .bytes_in = rate(&NodeNumbers::bytes_in),
          .bytes_out = rate(&NodeNumbers::bytes_out),
          .refused = rate(&NodeNumbers::refused),
          .queued = after.queued,
          .queued_bytes = after.queued_bytes,
          .failing_seconds = after.failing_seconds};
}

void AddTo(TopRow* whole, const TopRow& node) {
  whole->items_in += IsOfKind(node.type, "receiver") ? node.items_out : 0;
  whole->items_out += IsOfKind(node.type, "exporter") ? node.items_in : 0;
  whole->bytes_in += node.bytes_in;
  whole->bytes_out += node.bytes_out;
  whole->refused += IsOfKind(node.type, "receiver") ? node.refused : 0;
  whole->queued += node.queued;
  whole->queued_bytes += node.queued_bytes;
  whole->failing_seconds = std::max(whole->failing_seconds, node.failing_seconds);
}

}  // namespace

Result<MetricsLook> ReadMetrics(const json& metrics) {
  if (!metrics.is_object() || !metrics.contains("metrics")) {
    return Status::Invalid("found something else than metrics");
  }
  MetricsLook look{.unix_nanos = NumberOf(metrics, "time_unix_nano")};
  for (const json& metric : PartsOf(metrics, "metrics")) {
    const std::string name = TextOf(metric, "name");
    const auto* const column =
        std::find_if(kColumns.begin(), kColumns.end(),
                     [&name](const Column& candidate) { return candidate.metric == name; });
    const bool is_memory = name == names::kPipelineMemory.name;
    if (column == kColumns.end() && !is_memory) {
      continue;
    }
    for (const json& point : PartsOf(metric, "points")) {
      AddPoint(is_memory ? nullptr : column, point, &look);
    }
  }
  return look;
}

double SecondsBetween(const MetricsLook& before, const MetricsLook& after) {
  constexpr double kShortest = 1e-3;
  return std::max(static_cast<double>(after.unix_nanos - before.unix_nanos) / 1e9, kShortest);
}

std::vector<TopPipeline> RatesBetween(const MetricsLook& before, const MetricsLook& after) {
  const double seconds = SecondsBetween(before, after);
  static const PipelineNumbers no_pipeline;
  static const NodeNumbers no_node;
  std::vector<TopPipeline> pipelines;
  for (const auto& [key, now] : after.pipelines) {
    const auto earlier = before.pipelines.find(key);
    const PipelineNumbers& then = earlier == before.pipelines.end() ? no_pipeline : earlier->second;
    TopPipeline pipeline{.name = {key.first, key.second}};
    pipeline.whole.memory_bytes = now.memory_bytes;
    for (const auto& [id, numbers] : now.nodes) {
      const auto node = then.nodes.find(id);
      TopRow row = RowOf(node == then.nodes.end() ? no_node : node->second, numbers, seconds);
      row.node = id;
      AddTo(&pipeline.whole, row);
      pipeline.nodes.push_back(std::move(row));
    }
    std::stable_sort(pipeline.nodes.begin(), pipeline.nodes.end(),
                     [](const TopRow& left, const TopRow& right) {
                       return RankOf(left.type) < RankOf(right.type);
                     });
    pipelines.push_back(std::move(pipeline));
  }
  return pipelines;
}

}  // namespace df::app
