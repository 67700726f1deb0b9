// Configuration of the batch processor.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "config/field_table.h"
#include "engine/node_config.h"

namespace df::nodes::processors::batch {

enum class Sizer : uint8_t {
  kItems,  ///< log records, spans, data points
  kBytes,  ///< of the columns in memory
};

struct SizeConfig {
  int64_t min_size = 8192;
  std::optional<int64_t> max_size;
  Sizer sizer = Sizer::kItems;
};

struct BatchConfig : engine::NodeConfig {
  SizeConfig otap;
  std::chrono::nanoseconds max_batch_duration = std::chrono::milliseconds(200);
};

/// Keys as they are written, those of the prototype among them.
struct BatchDocument {
  SizeConfig otap;
  std::chrono::nanoseconds max_batch_duration = std::chrono::milliseconds(200);
  std::optional<int64_t> send_batch_size;
  std::optional<int64_t> send_batch_max_size;
  std::optional<std::chrono::nanoseconds> timeout;
};

const config::FieldTable<BatchDocument>& BatchFields();

/// Reads a section; problems go to it.
BatchConfig ReadBatchConfig(const config::Section& section);

}  // namespace df::nodes::processors::batch
