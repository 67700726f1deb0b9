// What documents cost: they come over the network too.
#include "testing/cost.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/document_source.h"
#include "config/engine_document.h"

namespace df::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A text for each number from 0.
std::string Repeat(int64_t n, const std::function<std::string(int64_t)>& text) {
  std::string all;
  for (int64_t i = 0; i < n; ++i) {
    all += text(i);
  }
  return all;
}

std::string Pipeline(const std::string& nodes, const std::string& connections) {
  return "version: otel_dataflow/v1\ngroups: {g: {pipelines: {p: {nodes: {" + nodes +
         "}, connections: [" + connections + "]}}}}\n";
}

std::string Exporters(int64_t n) {
  return Repeat(n, [](int64_t i) { return fmt::format("e{}: {{type: exporter:noop}}, ", i); });
}

/// Reads a document with everything that is done before its nodes are known.
std::vector<std::string> Read(const std::string& text) {
  Problems problems("f");
  const ValuePtr root = ReadDocument(
      {.name = "f", .text = text}, {},
      [](const std::string&) { return std::optional<std::string>("v"); }, &problems);
  if (root != nullptr) {
    ReadEngineDocument(root, &problems);
  }
  return problems.Lines();
}

struct Shape {
  std::string name;
  std::function<std::string(int64_t)> make;
};

class DocumentCost : public ::testing::TestWithParam<Shape> {};
INSTANTIATE_TEST_SUITE_P(
    Shapes, DocumentCost,
    ::testing::ValuesIn(std::vector<Shape>{
        {"KeysOfAMap",
         [](int64_t n) {
           return "version: otel_dataflow/v1\nengine: {telemetry: {resource: {" +
                  Repeat(n, [](int64_t i) { return fmt::format("k{}: v, ", i); }) + "}}}\n";
         }},
        {"KeysThatAreUnknown",
         [](int64_t n) {
           return "version: otel_dataflow/v1\n" +
                  Repeat(n, [](int64_t i) { return fmt::format("polices{}: 1\n", i); });
         }},
        {"KeysThatStandTwice",
         [](int64_t n) {
           return Repeat(n, [](int64_t i) { return fmt::format("k{0}: 1\nk{0}: 2\n", i); });
         }},
        {"KeysOfJson",
         [](int64_t n) {
           return "{\"version\":\"otel_dataflow/v1\"" +
                  Repeat(n, [](int64_t i) { return fmt::format(",\"k{}\":{}", i, i); }) + "}";
         }},
        {"References",
         [](int64_t n) {
           return "version: otel_dataflow/v1\nengine: {telemetry: {resource: {" +
                  Repeat(n, [](int64_t i) { return fmt::format("k{}: '${{env:A}}$', ", i); }) +
                  "}}}\n";
         }},
        {"Nodes", [](int64_t n) { return Pipeline(Exporters(n), ""); }},
        {"NodesOfThePrototype",
         [](int64_t n) {
           return "nodes:\n" + Repeat(n, [](int64_t i) {
                    return fmt::format("  e{}: {{kind: exporter, plugin_urn: 'urn:otel:noop'}}\n",
                                       i);
                  });
         }},
        {"PortsOfThePrototype",
         [](int64_t n) {
           return "nodes: {r: {kind: receiver, plugin_urn: 'urn:otel:receiver:x', out_ports: {" +
                  Repeat(n,
                         [](int64_t i) { return fmt::format("p{}: {{destinations: [e]}}, ", i); }) +
                  "}}}\n";
         }},
        {"DestinationsOfThePrototype",
         [](int64_t n) {
           return "nodes: {r: {kind: receiver, plugin_urn: 'urn:otel:receiver:x', out_ports: {p: "
                  "{dispatch_strategy: random, destinations: [" +
                  Repeat(n, [](int64_t i) { return fmt::format("e{}, ", i); }) + "]}}}}\n";
         }},
        {"Connections",
         [](int64_t n) {
           return Pipeline("r: {type: receiver:x}, " + Exporters(n), Repeat(n, [](int64_t i) {
                             return fmt::format("{{from: 'r[\"p{0}\"]', to: e{0}}}, ", i);
                           }));
         }},
        {"ConnectionsOfDeclaredOutputs",
         [](int64_t n) {
           return Pipeline("r: {type: receiver:x, outputs: [" +
                               Repeat(n, [](int64_t i) { return fmt::format("p{}, ", i); }) +
                               "]}, e: {}",
                           Repeat(n, [](int64_t i) {
                             return fmt::format("{{from: 'r[\"p{0}\"]', to: e}}, ", i);
                           }));
         }},
        {"ConnectionsOfOutputsThatAreNotDeclared",
         [](int64_t n) {
           return Pipeline("r: {type: receiver:x, outputs: [" +
                               Repeat(n, [](int64_t i) { return fmt::format("p{}, ", i); }) +
                               "]}, e: {}",
                           Repeat(n, [](int64_t i) {
                             return fmt::format("{{from: 'r[\"q{0}\"]', to: e}}, ", i);
                           }));
         }},
        {"ConnectionsOfUnknownNodes",
         [](int64_t n) {
           return Pipeline(Exporters(n), Repeat(n, [](int64_t i) {
                             return fmt::format("{{from: f{0}, to: e{0}}}, ", i);
                           }));
         }},
        {"OneConnectionToMany",
         [](int64_t n) {
           return Pipeline("r: {type: receiver:x}", "{from: r, to: [" + Repeat(n, [](int64_t i) {
                                                      return fmt::format("e{}, ", i);
                                                    }) + "]}");
         }},
        {"Groups",
         [](int64_t n) {
           return "version: otel_dataflow/v1\ngroups:\n" + Repeat(n, [](int64_t i) {
                    return fmt::format("  g{}: {{pipelines: {{p: {{}}}}}}\n", i);
                  });
         }},
        {"Pipelines",
         [](int64_t n) {
           return "version: otel_dataflow/v1\ngroups: {g: {pipelines: {" +
                  Repeat(n, [](int64_t i) { return fmt::format("p{}: {{}}, ", i); }) + "}}}\n";
         }},
        {"ValuesBelowLongKeys",
         [](int64_t n) {
           // The paths of all of them together are far longer than the text.
           std::string text;
           std::string end;
           for (int depth = 0; depth < 100; ++depth) {
             text += "{" + std::string(1000, 'k') + ": ";
             end += "}";
           }
           return "a: " + text + "[" + Repeat(n, [](int64_t) { return "'$', "; }) + "]" + end;
         }},
        {"Aliases",
         [](int64_t n) {
           return "a: &a {b: c}\nl: [" + Repeat(n, [](int64_t) { return "*a, "; }) + "]\n";
         }}}),
    [](const auto& param) { return param.param.name; });

