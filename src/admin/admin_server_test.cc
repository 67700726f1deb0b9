#include "admin/admin_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/server_fixture.h"

namespace df::admin {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

using State = FakeControlPlane::State;

const TestClient::Headers kAsYaml = {{"Content-Type", "application/yaml"}};
const TestClient::Headers kAsJson = {{"Content-Type", "application/json"}};

class AdminServerTest : public ServerTest {
 protected:
  void SetUp() override { Start(); }
};

TEST_F(AdminServerTest, StatusTellsEveryInstance) {
  const ClientReply reply = Ask("GET", "/api/v1/status");
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(reply.headers.at("content-type"), "application/json");
  EXPECT_EQ(reply.json["version"], "1.2.3");
  EXPECT_EQ(reply.json["is_ready"], true);
  EXPECT_GT(reply.json["memory"]["resident_bytes"], 0);
  const auto& pipeline = reply.json["pipelines"][0];
  EXPECT_EQ(pipeline["group"], "default");
  EXPECT_EQ(pipeline["phase"], "running");
  EXPECT_EQ(pipeline["generation"], 3);
  EXPECT_EQ(pipeline["instances"][1]["core"], 1);
  EXPECT_EQ(pipeline["instances"][1]["since"], "2025-11-25T00:00:00.000Z");
}

TEST_F(AdminServerTest, EveryReplyForbidsCachingSniffingAndFrames) {
  for (const char* target : {"/", "/api/v1/status", "/nowhere", "/%"}) {
    const ClientReply reply = Ask("GET", target);
    EXPECT_THAT(reply.headers, Contains(Pair("cache-control", "no-store"))) << target;
    EXPECT_THAT(reply.headers, Contains(Pair("x-content-type-options", "nosniff"))) << target;
    EXPECT_THAT(reply.headers, Contains(Pair("x-frame-options", "DENY"))) << target;
    EXPECT_THAT(reply.headers,
                Contains(Pair("content-security-policy", HasSubstr("default-src 'none'"))))
        << target;
    EXPECT_THAT(reply.headers, Contains(Key("date"))) << target;
  }
}

TEST_F(AdminServerTest, HeadIsGetWithoutTheBody) {
  const ClientReply get = Ask("GET", "/api/v1/config");
  TestClient client(server_->port());
  const ClientReply head = client.Ask("HEAD", "/api/v1/config");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), get.headers.at("content-length"));
  EXPECT_EQ(client.Ask("GET", "/api/v1/config").body, get.body) << "no body stood in between";
}

TEST_F(AdminServerTest, PathsAndMethodsThatAreNotThereAreRefused) {
  EXPECT_EQ(Ask("GET", "/api/v1/nothing").status, 404);
  EXPECT_EQ(Ask("GET", "/api/v1/status/").status, 404);
  EXPECT_EQ(Ask("GET", "/api/v1/groups//pipelines/main").status, 404);
  const ClientReply reply = Ask("POST", "/api/v1/status");
  EXPECT_EQ(reply.status, 405);
  EXPECT_EQ(reply.headers.at("allow"), "GET, HEAD");
  EXPECT_EQ(reply.json["code"], "method_not_allowed");
  EXPECT_EQ(Ask("OPTIONS", kPipeline).headers.at("allow"), "GET, HEAD, PUT, DELETE");
  EXPECT_EQ(Ask("BREW", "/").status, 405);
}

TEST_F(AdminServerTest, WhatAClientCannotTakeIsNotSent) {
  const ClientReply reply = Ask("GET", "/api/v1/status", {{"Accept", "image/png"}});
  EXPECT_EQ(reply.status, 406);
  EXPECT_THAT(std::string(reply.json["message"]), HasSubstr("application/json"));
  EXPECT_EQ(Ask("GET", "/api/v1/status", {{"Accept", "application/*;q=0.1"}}).status, 200);
}

