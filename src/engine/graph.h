// A pipeline that may be started: every name resolved, every node's configuration read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/pipeline_document.h"
#include "engine/node_registry.h"

namespace df::engine {

/// One out port. Destinations are indices of nodes.
struct CheckedPort {
  std::string name;
  config::DispatchStrategy strategy = config::DispatchStrategy::kRoundRobin;
  std::vector<size_t> destinations;
};

struct CheckedNode {
  std::string name;
  const NodeDescriptor* descriptor = nullptr;
  NodeConfigPtr config;
  std::vector<CheckedPort> ports;
  PortIndex default_port = 0;
  int num_upstream = 0;  ///< nodes that send to this one
};

/// Shape: acyclic; nodes in an order in which every node comes before its destinations; every node
/// is reached from a receiver.
struct CheckedPipeline {
  config::PipelineSettings settings;
  std::vector<CheckedNode> nodes;
};

/// Checks a document against the nodes that exist. Everything that is wrong is added to `problems`;
/// a pipeline is returned only when nothing is. Starts and touches nothing.
std::optional<CheckedPipeline> CheckPipeline(const config::PipelineDocument& document,
                                             const NodeRegistry& registry,
                                             const ValidateContext& context,
                                             config::Problems* problems);

/// Parses and checks the text of a document; `name` stands for it in messages. Errors: config, with
/// every problem on a line of its own.
Result<CheckedPipeline> LoadPipeline(std::string_view text, const std::string& name,
                                     const NodeRegistry& registry, const ValidateContext& context);

}  // namespace df::engine
