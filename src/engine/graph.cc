#include "engine/graph.h"

#include <algorithm>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "config/engine_document.h"

namespace df::engine {
namespace {

// The port of a connection that names none.
constexpr std::string_view kImplicitPort = "default";

NodeKind ToKind(config::NodeKindName kind) {
  switch (kind) {
    case config::NodeKindName::kReceiver:
      return NodeKind::kReceiver;
    case config::NodeKindName::kProcessor:
      return NodeKind::kProcessor;
    case config::NodeKindName::kExporter:
      return NodeKind::kExporter;
  }
  return NodeKind::kReceiver;
}

/// Checks one document; keeps what the checks share.
class GraphChecker {
 public:
  GraphChecker(const config::PipelineDocument& document, const NodeRegistry& registry,
               const ValidateContext& context, config::Problems* problems)
      : document_(document), registry_(registry), context_(context), problems_(problems) {
    for (size_t i = 0; i < document_.nodes.size(); ++i) {
      index_.emplace(document_.nodes[i].name, i);
      names_.push_back(document_.nodes[i].name);
    }
    nodes_.resize(document_.nodes.size());
  }

  std::optional<CheckedPipeline> Check() {
    const size_t num_before = problems_->size();
    for (size_t i = 0; i < document_.nodes.size(); ++i) {
      CheckNode(i);
    }
    for (size_t i = 0; i < document_.nodes.size(); ++i) {
      CheckPorts(i);
    }
    const std::vector<size_t> order = FindOrder();
    CheckReachable();
    if (problems_->size() != num_before) {
      return std::nullopt;
    }
    return InOrder(order);
  }

 private:
  void CheckNode(size_t index) {
    const config::NodeDocument& node = document_.nodes[index];
    nodes_[index].name = node.name;
    if (node.urn.name.empty()) {
      return;
    }
    const std::string& path = node.urn.path;
    const NodeDescriptor* descriptor = registry_.Find(node.urn.name);
    if (descriptor == nullptr) {
      AddUnknownUrn(node);
      return;
    }
    if (node.kind.has_value() && ToKind(*node.kind) != descriptor->kind) {
      problems_->Add(node.urn.mark, fmt::format("{}: '{}' is of kind {}, but the node's kind is {}",
                                                path, descriptor->urn, Name(descriptor->kind),
                                                Name(ToKind(*node.kind))));
      return;
    }
    nodes_[index].descriptor = descriptor;
    const config::Section section(*node.config, node.path + ".config", problems_);
    nodes_[index].config = descriptor->parse(section, context_);
  }

  void AddUnknownUrn(const config::NodeDocument& node) {
    const auto written = [&](std::string_view urn) {
      constexpr std::string_view kPrefix = "urn:otel:";
      return std::string(urn.starts_with(kPrefix) ? urn.substr(kPrefix.size()) : urn);
    };
    std::vector<std::string> known;
    for (const NodeDescriptor* descriptor : registry_.descriptors()) {
      if (!node.kind.has_value() || descriptor->kind == ToKind(*node.kind)) {
        known.push_back(written(descriptor->urn));
      }
    }
    const std::string name = written(node.urn.name);
    problems_->AddUnknown(
        node.urn.mark,
        fmt::format("{}: unknown type '{}', expected {}", node.urn.path, PrintableText(name),
                    known.empty() ? "one that is built in" : config::NamesType(known)),
        name, known);
  }

  void CheckPorts(size_t index) {
    const config::NodeDocument& node = document_.nodes[index];
    if (node.kind == config::NodeKindName::kExporter) {
      for (const config::PortDocument& port : node.ports) {
        problems_->Add(port.mark, fmt::format("{}: an exporter has no out ports", port.path));
      }
      return;
    }
    if (node.ports.empty() && node.kind.has_value()) {
      problems_->Add(node.mark, fmt::format("{}: no connection leads from this {}, expected one",
                                            node.path, Name(ToKind(*node.kind))));
      has_bad_edge_ = true;
    }
    for (const config::PortDocument& port : node.ports) {
      CheckDestinations(index, port);
    }
    CheckDefaultPort(index);
  }

