#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "telemetry/metric_set.h"

namespace df::telemetry {
namespace {

using ::testing::ElementsAre;

constexpr Instrument kIn = {InstrumentKind::kCounter, "df.test.in", "{batch}", "Batches in"};
constexpr Instrument kNacked = {InstrumentKind::kCounter, "df.test.nacked", "{batch}", "Refused",
                                "permanent,reason"};
constexpr Instrument kDepth = {InstrumentKind::kUpDownCounter, "df.test.depth", "{batch}", "Depth"};
constexpr Instrument kLatency = {InstrumentKind::kHistogram, "df.test.latency", "s", "Latency"};

std::vector<std::string> NamesOf(const MetricSnapshot& snapshot) {
  std::vector<std::string> names;
  for (const MetricFamily& family : snapshot.families) {
    names.push_back(family.name);
  }
  return names;
}

TEST(Attributes, AreSortedAndTheLastOfOneNameCounts) {
  const Attributes attributes({{"b", "1"}, {"a", "2"}, {"b", "3"}});
  EXPECT_EQ(attributes, Attributes({{"a", "2"}, {"b", "3"}}));
  EXPECT_EQ(*attributes.Find("b"), "3");
  EXPECT_EQ(attributes.Find("c"), nullptr);
  EXPECT_TRUE(attributes.Contains({{"b", "3"}}));
  EXPECT_FALSE(attributes.Contains({{"b", "1"}}));
}

TEST(Registry, TheSameIdentityGoesOnCounting) {
  Registry registry;
  const Attributes node = {{"node.id", "a"}, {"core.id", "0"}};
  registry.FindOrAdd("df.node", node).AddCounter(kIn).Add(2);
  Counter& again =
      registry.FindOrAdd("df.node", {{"core.id", "0"}, {"node.id", "a"}}).AddCounter(kIn);
  again.Add(3);
  EXPECT_EQ(again.value(), 5);
  EXPECT_EQ(registry.Snapshot().Sum("df.test.in"), 5);
  registry.FindOrAdd("df.edge", node).AddCounter(kIn).Add(7);
  EXPECT_EQ(registry.Snapshot().Sum("df.test.in"), 12);
}

TEST(Registry, ReferencesStayGoodWhileMoreIsAdded) {
  Registry registry;
  Counter& counter = registry.FindOrAdd("s", {}).AddCounter(kIn);
  for (int i = 0; i < 200; ++i) {
    registry.FindOrAdd("s", {{"i", std::to_string(i)}}).AddCounter(kIn);
    registry.FindOrAdd("s", {}).AddCounter(kNacked,
                                           {{"permanent", "true"}, {"reason", std::to_string(i)}});
  }
  counter.Add(4);
  EXPECT_EQ(registry.Snapshot().Sum("df.test.in"), 4);
}

TEST(Registry, FamiliesAreMergedAcrossSetsAndOrdered) {
  Registry registry([] { return int64_t{77}; });
  for (const char* node : {"b", "a"}) {
    MetricSet& set = registry.FindOrAdd("df.node", {{"node.id", node}});
    set.AddHistogram(kLatency).Record(5);
    set.AddGauge(kDepth).Set(-1);
    set.AddCounter(kNacked, {{"reason", "y"}, {"permanent", "true"}}).Add(1);
    set.AddCounter(kNacked, {{"reason", "x"}, {"permanent", "true"}}).Add(2);
  }
  const MetricSnapshot snapshot = registry.Snapshot();
  EXPECT_EQ(snapshot.unix_nanos, 77);
  EXPECT_THAT(NamesOf(snapshot), ElementsAre("df.test.depth", "df.test.latency", "df.test.nacked"));
  std::vector<std::string> points;
  for (const MetricPoint& point : snapshot.Find("df.test.nacked")->points) {
    points.push_back(*point.set->attributes.Find("node.id") + *point.attributes.Find("reason"));
    EXPECT_EQ(point.set->start_unix_nanos, 77);
  }
  EXPECT_THAT(points, ElementsAre("ax", "ay", "bx", "by"));
  EXPECT_EQ(snapshot.Sum("df.test.nacked", {{"node.id", "a"}, {"reason", "x"}}), 2);
  EXPECT_EQ(snapshot.Sum("df.test.depth"), -2);
  EXPECT_EQ(snapshot.Sum("df.test.latency"), 2);
}

TEST(Registry, AnInstrumentOfAnotherKindAppearsNowhere) {
  Registry registry;
  MetricSet& set = registry.FindOrAdd("s", {});
  set.AddCounter(kIn).Add(1);
  Instrument other = kIn;
  other.kind = InstrumentKind::kGauge;
  set.AddGauge(other).Set(100);
  set.AddCounter(kDepth).Add(100);
  set.AddCounter(kNacked, {{"reason", "x"}}).Add(100);
  other = kIn;
  other.unit = "By";
  registry.FindOrAdd("t", {}).AddCounter(other).Add(100);
  const MetricSnapshot snapshot = registry.Snapshot();
  EXPECT_THAT(NamesOf(snapshot), ElementsAre("df.test.in"));
  EXPECT_EQ(snapshot.Sum("df.test.in"), 1);
}

TEST(Registry, RetireRemovesWhatHasAllTheAttributes) {
  Registry registry;
  for (const char* pipeline : {"p", "q"}) {
    for (const char* node : {"a", "b"}) {
      registry.FindOrAdd("df.node", {{"pipeline.id", pipeline}, {"node.id", node}})
          .AddCounter(kIn)
          .Add(1);
    }
  }
  EXPECT_EQ(registry.Retire({{"pipeline.id", "p"}, {"node.id", "c"}}), 0);
  EXPECT_EQ(registry.Retire({{"pipeline.id", "p"}}), 2);
  EXPECT_EQ(registry.Snapshot().Sum("df.test.in"), 2);
  EXPECT_EQ(registry.Snapshot().Sum("df.test.in", {{"pipeline.id", "p"}}), 0);
}

TEST(Registry, HooksRunBeforeASnapshotUntilTheyAreRemoved) {
  Registry registry;
  {
    const CollectHook hook =
        registry.OnCollect([&registry] { registry.FindOrAdd("s", {}).AddCounter(kIn).Add(1); });
    EXPECT_EQ(registry.Snapshot().Sum("df.test.in"), 1);
    EXPECT_EQ(registry.Snapshot().Sum("df.test.in"), 2);
  }
  EXPECT_EQ(registry.Snapshot().Sum("df.test.in"), 2);
}

TEST(Snapshot, TextHasOneLineASetWithoutZeros) {
  Registry registry;
  MetricSet& set = registry.FindOrAdd("df.node", {{"node.id", "a"}});
  set.AddCounter(kIn).Add(3);
  set.AddGauge(kDepth);
  set.AddHistogram(kLatency).Record(1'500'000'000);
  set.AddCounter(kNacked, {{"permanent", "true"}, {"reason", "full"}}).Add(2);
  registry.FindOrAdd("df.node", {{"node.id", "b"}}).AddCounter(kIn);
  registry.FindOrAdd("df.process", {}).AddCounter(kIn).Add(1);
  EXPECT_EQ(ToText(registry.Snapshot()),
            "df.node{node.id=a}: df.test.in=3 df.test.latency.count=1 df.test.latency.sum=1.5s "
            "df.test.nacked{permanent=true,reason=full}=2\n"
            "df.process: df.test.in=1");
}

}  // namespace
}  // namespace df::telemetry
