#include "engine/checked_engine.h"

#include <array>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "config/document_fields.h"
#include "config/document_source.h"

namespace df::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Json = nlohmann::ordered_json;

struct ProbeConfig : NodeConfig {
  std::string path = "here";
  int64_t limit = 10;
};

const config::FieldTable<ProbeConfig>& ProbeFields() {
  static const config::FieldTable<ProbeConfig> table = {
      config::String("path", &ProbeConfig::path, "a path"),
      config::Integer("limit", &ProbeConfig::limit, {1, 100}, "a limit"),
  };
  return table;
}

std::string state_dir_seen;  // by the last node that was checked

NodeConfigPtr ParseProbe(const config::Section& section, const ValidateContext& context) {
  state_dir_seen = context.state_dir;
  return std::make_shared<ProbeConfig>(config::Read(ProbeFields(), section));
}

std::vector<config::FieldDescription> DescribeProbe() { return config::Describe(ProbeFields()); }

constexpr NodeDescriptor kIn = {.urn = "urn:otel:receiver:in",
                                .kind = NodeKind::kReceiver,
                                .fields = DescribeProbe,
                                .parse = ParseProbe};
constexpr NodeDescriptor kMid = {.urn = "urn:otel:processor:mid",
                                 .kind = NodeKind::kProcessor,
                                 .fields = DescribeProbe,
                                 .parse = ParseProbe};
constexpr NodeDescriptor kOut = {.urn = "urn:otel:exporter:out",
                                 .kind = NodeKind::kExporter,
                                 .fields = DescribeProbe,
                                 .parse = ParseProbe};
constexpr std::array<const NodeDescriptor*, 3> kAll = {&kIn, &kMid, &kOut};

const EngineContext kFourCores = {.allowed_cores = {0, 1, 2, 3}};

Result<CheckedEngine> Load(std::string_view text, const EngineContext& context = kFourCores) {
  return LoadEngine(text, "f.yaml", NodeRegistry(kAll), context);
}

constexpr char kTwoPipelines[] = R"(version: otel_dataflow/v1
policies:
  channel_capacity: {pdata: 7, control: {completion: 512}}
  resources: {memory: {soft_limit: 1MiB, hard_limit: 2MiB}}
  shutdown: {drain_timeout: 3s}
groups:
  g:
    policies:
      channel_capacity: {pdata_bytes: 1MiB}
      resources: {core_allocation: {type: core_count, count: 2}}
    pipelines:
      p:
        policies:
          resources: {core_allocation: {type: core_set, set: [{start: 0, end: 0}]}}
        nodes:
          a: {type: "urn:otel:RECEIVER:in"}
          b: {type: receiver:in}
          mid: {type: processor:mid, config: {limit: 5}}
          x: {type: exporter:out}
          y: {type: exporter:out}
        connections:
          - {from: [a, b], to: mid}
          - {from: mid, to: [x, y], policies: {dispatch: broadcast}}
      q:
        nodes: {a: {type: receiver:in}, x: {type: exporter:out}}
        connections: [{from: 'a["left"]', to: [x]}]
)";

TEST(CheckedEngine, AFamilyComesWholeFromTheNearestScope) {
  const auto engine = Load(kTwoPipelines);
  ASSERT_TRUE(engine.ok()) << engine.status();
  ASSERT_EQ(engine->pipelines.size(), 2u);
  const config::Policies& policies = engine->pipelines[0].policies;
  EXPECT_EQ(policies.channel_capacity.pdata_bytes, 1_MiB);
  EXPECT_EQ(policies.channel_capacity.pdata, 128) << "what the group leaves out is the default";
  EXPECT_EQ(policies.memory.soft_limit, 1_MiB) << "memory is inherited without core_allocation";
  EXPECT_EQ(policies.shutdown.drain_timeout, std::chrono::seconds(3));
  EXPECT_EQ(engine->policies.channel_capacity.pdata, 7);
}

TEST(CheckedEngine, SetsComeBeforeCountsWhichAreExclusive) {
  const auto engine = Load(kTwoPipelines);
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_THAT(engine->pipelines[0].cores, ElementsAre(0));
  EXPECT_THAT(engine->pipelines[1].cores, ElementsAre(1, 2));
  EXPECT_THAT(Load(kTwoPipelines, {.allowed_cores = {0, 1}}).status().message(),
              HasSubstr("f.yaml:10:36: groups.g.policies.resources.core_allocation: found count 2, "
                        "but of 2 usable cores 1 are free: 1"));
}

