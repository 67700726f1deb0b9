// Configuration of the durable buffer.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/units.h"
#include "config/field_table.h"
#include "engine/node_registry.h"

namespace df::nodes::processors::durable_buffer {

/// What becomes of a batch for which there is no room.
enum class WhenFull : uint8_t { kBackpressure, kDropOldest };

struct DurableBufferConfig : engine::NodeConfig {
  std::string path;
  int64_t max_bytes = 10_GiB;
  std::optional<std::chrono::nanoseconds> max_age;
  WhenFull when_full = WhenFull::kBackpressure;
  int64_t segment_bytes = 64_MiB;
  int64_t max_in_flight = 16;
  std::chrono::nanoseconds retry_interval = std::chrono::seconds(1);
  std::chrono::nanoseconds max_retry_interval = std::chrono::seconds(30);
};

const config::FieldTable<DurableBufferConfig>& DurableBufferFields();

/// Reads a section: the keys, and what has to hold between them.
DurableBufferConfig ReadDurableBufferConfig(const config::Section& section);

}  // namespace df::nodes::processors::durable_buffer
