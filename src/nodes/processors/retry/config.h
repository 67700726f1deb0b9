// Configuration of the retry processor.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "config/field_table.h"
#include "engine/node_registry.h"

namespace df::nodes::processors::retry {

struct RetryConfig : engine::NodeConfig {
  std::chrono::nanoseconds initial_interval = std::chrono::seconds(5);
  std::chrono::nanoseconds max_interval = std::chrono::seconds(30);
  std::chrono::nanoseconds max_elapsed_time = std::chrono::seconds(300);
  double multiplier = 1.5;
  int64_t max_retries = 0;  ///< 0: no bound
  int64_t max_in_flight = 10'000;
  /// How often batches are given up that downstream has not answered for max_elapsed_time.
  std::optional<std::chrono::nanoseconds> unanswered_check;
  int64_t seed = 1;
};

const config::FieldTable<RetryConfig>& RetryFields();

/// Reads a section: the keys of both forms, and what has to hold between them.
RetryConfig ReadRetryConfig(const config::Section& section);

}  // namespace df::nodes::processors::retry