TEST_F(AdminServerTest, WrongParametersAreAllNamed) {
  const ClientReply reply =
      Ask("POST", std::string(kPipeline) + "/stop?wait=maybe&drain_timeout=5&tiemout=1s");
  ASSERT_EQ(reply.status, 400);
  ASSERT_EQ(reply.json["problems"].size(), 3U) << reply.body;
  EXPECT_EQ(reply.json["problems"][0]["path"], "wait");
  EXPECT_EQ(reply.json["problems"][1]["path"], "drain_timeout");
  EXPECT_EQ(reply.json["problems"][2]["path"], "tiemout");
  control_.With([](State* state) { EXPECT_THAT(state->calls, IsEmpty()); });
}

TEST_F(AdminServerTest, ReadinessFollowsDrainsAndPipelines) {
  EXPECT_EQ(Ask("GET", "/api/v1/readyz").status, 200);
  EXPECT_EQ(Ask("GET", "/readyz").status, 200);
  EXPECT_EQ(Ask("GET", "/livez").json["status"], "ok");
  control_.With([](State* state) {
    state->pipelines[0].is_ready = false;
    state->pipelines[0].instances[1].phase = config::InstancePhase::kFailed;
    state->pipelines[0].instances[1].reason = "disk full";
  });
  ClientReply reply = Ask("GET", "/api/v1/readyz");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.json["status"], "failing");
  EXPECT_EQ(reply.json["reasons"][0]["pipeline"], "main");
  EXPECT_THAT(std::string(reply.json["reasons"][0]["reason"]), HasSubstr("disk full"));
  EXPECT_EQ(Ask("GET", std::string(kPipeline) + "/readyz").status, 503);
  EXPECT_EQ(Ask("GET", std::string(kPipeline) + "/livez").status, 200);
  EXPECT_EQ(Ask("GET", "/api/v1/livez").status, 200);
  control_.With([](State* state) {
    state->pipelines[0].is_ready = true;
    state->is_draining = true;
  });
  reply = Ask("GET", "/api/v1/readyz");
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(std::string(reply.json["reasons"][0]["reason"]), HasSubstr("draining"));
}

