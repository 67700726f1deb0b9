// The pipelines of a document as nodes and edges, and as texts that draw them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checked_engine.h"

namespace df::app {

struct GraphNode {
  std::string name;
  std::string type;  ///< "exporter:parquet"
  engine::NodeKind kind = engine::NodeKind::kReceiver;
};

/// One way of batches. `from` and `to` are indices of nodes; `from` is the smaller one.
struct GraphEdge {
  size_t from = 0;
  size_t to = 0;
  std::string port;
  std::string dispatch;  ///< of the port, "" where it has one destination

  /// Returns "logs, broadcast", without what every edge has.
  std::string Label() const;
};

/// Texts are printable. Shape: acyclic.
struct PipelineGraph {
  std::string group;
  std::string name;
  std::vector<GraphNode> nodes;  ///< each before those that it sends to
  std::vector<GraphEdge> edges;  ///< by `from`

  std::string Title() const { return group + "/" + name; }
};

std::vector<PipelineGraph> GraphsOf(const engine::CheckedEngine& engine);

/// Returns a tree for each receiver. A node that is reached again, or lies too deep, stands once.
/// Cost: linear in nodes and edges.
std::string DrawText(const std::vector<PipelineGraph>& graphs);

/// Returns a graph for Graphviz.
std::string DrawDot(const std::vector<PipelineGraph>& graphs);

/// Returns a flow chart for Mermaid.
std::string DrawMermaid(const std::vector<PipelineGraph>& graphs);

}  // namespace df::app
