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
  std::string group;
  std::string name;
  config::Policies policies;
  std::vector<int> cores;  ///< one instance each, ascending; empty where the caller decides
  std::vector<CheckedNode> nodes;
  /// The entry of `pipelines` with every default; null where one pipeline was checked alone.
  config::ValuePtr effective;
};

/// Checks a document against the nodes that exist. Everything that is wrong is added to `problems`;
/// a pipeline is returned only when it has none of its own. Starts and touches nothing.
std::optional<CheckedPipeline> CheckPipeline(const config::PipelineDocument& document,
                                             const NodeRegistry& registry,
                                             const ValidateContext& context,
                                             config::Problems* problems);

/// Parses and checks a document that is one pipeline: in the prototype's form, an entry of
/// `pipelines`, or a v1 document with a single pipeline. `name` stands for it in messages; nothing
/// is substituted. Errors: config, with every problem on a line of its own.
Result<CheckedPipeline> LoadPipeline(std::string_view text, const std::string& name,
                                     const NodeRegistry& registry, const ValidateContext& context);

}  // namespace df::engine
