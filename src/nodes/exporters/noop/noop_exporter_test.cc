#include "nodes/exporters/noop/noop_exporter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/pipeline_harness.h"

namespace df::nodes::exporters::noop {

extern const engine::NodeDescriptor kDescriptor;

namespace {

constexpr char kDocument[] = R"(
nodes:
  source:
    kind: receiver
    plugin_urn: "urn:otel:receiver:test_scripted"
    out_ports: {out: {destinations: [sink]}}
  sink:
    kind: exporter
    plugin_urn: "urn:otel:noop:exporter"
    config: {}
)";

TEST(NoopExporter, AcksEveryBatchAndCountsItems) {
  testing::PipelineHarness harness(kDocument, {&kDescriptor});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.source().Send(testing::SmallLogs(3));
  harness.source().Send(testing::SmallLogs(4));
  harness.source().End();
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  ASSERT_EQ(harness.source().num_outcomes, 2);
  EXPECT_TRUE(harness.source().outcomes[0].is_ack);
  EXPECT_TRUE(harness.source().outcomes[1].is_ack);
  const engine::InstanceResult result = harness.TakeResult();
  EXPECT_THAT(result.reports.back().lines,
              ::testing::ElementsAre("took 2 batches: 7 log records, 0 spans, 0 data points"));
}

TEST(NoopExporter, RefusesAnyKey) {
  testing::PipelineHarness harness(
      R"({nodes: {source: {kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
                           out_ports: {out: {destinations: [sink]}}},
                  sink: {kind: exporter, plugin_urn: "urn:otel:noop:exporter",
                         config: {path: x}}}})",
      {&kDescriptor});
  EXPECT_THAT(harness.status().message(),
              ::testing::HasSubstr("nodes.sink.config: unknown key 'path', expected no keys"));
}

}  // namespace
}  // namespace df::nodes::exporters::noop
