// Configuration of the fan-out processor.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/field_table.h"
#include "engine/node_registry.h"

namespace df::nodes::processors::fanout {

/// When the destinations get a batch.
enum class Mode : uint8_t {
  kParallel,    ///< all at once
  kSequential,  ///< one after the other, each when the one before has its outcome
};

/// Whose outcome the sender hears.
enum class AwaitAck : uint8_t {
  kPrimary,  ///< that of the primary destination or its fallbacks
  kAll,      ///< an ack when all have acked, else a nack with every reason
  kNone,     ///< an ack at once
};

struct Destination {
  std::string port;
  bool primary = false;
  std::optional<std::chrono::nanoseconds> timeout;
  std::string fallback_for;  ///< a port; empty for a destination that gets every batch
};

struct FanoutConfig : engine::NodeConfig {
  Mode mode = Mode::kParallel;
  AwaitAck await_ack = AwaitAck::kPrimary;
  std::vector<Destination> destinations;
  std::chrono::nanoseconds timeout_check_interval = std::chrono::milliseconds(200);
  int64_t max_inflight = 10'000;  ///< 0: no bound
};

inline constexpr size_t kMaxDestinations = 64;

const config::FieldTable<FanoutConfig>& FanoutFields();

/// Reads a section and checks destinations against each other.
FanoutConfig ReadFanoutConfig(const config::Section& section);

}  // namespace df::nodes::processors::fanout