TEST_P(DocumentCost, GrowsAsTheDocumentDoes) {
  EXPECT_EQ(testing::WhyNotLinear(
                1500, [this](int64_t n) { return [text = GetParam().make(n)] { Read(text); }; }),
            "");
}

TEST(DocumentLimits, AreSaid) {
  EXPECT_THAT(Read("a: " + std::string(kMaxDocumentBytes, 'x')),
              ElementsAre("f:1:1: the document is larger than 4MiB"));
  EXPECT_THAT(Read("[" + std::string(2 * kMaxDocumentValues, ',') + "]"), SizeIs(1));
  EXPECT_THAT(
      Read("a: [" + Repeat(kMaxDocumentValues, [](int64_t) { return std::string("1,"); }) + "]"),
      ElementsAre("f:1:1: the document has more than 100000 values"));
  const std::string longest(kMaxKeyBytes, 'k');
  Problems problems("f");
  EXPECT_NE(ParseDocument("? " + longest + "\n: 1", &problems), nullptr);
  EXPECT_THAT(problems.Lines(), IsEmpty());
  EXPECT_THAT(Read("? " + longest + "k\n: 1"),
              ::testing::Contains(HasSubstr("kkk...' has 1025 bytes, expected at most 1024")));
}

TEST(DocumentLimits, AliasesCountAsWhatTheyStandFor) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    text += fmt::format("a{0}: &a{0} [{1}]\n", i,
                        Repeat(10, [i](int64_t) { return fmt::format("*a{}, ", i - 1); }));
  }
  EXPECT_THAT(Read(text), ElementsAre("f:1:1: the document has more than 100000 values"));
}

TEST(DocumentLimits, ManyProblemsAreCounted) {
  const std::vector<std::string> lines =
      Read("version: otel_dataflow/v1\n" +
           Repeat(1500, [](int64_t i) { return fmt::format("k{}: 1\n", i); }));
  ASSERT_THAT(lines, SizeIs(Problems::kMaxShown + 1));
  EXPECT_THAT(lines.front(), HasSubstr("f:2:1: unknown key 'k0'"));
  EXPECT_EQ(lines.back(), "f:1001:1: 500 more problems are not shown");
}

}  // namespace
}  // namespace df::config
