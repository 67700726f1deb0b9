// The texts that made-up telemetry draws from, and how it draws.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/api.h>

#include "nodes/receivers/traffic_generator/config.h"
#include "nodes/receivers/traffic_generator/random.h"

namespace df::nodes::receivers::traffic_generator {

/// A dictionary of texts; an index is uint16_t.
struct TextPool {
  std::shared_ptr<arrow::Array> texts;
  uint32_t num_texts = 0;    ///< that are drawn
  uint32_t num_corners = 0;  ///< odd ones behind them, drawn where corner shapes are wanted
};

/// Everything that does not change between batches. Shared by the makers; immutable.
struct Pools {
  explicit Pools(const TrafficGeneratorConfig& config);

  TrafficConfig traffic;
  bool has_resource;
  /// Rows of resource 0; null without attributes.
  std::shared_ptr<arrow::RecordBatch> resource_attributes;
  Zipf values;              ///< ranks of the values of an attribute
  TextPool attribute_keys;  ///< one for each attribute of an item
  TextPool attribute_texts;
  TextPool bodies;
  TextPool severities;  ///< TRACE to FATAL
  TextPool span_names;
  TextPool event_names;
  TextPool messages;                           ///< of the status of spans
  std::shared_ptr<arrow::Array> corner_bytes;  ///< binary dictionary
  std::shared_ptr<arrow::Array> corner_cbor;   ///< binary dictionary: an array, then a map

  /// True once in a while where corner shapes are wanted.
  bool IsCorner(Random* random) const { return traffic.corner_shapes && random->OneIn(8); }

  /// Columns `resource` and `scope` of `num_rows` rows, all alike.
  std::shared_ptr<arrow::Array> ResourceColumn(int64_t num_rows) const;
  std::shared_ptr<arrow::Array> ScopeColumn(int64_t num_rows) const;
};

}  // namespace df::nodes::receivers::traffic_generator
