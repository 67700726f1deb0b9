#include "nodes/processors/attributes/attributes_processor.h"

#include <string>
#include <vector>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/match.h"
#include "otap/validate.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::processors::attributes {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using otap::BatchPtr;
using otap::Signal;
using otap::TableKind;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Document(const std::string& config,
                     const std::string& urn = "urn:otel:processor:attribute") {
  return fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [edit]}}}}}},
      edit: {{kind: processor, plugin_urn: "{}",
             out_ports: {{out: {{destinations: [sink]}}}}, config: {{{}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                     urn, config);
}

std::string Problem(const std::string& config) {
  return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
}

class AttributesTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

int64_t RowsOf(const BatchPtr& batch, TableKind kind, const std::string& key) {
  return batch->table(kind) == nullptr ? 0 : otap::RowsWithKey(*batch->table(kind), key).Count();
}

TEST_F(AttributesTest, AppliesActionsInOrderAndCountsThem) {
  testing::PipelineHarness harness(
      Document("actions: [{action: insert, key: a, value: 7}, "
               "{action: rename, source_key: a, destination_key: b}, "
               "{action: upsert, key: c, value: 'text'}, {action: delete, key: c}]"),
      {&kDescriptor});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.source().Send(testing::SmallLogs(5));
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_EQ(harness.sink().taken.size(), 1U);
  const BatchPtr& batch = harness.sink().taken[0];
  EXPECT_TRUE(otap::Validate(*batch).ok());
  EXPECT_EQ(RowsOf(batch, TableKind::kLogAttrs, "a"), 0);
  EXPECT_EQ(RowsOf(batch, TableKind::kLogAttrs, "b"), 5);
  EXPECT_EQ(RowsOf(batch, TableKind::kLogAttrs, "c"), 0);
  EXPECT_TRUE(
      otap::ParentsWithAttribute(batch->table(TableKind::kLogAttrs),
                                 {"b", otap::ValueMatcher(otap::AttributeValue(int64_t{7}))})
          .Contains(4));
  EXPECT_TRUE(harness.source().outcomes.at(0).is_ack);
  for (const char* action : {"insert", "rename", "upsert", "delete"}) {
    EXPECT_EQ(
        harness.metric("edit", "df.processor.attribute.entries.modified", {{"action", action}}), 5)
        << action;
  }
}

TEST_F(AttributesTest, AppliesToWhomItIsTold) {
  testing::PipelineHarness harness(
      Document("actions: [{action: upsert, key: mark, value: true}], apply_to: [resource, scope]",
               "urn:otap:processor:attributes_processor"),
      {&kDescriptor});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  testing::RandomEngine rng(3);
  const BatchPtr spans = testing::RandomBatch(Signal::kTraces, {}, rng);
  harness.source().Send(spans);
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_EQ(harness.sink().taken.size(), 1U);
  const BatchPtr& batch = harness.sink().taken[0];
  EXPECT_TRUE(otap::Validate(*batch).ok());
  EXPECT_GT(RowsOf(batch, TableKind::kResourceAttrs, "mark"), 0);
  EXPECT_GT(RowsOf(batch, TableKind::kScopeAttrs, "mark"), 0);
  EXPECT_EQ(batch->table(TableKind::kSpanAttrs), spans->table(TableKind::kSpanAttrs));
}

TEST_F(AttributesTest, ABatchThatNothingChangesIsSentOnAsItIs) {
  testing::PipelineHarness harness(Document("actions: [{action: delete, key: no such key}]"),
                                   {&kDescriptor});
  testing::RandomEngine rng(4);
  const BatchPtr logs = testing::RandomBatch(Signal::kLogs, {}, rng);
  harness.source().Send(logs);
  harness.source().End();
  harness.RunUntilIdle();
  EXPECT_EQ(harness.sink().taken.at(0), logs);
}

TEST_F(AttributesTest, AChangedConfigurationAppliesFromTheNextBatchOn) {
  testing::PipelineHarness harness(Document("actions: [{action: insert, key: a, value: 1}]"),
                                   {&kDescriptor});
  harness.source().Send(testing::SmallLogs(1));
  harness.RunUntilIdle();
  auto changed = std::make_shared<AttributesConfig>();
  changed->apply_to = {otap::AttributeOwner::kSignal};
  otap::AttributeAction insert;
  insert.kind = otap::AttributeActionKind::kInsert;
  insert.key = "b";
  changed->actions = {insert};
  ASSERT_TRUE(harness.instance().ApplyConfig(1, changed).ok());
  harness.source().Send(testing::SmallLogs(1));
  harness.source().End();
  harness.RunUntilIdle();
  EXPECT_EQ(RowsOf(harness.sink().taken.at(0), TableKind::kLogAttrs, "a"), 1);
  EXPECT_EQ(RowsOf(harness.sink().taken.at(1), TableKind::kLogAttrs, "a"), 0);
  EXPECT_EQ(RowsOf(harness.sink().taken.at(1), TableKind::kLogAttrs, "b"), 1);
}

TEST_F(AttributesTest, RefusesBadDocumentsWithTheirPlace) {
  EXPECT_THAT(Problem(""), HasSubstr("'actions' is missing"));
  EXPECT_THAT(Problem("actions: [{action: renam, key: a}]"),
              AllOf(HasSubstr("actions[0].action"), HasSubstr("rename")));
  EXPECT_THAT(Problem("actions: [{action: insert, key: a}]"),
              AllOf(HasSubstr("actions[0]"), HasSubstr("'value' is missing")));
  EXPECT_THAT(Problem("actions: [{action: delete, key: a, value: 1}]"),
              AllOf(HasSubstr("actions[0].value"), HasSubstr("delete has no such key")));
  EXPECT_THAT(Problem("actions: [{action: rename, source_key: a, destination_key: a}]"),
              HasSubstr("to itself"));
  EXPECT_THAT(Problem("actions: [{action: hash, key: a, algorithm: md5}]"), HasSubstr("sha256"));
  EXPECT_THAT(Problem("actions: [{action: delete, key: a}], apply_to: [records]"),
              HasSubstr("apply_to"));
}

}  // namespace
}  // namespace df::nodes::processors::attributes