  void CheckDestinations(size_t index, const config::PortDocument& port) {
    CheckedPort checked{.name = port.name, .strategy = port.strategy};
    has_bad_edge_ |= port.destinations.empty();
    for (const config::Reference& destination : port.destinations) {
      const auto found = index_.find(destination.name);
      if (found == index_.end()) {
        has_bad_edge_ = true;
        problems_->AddUnknown(destination.mark,
                              fmt::format("{}: destination '{}' is not a node", destination.path,
                                          PrintableText(destination.name)),
                              destination.name, names_);
        continue;
      }
      if (document_.nodes[found->second].kind == config::NodeKindName::kReceiver) {
        has_bad_edge_ = true;
        problems_->Add(destination.mark,
                       fmt::format("{}: destination '{}' is a receiver, which takes no batches",
                                   destination.path, PrintableText(destination.name)));
        continue;
      }
      checked.destinations.push_back(found->second);
    }
    nodes_[index].ports.push_back(std::move(checked));
  }

  void CheckDefaultPort(size_t index) {
    const config::NodeDocument& node = document_.nodes[index];
    std::vector<std::string> ports;
    for (const config::PortDocument& port : node.ports) {
      ports.push_back(port.name);
    }
    if (!node.default_port.has_value()) {
      const auto found = std::find(ports.begin(), ports.end(), kImplicitPort);
      if (ports.size() > 1 && found != ports.end()) {
        nodes_[index].default_port = static_cast<PortIndex>(found - ports.begin());
      } else if (ports.size() > 1) {
        problems_->Add(
            node.mark,
            fmt::format(
                "{}: key 'default_output' is missing, expected it with {} connected outputs",
                node.path, ports.size()));
      }
      return;
    }
    const auto found = std::find(ports.begin(), ports.end(), node.default_port->name);
    if (found == ports.end()) {
      problems_->AddUnknown(
          node.default_port->mark,
          fmt::format("{}: '{}' is not a connected output of this node", node.default_port->path,
                      PrintableText(node.default_port->name)),
          node.default_port->name, ports);
      return;
    }
    nodes_[index].default_port = static_cast<PortIndex>(found - ports.begin());
  }

  std::vector<size_t> DestinationsOf(size_t index) const {
    std::vector<size_t> all;
    for (const CheckedPort& port : nodes_[index].ports) {
      all.insert(all.end(), port.destinations.begin(), port.destinations.end());
    }
    return all;
  }

  /// Returns the nodes upstream first. Every edge that closes a cycle is a problem. Iterative: the
  /// depth is as long as the document wants.
  std::vector<size_t> FindOrder() {
    enum class State : uint8_t { kNew, kOpen, kDone };
    struct Visit {
      size_t node;
      std::vector<size_t> destinations;
      size_t next = 0;
    };
    std::vector<State> states(nodes_.size(), State::kNew);
    std::vector<size_t> finished;
    for (size_t start = nodes_.size(); start-- > 0;) {
      if (states[start] != State::kNew) {
        continue;
      }
      std::vector<Visit> path = {{start, DestinationsOf(start)}};
      states[start] = State::kOpen;
      while (!path.empty()) {
        Visit& top = path.back();
        if (top.next == top.destinations.size()) {
          states[top.node] = State::kDone;
          finished.push_back(top.node);
          path.pop_back();
          continue;
        }
        const size_t next = top.destinations[top.next++];
        if (states[next] == State::kOpen) {
          std::vector<size_t> open;
          for (const Visit& visit : path) {
            open.push_back(visit.node);
          }
          AddCycle(open, next);
        } else if (states[next] == State::kNew) {
          states[next] = State::kOpen;
          path.push_back({next, DestinationsOf(next)});
        }
      }
    }
    std::reverse(finished.begin(), finished.end());
    return finished;
  }

  /// Names a cycle from the node that comes first in the document, whatever the search began with.
  void AddCycle(const std::vector<size_t>& open, size_t repeated) {
    has_bad_edge_ = true;
    std::vector<size_t> cycle(std::find(open.begin(), open.end(), repeated), open.end());
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    std::string text;
    for (const size_t index : cycle) {
      text += fmt::format("{} -> ", PrintableText(document_.nodes[index].name));
    }
    const config::NodeDocument& last = document_.nodes[cycle.back()];
    const std::string& first = document_.nodes[cycle.front()].name;
    for (const config::PortDocument& port : last.ports) {
      for (const config::Reference& destination : port.destinations) {
        if (destination.name == first) {
          problems_->Add(destination.mark,
                         fmt::format("{}: the destination closes a cycle: {}{}", destination.path,
                                     text, PrintableText(first)));
          return;
        }
      }
    }
  }

