// Whole pipelines in the real program, watched through the admin interface.
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "engine_process.h"
#include "http_client.h"

namespace df::e2e {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path kCorner =
    std::filesystem::path(OTAP_SOURCE_DIR) / "examples/data/corner/parquet";

/// Receiver -> batch -> retry -> an exporter that refuses 30 % of the batches for now.
std::string Flaky(const std::string& polling, const std::string& exporter) {
  return fmt::format(R"(
version: otel_dataflow/v1
engine: {{http_admin: {{bind_address: "127.0.0.1:0"}}}}
groups:
  night:
    pipelines:
      replay:
        policies: {{resources: {{core_allocation: {{type: core_count, count: 1}}}}}}
        nodes:
          lake: {{type: receiver:parquet, config: {{base_uri: "{}", polling_interval: {},
                 processing_options: {{batch_size: 7}}}}}}
          batch: {{type: processor:batch, config: {{otap: {{min_size: 20}}, max_batch_duration: 50ms}}}}
          retry: {{type: processor:retry, config: {{initial_interval: 5ms, max_interval: 20ms}}}}
          sink: {}
        connections:
          - {{from: lake, to: batch}}
          - {{from: batch, to: retry}}
          - {{from: retry, to: sink}}
)",
                     kCorner.string(), polling, exporter);
}

constexpr char kRefusesSome[] =
    "{type: exporter:error, config: {message: no room, ratio: 0.3, seed: 7}}";

class PipelineTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& text) {
    const std::filesystem::path path = folder_.path() / "document.yaml";
    std::ofstream(path) << text;
    return path;
  }

  /// Waits until the process tells where it listens.
  uint16_t PortOf(EngineProcess* process) {
    const std::string before = "admin interface on 127.0.0.1:";
    std::string log;
    EXPECT_TRUE(process->WaitForOutput([&](const std::string&) {
      log = process->Log();
      const size_t at = log.find(before);
      return at != std::string::npos && log.find('\n', at) != std::string::npos;
    })) << process->Log();
    const size_t at = log.find(before);
    return at == std::string::npos
               ? uint16_t{0}
               : static_cast<uint16_t>(std::stoi(log.substr(at + before.size())));
  }

  /// Asks for the metrics until `is_enough` says so; the process is busy meanwhile.
  std::map<std::string, double> Scrape(
      uint16_t port, const std::function<bool(const std::map<std::string, double>&)>& is_enough) {
    std::map<std::string, double> series;
    for (int i = 0; i < 20'000; ++i) {
      series = ReadSeries(Http(port, "GET", "/api/v1/metrics").body);
      if (is_enough(series)) {
        return series;
      }
    }
    ADD_FAILURE() << "it does not come to an end";
    return series;
  }

  TemporaryFolder folder_;
};

// 2000 log records, 2000 spans, 4998 data points lie in the sample.
constexpr double kNumItems = 8998;

TEST_F(PipelineTest, AFlakyExporterGetsEveryItemOnceAndTheMetricsAddUp) {
  EngineProcess process(folder_.path(), {.arguments = {"-c", Write(Flaky("50ms", kRefusesSome))}});
  const uint16_t port = PortOf(&process);
  const auto is_done = [](const std::map<std::string, double>& series) {
    // A batch is acked a moment before its memory is given back. The receiver counts the rows that
    // it read when it is through with a partition, which may be after the last ack.
    return Sum(series, "df_node_items_out_total", {{"node_id", "lake"}}) == kNumItems &&
           Sum(series, "df_node_batches_pending", {{"node_id", "lake"}}) == 0 &&
           Sum(series, "df_pipeline_memory_usage_bytes") == 0 &&
           Sum(series, "df_receiver_rows_emitted_total") >= 6000 &&
           Sum(series, "df_receiver_rows_read_total") >= 6000;
  };
  const auto series = Scrape(port, is_done);
  const auto node = [&](const char* metric, const char* name) {
    return Sum(series, metric, {{"node_id", name}});
  };
  EXPECT_EQ(node("df_node_batches_acked_total", "lake"), node("df_node_batches_out_total", "lake"));
  EXPECT_EQ(node("df_node_batches_nacked_total", "lake"), 0);
  // Of each edge: what was sent was received.
  EXPECT_EQ(node("df_node_items_in_total", "batch"), kNumItems);
  EXPECT_EQ(node("df_node_items_out_total", "batch"), kNumItems);
  EXPECT_EQ(node("df_node_items_in_total", "retry"), kNumItems);
  EXPECT_EQ(node("df_node_items_out_total", "retry"), node("df_node_items_in_total", "sink"));
  // What the exporter took is what retry got acks for: each batch once.
  EXPECT_EQ(node("df_node_batches_acked_total", "retry"),
            node("df_node_batches_in_total", "retry"));
  EXPECT_GT(node("df_node_batches_nacked_total", "retry"), 0) << "nothing was refused";
  EXPECT_EQ(
      node("df_node_batches_out_total", "retry"),
      node("df_node_batches_acked_total", "retry") + node("df_node_batches_nacked_total", "retry"));
  EXPECT_EQ(Sum(series, "df_receiver_rows_read_total"), 6000) << "records, spans and metrics";
  EXPECT_EQ(Sum(series, "df_receiver_rows_emitted_total"), 6000);
  EXPECT_EQ(Sum(series, "df_receiver_rows_dropped_total"), 0);
  EXPECT_EQ(Sum(series, "df_edge_batches"), 0);
  EXPECT_EQ(Sum(series, "df_node_outcome_latency_seconds_count", {{"node_id", "lake"}}),
            node("df_node_batches_out_total", "lake"));
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(), 0) << process.Log();
  // The report of the exporter counts what it took, item by item.
  EXPECT_THAT(process.Output(), HasSubstr("2000 log records, 2000 spans, 4998 data points"));
}