TEST_F(AdminServerTest, ADestinationThatFailsDegradesAndFailsNoProbe) {
  control_.With([](State* state) {
    state->pipelines[0].failing.push_back(
        {"out", 1, runtime::WallTime(std::chrono::seconds(1'700'000'000)), 7, "no space left"});
  });
  for (const std::string& target :
       {std::string("/api/v1/readyz"), std::string(kPipeline) + "/readyz"}) {
    const ClientReply reply = Ask("GET", target);
    EXPECT_EQ(reply.status, 200) << target;
    EXPECT_EQ(reply.json["status"], "degraded") << target;
    ASSERT_EQ(reply.json["reasons"].size(), 1U) << target;
    EXPECT_EQ(reply.json["reasons"][0]["reason"],
              "node 'out' on core 1 has delivered nothing since 2023-11-14T22:13:20.000Z: no space "
              "left");
  }
  EXPECT_EQ(Ask("GET", "/api/v1/livez").json["status"], "ok");
  const ClientReply status = Ask("GET", "/api/v1/status");
  EXPECT_EQ(status.json["is_ready"], true);
  EXPECT_EQ(status.json["is_degraded"], true);
  EXPECT_EQ(status.json["pipelines"][0]["failing"][0]["refused_batches"], 7);
}

TEST_F(AdminServerTest, LivenessFailsWithAPipeline) {
  control_.With([](State* state) { state->pipelines[0].is_live = false; });
  EXPECT_EQ(Ask("GET", "/api/v1/livez").status, 500);
  EXPECT_EQ(Ask("GET", std::string(kPipeline) + "/livez").status, 500);
}

TEST_F(AdminServerTest, ProbesSkipWhatHasEndedUnlessAllHas) {
  control_.With([](State* state) {
    state->pipelines.push_back(state->pipelines[0]);
    state->pipelines[1].key.pipeline = "other";
    state->pipelines[1].phase = config::InstancePhase::kStopped;
    state->pipelines[1].is_ready = false;
  });
  EXPECT_EQ(Ask("GET", "/api/v1/readyz").status, 200);
  control_.With([](State* state) {
    state->pipelines[0].phase = config::InstancePhase::kStopped;
    state->pipelines[0].is_ready = false;
  });
  EXPECT_EQ(Ask("GET", "/api/v1/readyz").status, 503);
}

TEST_F(AdminServerTest, PutHandsTheDocumentOverAndTellsTheOperation) {
  control_.With([](State* state) { state->operation.action = "replace"; });
  const ClientReply reply =
      Ask("PUT", std::string(kPipeline) + "?step_timeout=5s&drain_timeout=2min", kAsYaml,
          "nodes: {}\n");
  ASSERT_EQ(reply.status, 202) << reply.body;
  EXPECT_EQ(reply.json["id"], "1");
  EXPECT_EQ(reply.json["kind"], "rollout");
  EXPECT_EQ(reply.json["state"], "running");
  EXPECT_EQ(reply.json["action"], "replace");
  EXPECT_EQ(reply.headers.at("location"), std::string(kPipeline) + "/operations/1");
  control_.With([](State* state) {
    EXPECT_EQ(state->last_text, "nodes: {}\n");
    EXPECT_EQ(state->last_options.step_timeout, std::chrono::seconds(5));
    EXPECT_EQ(state->last_options.drain_timeout, std::chrono::minutes(2));
  });
  const ClientReply operation = Ask("GET", std::string(kPipeline) + "/operations/1");
  EXPECT_EQ(operation.json["state"], "succeeded");
  EXPECT_EQ(Ask("GET", std::string(kPipeline) + "/operations/2").status, 404);
  EXPECT_EQ(Ask("GET", std::string(kPipeline) + "/operations/x").status, 404);
}

TEST_F(AdminServerTest, PutWithWaitAnswersAtTheEnd) {
  control_.With([](State* state) { state->polls_to_end = 3; });
  ClientReply reply = Ask("PUT", std::string(kPipeline) + "?wait=true", kAsJson, "{}");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.json["state"], "succeeded");
  control_.With([](State* state) {
    EXPECT_EQ(state->num_polls, 4);
    state->end = controller::OperationStatus::State::kRolledBack;
  });
  reply = Ask("PUT", std::string(kPipeline) + "?wait", kAsJson, "{}");
  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.json["code"], "operation_failed");
  EXPECT_EQ(reply.json["operation"]["state"], "rolled_back");
  control_.With([](State* state) { state->polls_to_end = -1; });
  reply = Ask("PUT", std::string(kPipeline) + "?wait=true&timeout=1ms", kAsJson, "{}");
  EXPECT_EQ(reply.status, 504);
  EXPECT_EQ(reply.json["operation"]["state"], "running");
}

TEST_F(AdminServerTest, PutListsEveryProblemWithItsPlace) {
  control_.With([](State* state) {
    state->refusal = MakeError(ErrorKind::kConfig,
                               "request:2:3: nodes.a.type: found 'x', expected a URN\n"
                               "request:4:1: connections: the list is empty");
  });
  const ClientReply reply = Ask("PUT", kPipeline, kAsYaml, "nodes: 1");
  ASSERT_EQ(reply.status, 422);
  EXPECT_EQ(reply.json["code"], "invalid_document");
  EXPECT_THAT(std::string(reply.json["message"]), HasSubstr("2 problems"));
  ASSERT_EQ(reply.json["problems"].size(), 2U);
  const auto& problem = reply.json["problems"][0];
  EXPECT_EQ(problem["line"], 2);
  EXPECT_EQ(problem["column"], 3);
  EXPECT_EQ(problem["path"], "nodes.a.type");
  EXPECT_EQ(problem["message"], "found 'x', expected a URN");
}

TEST_F(AdminServerTest, RefusalsOfTheEngineHaveTheirStatus) {
  const auto ask_with = [this](const Status& refusal) {
    control_.With([&refusal](State* state) { state->refusal = refusal; });
    return Ask("POST", std::string(kPipeline) + "/start");
  };
  EXPECT_EQ(ask_with(Status::KeyError("gone")).status, 404);
  EXPECT_EQ(ask_with(Status::AlreadyExists("another one")).status, 409);
  EXPECT_EQ(ask_with(Status::Cancelled("ending")).status, 503);
  EXPECT_EQ(ask_with(Status::UnknownError("?")).status, 500);
}

TEST_F(AdminServerTest, BodiesHaveToBeWhatTheySay) {
  EXPECT_EQ(Ask("PUT", kPipeline, {{"Content-Type", "text/plain"}}, "a: b").status, 415);
  EXPECT_EQ(Ask("PUT", kPipeline, {}, "a: b").status, 415);
  EXPECT_EQ(Ask("PUT", kPipeline, kAsYaml).status, 400);
  EXPECT_EQ(Ask("PUT", kPipeline, kAsJson, "{a").status, 400);
  EXPECT_EQ(Ask("POST", std::string(kPipeline) + "/stop", kAsJson, "{}").status, 400);
  control_.With([](State* state) { EXPECT_THAT(state->calls, IsEmpty()); });
  EXPECT_EQ(Ask("PUT", kPipeline, {{"Content-Type", "text/yaml; charset=utf-8"}}, "a: b").status,
            202);
}

TEST_F(AdminServerTest, PipelinesAreStoppedStartedAndDeleted) {
  EXPECT_EQ(Ask("POST", std::string(kPipeline) + "/stop?drain_timeout=7s").status, 202);
  control_.With(
      [](State* state) { EXPECT_EQ(state->last_options.drain_timeout, std::chrono::seconds(7)); });
  EXPECT_EQ(Ask("POST", std::string(kPipeline) + "/start?wait=true").status, 200);
  EXPECT_EQ(Ask("DELETE", kPipeline).status, 202);
  EXPECT_EQ(Ask("DELETE", "/api/v1/groups/a%2Fb/pipelines/c%20d").status, 404);
  control_.With([](State* state) {
    EXPECT_THAT(state->calls, ElementsAre("stop default/main", "start default/main",
                                          "delete default/main", "delete a/b/c d"));
  });
}

TEST_F(AdminServerTest, APipelineIsShownWithItsDocument) {
  const ClientReply reply = Ask("GET", kPipeline);
  ASSERT_EQ(reply.status, 200);
  EXPECT_EQ(reply.json["generation"], 3);
  EXPECT_TRUE(reply.json["document"].contains("nodes"));
  EXPECT_EQ(Ask("GET", "/api/v1/config").json["version"], "otel_dataflow/v1");
  EXPECT_EQ(Ask("GET", "/api/v1/groups/default/pipelines/none").status, 404);
  EXPECT_EQ(Ask("GET", "/api/v1/groups/default/pipelines/none/status").status, 404);
}

TEST_F(AdminServerTest, ShutdownDrainsAndCanBeWaitedFor) {
  ClientReply reply = Ask("POST", "/api/v1/shutdown");
  EXPECT_EQ(reply.status, 202);
  EXPECT_EQ(reply.json["state"], "draining");
  EXPECT_EQ(Ask("POST", "/api/v1/shutdown?wait=true&timeout=1ms").status, 504);
  control_.With([](State* state) { state->looks_to_end = 3; });
  reply = Ask("POST", "/api/v1/shutdown?wait=true");
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.json["state"], "ended");
  EXPECT_EQ(reply.json["pipelines"][0]["phase"], "stopped");
}

TEST_F(AdminServerTest, AHandlerThatThrowsCostsOneReply) {
  control_.With([](State* state) { state->throws = true; });
  const ClientReply reply = Ask("GET", "/api/v1/status");
  EXPECT_EQ(reply.status, 500);
  EXPECT_THAT(reply.body, Not(HasSubstr("broken"))) << "what was thrown is for the log";
  EXPECT_EQ(Ask("POST", "/api/v1/shutdown?wait=true").status, 500);
  control_.With([](State* state) { state->throws = false; });
  EXPECT_EQ(Ask("GET", "/api/v1/status").status, 200);
}

TEST_F(AdminServerTest, OtherHostsAndOriginsAreRefused) {
  EXPECT_EQ(Ask("GET", "/api/v1/status", {{"Host", "evil.example"}}).status, 403);
  EXPECT_EQ(Ask("GET", "http://evil.example/api/v1/status").status, 403);
  EXPECT_EQ(Ask("GET", "http://127.0.0.1/api/v1/status").status, 200);
  const ClientReply reply = Ask("POST", "/api/v1/shutdown", {{"Origin", "http://evil.example"}});
  EXPECT_EQ(reply.status, 403);
  control_.With([](State* state) { EXPECT_THAT(state->calls, IsEmpty()); });
}

TEST_F(AdminServerTest, ThePageRunsNothingButItself) {
  const ClientReply reply = Ask("GET", "/", {{"Accept", "text/html,*/*;q=0.8"}});
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.headers.at("content-type"), HasSubstr("text/html"));
  EXPECT_THAT(reply.headers.at("content-security-policy"), HasSubstr("script-src 'sha256-"));
  EXPECT_THAT(reply.headers.at("content-security-policy"), Not(HasSubstr("unsafe")));
  EXPECT_THAT(reply.body, Not(HasSubstr("http://")));
  EXPECT_THAT(reply.body, Not(HasSubstr("https://")));
  EXPECT_THAT(reply.body, Not(HasSubstr(" style=")));
  EXPECT_THAT(reply.body, Not(HasSubstr("innerHTML")));
}