  void CheckReachable() {
    std::vector<bool> is_reached(nodes_.size(), false);
    std::vector<size_t> open;
    for (size_t i = 0; i < nodes_.size(); ++i) {
      // A node of unknown kind may be meant as a receiver: its own problem is enough.
      if (!document_.nodes[i].kind.has_value() ||
          document_.nodes[i].kind == config::NodeKindName::kReceiver) {
        is_reached[i] = true;
        open.push_back(i);
      }
    }
    if (open.empty() && !nodes_.empty()) {
      problems_->Add(document_.nodes[0].mark,
                     fmt::format("{}nodes: there is no receiver, expected at least one",
                                 document_.path.empty() ? "" : document_.path + "."));
      return;
    }
    if (has_bad_edge_) {
      return;  // whatever cannot be reached is so because of an edge that is named already
    }
    while (!open.empty()) {
      const size_t index = open.back();
      open.pop_back();
      for (const size_t destination : DestinationsOf(index)) {
        if (!is_reached[destination]) {
          is_reached[destination] = true;
          open.push_back(destination);
        }
      }
    }
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (!is_reached[i]) {
        problems_->Add(document_.nodes[i].mark,
                       fmt::format("{}: no receiver sends to this node, directly or through others",
                                   document_.nodes[i].path));
      }
    }
  }

  CheckedPipeline InOrder(const std::vector<size_t>& order) {
    std::vector<size_t> position(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
      position[order[i]] = i;
    }
    CheckedPipeline pipeline{
        .group = document_.group, .name = document_.name, .policies = document_.policies};
    for (const size_t index : order) {
      pipeline.nodes.push_back(std::move(nodes_[index]));
    }
    for (CheckedNode& node : pipeline.nodes) {
      std::vector<size_t> all;
      for (CheckedPort& port : node.ports) {
        for (size_t& destination : port.destinations) {
          destination = position[destination];
          all.push_back(destination);
        }
      }
      std::sort(all.begin(), all.end());
      all.erase(std::unique(all.begin(), all.end()), all.end());
      for (const size_t destination : all) {
        ++pipeline.nodes[destination].num_upstream;
      }
    }
    return pipeline;
  }

  const config::PipelineDocument& document_;
  const NodeRegistry& registry_;
  const ValidateContext& context_;
  config::Problems* problems_;
  std::map<std::string, size_t> index_;
  std::vector<std::string> names_;
  std::vector<CheckedNode> nodes_;
  bool has_bad_edge_ = false;
};

}  // namespace

std::optional<CheckedPipeline> CheckPipeline(const config::PipelineDocument& document,
                                             const NodeRegistry& registry,
                                             const ValidateContext& context,
                                             config::Problems* problems) {
  return GraphChecker(document, registry, context, problems).Check();
}

Result<CheckedPipeline> LoadPipeline(std::string_view text, const std::string& name,
                                     const NodeRegistry& registry, const ValidateContext& context) {
  config::Problems problems(name);
  const config::ValuePtr root = config::ParseDocument(text, &problems);
  if (root == nullptr) {
    return problems.ToStatus();
  }
  config::PipelineDocument document;
  if (root->Find("connections") != nullptr) {
    document = config::ReadOnePipeline(root, std::string(config::kDefaultGroup),
                                       std::string(config::kDefaultPipeline), {}, &problems);
  } else {
    config::EngineDocument engine = config::ReadEngineDocument(root, &problems);
    if (engine.pipelines.size() != 1) {
      problems.Add(root->mark, fmt::format("groups: found {} pipelines, expected one",
                                           engine.pipelines.size()));
      return problems.ToStatus();
    }
    document = std::move(engine.pipelines[0]);
  }
  std::optional<CheckedPipeline> pipeline = CheckPipeline(document, registry, context, &problems);
  ARROW_RETURN_NOT_OK(problems.ToStatus());
  return std::move(*pipeline);
}

}  // namespace df::engine
