#include "nodes/exporters/otlp_http/response_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::nodes::exporters::otlp_http {
namespace {

using otap::Signal;
using runtime::http1::Response;
using std::chrono::seconds;
using ::testing::HasSubstr;

// 2025-06-15T15:06:40Z.
const runtime::WallTime kNow{seconds(1'750'000'000)};

delivery::RequestAnswer Of(int status, runtime::http1::Headers headers = {},
                           std::string body = "") {
  Response response;
  response.status = status;
  response.headers = std::move(headers);
  response.body = std::move(body);
  return AnswerOf(response, Signal::kLogs, kNow);
}

TEST(AnswerOf, FollowsTheSpecification) {
  for (const int status : {200, 202, 204}) {
    EXPECT_TRUE(Of(status).is_taken) << status;
  }
  for (const int status : {429, 502, 503, 504}) {
    EXPECT_FALSE(Of(status).is_taken) << status;
    EXPECT_FALSE(Of(status).is_permanent) << status;
  }
  for (const int status : {100, 301, 400, 401, 404, 408, 413, 415, 500, 501, 505}) {
    EXPECT_FALSE(Of(status).is_taken) << status;
    EXPECT_TRUE(Of(status).is_permanent) << status;
  }
}

TEST(AnswerOf, ReadsPartialSuccesses) {
  const otlp::PartialSuccess partial = {4, "too old"};
  for (const auto& [encoding, type] :
       {std::pair(otlp::Encoding::kProtobuf, "application/x-protobuf"),
        std::pair(otlp::Encoding::kJson, "application/json; charset=utf-8")}) {
    const auto ended = Of(200, {{"content-type", type}},
                          otlp::WriteExportResponse(Signal::kLogs, encoding, partial));
    EXPECT_TRUE(ended.is_taken);
    EXPECT_EQ(ended.partial->rejected_items, 4);
    EXPECT_EQ(ended.partial->message, "too old");
  }
  EXPECT_FALSE(Of(200, {{"Content-Type", "text/html"}}, "<p>").partial.ok());
  EXPECT_FALSE(Of(200, {{"Content-Type", "application/json"}}, "{").partial.ok());
  EXPECT_TRUE(Of(200, {{"Content-Type", "application/json"}}, "{").is_taken);
}

TEST(AnswerOf, SaysWhatTheServerSays) {
  EXPECT_EQ(Of(503).reason, "HTTP 503");
  EXPECT_EQ(
      Of(400, {{"Content-Type", "application/json"}}, R"({"code":3,"message":"no\u0007"})").reason,
      "HTTP 400: no\\x07");
  EXPECT_THAT(Of(404, {{"Content-Type", "text/plain"}}, std::string(5000, 'x')).reason,
              HasSubstr("HTTP 404: xxx"));
  EXPECT_LT(Of(404, {}, std::string(5000, 'x')).reason.size(), 300U);
}

TEST(AnswerOf, KnowsWhenToComeAgain) {
  EXPECT_EQ(Of(503, {{"Retry-After", "7"}}).pause, seconds(7));
  EXPECT_EQ(Of(429, {{"retry-after", "Sun, 15 Jun 2025 15:07:00 GMT"}}).pause, seconds(20));
  EXPECT_EQ(Of(503, {{"Retry-After", "Sun, 15 Jun 2025 15:00:00 GMT"}}).pause, seconds(0));
  EXPECT_EQ(Of(503, {{"Retry-After", "99999999999"}}).pause, seconds(300));
  EXPECT_EQ(Of(503, {{"Retry-After", "-5"}}).pause, seconds(0));
  EXPECT_EQ(Of(503, {{"Retry-After", "soon"}}).pause, std::nullopt);
  EXPECT_EQ(Of(503).pause, std::nullopt);
  EXPECT_EQ(Of(400, {{"Retry-After", "7"}}).pause, std::nullopt);
}

}  // namespace
}  // namespace df::nodes::exporters::otlp_http