TEST(CheckedEngine, ConnectionsBecomePorts) {
  const auto engine = Load(kTwoPipelines);
  ASSERT_TRUE(engine.ok()) << engine.status();
  const CheckedPipeline& pipeline = engine->pipelines[0];
  EXPECT_EQ(pipeline.group, "g");
  EXPECT_EQ(pipeline.name, "p");
  const auto node = [&](std::string_view name) {
    for (size_t i = 0; i < pipeline.nodes.size(); ++i) {
      if (pipeline.nodes[i].name == name) {
        return i;
      }
    }
    return pipeline.nodes.size();
  };
  const CheckedNode& mid = pipeline.nodes.at(node("mid"));
  EXPECT_EQ(mid.num_upstream, 2);
  ASSERT_EQ(mid.ports.size(), 1u);
  EXPECT_EQ(mid.ports[0].name, "default");
  EXPECT_EQ(mid.ports[0].strategy, config::DispatchStrategy::kBroadcast);
  EXPECT_THAT(mid.ports[0].destinations, ElementsAre(node("x"), node("y")));
  EXPECT_EQ(pipeline.nodes[node("a")].ports[0].strategy, config::DispatchStrategy::kLeastLoaded);
  EXPECT_EQ(engine->pipelines[1].nodes[0].ports[0].name, "left");
}

TEST(CheckedEngine, AKeyWithoutEffectIsANotice) {
  const auto engine = Load(kTwoPipelines);
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_THAT(
      engine->notices,
      ElementsAre("f.yaml:3:54: policies.channel_capacity.control.completion: has no "
                  "effect: an outcome is told by a direct call, there is no queue of them"));
}

constexpr char kPrototype[] = R"(
settings: {default_pdata_channel_size: 8, default_node_ctrl_msg_channel_size: 9}
nodes:
  in:
    kind: receiver
    plugin_urn: urn:otel:receiver:in
    out_ports: {out: {destinations: [x, y], dispatch_strategy: random}}
  x: {kind: exporter, plugin_urn: urn:otel:exporter:out, config: {limit: 3}}
  y: {kind: exporter, plugin_urn: urn:otel:exporter:out}
)";

TEST(CheckedEngine, ThePrototypesFormIsTheSameEngine) {
  const auto old = Load(kPrototype);
  ASSERT_TRUE(old.ok()) << old.status();
  const std::string printed = PrintEngine(old->document, NodeRegistry(kAll));
  const auto engine = Load(printed);
  ASSERT_TRUE(engine.ok()) << engine.status() << printed;
  ASSERT_EQ(engine->pipelines.size(), 1u);
  for (const CheckedPipeline* pipeline : {&old->pipelines[0], &engine->pipelines[0]}) {
    EXPECT_EQ(pipeline->group, "default");
    EXPECT_EQ(pipeline->name, "main");
    EXPECT_EQ(pipeline->policies.channel_capacity.pdata, 8);
    EXPECT_EQ(pipeline->policies.channel_capacity.control_node, 9);
    EXPECT_EQ(pipeline->policies.channel_capacity.control_pipeline, 100);
    ASSERT_EQ(pipeline->nodes.size(), 3u);
    EXPECT_EQ(pipeline->nodes[0].descriptor, &kIn);
    EXPECT_EQ(pipeline->nodes[0].ports[0].name, "out");
    EXPECT_EQ(pipeline->nodes[0].ports[0].strategy, config::DispatchStrategy::kRandom);
    EXPECT_THAT(pipeline->nodes[0].ports[0].destinations, ElementsAre(1u, 2u));
  }
}

