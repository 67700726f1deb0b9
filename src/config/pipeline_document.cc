#include "config/pipeline_document.h"

#include <algorithm>
#include <map>
#include <set>
#include <span>
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
    ports_.resize(pipeline_.nodes.size());
    for (const ConnectionKeys& connection : keys.connections) {
      AddConnection(connection);
    }
    CheckOutputs();
    return std::move(pipeline_);
  }

 private:
  /// The outputs of a node that connections have named so far.
  struct Ports {
    std::vector<std::string> declared;
    std::set<std::string> is_declared;
    std::map<std::string, int> lines;  // where each was connected
  };

  /// As many names as fit into a message.
  static std::span<const std::string> FirstOf(const std::vector<std::string>& names) {
    constexpr size_t kMaxNamed = 20;
    return std::span(names).first(std::min(names.size(), kMaxNamed));
  }

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
      AddPort(from, connection, found->second);
    }
  }

  void AddPort(const PortSelector& from, const ConnectionKeys& connection, size_t index) {
    NodeDocument* node = &pipeline_.nodes[index];
    Ports& ports = ports_[index];
    const std::string& path = from.node.path;
    if (node->kind == NodeKindName::kExporter) {
      problems_->Add(from.node.mark, fmt::format("{}: '{}' is an exporter, which sends no batches",
                                                 path, PrintableText(node->name)));
      return;
    }
    if (!node->outputs.empty()) {
      for (size_t i = ports.declared.size(); i < node->outputs.size(); ++i) {
        ports.declared.push_back(node->outputs[i].name);
        ports.is_declared.insert(node->outputs[i].name);
      }
      if (!ports.is_declared.contains(from.port)) {
        problems_->AddUnknown(from.node.mark,
                              fmt::format("{}: output '{}' is not declared by '{}', expected {}",
                                          path, PrintableText(from.port), PrintableText(node->name),
                                          NamesType(FirstOf(ports.declared))),
                              from.port, ports.declared);
        return;
      }
    }
    const auto [first, is_new] = ports.lines.try_emplace(from.port, from.node.mark.line);
    if (!is_new) {
      problems_->Add(
          from.node.mark,
          fmt::format("{}: output '{}' of '{}' is connected twice, first at line {}; "
                      "expected one connection with a list",
                      path, PrintableText(from.port), PrintableText(node->name), first->second));
      return;
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
    for (size_t i = 0; i < pipeline_.nodes.size(); ++i) {
      const NodeDocument& node = pipeline_.nodes[i];
      for (const Reference& output : node.outputs) {
        if (!ports_[i].lines.contains(output.name) && node.kind != NodeKindName::kExporter) {
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
  std::vector<Ports> ports_;  // of the nodes
  std::vector<std::string> names_;
};

}  // namespace

PipelineDocument ReadPipeline(const Section& section, Problems* problems) {
  return PipelineReader(section, problems).Read();
}

}  // namespace df::config
