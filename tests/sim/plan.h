// A pipeline drawn from a seed, and what may be expected of it.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "config/pipeline_document.h"
#include "engine/memory_account.h"
#include "engine/node_registry.h"

namespace df::sim {

struct PlanPort {
  std::string name;
  std::vector<size_t> destinations;  ///< numbers of nodes
  config::DispatchStrategy strategy = config::DispatchStrategy::kRoundRobin;
};

struct PlanNode {
  std::string name;
  engine::NodeKind kind = engine::NodeKind::kReceiver;
  std::string urn;
  std::vector<std::pair<std::string, std::string>> config;  ///< keys and values as YAML
  std::vector<PlanPort> ports;
};

/// Everything that a seed decides. Nodes stand before those that they send to.
struct Plan {
  uint64_t seed = 0;
  std::vector<PlanNode> nodes;
  std::vector<int64_t> num_batches;  ///< of each receiver
  int64_t max_messages = 1;          ///< in front of each node
  int64_t max_bytes = 1;             ///< of those
  engine::MemoryAccount::Limits memory;
  std::chrono::nanoseconds drain_after{0};  ///< 0: runs to its natural end
  std::chrono::nanoseconds drain_timeout{0};
  bool is_order_random = false;  ///< of ready coroutines
  bool is_restarted = false;     ///< what was not acked is sent again by a second instance

  // What follows from the nodes.
  bool may_repeat = false;       ///< one batch may arrive several times: a node sends again
  bool may_stall = false;        ///< a batch may stay somewhere until the end by force
  bool may_drop = false;         ///< a node acks what no exporter has seen
  bool changes_records = false;  ///< what arrives is not what was sent
  bool changes_sizes = false;    ///< bytes are charged anew, or after an outcome
  int64_t max_copies = 1;        ///< of one item over all exporters, without repeats

  /// Returns the document, with the rest of the plan as comments.
  std::string ToYaml() const;
};

/// Draws a plan of the nodes of a simulation and of those of `registry` that it knows.
Plan DrawPlan(uint64_t seed, const engine::NodeRegistry& registry);

}  // namespace df::sim
