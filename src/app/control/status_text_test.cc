#include "app/control/status_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::app {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(StatusTextTest, HealthIsThatOfThePipelineUnlessItHasEnded) {
  const auto health = [](const char* fields) {
    const std::string text =
        EngineStatusText(json::parse(std::string(R"({"pipelines": [{"group": "g", )") +
                                     R"("pipeline": "p", )" + fields + "}]}"));
    return text.substr(text.find("g/p"));
  };
  EXPECT_THAT(health(R"("phase": "running", "is_live": true, "is_ready": true)"),
              HasSubstr("  ok\n"));
  EXPECT_THAT(health(R"("phase": "starting", "is_live": true, "is_ready": false)"),
              HasSubstr("  not ready\n"));
  EXPECT_THAT(health(R"("phase": "failed", "is_live": false, "is_ready": false)"),
              HasSubstr("  not live\n"));
  EXPECT_THAT(health(R"("phase": "stopped", "is_live": false, "is_ready": false)"),
              HasSubstr("  -\n"));
}

TEST(StatusTextTest, ReasonsOfInstancesStandBelowTheTable) {
  const std::string text = EngineStatusText(json::parse(R"({"pipelines": [{"group": "g",
      "pipeline": "p", "phase": "failed", "instances": [{"index": 1, "phase": "failed",
      "restarts": 4, "reason": "no\nroom"}]}]})"));
  EXPECT_THAT(text, HasSubstr("0/1         4  not live\n"));
  EXPECT_THAT(text, HasSubstr("\ng/p: instance 1 is failed: no\\x0aroom\n"));
}

TEST(StatusTextTest, OperationsTellTheirReason) {
  EXPECT_EQ(OperationText(json::parse(R"({"id": "3", "kind": "rollout", "action": "replace",
                                          "state": "rolled_back", "reason": "why"})")),
            "rollout 3 (replace): rolled_back: why");
  EXPECT_EQ(OperationText(json::parse(R"({"id": "4", "kind": "stop", "state": "succeeded"})")),
            "stop 4: succeeded");
}

TEST(StatusTextTest, WhatIsMissingOrOfAnotherTypeCountsAsNothing) {
  for (const char* text : {"{}", "[]", "3", R"({"pipelines": [3, null, {"instances": 7}]})",
                           R"({"uptime_seconds": 1e300, "memory": [], "pipelines": {}})"}) {
    EXPECT_THAT(EngineStatusText(json::parse(text)), HasSubstr("PIPELINE"));
    EXPECT_THAT(PipelineStatusText(json::parse(text)), Not(HasSubstr("nan")));
  }
}

}  // namespace
}  // namespace df::app
