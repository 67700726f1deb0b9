#include "config/pipeline_fields.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"
#include "config/urn.h"

namespace df::config {
namespace {

constexpr size_t kLongestName = 128;

std::optional<Reference> ReadReference(const Section& section) {
  if (auto text = section.ReadString()) {
    return Reference{std::move(*text), section.value().mark, section.path()};
  }
  return std::nullopt;
}

/// Reads what may be one scalar or a list of them; every item is given to `read_item`.
template <typename T, typename ReadItem>
std::optional<std::vector<T>> ReadOneOrMore(const Section& section, std::string_view what,
                                            ReadItem read_item) {
  std::vector<T> items;
  if (section.value().kind == Value::Kind::kScalar) {
    if (auto item = read_item(section)) {
      items.push_back(std::move(*item));
    }
    return items;
  }
  if (section.value().kind != Value::Kind::kList || section.value().items.empty()) {
    section.Add(fmt::format(
        "found {}, expected {}",
        section.value().kind == Value::Kind::kList ? "an empty list" : section.value().Describe(),
        what));
    return std::nullopt;
  }
  for (const Section& item : section.Items()) {
    if (auto read = read_item(item)) {
      items.push_back(std::move(*read));
    }
  }
  return items;
}

/// Reads `id`, `id["port"]` or `id['port']`.
std::optional<PortSelector> ReadSelector(const Section& section) {
  const auto text = ReadReference(section);
  if (!text.has_value()) {
    return std::nullopt;
  }
  const auto refuse = [&](std::string_view reason) {
    section.Add(fmt::format("found '{}', {}, expected a node or node[\"port\"]",
                            PrintableText(text->name), reason));
    return std::nullopt;
  };
  const std::string& selector = text->name;
  const size_t open = selector.find('[');
  if (open == std::string::npos) {
    if (selector.find(']') != std::string::npos) {
      return refuse("a bracket is closed that was not opened");
    }
    return PortSelector{*text};
  }
  if (open == 0) {
    return refuse("the node is missing");
  }
  if (selector.back() != ']' || selector.find(']') != selector.size() - 1) {
    return refuse("the bracket is not closed at the end");
  }
  const std::string inside = selector.substr(open + 1, selector.size() - open - 2);
  const bool is_quoted =
      inside.size() >= 2 && (inside[0] == '"' || inside[0] == '\'') && inside.back() == inside[0];
  if (!is_quoted) {
    return refuse("the port is not in quotes");
  }
  PortSelector result{{selector.substr(0, open), text->mark, text->path},
                      inside.substr(1, inside.size() - 2)};
  if (result.port.empty() || result.port.find_first_of("\"'[") != std::string::npos) {
    return refuse(result.port.empty() ? "the port is empty" : "the port has quotes or brackets");
  }
  return result;
}

std::optional<std::vector<PortSelector>> ReadFrom(const Section& section) {
  return ReadOneOrMore<PortSelector>(section, "a node, node[\"port\"] or a list of them",
                                     ReadSelector);
}

std::optional<std::vector<Reference>> ReadTo(const Section& section) {
  auto nodes = ReadOneOrMore<Reference>(section, "a node or a list of nodes", ReadReference);
  std::vector<Reference> kept;
  std::set<std::string> known;
  for (Reference& node : nodes.value_or(std::vector<Reference>())) {
    if (!known.insert(node.name).second) {
      section.problems()->Add(
          node.mark, fmt::format("{}: '{}' is named twice", node.path, PrintableText(node.name)));
    } else {
      kept.push_back(std::move(node));
    }
  }
  return nodes.has_value() ? std::optional(std::move(kept)) : std::nullopt;
}

std::optional<std::vector<Reference>> ReadOutputs(const Section& section) {
  if (section.value().kind != Value::Kind::kList) {
    section.Add(fmt::format("found {}, expected a list of ports", section.value().Describe()));
    return std::nullopt;
  }
  std::vector<Reference> outputs;
  std::set<std::string> known;
  for (const Section& item : section.Items()) {
    auto output = ReadReference(item);
    if (!output.has_value()) {
      continue;
    }
    if (known.contains(output->name)) {
      item.Add(fmt::format("'{}' is named twice", PrintableText(output->name)));
    } else if (output->name.find_first_of("\"'[]") != std::string::npos) {
      item.Add(fmt::format("found '{}', expected a port without quotes and brackets",
                           PrintableText(output->name)));
    } else {
      known.insert(output->name);
      outputs.push_back(std::move(*output));
    }
  }
  return outputs;
}

std::optional<Reference> ReadType(const Section& section) {
  auto text = ReadReference(section);
  if (!text.has_value()) {
    return std::nullopt;
  }
  const Result<NodeUrn> urn = ParseNodeUrn(text->name);
  if (!urn.ok()) {
    section.Add(urn.status().message());
    return std::nullopt;
  }
  text->name = urn->ToString();
  return text;
}

template <typename S, typename T>
Field<S> ReadOnly(std::string name, std::string type, T S::* member,
                  std::function<std::optional<T>(const Section&)> read, std::string shown,
                  ValuePtr schema, std::string description) {
  return Structured<S, T>(
      std::move(name), std::move(type), member, std::move(read),
      [](const T&) { return ValuePtr(); }, [shown](const T&) { return shown; }, std::move(schema),
      std::move(description));
}

ValuePtr TypeSchema() {
  return MakeMap(
      {{"type", MakeText("string")},
       {"pattern", MakeText("^ *([Uu][Rr][Nn]:[A-Za-z0-9._-]+:)?[A-Za-z]+:[a-z0-9._-]+ *$")}});
}

ValuePtr OneOrMoreSchema() {
  return MakeMap({{"anyOf", MakeList({TextSchema(), ListSchema(TextSchema())})}});
}

const FieldTable<ConnectionKeys>& ConnectionPolicyFields() {
  static const FieldTable<ConnectionKeys> table = {
      Enum("dispatch", &ConnectionKeys::dispatch,
           {{"one_of", DispatchStrategy::kLeastLoaded},
            {"broadcast", DispatchStrategy::kBroadcast},
            {"round_robin", DispatchStrategy::kRoundRobin},
            {"random", DispatchStrategy::kRandom},
            {"least_loaded", DispatchStrategy::kLeastLoaded}},
           "who of several nodes gets a batch: the one that is free (one_of and least_loaded mean "
           "the same), all of them, or one in turn or at random"),
  };
  return table;
}

}  // namespace

const FieldTable<NodeKeys>& NodeFields() {
  static const FieldTable<NodeKeys> table = {
      ReadOnly<NodeKeys, Reference>("type", "URN or kind:id", &NodeKeys::type, ReadType, "",
                                    TypeSchema(), "what the node is, as in receiver:parquet")
          .Required(),
      String("description", &NodeKeys::description, "for people"),
      ReadOnly<NodeKeys, std::vector<Reference>>(
          "outputs", "list of ports", &NodeKeys::outputs, ReadOutputs, "[]",
          MakeMap({{"type", MakeText("array")}, {"items", TextSchema()}}),
          "ports that may be connected; left out: any"),
      ReadOnly<NodeKeys, std::optional<Reference>>(
          "default_output", "port", &NodeKeys::default_output,
          [](const Section& section) { return std::optional(ReadReference(section)); }, "none",
          TextSchema(), "the port of batches for which the node names none; needed with several"),
      ReadOnly<NodeKeys, ValuePtr>(
          "config", "map", &NodeKeys::config,
          [](const Section& section) {
            return std::optional<ValuePtr>(std::make_shared<const Value>(section.value()));
          },
          "{}", nullptr, "the keys of the node, see its README"),
      Refused<NodeKeys>(
          "capabilities",
          "is not supported: there are no extensions; in place of azure_identity_auth write "
          "config.storage.azure.auth of the node, with the type managed_identity, "
          "workload_identity, client_secret, environment or cli"),
      Refused<NodeKeys>("rate_limiters",
                        "is not supported, expected policies.resources.memory of "
                        "the pipeline"),
      Refused<NodeKeys>("entity", "is not supported, expected engine.telemetry.resource"),
      Refused<NodeKeys>("header_capture", "is not supported: batches carry no headers"),
      Refused<NodeKeys>("header_propagation", "is not supported: batches carry no headers"),
      Refused<NodeKeys>("policies",
                        "is not supported on nodes, expected "
                        "policies.telemetry.runtime_metrics of the pipeline"),
  };
  return table;
}

const FieldTable<ConnectionKeys>& ConnectionFields() {
  static const FieldTable<ConnectionKeys> table = {
      ReadOnly<ConnectionKeys, std::vector<PortSelector>>(
          "from", "node, node[\"port\"], or a list of them", &ConnectionKeys::from, ReadFrom, "",
          OneOrMoreSchema(), "who sends; the port is `default` where none is named")
          .Required(),
      ReadOnly<ConnectionKeys, std::vector<Reference>>("to", "node or list of nodes",
                                                       &ConnectionKeys::to, ReadTo, "",
                                                       OneOrMoreSchema(), "who takes")
          .Required(),
      Subsection("policies", ConnectionPolicyFields(), "how batches are handed out"),
  };
  return table;
}

const FieldTable<PipelineKeys>& PipelineFields() {
  const auto nodes_schema = MapSchema(ValuePtr(MakeMap({{"$ref", MakeText("#/$defs/node")}})));
  static const FieldTable<PipelineKeys> table = {
      Enum("type", &PipelineKeys::type, {{"otap", PipelineType::kOtap}},
           "what the pipeline carries"),
      PoliciesField(&PipelineKeys::policies),
      ReadOnly<PipelineKeys, std::vector<NodeKeys>>(
          "nodes", "map of nodes", &PipelineKeys::nodes,
          [](const Section& section) {
            if (section.value().kind == Value::Kind::kMap && section.value().entries.empty()) {
              section.Add("found an empty map, expected a map of nodes");
            }
            return ReadEntries<NodeKeys>(
                section, "nodes", [](const Section& item) { return Read(NodeFields(), item); });
          },
          "", nodes_schema, "the nodes by name")
          .Required(),
      GroupList("connections", &PipelineKeys::connections, ConnectionFields(),
                "which node sends to which"),
      Refused<PipelineKeys>(
          "extensions",
          "is not supported: there are no extensions; in place of azure_identity_auth write "
          "config.storage.azure.auth of the node, with the type managed_identity, "
          "workload_identity, client_secret, environment or cli"),
      Refused<PipelineKeys>("topics", "is not supported, expected connections"),
      Refused<PipelineKeys>("settings",
                            "belongs to documents of the prototype's form, expected "
                            "policies.channel_capacity"),
  };
  return table;
}

void CheckNodeName(const Value::Entry& entry, const std::string& path, Problems* problems) {
  const std::string& name = entry.key;
  const bool is_good = !name.empty() && name.size() <= kLongestName && name.front() != ' ' &&
                       name.back() != ' ' && name.find_first_of("[]\"'") == std::string::npos &&
                       PrintableText(name) == name;
  if (!is_good) {
    problems->Add(entry.key_mark,
                  fmt::format("{}: '{}' cannot name a node, expected 1..{} characters without "
                              "brackets, quotes and blanks around them",
                              path, PrintableText(name.substr(0, kLongestName)), kLongestName));
  }
}

void CheckScopeName(const Value::Entry& entry, const std::string& path, Problems* problems) {
  const std::string& name = entry.key;
  const bool is_good = !name.empty() && name.size() <= kLongestName && name != "." &&
                       name != ".." && std::all_of(name.begin(), name.end(), [](char c) {
                         return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
                       });
  if (!is_good) {
    problems->Add(entry.key_mark,
                  fmt::format("{}: '{}' is no name, expected 1..{} of A-Z a-z 0-9 . _ -", path,
                              PrintableText(name.substr(0, kLongestName)), kLongestName));
  }
}

}  // namespace df::config
