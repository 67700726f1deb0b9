#include "app/commands/graph_command.h"

#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "app/commands/archive_flags.h"
#include "app/commands/graph_svg.h"
#include "app/commands/pipeline_graph.h"
#include "app/commands/run_command.h"
#include "app/standard_output.h"

namespace df::app {
namespace {

using Json = nlohmann::ordered_json;

/// Texts of graphs are printable, so that they are UTF-8 too.
std::string GraphJson(const std::vector<PipelineGraph>& graphs) {
  Json pipelines = Json::array();
  for (const PipelineGraph& graph : graphs) {
    Json nodes = Json::array();
    for (const GraphNode& node : graph.nodes) {
      nodes.push_back({{"name", node.name}, {"type", node.type}, {"kind", Name(node.kind)}});
    }
    Json edges = Json::array();
    for (const GraphEdge& edge : graph.edges) {
      Json one = {{"from", graph.nodes[edge.from].name},
                  {"port", edge.port},
                  {"to", graph.nodes[edge.to].name}};
      if (!edge.dispatch.empty()) {
        one["dispatch"] = edge.dispatch;
      }
      edges.push_back(std::move(one));
    }
    pipelines.push_back({{"group", graph.group},
                         {"name", graph.name},
                         {"nodes", std::move(nodes)},
                         {"edges", std::move(edges)}});
  }
  return Json{{"pipelines", std::move(pipelines)}}.dump() + "\n";
}

}  // namespace

int GraphCommand(int argc, char** argv) {
  CLI::App command("Draws the pipelines of a document: nodes, ports, and where they send to.",
                   "df_engine graph");
  RunFlags flags;
  AddDocumentFlags(&command, &flags.document);
  std::string format = "text";
  bool is_json = false;
  CLI::Option* as = command.add_option("--format", format, "text, dot (Graphviz), svg or mermaid")
                        ->check(CLI::IsMember({"text", "dot", "svg", "mermaid"}).description(""))
                        ->capture_default_str()
                        ->type_name("FORMAT");
  command.add_flag("--json", is_json, "Print JSON (docs/commands.md)")->excludes(as);
  if (const auto code = ParseCommandLine(&command, argc, argv)) {
    return *code;
  }
  const std::string title = flags.document.source;
  flags.on_valid = [&](const engine::CheckedEngine& engine) {
    const std::vector<PipelineGraph> graphs = GraphsOf(engine);
    return PrintAnswer(is_json               ? GraphJson(graphs)
                       : format == "dot"     ? DrawDot(graphs)
                       : format == "svg"     ? DrawSvg(title, graphs)
                       : format == "mermaid" ? DrawMermaid(graphs)
                                             : DrawText(graphs));
  };
  return RunDocument(std::move(flags));
}

}  // namespace df::app
