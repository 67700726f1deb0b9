#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/server_fixture.h"
#include "base/logging.h"

namespace df::admin {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class TelemetryHandlersTest : public ServerTest {
 protected:
  void SetUp() override {
    Start();
    constexpr telemetry::Instrument kBatches = {telemetry::InstrumentKind::kCounter,
                                                "df.node.batches.in", "{batch}", "Batches in"};
    constexpr telemetry::Instrument kLatency = {telemetry::InstrumentKind::kHistogram,
                                                "df.node.outcome.latency", "s", "Latency"};
    telemetry::MetricSet& set = control_.metrics().FindOrAdd("df.node", {{"node.id", "receiver"}});
    set.AddCounter(kBatches).Add(7);
    set.AddHistogram(kLatency).Record(1'000'000);
  }
  void TearDown() override { SetLogLevel(LogLevel::kInfo); }
};

TEST_F(TelemetryHandlersTest, MetricsComeInTheFormatThatIsAskedFor) {
  ClientReply reply = Ask("GET", "/api/v1/metrics");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.headers.at("content-type"), StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(reply.body, HasSubstr("df_node_batches_in_total{"));
  EXPECT_THAT(reply.body, HasSubstr("df_node_outcome_latency_seconds_bucket{"));
  reply = Ask("GET", "/api/v1/metrics",
              {{"Accept", "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.3"}});
  EXPECT_THAT(reply.headers.at("content-type"), StartsWith("application/openmetrics-text"));
  EXPECT_THAT(reply.body, HasSubstr("# EOF"));
  reply = Ask("GET", "/api/v1/metrics", {{"Accept", "application/json"}});
  EXPECT_EQ(reply.headers.at("content-type"), "application/json");
  EXPECT_EQ(reply.json["metrics"][0]["points"][0]["value"], 7);
  reply = Ask("GET", "/api/v1/metrics?format=json", {{"Accept", "image/png"}});
  EXPECT_EQ(reply.headers.at("content-type"), "application/json");
  EXPECT_THAT(Ask("GET", "/api/v1/metrics?format=openmetrics").body, HasSubstr("# EOF"));
  EXPECT_EQ(Ask("GET", "/api/v1/metrics?format=xml").status, 400);
  EXPECT_EQ(Ask("GET", "/api/v1/metrics", {{"Accept", "image/png"}}).status, 406);
}

TEST_F(TelemetryHandlersTest, LogsAreReadOnFromWhereTheLastReplyEnded) {
  const uint64_t before = Ask("GET", "/api/v1/telemetry/logs?limit=1").json["last_sequence"];
  LogEvent(LogLevel::kWarning, "df.test.happened", "a thing", {{"size", 3}, {"name", "x"}});
  LogEvent(LogLevel::kInfo, "", "another thing");
  ClientReply reply = Ask("GET", "/api/v1/telemetry/logs?limit=1&after=" + std::to_string(before));
  ASSERT_EQ(reply.json["records"].size(), 1U) << reply.body;
  const auto& record = reply.json["records"][0];
  EXPECT_EQ(record["sequence"], before + 1);
  EXPECT_EQ(record["event"], "df.test.happened");
  EXPECT_EQ(record["level"], "warning");
  EXPECT_EQ(record["attributes"]["size"], 3);
  EXPECT_EQ(reply.json["num_missed"], 0);
  reply = Ask("GET", "/api/v1/telemetry/logs?limit=1");
  ASSERT_EQ(reply.json["records"].size(), 1U);
  EXPECT_EQ(reply.json["records"][0]["message"], "another thing");
  EXPECT_EQ(Ask("GET", "/api/v1/telemetry/logs?limit=0").status, 400);
  EXPECT_EQ(Ask("GET", "/api/v1/telemetry/logs?after=-2").status, 400);
}

TEST_F(TelemetryHandlersTest, TheLogLevelIsShownAndSet) {
  const TestClient::Headers as_json = {{"Content-Type", "application/json"}};
  EXPECT_EQ(Ask("GET", "/api/v1/log-level").json["level"], "info");
  EXPECT_EQ(Ask("PUT", "/api/v1/log-level", as_json, R"({"level":"warning"})").status, 200);
  EXPECT_EQ(ProcessLog().level(), LogLevel::kWarning);
  EXPECT_EQ(Ask("GET", "/api/v1/log-level").json["level"], "warning");
  for (const char* wrong : {R"({"level":"loud"})", R"({"level":1})", R"(["info"])", R"({})",
                            R"({"level":"info","for":1})"}) {
    EXPECT_EQ(Ask("PUT", "/api/v1/log-level", as_json, wrong).status, 422) << wrong;
  }
  EXPECT_EQ(Ask("PUT", "/api/v1/log-level", as_json, "{").status, 400);
  EXPECT_EQ(Ask("PUT", "/api/v1/log-level", {{"Content-Type", "application/yaml"}}, "a: b").status,
            415);
  EXPECT_EQ(ProcessLog().level(), LogLevel::kWarning);
}

}  // namespace
}  // namespace df::admin