class TokenTest : public ServerTest {
 protected:
  void SetUp() override {
    settings_.bearer_token_file = File("token", "s3cret\n");
    Start();
  }
};

TEST_F(TokenTest, IsAskedForEverywhereButForProbesAndThePage) {
  for (const char* target :
       {"/api/v1/status", "/api/v1/config", "/api/v1/openapi.json", kPipeline, "/api/v1/nothing"}) {
    const ClientReply reply = Ask("GET", target);
    EXPECT_EQ(reply.status, 401) << target;
    EXPECT_THAT(reply.headers.at("www-authenticate"), HasSubstr("Bearer")) << target;
    EXPECT_NE(Ask("GET", target, {{"Authorization", "Bearer s3cret"}}).status, 401) << target;
    EXPECT_EQ(Ask("GET", target, {{"Authorization", "Bearer s3cre"}}).status, 401) << target;
  }
  for (const char* target : {"/", "/api/v1/livez", "/api/v1/readyz"}) {
    EXPECT_EQ(Ask("GET", target).status, 200) << target;
  }
  EXPECT_EQ(Ask("POST", "/api/v1/shutdown").status, 401);
  control_.With([](State* state) { EXPECT_THAT(state->calls, IsEmpty()); });
}

TEST_F(TokenTest, ProbesNameNoPipelineWithoutIt) {
  control_.With([](State* state) { state->pipelines[0].is_ready = false; });
  const ClientReply reply = Ask("GET", "/api/v1/readyz");
  EXPECT_EQ(reply.status, 503);
  EXPECT_THAT(reply.json["reasons"], IsEmpty());
  EXPECT_EQ(
      Ask("GET", "/api/v1/readyz", {{"Authorization", "Bearer s3cret"}}).json["reasons"].size(),
      1U);
}

class StartTest : public ServerTest {
 protected:
  std::string ErrorOf(const std::string& address) {
    settings_.bind_address = address;
    const auto server = AdminServer::Start(settings_, &control_);
    return server.ok() ? "" : server.status().message();
  }
};

TEST_F(StartTest, ErrorsNameTheAddressAndTheCause) {
  Start();
  const std::string taken = server_->address();
  EXPECT_THAT(ErrorOf(taken),
              HasSubstr("cannot listen at " + taken + ": the address is in use by this process"));
  EXPECT_THAT(ErrorOf("8080"),
              HasSubstr("admin server: found address '8080', expected one such as"));
  EXPECT_THAT(ErrorOf("::1:80"),
              HasSubstr("'::1:80', expected one such as 127.0.0.1:4318 or [::]:4318"));
  EXPECT_THAT(ErrorOf("127.0.0.1:http"), HasSubstr("'127.0.0.1:http'"));
  EXPECT_THAT(ErrorOf("127.0.0.1:"), HasSubstr("'127.0.0.1:'"));
  settings_.bearer_token_file = "/nowhere/token";
  EXPECT_THAT(ErrorOf("127.0.0.1:0"), HasSubstr("'/nowhere/token'"));
}

}  // namespace
}  // namespace df::admin
