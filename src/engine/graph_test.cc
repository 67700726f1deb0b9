#include "engine/graph.h"

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/field_table.h"

namespace df::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

enum class Mode { kFast, kSafe };

struct ProbeConfig : NodeConfig {
  std::string path = "here";
  int64_t limit = 10;
  bool flag = false;
  std::chrono::nanoseconds wait = std::chrono::seconds(5);
  int64_t memory = 1024;
  Mode mode = Mode::kFast;
  std::vector<Mode> modes;
};

const config::FieldTable<ProbeConfig>& ProbeFields() {
  static const config::FieldTable<ProbeConfig> table = {
      config::String("path", &ProbeConfig::path, "a path"),
      config::Integer("limit", &ProbeConfig::limit, {1, 100}, "a limit"),
      config::Bool("flag", &ProbeConfig::flag, "a flag"),
      config::Duration("wait", &ProbeConfig::wait, "a wait", {1'000'000, INT64_MAX}),
      config::Size("memory", &ProbeConfig::memory, {1024, int64_t{1} << 30}, "a size"),
      config::Enum("mode", &ProbeConfig::mode, {{"fast", Mode::kFast}, {"safe", Mode::kSafe}},
                   "a mode"),
      config::EnumList("modes", &ProbeConfig::modes, {{"fast", Mode::kFast}, {"safe", Mode::kSafe}},
                       "modes"),
  };
  return table;
}

NodeConfigPtr ParseProbe(const config::Section& section, const ValidateContext& context) {
  auto probe = std::make_shared<ProbeConfig>(config::Read(ProbeFields(), section));
  if (context.num_cores > 1 && probe->path.find("{core_id}") == std::string::npos) {
    section.Add("several cores need {core_id} in the path");
  }
  return probe;
}

constexpr NodeDescriptor kIn = {
    .urn = "urn:otel:receiver:in", .kind = NodeKind::kReceiver, .parse = ParseProbe};
constexpr NodeDescriptor kMid = {
    .urn = "urn:otel:processor:mid", .kind = NodeKind::kProcessor, .parse = ParseProbe};
constexpr NodeDescriptor kOut = {
    .urn = "urn:otel:exporter:out", .kind = NodeKind::kExporter, .parse = ParseProbe};
constexpr std::array<const NodeDescriptor*, 3> kAll = {&kIn, &kMid, &kOut};

Result<CheckedPipeline> Load(std::string_view text, int num_cores = 1) {
  return LoadPipeline(text, "f.yaml", NodeRegistry(kAll), {.num_cores = num_cores});
}

// The lines of a good document; cases replace or add some.
constexpr char kGood[] = R"(settings:
  default_pdata_channel_size: 8
nodes:
  in:
    kind: receiver
    plugin_urn: urn:otel:receiver:in
    out_ports: {out: {destinations: [mid], dispatch_strategy: round_robin}}
  mid:
    kind: processor
    plugin_urn: urn:otel:processor:mid
    out_ports: {out: {destinations: [out]}}
    config: {limit: 5}
  out:
    kind: exporter
    plugin_urn: urn:otel:exporter:out
)";

TEST(Graph, OrdersNodesUpstreamFirstAndReadsTheirConfiguration) {
  const auto pipeline = Load(kGood);
  ASSERT_TRUE(pipeline.ok()) << pipeline.status();
  std::vector<std::string> names;
  for (const CheckedNode& node : pipeline->nodes) {
    names.push_back(node.name);
  }
  EXPECT_THAT(names, ElementsAre("in", "mid", "out"));
  EXPECT_EQ(pipeline->policies.channel_capacity.pdata, 8);
  EXPECT_EQ(pipeline->policies.channel_capacity.control_node, 100);
  EXPECT_EQ(dynamic_cast<const ProbeConfig&>(*pipeline->nodes[1].config).limit, 5);
  EXPECT_THAT(pipeline->nodes[0].ports[0].destinations, ElementsAre(1u));
  EXPECT_EQ(pipeline->nodes[2].num_upstream, 1);
}

