#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/server_fixture.h"
#include "engine/tap.h"

namespace df::admin {
namespace {

using ::testing::HasSubstr;

constexpr const char* kTap = "/api/v1/groups/default/pipelines/main/nodes/out/tap";

/// Batches without tables: what stands for them is what the encoder says.
class TapHandlerTest : public ServerTest {
 protected:
  TapHandlerTest() {
    options_.taps = &taps_;
    options_.encode_tapped = [](const otap::BatchPtr& batch) -> Result<std::string> {
      return batch->signal() == otap::Signal::kLogs ? Result<std::string>("{\"n\":1}")
                                                    : Status::Invalid("no");
    };
    Start();
  }

  void Offer(otap::Signal signal) {
    point_->Offer(*otap::MakeEncodedBatch(
        signal, {.bytes = arrow::Buffer::FromString("x"), .decode = DoNotDecode}, 3));
  }

  static Result<otap::BatchPtr> DoNotDecode(otap::Signal, const arrow::Buffer&) {
    return Status::Invalid("nobody asks for it");
  }

  ClientReply Tap(const std::string& query) { return Ask("GET", kTap + query); }

  engine::TapRegistry taps_;
  std::shared_ptr<engine::TapPoint> point_ = taps_.PointOf({"default", "main", "out"});
};

TEST_F(TapHandlerTest, WhatPassesIsAnsweredAndWhatCannotBeWrittenIsCounted) {
  ClientReply reply = Tap("?session=7");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.json["is_new"], true);
  EXPECT_TRUE(reply.json["requests"].empty());
  Offer(otap::Signal::kLogs);
  Offer(otap::Signal::kTraces);
  reply = Tap("?session=7&wait=10s");
  EXPECT_EQ(reply.json["is_new"], false) << reply.body;
  ASSERT_EQ(reply.json["requests"].size(), 1);
  EXPECT_EQ(reply.json["requests"][0]["signal"], "logs");
  EXPECT_EQ(reply.json["requests"][0]["request"]["n"], 1);
  EXPECT_EQ(reply.json["dropped_batches"], 1);
  EXPECT_EQ(reply.json["dropped_items"], 3);
}

TEST_F(TapHandlerTest, ARequestWaitsForABatch) {
  Tap("?session=7");
  TestClient client(server_->port());
  ASSERT_TRUE(client.Send(std::string("GET ") + kTap +
                          "?session=7&wait=10s HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  Offer(otap::Signal::kLogs);
  EXPECT_EQ(client.Receive().json["requests"].size(), 1);
}

TEST_F(TapHandlerTest, NodesThatAreNotThereAndTooManyTapsAreRefused) {
  const ClientReply missing = Ask("GET", "/api/v1/groups/default/pipelines/main/nodes/nut/tap");
  EXPECT_EQ(missing.status, 404);
  EXPECT_THAT(missing.body, HasSubstr("but out"));
  for (size_t session = 1; session <= engine::kMaxTaps; ++session) {
    EXPECT_EQ(Tap("?session=" + std::to_string(session)).status, 200);
  }
  EXPECT_EQ(Tap("?session=99").status, 409);
  EXPECT_EQ(Tap("?wait=11s").status, 400);
}

TEST_F(TapHandlerTest, ATokenIsAskedForHereToo) {
  settings_.bearer_token_file = File("token", "hush\n");
  Start();
  EXPECT_EQ(Tap("").status, 401);
  EXPECT_FALSE(point_->is_open());
}

}  // namespace
}  // namespace df::admin