TEST_F(PipelineTest, ReadyzTellsADrain) {
  const std::string refuses_all = "{type: exporter:error, config: {message: no room}}";
  EngineProcess process(folder_.path(),
                        {.arguments = {"-c", Write(Flaky("1h", refuses_all)), "--set",
                                       "policies.shutdown.drain_timeout=5s"}});
  const uint16_t port = PortOf(&process);
  while (Http(port, "GET", "/api/v1/readyz").status == 503) {
  }
  EXPECT_EQ(Http(port, "GET", "/api/v1/readyz").status, 200);
  EXPECT_EQ(Http(port, "GET", "/api/v1/livez").status, 200);
  process.Signal(SIGTERM);
  int status = 200;
  while (status == 200) {
    status = Http(port, "GET", "/api/v1/readyz").status;
  }
  EXPECT_EQ(status, 503) << "it drains: what waits for its retry keeps it";
  process.Wait();
}

TEST_F(PipelineTest, AShutdownOverTheInterfaceEndsTheProcess) {
  EngineProcess process(folder_.path(), {.arguments = {"-c", Write(Flaky("1h", kRefusesSome))}});
  const uint16_t port = PortOf(&process);
  const HttpAnswer answer = Http(port, "POST", "/api/v1/shutdown");
  EXPECT_EQ(answer.status, 202) << answer.body;
  // How far the replay had come by then is nobody's promise: 4 says that it was stopped.
  EXPECT_THAT(process.Wait(), ::testing::AnyOf(0, 4)) << process.Log();
}

TEST_F(PipelineTest, APipelineIsReplacedWhileItRuns) {
  // What an earlier generation delivered is not sent again, so this one delivers nothing.
  const std::string refuses_all = "{type: exporter:error, config: {message: no room}}";
  EngineProcess process(folder_.path(), {.arguments = {"-c", Write(Flaky("1h", refuses_all))}});
  const uint16_t port = PortOf(&process);
  const std::string target = "/api/v1/groups/night/pipelines/replay";
  const std::string bad = "nodes: {a: {type: exporter:noop}}\nconnections: []\n";
  const HttpAnswer refused = Http(port, "PUT", target, bad, "application/yaml");
  EXPECT_EQ(refused.status, 422) << refused.body;
  const std::string good = fmt::format(
      "nodes:\n  lake: {{type: receiver:parquet, config: {{base_uri: \"{}\"}}}}\n"
      "  out: {{type: exporter:noop}}\nconnections: [{{from: lake, to: out}}]\n",
      kCorner.string());
  const HttpAnswer accepted = Http(port, "PUT", target + "?wait=true", good, "application/yaml");
  EXPECT_EQ(accepted.status, 200) << accepted.body;
  const auto series = Scrape(port, [](const std::map<std::string, double>& now) {
    return Sum(now, "df_node_items_in_total", {{"node_id", "out"}}) == kNumItems;
  });
  process.Signal(SIGTERM);
  // What the first generation had to give up when it was replaced stays named.
  EXPECT_THAT(process.Wait(), ::testing::AnyOf(0, 4)) << process.Log();
}

TEST_F(PipelineTest, WhatWasDeliveredIsNotSentByTheNextGeneration) {
  const auto document = [](const std::string& polling) {
    return fmt::format(
        "nodes:\n  lake: {{type: receiver:parquet, config: {{base_uri: \"{}\",\n"
        "         polling_interval: {}}}}}\n"
        "  out: {{type: exporter:noop}}\nconnections: [{{from: lake, to: out}}]\n",
        kCorner.string(), polling);
  };
  EngineProcess process(folder_.path(), {.arguments = {"-c", Write(Flaky("1h", kRefusesSome))}});
  const uint16_t port = PortOf(&process);
  const std::string first = "/api/v1/groups/night/pipelines/first";
  EXPECT_EQ(Http(port, "PUT", first + "?wait=true", document("1h"), "application/yaml").status,
            200);
  Scrape(port, [](const std::map<std::string, double>& now) {
    return Sum(now, "df_receiver_rows_acked_total", {{"pipeline_id", "first"}}) == 6000;
  });
  // The next one reads the tree to its end and has nothing to send.
  const HttpAnswer replaced =
      Http(port, "PUT", first + "?wait=true&step_timeout=1s", document("once"), "application/yaml");
  EXPECT_EQ(replaced.status, 200) << replaced.body;
  process.Signal(SIGTERM);
  EXPECT_THAT(process.Wait(), ::testing::AnyOf(0, 4)) << process.Log();
  EXPECT_THAT(process.Output(), HasSubstr("files that this process had delivered before"));
  EXPECT_THAT(process.Output(), HasSubstr("replayed 0 log records, 0 spans, 0 metrics"));
}

}  // namespace
}  // namespace df::e2e
