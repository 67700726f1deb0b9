// df_engine canary: known items through a pipeline and back out of its archive.
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"
#include "http_server.h"
#include "json_schema.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

class CanaryTest : public ::testing::Test {
 protected:
  CanaryTest() { fs::create_directories(receiving()); }

  fs::path receiving() const { return folder_.path() / "receiving"; }
  fs::path lake() const { return folder_.path() / "lake"; }

  /// Starts a pipeline that archives what is not of `dropped`, and returns where it listens.
  std::string StartPipeline(const std::string& processor = "") {
    std::ofstream(receiving() / "document.yaml") << fmt::format(
        "version: otel_dataflow/v1\n"
        "groups: {{g: {{pipelines: {{p: {{\n"
        "  nodes: {{in: {{type: receiver:otlp, config: {{protocols: {{http: {{listening_addr: "
        "'127.0.0.1:0', wait_for_result: true}}}}}}}}, {}"
        "out: {{type: exporter:parquet, config: {{base_uri: '{}', writer_options: "
        "{{flush_when_older_than: 20ms}}}}}}}},\n"
        "  connections: [{}]}}}}}}}}\n",
        processor.empty() ? "" : "between: {" + processor + "}, ", lake().string(),
        processor.empty() ? "{from: in, to: out}"
                          : "{from: in, to: between}, {from: between, to: out}");
    engine_ = std::make_unique<EngineProcess>(
        receiving(), EngineProcess::Options{
                         .arguments = {"--strict", "--num-cores", "1", "-c", "document.yaml"}});
    const std::string before = "OTLP over HTTP at ";
    std::string log;
    EXPECT_TRUE(engine_->WaitForOutput([&](const std::string&) {
      log = engine_->Log();
      const size_t at = log.find(before);
      return at != std::string::npos && log.find('\n', at) != std::string::npos;
    })) << log;
    const size_t at = log.find(before) + before.size();
    return "http://" + log.substr(at, log.find_first_of(" \n", at) - at);
  }

  Ran Canary(const std::string& server, std::vector<std::string> more) const {
    more.insert(more.begin(), {"canary", lake().string(), "--to", server, "--no-cache"});
    return RunIn(folder_.path(), more);
  }

  static std::vector<json> Lines(const std::string& text) {
    std::vector<json> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
      lines.push_back(json::parse(line));
    }
    return lines;
  }

  TemporaryFolder folder_;
  std::unique_ptr<EngineProcess> engine_;
};

TEST_F(CanaryTest, EveryItemComesBackAsItWasSent) {
  const std::string server = StartPipeline();
  const fs::path metrics = folder_.path() / "canary.prom";
  const Ran ran =
      Canary(server, {"-n", "3", "--every", "1ms", "--json", "--metrics-file", metrics.string()});
  EXPECT_EQ(ran.exit_code, 0) << ran.output << ran.log;
  const std::vector<json> cycles = Lines(ran.output);
  ASSERT_EQ(cycles.size(), 3u) << ran.output;
  std::ifstream file(fs::path(OTAP_SOURCE_DIR) / "docs/answers.schema.json");
  const json all = json::parse(file);
  std::set<std::string> ids;
  for (const json& cycle : cycles) {
    EXPECT_EQ(SchemaMismatch(cycle, {{"$ref", "#/$defs/canary"}, {"$defs", all.at("$defs")}}), "");
    EXPECT_EQ(cycle["outcome"], "back");
    for (const char* signal : {"logs", "traces", "metrics"}) {
      EXPECT_EQ(cycle["signals"][signal]["sent"], 10) << signal;
      EXPECT_EQ(cycle["signals"][signal]["found"], 10) << signal;
    }
    ids.insert(cycle["id"].get<std::string>());
  }
  EXPECT_EQ(ids.size(), 3u);
  std::ifstream stream(metrics);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_THAT(text, AllOf(HasSubstr("df_engine_canary_cycles_total{outcome=\"back\"} 3\n"),
                          HasSubstr("df_engine_canary_cycles_total{outcome=\"missing\"} 0\n"),
                          HasSubstr("df_engine_canary_last_success_seconds 1")));
}

TEST_F(CanaryTest, WhatDoesNotArriveIsMissing) {
  const std::string server = StartPipeline(
      "type: processor:filter, config: {traces: {exclude: {match_type: strict, span_names: "
      "['canary 3']}}}");
  const Ran ran = Canary(server, {"-n", "1", "--deadline", "300ms"});
  EXPECT_EQ(ran.exit_code, 4) << ran.output << ran.log;
  EXPECT_THAT(ran.output, AllOf(HasSubstr("  missing  "), HasSubstr("10 of 10 logs"),
                                HasSubstr("9 of 10 spans")));
}

TEST_F(CanaryTest, WhatIsChangedOnTheWayIsAltered) {
  const std::string server = StartPipeline(
      "type: processor:attribute, config: {actions: [{action: update, key: text, value: x}], "
      "apply_to: [signal]}");
  const Ran ran = Canary(server, {"-n", "1", "--signal", "logs"});
  EXPECT_EQ(ran.exit_code, 4) << ran.output << ran.log;
  EXPECT_THAT(ran.output, HasSubstr("  altered  10 of 10 logs"));
}

TEST_F(CanaryTest, AServerThatIsGoneOrRefusesIsNamed) {
  const HttpServer refusing("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  const Ran ran =
      Canary(fmt::format("http://127.0.0.1:{}", refusing.port()), {"-n", "2", "--every", "1ms"});
  EXPECT_EQ(ran.exit_code, 4) << ran.output << ran.log;
  EXPECT_THAT(ran.output,
              AllOf(HasSubstr("  not_sent  not taken by http://127.0.0.1"), HasSubstr("400")));
}

TEST_F(CanaryTest, WrongFlagsAreNamed) {
  EXPECT_THAT(Canary("null", {}).log, HasSubstr("expected a server"));
  EXPECT_THAT(Canary("http://127.0.0.1:1", {"--every", "never"}).log, HasSubstr("--every"));
  EXPECT_THAT(Canary("http://127.0.0.1:1", {"--deadline", "0s"}).log, HasSubstr("--deadline"));
  EXPECT_EQ(Canary("null", {}).exit_code, 2);
}

}  // namespace
}  // namespace df::e2e
