#include "config/pipeline_document.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/text.h"
#include "config/pipeline_fields.h"

namespace df::config {
namespace {

/// Reads one pipeline; keeps what its connections share.
class PipelineReader {
 public:
  PipelineReader(const Section& section, Problems* problems)
      : section_(section), problems_(problems) {}

  PipelineDocument Read() {
    pipeline_.mark = section_.value().mark;
    pipeline_.path = section_.path();
    pipeline_.core_allocation_mark = pipeline_.mark;
    pipeline_.core_allocation_path = pipeline_.path;
    PipelineKeys keys = config::Read(PipelineFields(), section_);
    pipeline_.own_policies = std::move(keys.policies);
    if (!section_.Find("nodes").has_value()) {
      return std::move(pipeline_);
    }
    AddNodes(*section_.Find("nodes"), std::move(keys.nodes));
    for (const ConnectionKeys& connection : keys.connections) {
      AddConnection(connection);
    }
    CheckOutputs();
    return std::move(pipeline_);
  }

 private:
  void AddNodes(const Section& section, std::vector<NodeKeys> nodes) {
    if (section.value().kind != Value::Kind::kMap) {
      return;
    }
    for (size_t i = 0; i < nodes.size(); ++i) {
      const Value::Entry& entry = section.value().entries[i];
      NodeKeys& keys = nodes[i];
      NodeDocument node;
      node.name = entry.key;
      node.mark = entry.key_mark;
      node.path = section.path() + "." + PrintableText(entry.key);
      CheckNodeName(entry, section.path(), problems_);
      node.urn = std::move(keys.type);
      node.kind = KindOf(node.urn.name);
      node.description = std::move(keys.description);
      node.outputs = std::move(keys.outputs);
      node.default_port = std::move(keys.default_output);
      node.config = keys.config != nullptr
                        ? keys.config
                        : std::make_shared<const Value>(Value{.mark = entry.key_mark});
      index_.emplace(node.name, i);
      names_.push_back(node.name);
      pipeline_.nodes.push_back(std::move(node));
    }
  }

  static std::optional<NodeKindName> KindOf(std::string_view urn) {
    if (urn.empty()) {
      return std::nullopt;
    }
    if (urn.find(":receiver:") != std::string_view::npos) {
      return NodeKindName::kReceiver;
    }
    return urn.find(":processor:") != std::string_view::npos ? NodeKindName::kProcessor
                                                             : NodeKindName::kExporter;
  }

  void AddConnection(const ConnectionKeys& connection) {
    for (const PortSelector& from : connection.from) {
      const auto found = index_.find(from.node.name);
      if (found == index_.end()) {
        problems_->AddUnknown(
            from.node.mark,
            fmt::format("{}: '{}' is not a node", from.node.path, PrintableText(from.node.name)),
            from.node.name, names_);
        continue;
      }
      AddPort(from, connection, &pipeline_.nodes[found->second]);
    }
  }

  void AddPort(const PortSelector& from, const ConnectionKeys& connection, NodeDocument* node) {
    const std::string& path = from.node.path;
    if (node->kind == NodeKindName::kExporter) {
      problems_->Add(from.node.mark, fmt::format("{}: '{}' is an exporter, which sends no batches",
                                                 path, PrintableText(node->name)));
      return;
    }
    if (!node->outputs.empty()) {
      std::vector<std::string> declared;
      for (const Reference& output : node->outputs) {
        declared.push_back(output.name);
      }
      if (std::find(declared.begin(), declared.end(), from.port) == declared.end()) {
        problems_->AddUnknown(
            from.node.mark,
            fmt::format("{}: output '{}' is not declared by '{}', expected {}", path,
                        PrintableText(from.port), PrintableText(node->name), NamesType(declared)),
            from.port, declared);
        return;
      }
    }
    for (const PortDocument& port : node->ports) {
      if (port.name == from.port) {
        problems_->Add(
            from.node.mark,
            fmt::format("{}: output '{}' of '{}' is connected twice, first at line {}; "
                        "expected one connection with a list",
                        path, PrintableText(from.port), PrintableText(node->name), port.mark.line));
        return;
      }
    }
    node->ports.push_back({.name = from.port,
                           .mark = from.node.mark,
                           .path = path,
                           .destinations = connection.to,
                           .strategy = connection.dispatch});
  }

  /// An output that leads nowhere is no mistake: its node may never send to it. Whether it does is
  /// for the reader to know.
  void CheckOutputs() {
    for (const NodeDocument& node : pipeline_.nodes) {
      for (const Reference& output : node.outputs) {
        const bool is_connected =
            std::any_of(node.ports.begin(), node.ports.end(),
                        [&](const PortDocument& port) { return port.name == output.name; });
        if (!is_connected && node.kind != NodeKindName::kExporter) {
          problems_->AddNotice(output.mark, fmt::format("{}: output '{}' is not connected",
                                                        output.path, PrintableText(output.name)));
        }
      }
    }
  }

  const Section& section_;
  Problems* problems_;
  PipelineDocument pipeline_;
  std::map<std::string, size_t> index_;
  std::vector<std::string> names_;
};

}  // namespace

PipelineDocument ReadPipeline(const Section& section, Problems* problems) {
  return PipelineReader(section, problems).Read();
}

}  // namespace df::config
