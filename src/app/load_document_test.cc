#include "app/load_document.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/document_source.h"
#include "nodes/registry.h"

namespace df::app {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

const engine::EngineContext kOneCore = {.allowed_cores = {0}};

Result<engine::CheckedEngine> Load(const std::string& source,
                                   std::vector<std::string> overrides = {}) {
  return LoadDocument({.source = source, .overrides = std::move(overrides)},
                      engine::NodeRegistry(nodes::AllDescriptors()), kOneCore,
                      config::EmptyEnvironment());
}

std::string Print(const engine::CheckedEngine& engine) {
  return engine::PrintEngine(engine.document, engine::NodeRegistry(nodes::AllDescriptors()));
}

std::vector<std::string> Examples() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(OTAP_SOURCE_DIR "/configs")) {
    if (entry.path().extension() == ".yaml") {
      paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

TEST(LoadDocument, EveryExampleIsGoodAndItsPrintIsAFixpoint) {
  ASSERT_GE(Examples().size(), 6u);
  for (const std::string& path : Examples()) {
    SCOPED_TRACE(path);
    const auto engine = Load(path);
    ASSERT_TRUE(engine.ok()) << engine.status();
    const std::string printed = Print(*engine);
    // References stand in the print as they were written, so they are substituted again.
    const auto again = Load("yaml:" + printed);
    ASSERT_TRUE(again.ok()) << again.status() << "\n" << printed;
    EXPECT_EQ(Print(*again), printed);
  }
}

size_t CountThreads() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST(LoadDocument, ACheckStartsNoThread) {
  const size_t before = CountThreads();
  for (const std::string& path : Examples()) {
    EXPECT_TRUE(Load(path).ok());
    EXPECT_EQ(CountThreads(), before) << path;
  }
  EXPECT_FALSE(Load("yaml:{version: otel_dataflow/v1, groups: {g: {pipelines: {p: {}}}}}").ok());
  EXPECT_EQ(CountThreads(), before);
}

TEST(LoadDocument, BothFormsOfAnExampleAskForTheSameNodes) {
  for (const std::string& path : Examples()) {
    const std::string twin = path.substr(0, path.size() - 5) + "-v1.yaml";
    if (!std::filesystem::exists(twin)) {
      continue;
    }
    SCOPED_TRACE(twin);
    const auto old = Load(path);
    const auto engine = Load(twin);
    ASSERT_TRUE(old.ok() && engine.ok()) << old.status() << engine.status();
    const engine::CheckedPipeline& left = old->pipelines.at(0);
    const engine::CheckedPipeline& right = engine->pipelines.at(0);
    ASSERT_EQ(left.nodes.size(), right.nodes.size());
    for (size_t i = 0; i < left.nodes.size(); ++i) {
      EXPECT_EQ(left.nodes[i].name, right.nodes[i].name);
      EXPECT_EQ(left.nodes[i].descriptor, right.nodes[i].descriptor);
      ASSERT_EQ(left.nodes[i].ports.size(), right.nodes[i].ports.size());
      for (size_t port = 0; port < left.nodes[i].ports.size(); ++port) {
        EXPECT_EQ(left.nodes[i].ports[port].destinations, right.nodes[i].ports[port].destinations);
      }
    }
  }
}

constexpr char kSmall[] =
    "yaml:{version: otel_dataflow/v1, groups: {g: {pipelines: {p: {nodes: {"
    "r: {type: receiver:parquet, config: {base_uri: here}}, x: {type: exporter:noop}}, "
    "connections: [{from: r, to: x}]}}}}}";

TEST(LoadDocument, FlagsChangeTheDocument) {
  const auto engine =
      Load(kSmall, {"groups.g.pipelines.p.nodes.r.config.base_uri=there",
                    "policies.channel_capacity.pdata=5", "engine.telemetry.resource.\"a.b\"=c"});
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ(engine->pipelines[0].policies.channel_capacity.pdata, 5);
  EXPECT_EQ(engine->settings.telemetry.resource.at("a.b"), "c");
  EXPECT_THAT(Print(*engine), HasSubstr("base_uri: there"));
}

TEST(LoadDocument, AProblemOfAFlagNamesTheFlag) {
  EXPECT_THAT(Load(kSmall, {"policies.channel_capacity.pdata=0"}).status().message(),
              HasSubstr("--set policies.channel_capacity.pdata=0:1:33: "
                        "policies.channel_capacity.pdata: found '0', expected an integer"));
}

TEST(LoadDocument, AFlagForCoresReplacesTheTopAllocationOnly) {
  const engine::NodeRegistry registry(nodes::AllDescriptors());
  const engine::EngineContext context = {.allowed_cores = {0, 1, 2, 3}};
  const std::vector<std::string> own = {
      "groups.g.policies.resources.core_allocation={type: core_count, count: 1}"};
  DocumentFlags flags{.source = kSmall, .core_allocation = AllocationOfIds({1, 3})};
  auto engine = LoadDocument(flags, registry, context, config::EmptyEnvironment());
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_EQ(engine->pipelines[0].cores, (std::vector<int>{1, 3}));
  flags.overrides = own;
  engine = LoadDocument(flags, registry, context, config::EmptyEnvironment());
  ASSERT_TRUE(engine.ok()) << engine.status();
  EXPECT_THAT(engine->pipelines[0].cores, SizeIs(1));
}

/// Returns the path of every key that the rows describe, and of the keys of groups in them.
void AddKeys(const config::Value& schema, const std::string& path, std::vector<std::string>* keys) {
  const config::Value* map = &schema;
  if (const config::Value* any = map->Find("anyOf")) {
    map = any->items[0].get();
  }
  if (const config::Value* items = map->Find("items")) {
    AddKeys(*items, path.substr(0, path.size() - 1) + "[].", keys);
  }
  const config::Value* properties = map->Find("properties");
  if (properties == nullptr) {
    return;
  }
  for (const config::Value::Entry& entry : properties->entries) {
    keys->push_back(path + entry.key);
    AddKeys(*entry.value, path + entry.key + ".", keys);
  }
}

TEST(ConfigurationDocument, NamesEveryKeyThatTheSchemaHas) {
  std::ifstream file(OTAP_SOURCE_DIR "/docs/configuration.md");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  config::Problems problems("schema");
  const config::ValuePtr schema = config::ParseDocument(
      engine::DocumentSchema(engine::NodeRegistry(nodes::AllDescriptors())), &problems);
  ASSERT_NE(schema, nullptr);
  std::vector<std::string> keys;
  AddKeys(*schema, "", &keys);
  for (const config::Value::Entry& entry : schema->Find("$defs")->entries) {
    AddKeys(*entry.value, entry.key + ".", &keys);
  }
  EXPECT_GT(keys.size(), 50u);
  std::vector<std::string> rows;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    if (line.starts_with("| `")) {
      rows.push_back(line.substr(3, line.find('`', 3) - 3));
    }
    begin = end + 1;
  }
  EXPECT_THAT(rows, ::testing::UnorderedElementsAreArray(keys));
}

}  // namespace
}  // namespace df::app
