// Configuration of the traffic generator.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "config/field_table.h"
#include "engine/node_config.h"
#include "otap/schema.h"

namespace df::nodes::receivers::traffic_generator {

enum class GenerationStrategy : uint8_t {
  kFresh,         ///< every batch is made anew
  kPreGenerated,  ///< a few batches are made at the start and sent again and again
};

enum class ProductionMode : uint8_t {
  kSmooth,  ///< spread evenly over each second
  kOpen,    ///< all of a second as fast as possible, then the next second
};

struct TrafficConfig {
  ProductionMode production_mode = ProductionMode::kSmooth;
  std::optional<int64_t> signals_per_second = 30;
  std::optional<int64_t> max_signal_count;
  int64_t max_batch_size = 1000;
  int64_t metric_weight = 0;
  int64_t trace_weight = 0;
  int64_t log_weight = 0;
  std::optional<int64_t> log_body_size_bytes;
  int64_t num_log_attributes = 2;
  int64_t num_span_attributes = 3;
  int64_t num_span_events = 1;
  int64_t num_span_links = 0;
  int64_t num_metric_attributes = 3;
  int64_t num_data_points_per_metric = 1;
  bool use_trace_context = false;
  int64_t attribute_cardinality = 100;
  double zipf_exponent = 1.0;
  bool corner_shapes = false;

  int64_t WeightOf(otap::Signal signal) const;
};

struct TrafficGeneratorConfig final : engine::NodeConfig {
  int64_t seed = 1;
  GenerationStrategy generation_strategy = GenerationStrategy::kFresh;
  bool enable_ack_nack = false;
  std::map<std::string, std::string> resource_attributes = {{"service.name", "load-generator"}};
  TrafficConfig traffic;
};

const config::FieldTable<TrafficGeneratorConfig>& TrafficGeneratorFields();

/// Checks keys against each other; problems go to the section.
void CheckTrafficGenerator(const config::Section& section, const TrafficGeneratorConfig& config);

}  // namespace df::nodes::receivers::traffic_generator
