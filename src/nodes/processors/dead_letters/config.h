// Configuration of the dead letters processor.
#pragma once

#include <cstdint>

#include "config/field_table.h"
#include "engine/node_registry.h"

namespace df::nodes::processors::dead_letters {

/// What happens when a dead letter cannot be written.
enum class OnError : uint8_t {
  kContinue,  ///< its sender hears that it was refused
  kStop,      ///< the same, and the pipeline ends
};

struct DeadLettersConfig : engine::NodeConfig {
  OnError on_error = OnError::kContinue;
  int64_t max_in_flight = 10'000;
};

const config::FieldTable<DeadLettersConfig>& DeadLettersFields();

}  // namespace df::nodes::processors::dead_letters
