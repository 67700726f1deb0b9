#include "telemetry/metric_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::telemetry {
namespace {

TEST(MetricSet, FindGivesTheSameCounterForTheSameName) {
  Registry registry;
  MetricSet& set = registry.Add("node", "node=a");
  set.Find("x").Add(2);
  for (int i = 0; i < 100; ++i) {
    set.Find("other" + std::to_string(i));
  }
  set.Find("x").Add(3);
  EXPECT_EQ(set.Find("x").value(), 5);
}

TEST(Registry, DumpsOneLineASetWithoutZeros) {
  Registry registry;
  MetricSet& a = registry.Add("node", "node=a");
  a.Find("in").Add(1);
  a.Find("zero");
  a.Find("out").Set(-2);
  registry.Add("node", "node=b").Find("zero");
  registry.Add("node", "node=c").Find("in").Add(7);
  EXPECT_EQ(registry.Dump(), "node node=a: in=1 out=-2\nnode node=c: in=7");
}

}  // namespace
}  // namespace df::telemetry
