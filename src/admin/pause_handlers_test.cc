#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/server_fixture.h"

namespace df::admin {
namespace {

using State = FakeControlPlane::State;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PauseHandlersTest : public ServerTest {
 protected:
  ClientReply Post(const std::string& action) {
    return Ask("POST", "/api/v1/groups/default/pipelines/main/" + action);
  }
};

TEST_F(PauseHandlersTest, WhatIsPausedIsInTheStatusAndInReadiness) {
  Start();
  ClientReply reply = Post("pause");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json["paused"][0]["node"], "lake");
  EXPECT_EQ(Ask("GET", "/api/v1/status").json["pipelines"][0]["paused"].size(), 1U);
  const ClientReply ready = Ask("GET", "/api/v1/readyz");
  EXPECT_EQ(ready.status, 200) << "somebody has asked for it";
  EXPECT_EQ(ready.json["status"], "ok");
  EXPECT_THAT(ready.json["reasons"][0]["reason"].get<std::string>(),
              HasSubstr("node 'lake' is paused since 20"));
  reply = Post("resume");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_TRUE(reply.json["paused"].empty());
  control_.With([](State* state) {
    EXPECT_THAT(state->calls, ElementsAre("pause default/main", "resume default/main"));
  });
}

TEST_F(PauseHandlersTest, AStepIsOfBatchesOrOfTime) {
  Start();
  const auto step = [this](const std::string& query) {
    EXPECT_EQ(Post("step" + query).status, 200) << query;
    engine::StepSize size;
    control_.With([&](State* state) { size = state->last_step; });
    return size;
  };
  EXPECT_EQ(step("").num_batches, 1);
  EXPECT_EQ(step("?batches=7").num_batches, 7);
  EXPECT_EQ(step("?time=10s").num_batches, 0);
  EXPECT_EQ(step("?time=10s").event_time, std::chrono::seconds(10));
  for (const std::string query : {"?batches=0", "?time=soon", "?batches=2&time=10s", "?rows=1"}) {
    EXPECT_EQ(Post("step" + query).status, 400) << query;
  }
}

TEST_F(PauseHandlersTest, WhatCannotBePausedIsAConflictThatSaysWhy) {
  Start();
  EXPECT_EQ(Ask("POST", "/api/v1/groups/default/pipelines/other/pause").status, 404);
  control_.With([](State* state) { state->refusal = Status::NotImplemented("nothing to hold"); });
  const ClientReply reply = Post("pause");
  EXPECT_EQ(reply.status, 409);
  EXPECT_EQ(reply.json["message"], "nothing to hold");
}

}  // namespace
}  // namespace df::admin
