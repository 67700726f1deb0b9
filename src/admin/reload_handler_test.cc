#include <future>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/server_fixture.h"

namespace df::admin {
namespace {

using controller::OperationStatus;
using controller::ReloadChange;
using controller::ReloadOutcome;
using State = FakeControlPlane::State;
using ::testing::Contains;
using ::testing::HasSubstr;

class ReloadHandlerTest : public ServerTest {
 protected:
  /// What was read changes default/main, by an operation that is under way.
  void ReadAChange() {
    control_.With([](State* state) {
      state->operation.id = 7;
      state->operation.state = OperationStatus::State::kRunning;
      state->polls_to_end = -1;
      state->reload = ReloadOutcome{.changes = {{{"default", "main"}, state->operation}},
                                    .notices = {"look here"}};
    });
  }

  ClientReply Reload(const std::string& query = "") {
    return Ask("POST", "/api/v1/reload" + query);
  }
};

TEST_F(ReloadHandlerTest, NothingThatChangesIsASuccess) {
  Start();
  const ClientReply reply = Reload();
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json["state"], "succeeded");
  EXPECT_TRUE(reply.json["changes"].empty());
  control_.With([](State* state) { EXPECT_THAT(state->calls, Contains("reload")); });
}

TEST_F(ReloadHandlerTest, WhatGoesOnIsAcceptedAndCanBeWaitedFor) {
  Start();
  ReadAChange();
  ClientReply reply = Reload();
  EXPECT_EQ(reply.status, 202) << reply.body;
  EXPECT_EQ(reply.json["state"], "running");
  EXPECT_EQ(reply.json["changes"][0]["operation"]["id"], "7");
  EXPECT_EQ(reply.json["notices"][0], "look here");
  EXPECT_EQ(Reload("?wait=true&timeout=1ms").status, 504);
  control_.With([](State* state) {
    state->polls_to_end = 2;
    state->num_polls = 0;
  });
  reply = Reload("?wait=true");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json["changes"][0]["operation"]["state"], "succeeded");
}

TEST_F(ReloadHandlerTest, ARolloutThatFailsAndAPipelineThatIsBusyAreFailures) {
  Start();
  ReadAChange();
  control_.With([](State* state) {
    state->polls_to_end = 0;
    state->end = OperationStatus::State::kRolledBack;
  });
  EXPECT_EQ(Reload("?wait=true").status, 500);
  control_.With([](State* state) {
    state->reload = ReloadOutcome{
        .changes = {{{"default", "main"}, Status::AlreadyExists("another is under way")}}};
  });
  const ClientReply busy = Reload();
  EXPECT_EQ(busy.status, 500);
  EXPECT_EQ(busy.json["state"], "failed");
  EXPECT_EQ(busy.json["changes"][0]["operation"], nullptr);
  EXPECT_EQ(busy.json["changes"][0]["refusal"], "another is under way");
}

TEST_F(ReloadHandlerTest, ADocumentThatIsWrongIsRefusedWithItsProblems) {
  Start();
  control_.With([](State* state) {
    state->reload = Status::Invalid("/etc/d.yaml:3:5: groups: wrong\n/etc/d.yaml:4:5: x: too");
  });
  ClientReply reply = Reload("?wait=true");
  EXPECT_EQ(reply.status, 422);
  ASSERT_EQ(reply.json["problems"].size(), 2) << reply.body;
  EXPECT_EQ(reply.json["problems"][1]["line"], 4);
  control_.With([](State* state) { state->reload = Status::NotImplemented("not from a file"); });
  reply = Reload();
  EXPECT_EQ(reply.status, 409);
  EXPECT_EQ(reply.json["code"], "not_reloadable");
  control_.With([](State* state) { state->reload = Status::Cancelled("it ends"); });
  EXPECT_EQ(Reload().status, 503);
  control_.With([](State* state) { state->reload = Status::IOError("no such file"); });
  reply = Reload();
  EXPECT_EQ(reply.status, 500);
  EXPECT_THAT(reply.body, HasSubstr("no such file"));
}

TEST_F(ReloadHandlerTest, AReadingThatNeverEndsIsAnsweredWhenTheServerStops) {
  Start();
  std::promise<void> asked;
  control_.With([&](State* state) { state->on_reload = [&asked] { asked.set_value(); }; });
  TestClient client(server_->port());
  ASSERT_TRUE(
      client.Send("POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Length: 0\r\n\r\n"));
  asked.get_future().wait();
  server_->Stop();
  EXPECT_EQ(client.Receive().status, 504);
}

TEST_F(ReloadHandlerTest, APageOfAnotherSiteCannotAskForIt) {
  Start();
  EXPECT_EQ(Ask("POST", "/api/v1/reload", {{"Origin", "http://evil.example"}}).status, 403);
}

}  // namespace
}  // namespace df::admin