TEST(Graph, ReadsJson) {
  EXPECT_TRUE(Load(R"({"nodes": {"in": {"kind": "receiver", "plugin_urn": "urn:otel:receiver:in",
      "out_ports": {"out": {"destinations": ["out"]}}},
      "out": {"kind": "exporter", "plugin_urn": "urn:otel:exporter:out", "config": null}}})")
                  .ok());
}

TEST(Graph, AnAliasStandsForItsValue) {
  EXPECT_TRUE(Load(R"(
nodes:
  in: {kind: receiver, plugin_urn: urn:otel:receiver:in, config: &c {limit: 3},
       out_ports: {out: {destinations: [out]}}}
  out: {kind: exporter, plugin_urn: urn:otel:exporter:out, config: *c}
)")
                  .ok());
}

struct BadDocument {
  const char* name;
  std::string from;  ///< piece of the good document, or "" to use `to` alone
  std::string to;
  const char* expected;  ///< begins with line:column
};

void PrintTo(const BadDocument& bad, std::ostream* out) { *out << bad.name; }

class BadDocuments : public ::testing::TestWithParam<BadDocument> {};

TEST_P(BadDocuments, AreRefusedWithPlaceAndReason) {
  const BadDocument& bad = GetParam();
  std::string text = bad.from.empty() ? bad.to : kGood;
  if (!bad.from.empty()) {
    const size_t at = text.find(bad.from);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, bad.from.size(), bad.to);
  }
  const auto pipeline = Load(text);
  ASSERT_FALSE(pipeline.ok());
  EXPECT_THAT(pipeline.status().message(), HasSubstr(std::string("f.yaml:") + bad.expected));
}

