#include "app/commands/pipeline_graph.h"

#include <algorithm>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/commands/graph_svg.h"
#include "app/load_document.h"
#include "nodes/registry.h"

namespace df::app {
namespace {

using engine::NodeKind;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<PipelineGraph> Load(const std::string& text) {
  const engine::NodeRegistry registry(nodes::AllDescriptors());
  const auto engine = LoadDocument({.source = "yaml:" + text}, registry, {.allowed_cores = {0}},
                                   [](const std::string&) { return std::nullopt; });
  EXPECT_TRUE(engine.ok()) << engine.status();
  return engine.ok() ? GraphsOf(*engine) : std::vector<PipelineGraph>();
}

const std::string kRouted = R"(version: otel_dataflow/v1
groups:
  default:
    pipelines:
      main:
        nodes:
          in: {type: receiver:parquet, config: {base_uri: lake}}
          router: {type: processor:type_router, outputs: [logs, rest], default_output: rest}
          left: {type: exporter:noop}
          right: {type: exporter:noop}
        connections:
          - {from: in, to: router}
          - {from: 'router["logs"]', to: left}
          - {from: 'router["rest"]', to: [left, right], policies: {dispatch: broadcast}}
)";

/// A chain of so many processors between a receiver and an exporter.
PipelineGraph Chain(size_t num_processors) {
  PipelineGraph graph{.group = "g", .name = "p"};
  graph.nodes.push_back({.name = "in", .type = "receiver:parquet", .kind = NodeKind::kReceiver});
  for (size_t i = 0; i <= num_processors; ++i) {
    graph.edges.push_back({.from = i, .to = i + 1, .port = "default"});
    graph.nodes.push_back(
        {.name = fmt::format("n{}", i), .type = "processor:debug", .kind = NodeKind::kProcessor});
  }
  return graph;
}

TEST(PipelineGraph, IsATreeOfPortsAndNodes) {
  EXPECT_EQ(DrawText(Load(kRouted)),
            "default/main\n"
            "  in  receiver:parquet\n"
            "  +- router  processor:type_router\n"
            "     +- [logs] left  exporter:noop\n"
            "     +- [rest, broadcast] left  (see above)\n"
            "     +- [rest, broadcast] right  exporter:noop\n");
}

TEST(PipelineGraph, ALongChainIsDrawnWholeWithinBounds) {
  const std::string text = DrawText({Chain(1000)});
  const std::string twice = DrawText({Chain(2000)});
  for (const size_t node : {0, 500, 1000}) {
    EXPECT_THAT(text, HasSubstr(fmt::format("n{}  processor:debug\n", node)));
  }
  EXPECT_LT(twice.size(), 2.2 * static_cast<double>(text.size()));
}

TEST(PipelineGraph, DotAndMermaidNameEveryEdge) {
  const auto graphs = Load(kRouted);
  EXPECT_THAT(DrawDot(graphs),
              AllOf(HasSubstr(R"(p0n0 [label="in\nreceiver:parquet", shape=cds];)"),
                    HasSubstr(R"(p0n1 -> p0n2 [label="logs"];)"), HasSubstr("p0n0 -> p0n1;")));
  EXPECT_THAT(DrawMermaid(graphs), AllOf(HasSubstr(R"(p0n1["router<br/>processor:type_router"])"),
                                         HasSubstr(R"(p0n1 -->|"rest, broadcast"| p0n3)")));
}

TEST(PipelineGraph, NamesCannotBreakOut) {
  PipelineGraph graph = Chain(0);
  graph.nodes[0].name = R"(</text><script>"]\)";
  EXPECT_THAT(DrawSvg("</title>", {graph}),
              AllOf(Not(HasSubstr("<script>")), HasSubstr("&lt;/text&gt;&lt;script&gt;"),
                    HasSubstr("<title>&lt;/title&gt;</title>")));
  EXPECT_THAT(DrawDot({graph}), HasSubstr(R"(label="</text><script>\"]\\\nreceiver:parquet")"));
  EXPECT_THAT(DrawMermaid({graph}), HasSubstr("#60;/text#62;#60;script#62;#34;#93;#92;<br/>"));
}

/// The corners of what is drawn as a node.
std::set<std::pair<std::string, std::string>> Corners(const std::string& svg) {
  std::set<std::pair<std::string, std::string>> corners;
  for (size_t at = svg.find("<rect class="); at != std::string::npos;
       at = svg.find("<rect class=", at + 1)) {
    const auto value = [&svg, at](const std::string& name) {
      const size_t begin = svg.find(" " + name + "=\"", at) + name.size() + 3;
      return svg.substr(begin, svg.find('"', begin) - begin);
    };
    corners.insert({value("x"), value("y")});
  }
  return corners;
}

TEST(PipelineGraph, NodesOfThePictureDoNotLieOnEachOther) {
  const auto graphs = Load(kRouted);
  const std::string svg = DrawSvg("title", graphs);
  EXPECT_EQ(Corners(svg).size(), 4u);
  EXPECT_EQ(svg, DrawSvg("title", graphs));
  EXPECT_THAT(svg, HasSubstr(">logs; rest, broadcast</text>"));
}

// An edge over many columns has its own place in each, up to a bound.
TEST(PipelineGraph, LongEdgesCostWhatTheGraphDoes) {
  const auto with_long_edges = [](size_t size) {
    PipelineGraph graph = Chain(size);
    std::vector<GraphEdge> edges;
    for (const GraphEdge& edge : graph.edges) {
      edges.push_back(edge);
      edges.push_back({.from = edge.from, .to = size + 1, .port = "rest"});
    }
    graph.edges = edges;
    return DrawSvg("", {graph}).size();
  };
  EXPECT_LT(static_cast<double>(with_long_edges(800)),
            2.2 * static_cast<double>(with_long_edges(400)));
}

}  // namespace
}  // namespace df::app
