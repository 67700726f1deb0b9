#include "app/commands/pipeline_graph.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "config/urn.h"
#include "engine/dispatch_name.h"

namespace df::app {
namespace {

constexpr std::string_view kImplicitPort = "default";

std::string TypeOf(const engine::NodeDescriptor& descriptor) {
  const auto urn = config::ParseNodeUrn(descriptor.urn);
  return urn.ok() ? urn->ToShortString() : std::string(descriptor.urn);
}

PipelineGraph GraphOf(const engine::CheckedPipeline& pipeline) {
  PipelineGraph graph;
  graph.group = PrintableText(pipeline.group);
  graph.name = PrintableText(pipeline.name);
  for (const engine::CheckedNode& node : pipeline.nodes) {
    for (const engine::CheckedPort& port : node.ports) {
      const bool is_choice = port.destinations.size() > 1;
      for (const size_t destination : port.destinations) {
        graph.edges.push_back(
            {.from = graph.nodes.size(),
             .to = destination,
             .port = PrintableText(port.name),
             .dispatch = is_choice ? std::string(engine::Name(port.strategy)) : ""});
      }
    }
    graph.nodes.push_back({.name = PrintableText(node.name),
                           .type = TypeOf(*node.descriptor),
                           .kind = node.descriptor->kind});
  }
  return graph;
}

/// Draws one pipeline as trees.
class TreeDrawing {
 public:
  explicit TreeDrawing(const PipelineGraph& graph)
      : graph_(graph), is_drawn_(graph.nodes.size()), first_edge_(graph.nodes.size() + 1) {
    for (const GraphEdge& edge : graph.edges) {
      ++first_edge_[edge.from + 1];
    }
    for (size_t at = 1; at < first_edge_.size(); ++at) {
      first_edge_[at] += first_edge_[at - 1];
    }
  }

  std::string Draw() {
    text_ = graph_.Title() + "\n";
    for (size_t node = 0; node < graph_.nodes.size(); ++node) {
      if (graph_.nodes[node].kind == engine::NodeKind::kReceiver) {
        DrawFrom(node);
      }
    }
    // What lay too deep.
    for (size_t node = 0; node < graph_.nodes.size(); ++node) {
      if (!is_drawn_[node]) {
        DrawFrom(node);
      }
    }
    return std::move(text_);
  }

 private:
  /// An indentation of more is no drawing any more, and costs the square of its depth.
  static constexpr size_t kMostDepth = 24;

  struct Step {
    size_t edge = 0;
    size_t last_edge = 0;  ///< behind those of the same node
    std::string indent;
  };

  void AddNode(size_t node) {
    is_drawn_[node] = true;
    text_ += fmt::format("{}  {}\n", graph_.nodes[node].name, graph_.nodes[node].type);
  }

  Step StepInto(size_t node, std::string indent) const {
    return {first_edge_[node], first_edge_[node + 1], std::move(indent)};
  }

  void DrawFrom(size_t root) {
    text_ += "  ";
    AddNode(root);
    std::vector<Step> steps = {StepInto(root, "  ")};
    while (!steps.empty()) {
      Step& step = steps.back();
      if (step.edge == step.last_edge) {
        steps.pop_back();
        continue;
      }
      const GraphEdge& edge = graph_.edges[step.edge++];
      const std::string label = edge.Label();
      text_ += fmt::format("{}+- {}", step.indent, label.empty() ? "" : "[" + label + "] ");
      if (is_drawn_[edge.to]) {
        text_ += graph_.nodes[edge.to].name + "  (see above)\n";
      } else if (steps.size() >= kMostDepth) {
        text_ += graph_.nodes[edge.to].name + "  (see below)\n";
      } else {
        AddNode(edge.to);
        steps.push_back(
            StepInto(edge.to, step.indent + (step.edge == step.last_edge ? "   " : "|  ")));
      }
    }
  }

