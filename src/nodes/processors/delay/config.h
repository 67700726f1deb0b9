// Configuration of the delay processor.
#pragma once

#include <chrono>
#include <cstdint>

#include "config/field_table.h"
#include "engine/node_registry.h"

namespace df::nodes::processors::delay {

struct DelayConfig : engine::NodeConfig {
  std::chrono::nanoseconds delay{0};
  int64_t max_pending = 1000;
};

const config::FieldTable<DelayConfig>& DelayFields();

}  // namespace df::nodes::processors::delay