TEST(CheckedEngine, APipelineThatStandsAloneIsCheckedWithItsScopes) {
  const auto engine = Load(kTwoPipelines);
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto check = [&](std::string_view text, const EngineContext& context) {
    return CheckPipelineText(text, "body", {"g", "new"}, engine->document, NodeRegistry(kAll),
                             context);
  };
  constexpr char kGood[] = R"({"nodes": {"a": {"type": "receiver:in"},
      "x": {"type": "exporter:out"}}, "connections": [{"from": "a", "to": "x"}]})";
  const auto good = check(kGood, kFourCores);
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_EQ(good->group, "g");
  EXPECT_EQ(good->name, "new");
  EXPECT_EQ(good->policies.channel_capacity.pdata_bytes, 1_MiB);
  EXPECT_EQ(good->policies.shutdown.drain_timeout, std::chrono::seconds(3));
  EXPECT_THAT(good->cores, ElementsAre(0, 1));
  const auto later = check(kGood, {.allowed_cores = {0, 1, 2, 3}, .reserved_cores = {0, 2}});
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_THAT(later->cores, ElementsAre(1, 3));
  EXPECT_TRUE(check(kPrototype, kFourCores).ok());
  EXPECT_THAT(check("{nodes: {a: {type: receiver:inn}}}", kFourCores).status().message(),
              HasSubstr("body:1:20: nodes.a.type: unknown type 'receiver:inn'"));
}

TEST(CheckedEngine, TextWithAReferenceIsPrintedWithIt) {
  config::Problems problems("f.yaml");
  const config::ValuePtr root = config::ReadDocument(
      {.name = "f.yaml",
       .text = "version: otel_dataflow/v1\ngroups: {g: {pipelines: {p: {nodes: {"
               "a: {type: receiver:in, config: {path: \"${env:SECRET}/$$x\", limit: 4}}, "
               "x: {type: exporter:out}}, connections: [{from: a, to: x}]}}}}\n"},
      {}, [](const std::string&) { return std::optional<std::string>("s3cret"); }, &problems);
  const auto document = config::ReadEngineDocument(root, &problems);
  const std::string printed = PrintEngine(document, NodeRegistry(kAll));
  EXPECT_THAT(printed, HasSubstr("path: \"${env:SECRET}/$$x\""));
  EXPECT_THAT(printed, HasSubstr("limit: 4"));
  EXPECT_THAT(printed, ::testing::Not(HasSubstr("s3cret")));
}

/// Documents with everything that may vary.
class RandomDocument {
 public:
  explicit RandomDocument(uint32_t seed) : random_(seed) {}

  std::string Make() {
    Json groups = Json::object();
    for (int64_t g = Below(3); g >= 0; --g) {
      Json pipelines = Json::object();
      for (int64_t p = Below(3); p > 0; --p) {
        pipelines["p" + std::to_string(p)] = Pipeline();
      }
      groups["g" + std::to_string(g)] = {{"policies", Policies()}, {"pipelines", pipelines}};
    }
    Json document = {{"version", "otel_dataflow/v1"}, {"policies", Policies()}, {"groups", groups}};
    if (Below(2) == 0) {
      document["engine"] = {{"telemetry", {{"resource", {{Text(), Text()}, {"k", Text()}}}}}};
    }
    if (Below(2) == 0) {
      document["engine"]["http_admin"] = Json::object();
    }
    return document.dump();
  }

 private:
  int64_t Below(int64_t bound) {
    return std::uniform_int_distribution<int64_t>(0, bound - 1)(random_);
  }

  /// Texts that YAML or references could take for something else.
  std::string Text() {
    static const std::vector<std::string> kTexts = {
        "plain", "5",   "true", "null",  "~",    "a: b",       "- x",   "#c",  " blank ", "$x",
        "$$",    "0x1", "1e3",  "\"q\"", "it's", "line\nnext", "tab\t", "{a}", "[b]",     "é€",
        "${x}",  "$",   "a#b",  "a:",    "-",    "yes",        "\\",    "*a",  "&a",      "!t"};
    return kTexts[static_cast<size_t>(Below(static_cast<int64_t>(kTexts.size())))];
  }

