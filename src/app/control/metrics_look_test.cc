#include "app/control/metrics_look.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/commands/text_table.h"
#include "app/control/top_text.h"

namespace df::app {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

json Point(const std::string& node, const std::string& type, double value, const char* core = "0") {
  json set = {{"pipeline.group.id", "default"}, {"pipeline.id", "main"}, {"core.id", core}};
  if (!node.empty()) {
    set["node.id"] = node;
    set["node.type"] = type;
  }
  return {{"set", set}, {"value", value}};
}

/// A receiver `in`, a processor `a` and an exporter `out`, on two cores.
MetricsLook Look(double seconds, double items) {
  const json metrics = {
      {"time_unix_nano", static_cast<int64_t>(seconds * 1e9)},
      {"metrics",
       {{{"name", "df.node.items.out"},
         {"points",
          {Point("in", "receiver:otlp", items), Point("in", "receiver:otlp", items, "1"),
           Point("a", "processor:batch", items)}}},
        {{"name", "df.node.items.in"},
         {"points", {Point("out", "exporter:otap", items), Point("a", "processor:batch", items)}}},
        {{"name", "df.node.batches.nacked"},
         {"points", {Point("in", "receiver:otlp", items / 10), Point("a", "processor:batch", 5)}}},
        {{"name", "df.receiver.otlp.requests.size"},
         {"points", {Point("in", "receiver:otlp", 1024 * items)}}},
        {{"name", "df.exporter.otap.sent.size"},
         {"points", {Point("out", "exporter:otap", 512 * items)}}},
        {{"name", "df.edge.batches"},
         {"points", {Point("out", "exporter:otap", 3), Point("out", "exporter:otap", 4, "1")}}},
        {{"name", "df.node.failing.time"},
         {"points", {Point("out", "exporter:otap", 61.5), Point("out", "exporter:otap", 2, "1")}}},
        {{"name", "df.pipeline.memory.usage"},
         {"points", {Point("", "", 2048), Point("", "", 2048, "1")}}},
        {{"name", "df.pipeline.uptime"}, {"points", {Point("", "", 9)}}}}}};
  return *ReadMetrics(metrics);
}

TEST(MetricsLookTest, RatesAreOfTheTimeBetweenTheLooksOverAllCores) {
  const auto pipelines = RatesBetween(Look(10, 100), Look(12, 300));
  ASSERT_EQ(pipelines.size(), 1);
  const TopPipeline& main = pipelines[0];
  EXPECT_EQ(main.name.ToString(), "default/main");
  EXPECT_EQ(main.whole.items_in, 200);
  EXPECT_EQ(main.whole.items_out, 100);
  EXPECT_EQ(main.whole.bytes_in, 102'400);
  EXPECT_EQ(main.whole.bytes_out, 51'200);
  EXPECT_EQ(main.whole.refused, 10);
  EXPECT_EQ(main.whole.queued, 7);
  EXPECT_EQ(main.whole.failing_seconds, 61.5);
  EXPECT_EQ(main.whole.memory_bytes, 4096);
  ASSERT_EQ(main.nodes.size(), 3);
  EXPECT_EQ(main.nodes[0].node, "in");
  EXPECT_EQ(main.nodes[1].node, "a");
  EXPECT_EQ(main.nodes[1].items_in, 100);
  EXPECT_EQ(main.nodes[2].node, "out");
}

TEST(MetricsLookTest, ACounterThatFellHasCountedFromNothing) {
  EXPECT_EQ(RatesBetween(Look(10, 900), Look(12, 300))[0].whole.items_in, 300);
  EXPECT_EQ(RatesBetween({}, Look(1, 100))[0].whole.items_out, 100);
  EXPECT_EQ(SecondsBetween(Look(10, 0), Look(10, 0)), 1e-3);
}

TEST(MetricsLookTest, WhatIsNoMetricsIsRefusedOrPassedOver) {
  EXPECT_FALSE(ReadMetrics(json::parse("[]")).ok());
  EXPECT_FALSE(ReadMetrics(json::parse(R"({"a": 1})")).ok());
  for (const char* text :
       {R"({"metrics": 1})", R"({"metrics": [1, {"name": "df.node.items.in", "points": [1, {}]}]})",
        R"({"metrics": [{"name": "df.edge.size", "points": [{"set": {"pipeline.id": 3}}]}]})"}) {
    EXPECT_TRUE(ReadMetrics(json::parse(text))->pipelines.empty()) << text;
  }
}

TEST(TopTextTest, LinesAndNamesAreBounded) {
  std::vector<TopPipeline> pipelines = RatesBetween(Look(10, 100), Look(12, 300));
  const std::string text = TopText(pipelines, 200);
  EXPECT_THAT(text, HasSubstr("default/main                "));
  EXPECT_THAT(text, HasSubstr("  out (exporter:otap)"));
  EXPECT_THAT(text, HasSubstr("1m1s\n"));
  EXPECT_THAT(text, HasSubstr("100KiB"));
  pipelines[0].name.pipeline = std::string(100, 'x');
  EXPECT_THAT(TopText(pipelines, 200), Not(HasSubstr(std::string(40, 'x'))));
  pipelines[0].name.pipeline = "ä";
  std::istringstream lines(TopText(pipelines, 12));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(WidthOf(line), 12) << line;
  }
}

TEST(TopTextTest, JsonHasTheSameNumbers) {
  const MetricsLook before = Look(10, 100);
  const MetricsLook after = Look(12, 300);
  const json parsed = json::parse(TopJson(RatesBetween(before, after), before, after));
  EXPECT_EQ(parsed["seconds"], 2);
  EXPECT_EQ(parsed["pipelines"][0]["items_in_per_second"], 200);
  EXPECT_EQ(parsed["pipelines"][0]["nodes"][2]["failing_seconds"], 61.5);
}

}  // namespace
}  // namespace df::app