const BadDocument kBadDocuments[] = {
    {"Empty", "", "", "1:1: the document is empty"},
    {"OnlyComment", "", "# nothing\n", "1:1: the document is empty"},
    {"NotUtf8", "", "nodes: \"\xff\"", "1:1: the document is not valid UTF-8"},
    {"Syntax", "", "nodes: {a: [", "1:1: the YAML cannot be read"},
    {"Tab", "", "nodes:\n\tin: x", "2:4: the YAML cannot be read"},
    {"RootIsList", "", "- a",
     "1:1: found a list, expected a map with the key 'version' or 'nodes'"},
    {"RootIsText", "", "hello", "1:1: found 'hello', expected a map"},
    {"TwoDocuments", "", std::string(kGood) + "---\na: b\n", "17:1: a second document begins here"},
    {"NoNodes", "", "settings: {}", "1:1: key 'nodes' is missing"},
    {"NodesIsNull", "", "nodes:\n", "1:1: nodes: found nothing, expected a map of nodes"},
    {"NodesIsEmpty", "", "nodes: {}", "1:8: nodes: found an empty map"},
    {"NodesIsList", "", "nodes: [a]", "1:8: nodes: found a list"},
    {"UnknownRootKey", "settings:", "setings:",
     "1:1: unknown key 'setings', expected one of "
     "type, settings, nodes; did you mean 'settings'?"},
    {"UnknownSetting", "default_pdata_channel_size", "default_pdata_chanel_size",
     "2:3: settings: unknown key 'default_pdata_chanel_size'"},
    {"SettingIsZero", "channel_size: 8", "channel_size: 0",
     "2:31: settings.default_pdata_channel_size: found '0', expected an integer 1..1000000"},
    {"SettingIsText", "channel_size: 8", "channel_size: many", "2:31: settings.default_pdata_"},
    {"SettingIsQuoted", "channel_size: 8", "channel_size: \"8\"", "2:31: settings.default_pdata_"},
    {"SettingIsFraction", "channel_size: 8", "channel_size: 8.5", "2:31: settings.default_pdata_"},
    {"SettingIsHuge", "channel_size: 8", "channel_size: 99999999999999999999",
     "2:31: settings.default_pdata_"},
    {"DuplicateNode", "  mid:", "  in:", "8:3: key 'in' is given twice, first at line 4"},
    {"DuplicateKey", "    kind: exporter", "    kind: exporter\n    kind: exporter",
     "15:5: key 'kind' is given twice, first at line 14"},
    {"DuplicateConfigKey", "{limit: 5}", "{limit: 5, limit: 6}",
     "12:24: key 'limit' is given twice"},
    {"KeyIsList", "", "nodes: {[a]: b}", "1:9: a key must be text, found a list"},
    {"NodeIsText", "  out:\n    kind: exporter\n    plugin_urn: urn:otel:exporter:out\n",
     "  out: exporter\n", "13:8: nodes.out: found 'exporter', expected a map"},
    {"UnknownNodeKey", "    plugin_urn: urn:otel:exporter", "    plugin_urm: urn:otel:exporter",
     "15:5: nodes.out: unknown key 'plugin_urm', expected one of kind, plugin_urn, description, "
     "out_ports, default_out_port, config; did you mean 'plugin_urn'?"},
    {"MissingUrn", "    plugin_urn: urn:otel:exporter:out\n", "",
     "13:3: nodes.out: key 'plugin_urn' is missing"},
    {"MissingKind", "    kind: exporter\n", "", "13:3: nodes.out: key 'kind' is missing"},
    {"UnknownKind", "kind: exporter", "kind: exporting",
     "14:11: nodes.out.kind: found 'exporting', expected one of receiver, processor, exporter; "
     "did you mean 'exporter'?"},
    {"UnknownUrn", "urn:otel:exporter:out", "urn:otel:outt:exporter",
     "15:17: nodes.out.plugin_urn: unknown URN 'urn:otel:outt:exporter', expected one of "
     "urn:otel:file:exporter, urn:otel:noop:exporter, "},
    {"UrnThatIsNearOne", "urn:otel:exporter:out", "urn:otel:flie:exporter",
     "15:17: nodes.out.plugin_urn: unknown URN 'urn:otel:flie:exporter', expected one of "
     "urn:otel:file:exporter, urn:otel:noop:exporter, urn:otel:otap:exporter, "
     "urn:otel:otap:parquet:exporter, urn:otel:otap:perf:exporter, urn:otel:otlp:exporter; did you "
     "mean 'urn:otel:file:exporter'?"},
    {"UrnOfNoNode", "urn:otel:exporter:out", "urn:otel:file:exporter",
     "15:17: nodes.out.plugin_urn: unknown type 'exporter:file', expected one of exporter:out"},
    {"UrnOfOtherKind", "kind: exporter", "kind: processor",
     "15:17: nodes.out.plugin_urn: 'urn:otel:exporter:out' is of kind exporter, but the node's "
     "kind is processor"},
    {"UrnIsEmpty", "urn:otel:exporter:out", "\"\"",
     "15:17: nodes.out.plugin_urn: found '', expected text"},
    {"UnknownDestination", "[mid]", "[midd]",
     "7:38: nodes.in.out_ports.out: destination 'midd' is not a node; did you mean 'mid'?"},
    {"DestinationTwice", "[mid]", "[mid, mid]",
     "7:43: nodes.in.out_ports.out.destinations[1]: 'mid' is named twice"},
    {"DestinationsIsText", "[mid]", "mid",
     "7:37: nodes.in.out_ports.out.destinations: found 'mid', expected a list of node names"},
    {"DestinationsIsEmpty", "[mid]", "[]",
     "7:37: nodes.in.out_ports.out.destinations: the list is empty"},
    {"DestinationsMissing", "destinations: [mid], ", "",
     "7:17: nodes.in.out_ports.out: key 'destinations' is missing"},
    {"UnknownPortKey",
     "dispatch_strategy:", "dispatch:", "7:44: nodes.in.out_ports.out: unknown key 'dispatch'"},
    {"UnknownStrategy", "round_robin", "round_robbin",
     "7:63: nodes.in.out_ports.out.dispatch_strategy: found 'round_robbin', expected one of "
     "broadcast, round_robin, random, least_loaded; did you mean 'round_robin'?"},
    {"StrategyMissing", "[mid], dispatch_strategy: round_robin", "[mid, out]",
     "7:17: nodes.in.out_ports.out: key 'dispatch_strategy' is missing"},
    {"ReceiverAsDestination", "[out]", "[in]",
     "11:38: nodes.mid.out_ports.out: destination 'in' is a receiver, which takes no batches"},
    {"SelfCycle", "[out]", "[mid]",
     "11:38: nodes.mid.out_ports.out: the destination closes a cycle: mid -> mid"},
    {"ExporterWithPort", "    plugin_urn: urn:otel:exporter:out\n",
     "    plugin_urn: urn:otel:exporter:out\n    out_ports: {x: {destinations: [mid]}}\n",
     "16:17: nodes.out.out_ports.x: an exporter has no out ports"},
    {"ProcessorWithoutPort", "    out_ports: {out: {destinations: [out]}}\n", "",
     "8:3: nodes.mid: no connection leads from this processor, expected one"},
    {"PortsIsList", "{out: {destinations: [out]}}", "[out]",
     "11:16: nodes.mid.out_ports: found a list, expected a map of ports"},
    {"Unreachable", "[mid]", "[out]",
     "8:3: nodes.mid: no receiver sends to this node, directly or through others"},
    {"NoReceiver", "", "nodes:\n  out: {kind: exporter, plugin_urn: urn:otel:exporter:out}\n",
     "2:3: nodes: there is no receiver"},
    {"SecondPortWithoutDefault", "{out: {destinations: [out]}}",
     "{a: {destinations: [out]}, b: {destinations: [out]}}",
     "8:3: nodes.mid: key 'default_out_port' is missing, expected it with 2 out ports"},
    {"NodeWithoutAName", "  out:\n", "  \"\":\n", "13:3: nodes: a node has an empty name"},
    {"UnknownDefaultPort", "    config: {limit: 5}", "    default_out_port: outt",
     "12:23: nodes.mid.default_out_port: 'outt' is not an out port of this node; did you mean "
     "'out'?"},
    {"ConfigIsList", "{limit: 5}", "[limit]",
     "12:13: nodes.mid.config: found a list, expected a map"},
    {"UnknownConfigKey", "{limit: 5}", "{limits: 5}",
     "12:14: nodes.mid.config: unknown key 'limits', expected one of path, limit, flag, wait, "
     "memory, mode, modes; did you mean 'limit'?"},
    {"IntegerPastRange", "{limit: 5}", "{limit: 101}",
     "12:21: nodes.mid.config.limit: found '101', expected an integer 1..100"},
    {"IntegerIsNull", "{limit: 5}", "{limit: }",
     "12:14: nodes.mid.config.limit: found nothing, expected an integer 1..100"},
    {"BoolIsYes", "{limit: 5}", "{flag: yes}",
     "12:20: nodes.mid.config.flag: found 'yes', expected true or false"},
    {"DurationWithoutUnit", "{limit: 5}", "{wait: 5}",
     "12:20: nodes.mid.config.wait: '5' is not a duration"},
    {"DurationTooShort", "{limit: 5}", "{wait: 1us}",
     "12:20: nodes.mid.config.wait: found '1us', expected a duration of at least 1ms"},
    {"SizeOfUnknownUnit", "{limit: 5}", "{memory: 5 bananas}",
     "12:22: nodes.mid.config.memory: '5 bananas' is not a size"},
    {"SizePastRange", "{limit: 5}", "{memory: 2GiB}",
     "12:22: nodes.mid.config.memory: found '2GiB', expected a size 1KiB..1GiB"},
    {"UnknownEnum", "{limit: 5}", "{mode: fats}",
     "12:20: nodes.mid.config.mode: found 'fats', expected one of fast, safe; did you mean "
     "'fast'?"},
    {"EnumListTwice", "{limit: 5}", "{modes: [fast, fast]}",
     "12:28: nodes.mid.config.modes[1]: 'fast' is named twice"},
    {"EnumListEmpty", "{limit: 5}", "{modes: []}",
     "12:21: nodes.mid.config.modes: found an empty list"},
    {"StringIsMap", "{limit: 5}", "{path: {a: b}}",
     "12:20: nodes.mid.config.path: found a map, expected text"},
    {"MergeKey", "{limit: 5}", "{<<: {limit: 5}}", "12:14: nodes.mid.config: unknown key '<<'"},
    {"AliasOfItself", "{limit: 5}", "&a {path: *a}",
     "12:23: the alias names a value that contains it"},
};