  Json Policies() {
    Json policies = Json::object();
    if (Below(2) == 0) {
      policies["channel_capacity"] = {{"pdata", 1 + Below(1000)},
                                      {"pdata_bytes", 1 + Below(100'000'000)}};
    }
    if (Below(2) == 0) {
      policies["health"] = {{"ready_quorum", {{"Percent", Below(101)}}},
                            {"live_if", {"Running", "Stopped"}}};
    }
    if (Below(2) == 0) {
      const int64_t soft = 1 + Below(1'000'000'000);
      policies["resources"]["memory"] = {{"soft_limit", soft}, {"hard_limit", soft + 1}};
    }
    if (Below(2) == 0) {
      policies["resources"]["core_allocation"] = {
          {"type", "core_set"}, {"set", {{{"start", Below(2)}, {"end", 2 + Below(2)}}}}};
    }
    if (Below(2) == 0) {
      policies["shutdown"] = {{"drain_timeout", std::to_string(Below(10'000'000'000)) + "ns"}};
    }
    return policies;
  }

  Json Pipeline() {
    constexpr std::array kDispatch = {"one_of", "broadcast", "round_robin", "random",
                                      "least_loaded"};
    Json nodes = {{"in", {{"type", "receiver:in"}, {"config", {{"path", Text()}}}}}};
    Json connections = Json::array();
    std::string last = "in";
    for (int64_t i = Below(4); i > 0; --i) {
      const std::string name = "m " + std::to_string(i);
      nodes[name] = {{"type", "processor:mid"}, {"description", Text()}};
      connections.push_back({{"from", last + (Below(2) == 0 ? "" : "['port']")}, {"to", name}});
      last = name;
    }
    Json to = Json::array();
    for (int64_t i = Below(3); i >= 0; --i) {
      nodes["out" + std::to_string(i)] = {{"type", "urn:otel:exporter:out"},
                                          {"config", {{"limit", 1 + Below(100)}}}};
      to.push_back("out" + std::to_string(i));
    }
    connections.push_back({{"from", last},
                           {"to", to},
                           {"policies", {{"dispatch", kDispatch[static_cast<size_t>(Below(5))]}}}});
    return {{"policies", Policies()}, {"nodes", nodes}, {"connections", connections}};
  }

  std::mt19937 random_;
};

TEST(CheckedEngine, WhatIsPrintedReadsAsTheSameAndPrintsAsTheSame) {
  const auto seed = static_cast<uint32_t>(::testing::UnitTest::GetInstance()->random_seed());
  for (uint32_t i = 0; i < 100; ++i) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed << " (GTEST_RANDOM_SEED), document " << i);
    const std::string text = RandomDocument(seed * 1000 + i).Make();
    config::Problems problems("random");
    const config::ValuePtr root = config::ParseDocument(text, &problems);
    const auto first = CheckEngine(config::ReadEngineDocument(root, &problems), NodeRegistry(kAll),
                                   kFourCores, &problems);
    ASSERT_TRUE(first.has_value()) << problems.ToStatus().message() << "\n" << text;
    const std::string printed = PrintEngine(first->document, NodeRegistry(kAll));
    config::Problems again("printed");
    const config::ValuePtr reread = config::ReadDocument({.name = "printed", .text = printed}, {},
                                                         config::EmptyEnvironment(), &again);
    ASSERT_NE(reread, nullptr) << printed;
    const auto second = CheckEngine(config::ReadEngineDocument(reread, &again), NodeRegistry(kAll),
                                    kFourCores, &again);
    ASSERT_TRUE(second.has_value()) << again.ToStatus().message() << "\n" << printed;
    ASSERT_EQ(PrintEngine(second->document, NodeRegistry(kAll)), printed) << text;
    ASSERT_EQ(second->pipelines.size(), first->pipelines.size());
    for (size_t p = 0; p < first->pipelines.size(); ++p) {
      const CheckedPipeline& a = first->pipelines[p];
      const CheckedPipeline& b = second->pipelines[p];
      ASSERT_EQ(a.cores, b.cores);
      ASSERT_EQ(a.policies.channel_capacity.pdata_bytes, b.policies.channel_capacity.pdata_bytes);
      ASSERT_EQ(a.policies.memory.hard_limit, b.policies.memory.hard_limit);
      ASSERT_EQ(a.policies.shutdown.drain_timeout, b.policies.shutdown.drain_timeout);
      for (size_t n = 0; n < a.nodes.size(); ++n) {
        const auto& left = dynamic_cast<const ProbeConfig&>(*a.nodes[n].config);
        const auto& right = dynamic_cast<const ProbeConfig&>(*b.nodes[n].config);
        ASSERT_EQ(left.path, right.path);
        ASSERT_EQ(left.limit, right.limit);
      }
    }
  }
}

std::vector<std::string> KeysOf(const Json& schema) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : schema.at("properties").items()) {
    keys.push_back(key);
  }
  return keys;
}

template <typename S>
std::vector<std::string> KeysOf(const config::FieldTable<S>& table) {
  std::vector<std::string> keys;
  for (const config::FieldDescription& row : config::Describe(table)) {
    keys.push_back(row.name);
  }
  return keys;
}

TEST(DocumentSchema, HasTheKeysOfTheTablesThatReadDocuments) {
  const Json schema = Json::parse(DocumentSchema(NodeRegistry(kAll)));
  const Json& definitions = schema.at("$defs");
  EXPECT_EQ(KeysOf(schema), KeysOf(config::DocumentFields()));
  EXPECT_EQ(KeysOf(definitions.at("policies")), KeysOf(config::PolicyFields()));
  EXPECT_EQ(KeysOf(definitions.at("group").at("anyOf").at(0)), KeysOf(config::GroupFields()));
  EXPECT_EQ(KeysOf(definitions.at("pipeline")), KeysOf(config::PipelineFields()));
  EXPECT_EQ(KeysOf(definitions.at("node")), KeysOf(config::NodeFields()));
  const Json& engine = schema.at("properties").at("engine").at("anyOf").at(0);
  EXPECT_EQ(KeysOf(engine), KeysOf(config::EngineFields()));
  const Json& nodes = definitions.at("node").at("allOf");
  ASSERT_EQ(nodes.size(), kAll.size());
  for (size_t i = 0; i < kAll.size(); ++i) {
    const Json& config = nodes[i].at("then").at("properties").at("config").at("anyOf").at(0);
    EXPECT_EQ(KeysOf(config), KeysOf(ProbeFields()));
    EXPECT_EQ(config.at("properties").at("limit").at("anyOf").at(0).at("maximum"), 100);
    EXPECT_EQ(config.at("properties").at("limit").at("default"), 10);
    EXPECT_EQ(config.at("additionalProperties"), false);
  }
}

TEST(LoadPipeline, TakesEveryFormOfOnePipeline) {
  const NodeRegistry registry(kAll);
  constexpr char kEntry[] =
      "{nodes: {a: {type: receiver:in}, x: {type: exporter:out}}, "
      "connections: [{from: a, to: x}]}";
  const std::string whole =
      std::string("{version: otel_dataflow/v1, groups: {g: {pipelines: {p: ") + kEntry + "}}}}";
  EXPECT_TRUE(LoadPipeline(kPrototype, "f", registry, {}).ok());
  EXPECT_TRUE(LoadPipeline(kEntry, "f", registry, {}).ok());
  EXPECT_TRUE(LoadPipeline(whole, "f", registry, {}).ok());
  EXPECT_THAT(LoadPipeline(kTwoPipelines, "f", registry, {}).status().message(),
              HasSubstr("f:1:1: groups: found 2 pipelines, expected one"));
}

constexpr char kWithState[] = R"(version: otel_dataflow/v1
engine: {{state_dir: "{}"}}
groups:
  g:
    pipelines:
      p:
        nodes: {{a: {{type: receiver:in}}, x: {{type: exporter:out}}}}
        connections: [{{from: a, to: x}}]
)";