  const PipelineGraph& graph_;
  std::vector<bool> is_drawn_;
  std::vector<size_t> first_edge_;  ///< of each node; and the number of edges
  std::string text_;
};

std::string DotText(std::string_view text) {
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      quoted += '\\';
    }
    quoted += letter;
  }
  return quoted + '"';
}

/// Letters that mean something to Mermaid stand as their numbers.
std::string MermaidText(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    if (std::string_view("\"#&;<>|[](){}`\\").find(letter) != std::string_view::npos) {
      escaped += fmt::format("#{};", static_cast<int>(letter));
    } else {
      escaped += letter;
    }
  }
  return escaped;
}

std::string_view ShapeOf(engine::NodeKind kind) {
  switch (kind) {
    case engine::NodeKind::kReceiver:
      return "cds";
    case engine::NodeKind::kProcessor:
      return "box";
    case engine::NodeKind::kExporter:
      return "folder";
  }
  return "";
}

}  // namespace

std::string GraphEdge::Label() const {
  const std::string shown = port == kImplicitPort ? "" : port;
  return shown.empty() || dispatch.empty() ? shown + dispatch : shown + ", " + dispatch;
}

std::vector<PipelineGraph> GraphsOf(const engine::CheckedEngine& engine) {
  std::vector<PipelineGraph> graphs;
  for (const engine::CheckedPipeline& pipeline : engine.pipelines) {
    graphs.push_back(GraphOf(pipeline));
  }
  return graphs;
}

std::string DrawText(const std::vector<PipelineGraph>& graphs) {
  std::string text;
  for (const PipelineGraph& graph : graphs) {
    text += (text.empty() ? "" : "\n") + TreeDrawing(graph).Draw();
  }
  return text;
}

std::string DrawDot(const std::vector<PipelineGraph>& graphs) {
  std::string text = "digraph pipelines {\n  rankdir=LR;\n  node [fontname=\"monospace\"];\n";
  for (size_t at = 0; at < graphs.size(); ++at) {
    text +=
        fmt::format("  subgraph cluster_{} {{\n    label={};\n", at, DotText(graphs[at].Title()));
    for (size_t node = 0; node < graphs[at].nodes.size(); ++node) {
      const GraphNode& one = graphs[at].nodes[node];
      // The end of a line is an escape of DOT, behind texts whose own are escaped.
      std::string label = DotText(one.name);
      label.pop_back();
      label += "\\n" + DotText(one.type).substr(1);
      text += fmt::format("    p{}n{} [label={}, shape={}];\n", at, node, label, ShapeOf(one.kind));
    }
    for (const GraphEdge& edge : graphs[at].edges) {
      const std::string label = edge.Label();
      text += fmt::format("    p{0}n{1} -> p{0}n{2}{3};\n", at, edge.from, edge.to,
                          label.empty() ? "" : fmt::format(" [label={}]", DotText(label)));
    }
    text += "  }\n";
  }
  return text + "}\n";
}

std::string DrawMermaid(const std::vector<PipelineGraph>& graphs) {
  std::string text = "flowchart LR\n";
  for (size_t at = 0; at < graphs.size(); ++at) {
    text += fmt::format("  subgraph p{}[\"{}\"]\n", at, MermaidText(graphs[at].Title()));
    for (size_t node = 0; node < graphs[at].nodes.size(); ++node) {
      const GraphNode& one = graphs[at].nodes[node];
      text += fmt::format("    p{}n{}[\"{}<br/>{}\"]\n", at, node, MermaidText(one.name),
                          MermaidText(one.type));
    }
    for (const GraphEdge& edge : graphs[at].edges) {
      const std::string label = edge.Label();
      text += fmt::format("    p{0}n{1} -->{3} p{0}n{2}\n", at, edge.from, edge.to,
                          label.empty() ? "" : fmt::format("|\"{}\"|", MermaidText(label)));
    }
    text += "  end\n";
  }
  return text;
}

}  // namespace df::app
