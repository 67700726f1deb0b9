// Documents of the configuration: parsed, checked as the engine checks them, and printed.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "config/document_source.h"
#include "config/engine_document.h"
#include "config/field_table.h"
#include "engine/checked_engine.h"
#include "engine/node_registry.h"
#include "linearity/families.h"
#include "select/condition.h"

namespace df::linearity {
namespace {

struct ProbeConfig : engine::NodeConfig {
  std::string path;
};

const config::FieldTable<ProbeConfig>& ProbeFields() {
  static const config::FieldTable<ProbeConfig> table = {
      config::String("path", &ProbeConfig::path, "a path"),
  };
  return table;
}

engine::NodeConfigPtr ParseProbe(const config::Section& section, const engine::ValidateContext&) {
  return std::make_shared<ProbeConfig>(config::Read(ProbeFields(), section));
}

std::vector<config::FieldDescription> DescribeProbe() { return config::Describe(ProbeFields()); }

constexpr engine::NodeDescriptor kIn = {.urn = "urn:otel:receiver:in",
                                        .kind = engine::NodeKind::kReceiver,
                                        .summary = "gives nothing",
                                        .fields = DescribeProbe,
                                        .parse = ParseProbe};
constexpr engine::NodeDescriptor kMiddle = {.urn = "urn:otel:processor:middle",
                                            .kind = engine::NodeKind::kProcessor,
                                            .summary = "passes everything on",
                                            .fields = DescribeProbe,
                                            .parse = ParseProbe};
constexpr engine::NodeDescriptor kOut = {.urn = "urn:otel:exporter:noop",
                                         .kind = engine::NodeKind::kExporter,
                                         .summary = "forgets everything",
                                         .fields = DescribeProbe,
                                         .parse = ParseProbe};
constexpr std::array<const engine::NodeDescriptor*, 3> kAll = {&kIn, &kMiddle, &kOut};

/// Does what a start or a PUT does with a document. `is_right`: nothing is wrong with it.
Read ReadDocument(bool is_right) {
  return TextRead([is_right](const std::string& text) -> arrow::Result<int64_t> {
    config::Problems problems("f");
    const config::ValuePtr root = config::ReadDocument(
        {.name = "f", .text = text}, {},
        [](const std::string&) { return std::optional<std::string>("v"); }, &problems);
    if (root != nullptr) {
      const engine::NodeRegistry registry(kAll);
      const auto checked =
          engine::CheckEngine(config::ReadEngineDocument(root, &problems), registry,
                              {.allowed_cores = {0, 1}, .reserved_cores = {}}, &problems);
      if (checked.has_value()) {
        engine::PrintEngine(checked->document, registry);
      }
    }
    if (is_right && !problems.empty()) {
      return arrow::Status::Invalid(problems.Lines().front());
    }
    return static_cast<int64_t>(text.size() + problems.Lines().size());
  });
}

/// A pipeline of a few words is checked and printed with every policy and every key of its nodes.
constexpr double kBytesOfAPipeline = 1500;

std::string Version() { return "version: otel_dataflow/v1\n"; }

std::string Pipeline(const std::string& nodes, const std::string& connections) {
  return Version() + "groups: {g: {pipelines: {p: {nodes: {r: {type: receiver:in}, " + nodes +
         "e: {type: exporter:noop}}, connections: [" + connections + "{from: r, to: e}]}}}}\n";
}

std::string Exporters(int64_t n) {
  return Repeat(n, [](int64_t i) { return fmt::format("e{}: {{type: exporter:noop}}, ", i); });
}

}  // namespace

std::vector<Shape> DocumentShapes() {
  const Read right = ReadDocument(true);
  const Read wrong = ReadDocument(false);
  std::vector<Shape> shapes = {
      {"document/keys of a map", 300, Text([](int64_t n) {
         return Version() + "engine: {telemetry: {resource: {" +
                Repeat(n, [](int64_t i) { return fmt::format("k{}: v, ", i); }) + "}}}\n";
       }),
       wrong},
      {"document/unknown keys", 400, Text([](int64_t n) {
         return Version() +
                Repeat(n + 1, [](int64_t i) { return fmt::format("polices{}: 1\n", i); });
       }),
       wrong},
      {"document/keys that stand twice", 150, Text([](int64_t n) {
         return Repeat(n, [](int64_t i) { return fmt::format("k{0}: 1\nk{0}: 2\n", i); });
       }),
       wrong},
      {"document/keys of JSON", 400, Text([](int64_t n) {
         return R"({"version":"otel_dataflow/v1")" +
                Repeat(n + 1, [](int64_t i) { return fmt::format(",\"k{}\":{}", i, i); }) + "}";
       }),
       wrong},
      {"document/references", 300, Text([](int64_t n) {
         return Version() + "engine: {telemetry: {resource: {" +
                Repeat(n, [](int64_t i) { return fmt::format("k{}: '${{env:A}}', ", i); }) +
                "}}}\n";
       }),
       wrong},
      {"document/connected nodes", 200, Text([](int64_t n) {
         return Pipeline(Exporters(n), Repeat(n, [](int64_t i) {
                           return fmt::format("{{from: r, to: e{}}}, ", i);
                         }));
       }),
       wrong},
      {"document/a chain of nodes", 100, Text([](int64_t n) {
         return Pipeline(
             Repeat(n,
                    [](int64_t i) { return fmt::format("m{}: {{type: processor:middle}}, ", i); }),
             Repeat(n, [n](int64_t i) {
               return fmt::format("{{from: m{}, to: {}}}, ", i,
                                  i + 1 == n ? "e" : fmt::format("m{}", i + 1));
             }) + (n > 0 ? "{from: r, to: m0}, " : ""));
       }),
       wrong},
      {"document/nodes without connections", 200,
       Text([](int64_t n) { return Pipeline(Exporters(n), ""); }), wrong},
      {"document/terms of a condition", 300, Text([](int64_t n) {
         return "true" + Repeat(n, [](int64_t i) {
                  return fmt::format(" and attributes[\"k{}\"] != {}", i, i);
                });
       }),
       TextRead([](const std::string& text) -> arrow::Result<int64_t> {
         ARROW_RETURN_NOT_OK(select::Condition::Compile(text, otap::Signal::kLogs));
         return static_cast<int64_t>(text.size());
       })},
      {"document/one connection to many", 200, Text([](int64_t n) {
         return Pipeline(Exporters(n), "{from: r, to: [" + Repeat(n, [](int64_t i) {
                                         return fmt::format("e{}, ", i);
                                       }) + "]}, ");
       }),
       wrong},
      {"document/pipelines", 15, Text([](int64_t n) {
         return Version() + "groups: {g: {pipelines: {" +
                Repeat(n,
                       [](int64_t i) {
                         return fmt::format(
                             "p{}: {{nodes: {{r: {{type: receiver:in}}, e: {{type: "
                             "exporter:noop}}}}, connections: [{{from: r, to: e}}]}}, ",
                             i);
                       }) +
                "}}}\n";
       }),
       right, kBytesOfAPipeline},
      {"document/groups", 15, Text([](int64_t n) {
         return Version() + "groups:\n" + Repeat(n, [](int64_t i) {
                  return fmt::format(
                      "  g{}: {{pipelines: {{p: {{nodes: {{r: {{type: receiver:in}},"
                      " e: {{type: exporter:noop}}}}, connections: [{{from: r, to: "
                      "e}}]}}}}}}\n",
                      i);
                });
       }),
       right, kBytesOfAPipeline},
      {"document/nodes of the prototype", 200, Text([](int64_t n) {
         return "nodes:\n" + Repeat(n, [](int64_t i) {
                  return fmt::format(
                      "  e{}: {{kind: exporter, plugin_urn: 'urn:otel:noop:exporter'}}\n", i);
                });
       }),
       wrong},
      {"document/aliases", 500, Text([](int64_t n) {
         return "a: &a {b: c}\nl: [" + Repeat(n, [](int64_t) { return "*a, "; }) + "]\n";
       }),
       wrong},
      {"document/deep lists", 20, Text([](int64_t n) {
         return "a: [" +
                Repeat(n,
                       [](int64_t) { return std::string(50, '[') + std::string(50, ']') + ", "; }) +
                "]\n";
       }),
       wrong},
  };
  for (Shape& shape : shapes) {
    // A value of a letter or two keeps its place, its name and what was read of it.
    shape.most_bytes_per_byte = std::max(shape.most_bytes_per_byte, 500.0);
  }
  return shapes;
}

}  // namespace df::linearity
