#include "nodes/receivers/traffic_generator/config.h"

#include <utility>

namespace df::nodes::receivers::traffic_generator {
namespace {

constexpr config::Range kCount = {1, int64_t{1} << 50};

/// A whole number, or null for none.
config::Field<TrafficConfig> OptionalCount(std::string name,
                                           std::optional<int64_t> TrafficConfig::* member,
                                           config::Range range, std::string description) {
  return config::Structured<TrafficConfig, std::optional<int64_t>>(
      std::move(name), config::IntegerType(range), member,
      [range](const config::Section& section) -> std::optional<std::optional<int64_t>> {
        if (section.value().kind == config::Value::Kind::kNull) {
          return std::optional<int64_t>();
        }
        const std::optional<int64_t> value = section.ReadInteger(range);
        return value.has_value() ? std::optional(value) : std::nullopt;
      },
      [](const std::optional<int64_t>& value) {
        return value.has_value() ? config::MakeInteger(*value) : config::MakeNull();
      },
      [](const std::optional<int64_t>& value) {
        return value.has_value() ? std::to_string(*value) : std::string("none");
      },
      config::OrNullSchema(config::IntegerSchema(range)), std::move(description));
}

const config::FieldTable<TrafficConfig>& TrafficFields() {
  using Config = TrafficConfig;
  constexpr config::Range kWeight = {0, 1'000'000};
  constexpr config::Range kFew = {0, 100};
  static const config::FieldTable<Config> kTable = {
      config::Enum("production_mode", &Config::production_mode,
                   {{"smooth", ProductionMode::kSmooth}, {"open", ProductionMode::kOpen}},
                   "spread evenly, or all of a second at its beginning"),
      OptionalCount("signals_per_second", &Config::signals_per_second, kCount,
                    "log records, spans and metrics a second, of all cores; null: as fast as the "
                    "pipeline takes them"),
      OptionalCount("max_signal_count", &Config::max_signal_count, kCount,
                    "log records, spans and metrics, of all cores, after which it ends; null: "
                    "never"),
      config::Integer("max_batch_size", &Config::max_batch_size, {1, otap::kMaxRootRows},
                      "largest number of log records, spans or metrics of a batch"),
      config::Integer("metric_weight", &Config::metric_weight, kWeight, "share of metrics"),
      config::Integer("trace_weight", &Config::trace_weight, kWeight, "share of spans"),
      config::Integer("log_weight", &Config::log_weight, kWeight, "share of log records"),
      OptionalCount("log_body_size_bytes", &Config::log_body_size_bytes, {0, 1 << 20},
                    "size of each body; 0: no body; null: sentences of different lengths"),
      config::Integer("num_log_attributes", &Config::num_log_attributes, kFew,
                      "attributes of each log record"),
      config::Integer("num_span_attributes", &Config::num_span_attributes, kFew,
                      "attributes of each span"),
      config::Integer("num_span_events", &Config::num_span_events, kFew, "events of each span"),
      config::Integer("num_span_links", &Config::num_span_links, kFew, "links of each span"),
      config::Integer("num_metric_attributes", &Config::num_metric_attributes, kFew,
                      "attributes of each data point"),
      config::Integer("num_data_points_per_metric", &Config::num_data_points_per_metric, {1, 1000},
                      "data points of each metric"),
      config::Bool("use_trace_context", &Config::use_trace_context,
                   "log records have trace and span ids"),
      config::Integer("attribute_cardinality", &Config::attribute_cardinality, {1, 65'000},
                      "different values of each attribute"),
      config::Number("zipf_exponent", &Config::zipf_exponent, {0, 10},
                     "how much more frequent the first values are; 0: all alike"),
      config::Bool("corner_shapes", &Config::corner_shapes,
                   "mix in everything odd that OTLP allows"),
  };
  return kTable;
}

}  // namespace

int64_t TrafficConfig::WeightOf(otap::Signal signal) const {
  switch (signal) {
    case otap::Signal::kLogs:
      return log_weight;
    case otap::Signal::kTraces:
      return trace_weight;
    case otap::Signal::kMetrics:
      return metric_weight;
  }
  return 0;
}

const config::FieldTable<TrafficGeneratorConfig>& TrafficGeneratorFields() {
  using Config = TrafficGeneratorConfig;
  static const config::FieldTable<Config> kTable = {
      config::Integer("seed", &Config::seed, {0, INT64_MAX},
                      "the same seed gives the same items, but for their times"),
      config::Enum("generation_strategy", &Config::generation_strategy,
                   {{"fresh", GenerationStrategy::kFresh},
                    {"pre_generated", GenerationStrategy::kPreGenerated}},
                   "make every batch anew, or a few that are sent again and again"),
      config::Bool("enable_ack_nack", &Config::enable_ack_nack,
                   "report the outcomes of the batches even when all are acks"),
      config::StringMap("resource_attributes", &Config::resource_attributes,
                        "attributes of the resource"),
      config::Group("traffic_config", &Config::traffic, TrafficFields(), "what is sent, and when")
          .Required(),
      config::Refused<Config>("data_source",
                              "is not known: everything is made up here, as with 'synthetic'"),
      config::Refused<Config>("registry_path",
                              "is not known: nothing is read from a registry of conventions"),
      config::Refused<Config>("transport_headers", "is not known: batches have no headers"),
  };
  return kTable;
}

void CheckTrafficGenerator(const config::Section& section, const TrafficGeneratorConfig& config) {
  const auto traffic = section.Find("traffic_config");
  if (traffic.has_value() &&
      config.traffic.metric_weight + config.traffic.trace_weight + config.traffic.log_weight == 0) {
    traffic->Add("found no weight, expected log_weight, trace_weight or metric_weight above 0");
  }
}

}  // namespace df::nodes::receivers::traffic_generator
