#include "nodes/registry.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/pipeline_document.h"
#include "nodes/environments.h"

namespace df::nodes {
namespace {

TEST(Registry, EveryDescriptorIsComplete) {
  std::set<std::string> urns;
  for (const engine::NodeDescriptor* descriptor : AllDescriptors()) {
    SCOPED_TRACE(descriptor->urn);
    EXPECT_TRUE(urns.emplace(descriptor->urn).second) << "the URN is taken";
    EXPECT_TRUE(
        descriptor->urn.starts_with("urn:otel:" + std::string(Name(descriptor->kind)) + ":"));
    EXPECT_FALSE(descriptor->summary.empty());
    EXPECT_NE(descriptor->fields, nullptr);
    EXPECT_NE(descriptor->parse, nullptr);
    EXPECT_EQ(descriptor->make_receiver != nullptr,
              descriptor->kind == engine::NodeKind::kReceiver);
    EXPECT_EQ(descriptor->make_processor != nullptr,
              descriptor->kind == engine::NodeKind::kProcessor);
    EXPECT_EQ(descriptor->make_exporter != nullptr,
              descriptor->kind == engine::NodeKind::kExporter);
  }
}

TEST(Registry, EveryKeyIsDescribed) {
  for (const engine::NodeDescriptor* descriptor : AllDescriptors()) {
    SCOPED_TRACE(descriptor->urn);
    for (const config::FieldDescription& field : descriptor->fields()) {
      EXPECT_FALSE(field.name.empty());
      EXPECT_FALSE(field.type.empty()) << field.name;
      EXPECT_FALSE(field.description.empty()) << field.name;
    }
  }
}

TEST(Registry, EveryEnvironmentIsThatOfANodeOfItsOwn) {
  const engine::NodeRegistry registry(AllDescriptors());
  std::set<std::string_view> urns;
  for (const engine::NodeEnvironment* environment : AllEnvironments()) {
    SCOPED_TRACE(environment->urn);
    EXPECT_TRUE(urns.insert(environment->urn).second);
    EXPECT_NE(registry.Find(environment->urn), nullptr);
  }
  EXPECT_THAT(urns, testing::Contains("urn:otel:exporter:parquet"));
}

TEST(Registry, FindsANodeByItsUrn) {
  const engine::NodeRegistry registry(AllDescriptors());
  ASSERT_NE(registry.Find("urn:otel:exporter:noop"), nullptr);
  EXPECT_EQ(registry.Find("urn:otel:receiver:noop"), nullptr);
  EXPECT_EQ(registry.Find("urn:otel:noop:exporter"), nullptr) << "only a document has such names";
  EXPECT_EQ(registry.Find(""), nullptr);
  EXPECT_THAT(registry.UrnsOf(engine::NodeKind::kExporter),
              testing::Contains("urn:otel:exporter:noop"));
}

TEST(Registry, EveryNameOfThePrototypeLeadsToANode) {
  const engine::NodeRegistry registry(AllDescriptors());
  std::set<std::string_view> names;
  for (const config::PrototypeUrn& entry : config::PrototypeUrns()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name;
    EXPECT_NE(registry.Find(entry.urn), nullptr) << entry.name;
  }
  EXPECT_EQ(names.size(), 15U);
}

}  // namespace
}  // namespace df::nodes