TEST(CheckedEngine, NodesAreToldOfTheStateDirectory) {
  const auto load = [](const std::string& path, const EngineContext& context) {
    return Load(fmt::format(kWithState, path), context);
  };
  const auto engine = load("/var/lib/state", kFourCores);
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ(engine->settings.state_dir, "/var/lib/state");
  EXPECT_EQ(state_dir_seen, "/var/lib/state");
  // A document that is read again does not move the state of the engine that runs.
  const EngineContext running = {.allowed_cores = {0, 1, 2, 3}, .state_dir = "/old"};
  const auto reloaded = load("/new", running);
  ASSERT_TRUE(reloaded.ok()) << reloaded.status();
  EXPECT_EQ(state_dir_seen, "/old");
  EXPECT_EQ(reloaded->document.settings.state_dir, "/old");
  ASSERT_TRUE(CheckPipelineText("{nodes: {a: {type: receiver:in}, x: {type: exporter:out}}, "
                                "connections: [{from: a, to: x}]}",
                                "body", {"g", "q"}, reloaded->document, NodeRegistry(kAll),
                                kFourCores)
                  .ok());
  EXPECT_EQ(state_dir_seen, "/old");
  for (const char* wrong : {"state", "./state", "/var/../state", "/var/./state", "/"}) {
    EXPECT_THAT(
        load(wrong, kFourCores).status().message(),
        HasSubstr(fmt::format("engine.state_dir: found '{}', expected an absolute path", wrong)));
  }
}

}  // namespace
}  // namespace df::engine