INSTANTIATE_TEST_SUITE_P(Graph, BadDocuments, ::testing::ValuesIn(kBadDocuments),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Graph, ACycleIsNamedNodeByNode) {
  const auto pipeline = Load(R"(nodes:
  in: {kind: receiver, plugin_urn: urn:otel:receiver:in, out_ports: {o: {destinations: [a]}}}
  a: {kind: processor, plugin_urn: urn:otel:processor:mid, out_ports: {o: {destinations: [b]}}}
  b: {kind: processor, plugin_urn: urn:otel:processor:mid, out_ports: {o: {destinations: [a]}}}
)");
  ASSERT_FALSE(pipeline.ok());
  EXPECT_THAT(pipeline.status().message(), HasSubstr("closes a cycle: a -> b -> a"));
}

TEST(Graph, ReportsEveryProblemAtOnceInTheOrderOfTheDocument) {
  const auto pipeline = Load(R"(setings: {}
nodes:
  in:
    kind: receiver
    plugin_urn: urn:otel:inn:receiver
    out_ports: {out: {destinations: [nowhere]}}
  out:
    kind: exporter
    plugin_urn: urn:otel:exporter:out
    config: {limit: 1000, wait: soon, colour: red}
)");
  ASSERT_FALSE(pipeline.ok());
  std::vector<std::string> places;
  std::string text = pipeline.status().message() + "\n";
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    places.push_back(text.substr(at, text.find(": ", at) - at));
  }
  EXPECT_THAT(places, ElementsAre("f.yaml:1:1", "f.yaml:5:17", "f.yaml:6:38", "f.yaml:10:21",
                                  "f.yaml:10:33", "f.yaml:10:39"));
  EXPECT_EQ(KindOf(pipeline.status()), ErrorKind::kConfig);
}

TEST(Graph, ANodeIsCheckedAgainstTheNumberOfCores) {
  EXPECT_TRUE(Load(kGood, 1).ok());
  const auto pipeline = Load(kGood, 2);
  ASSERT_FALSE(pipeline.ok());
  EXPECT_THAT(pipeline.status().message(),
              HasSubstr("f.yaml:12:13: nodes.mid.config: several cores need {core_id}"));
}

TEST(Graph, AliasesOfAliasesAreStopped) {
  std::string text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name < 'k'; ++name) {
    text += std::string(1, name) + ": &" + name + " [";
    for (int i = 0; i < 10; ++i) {
      text += std::string("*") + static_cast<char>(name - 1) + ", ";
    }
    text += "x]\n";
  }
  const auto pipeline = Load(text);
  ASSERT_FALSE(pipeline.ok());
  EXPECT_THAT(pipeline.status().message(), HasSubstr("more than 100000 values"));
}

TEST(Graph, ADeepDocumentIsRefusedWithoutCrashing) {
  EXPECT_FALSE(Load(std::string(20'000, '[')).ok());
  EXPECT_FALSE(Load(std::string(20'000, '{')).ok());
}

}  // namespace
}  // namespace df::engine
