#include "nodes/exporters/perf/perf_exporter.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include <arrow/array/builder_primitive.h>
#include <arrow/util/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::exporters::perf {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using otap::Signal;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::DoubleNear;
using ::testing::HasSubstr;

std::string Document(const std::string& config) {
  return fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [sink]}}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:otap:perf:exporter", config: {{{}}}}}}}}})",
                     config);
}

/// Log records whose times are `age` before now of the simulated clock at its start.
otap::BatchPtr LogsOfAge(nanoseconds age, int64_t num_rows) {
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::NANO),
                                arrow::default_memory_pool());
  const int64_t now = std::chrono::duration_cast<nanoseconds>(
                          testing::SimulatedClock().WallNow().time_since_epoch())
                          .count();
  for (int64_t row = 0; row < num_rows; ++row) {
    ARROW_CHECK_OK(times.Append(now - age.count()));
  }
  auto array = times.Finish().ValueOrDie();
  auto table = arrow::RecordBatch::Make(
      arrow::schema({arrow::field("time_unix_nano", array->type())}), num_rows, {array});
  otap::BatchBuilder builder(Signal::kLogs);
  ARROW_CHECK_OK(builder.Set(otap::TableKind::kLogs, std::move(table)));
  return builder.Build();
}

class PerfExporterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              fmt::format("perf_exporter_{}_{}", getpid(),
                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Start(const std::string& config) {
    harness_ = std::make_unique<testing::PipelineHarness>(
        Document(config + ", output: '" + Path() + "'"), std::vector{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }

  void Send(const otap::BatchPtr& batch) {
    harness_->source().Send(batch);
    harness_->RunUntilIdle();
  }

  void End() {
    harness_->source().End();
    harness_->RunUntilIdle();
    ASSERT_TRUE(harness_->has_ended());
  }

  std::string Path() const { return (folder_ / "a" / "perf.txt").string(); }

  std::vector<std::string> Lines() const {
    std::ifstream file(Path());
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
      lines.push_back(line);
    }
    return lines;
  }

  nlohmann::json Json(size_t index) const { return nlohmann::json::parse(Lines().at(index)); }

  std::filesystem::path folder_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(PerfExporterTest, EveryBatchIsAckedAndAReportComesEachPeriodAndAtTheEnd) {
  Start("format: json, frequency: 2s");
  Send(testing::SmallLogs(10));
  Send(testing::SmallLogs(30));
  EXPECT_EQ(harness_->source().num_outcomes, 2);
  harness_->Advance(seconds(2));
  harness_->Advance(seconds(2));
  End();
  ASSERT_EQ(Lines().size(), 3U);
  EXPECT_EQ(Json(0)["final"], false);
  EXPECT_EQ(Json(0)["elapsed_seconds"], 2.0);
  EXPECT_EQ(Json(0)["signals"]["logs"]["items"], 40);
  EXPECT_EQ(Json(0)["signals"]["logs"]["batches"], 2);
  EXPECT_EQ(Json(0)["signals"]["logs"]["items_per_second"], 20.0);
  EXPECT_EQ(Json(0)["signals"]["traces"]["items"], 0);
  EXPECT_EQ(Json(2)["final"], true);
  EXPECT_EQ(Json(2)["period_seconds"], 4.0);
  EXPECT_EQ(Json(2)["signals"]["logs"]["items_per_second"], 10.0);
}

TEST_F(PerfExporterTest, RatesAreSmoothedWithTheFactor) {
  Start("format: json, smoothing_factor: 0.25");
  Send(testing::SmallLogs(100));
  harness_->Advance(seconds(1));
  Send(testing::SmallLogs(20));
  harness_->Advance(seconds(1));
  harness_->Advance(seconds(1));
  EXPECT_EQ(Json(0)["signals"]["logs"]["items_per_second"], 100.0);
  EXPECT_EQ(Json(1)["signals"]["logs"]["items_per_second"], 80.0);
  EXPECT_EQ(Json(2)["signals"]["logs"]["items_per_second"], 60.0);
}

TEST_F(PerfExporterTest, BytesAreThoseOfTheBatches) {
  Start("format: json");
  testing::RandomEngine rng(1);
  const auto batch = testing::RandomBatch(Signal::kMetrics, {}, rng);
  Send(batch);
  End();
  EXPECT_EQ(Json(0)["signals"]["metrics"]["bytes"], batch->size_bytes());
  EXPECT_EQ(Json(0)["signals"]["metrics"]["items"], batch->num_items());
}

TEST_F(PerfExporterTest, AgesOfRecordsGivePercentilesAndOldOnesAreCountedApart) {
  Start("format: json, frequency: 10s");
  Send(LogsOfAge(milliseconds(10), 50));
  Send(LogsOfAge(milliseconds(100), 45));
  Send(LogsOfAge(seconds(2), 5));
  Send(LogsOfAge(std::chrono::hours(48), 7));
  Send(LogsOfAge(-seconds(1), 1));
  End();
  const nlohmann::json age = Json(0)["age"];
  EXPECT_EQ(age["records"], 100);
  EXPECT_EQ(age["not_recent"], 8);
  EXPECT_THAT(age["p50_seconds"].get<double>(), DoubleNear(0.010, 0.010 / 16));
  EXPECT_THAT(age["p90_seconds"].get<double>(), DoubleNear(0.1, 0.1 / 16));
  EXPECT_THAT(age["p99_seconds"].get<double>(), DoubleNear(2, 2.0 / 16));
  EXPECT_EQ(age["max_seconds"], 2.0);
}

TEST_F(PerfExporterTest, AgesOfAPeriodAreThoseOfItsRecords) {
  Start("format: json");
  Send(LogsOfAge(seconds(5), 3));
  harness_->Advance(seconds(1));
  Send(LogsOfAge(milliseconds(0), 2));
  harness_->Advance(seconds(1));
  End();
  EXPECT_EQ(Json(0)["age"]["records"], 3);
  EXPECT_EQ(Json(1)["age"]["records"], 2);
  EXPECT_EQ(Json(1)["age"]["max_seconds"], 1.0);
  EXPECT_EQ(Json(2)["age"]["records"], 5);
}

TEST_F(PerfExporterTest, EveryKeyOfUsageSwitchesItsPart) {
  const std::map<std::string, std::string> parts = {{"cpu_usage", "cpu"},
                                                    {"mem_usage", "memory"},
                                                    {"disk_usage", "disk"},
                                                    {"io_usage", "network"}};
  Start("format: json");
  End();
  const nlohmann::json all = Json(0)["usage"];
  EXPECT_TRUE(all.contains("cpu"));
  EXPECT_TRUE(all.contains("memory"));
  for (const auto& [key, part] : parts) {
    Start(fmt::format("format: json, {}: false", key));
    End();
    const nlohmann::json usage = Json(0)["usage"];
    EXPECT_FALSE(usage.contains(part)) << key;
    EXPECT_EQ(usage.size() + 1, all.size() + (all.contains(part) ? 0 : 1)) << key;
  }
  Start("format: json, self_usage: false");
  End();
  EXPECT_TRUE(Json(0)["usage"].empty());
}

TEST_F(PerfExporterTest, TheFinalReportIsInTheSummaryOfTheRun) {
  Start("self_usage: false");
  Send(testing::SmallLogs(1500));
  harness_->Advance(milliseconds(500));
  End();
  const auto lines = harness_->TakeResult().reports.back().lines;
  EXPECT_EQ(lines, Lines());
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], "perf: over all of 0.50 s");
  EXPECT_THAT(lines[1], HasSubstr("logs: 3.00 k log records/s, 2 batches/s, "));
  EXPECT_THAT(lines[1], HasSubstr("1500 log records in 1 batches so far"));
}

TEST_F(PerfExporterTest, SeveralCoresMakeOneReport) {
  PerfConfig config;
  config.output = Path();
  config.format = Format::kJson;
  auto meter = PerfMeter::Make(config, [] { return ProcessUsage(); }).ValueOrDie();
  const runtime::SteadyTime start{seconds(10)};
  PerfRecorder* first = meter->Begin(start);
  PerfRecorder* second = meter->Begin(start + milliseconds(1));
  first->Add(*testing::SmallLogs(3), runtime::WallTime());
  second->Add(*testing::SmallLogs(4), runtime::WallTime());
  meter->Tick(start + milliseconds(999));
  EXPECT_EQ(Lines().size(), 0U);
  meter->Tick(start + seconds(1));
  meter->Tick(start + seconds(1));
  ASSERT_EQ(Lines().size(), 1U) << "two cores have printed the same report";
  EXPECT_EQ(Json(0)["signals"]["logs"]["items"], 7);
  meter->End(start + seconds(2));
  EXPECT_EQ(Lines().size(), 1U);
  meter->End(start + seconds(2));
  EXPECT_EQ(Json(1)["final"], true);
}

TEST_F(PerfExporterTest, AReportThatCannotBePrintedIsAProblemAndBatchesAreAcked) {
  testing::PipelineHarness harness(Document("output: /dev/full"), {&kDescriptor});
  ASSERT_TRUE(harness.status().ok());
  harness.source().Send(testing::SmallLogs(3));
  harness.source().End();
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.source().outcomes.at(0).is_ack);
  const auto report = harness.TakeResult().reports.back();
  EXPECT_EQ(report.num_problems, 1);
  EXPECT_THAT(report.lines.back(), HasSubstr("cannot print to /dev/full: No space left"));
}

TEST_F(PerfExporterTest, AForcedEndStillReports) {
  Start("format: json, frequency: 1h");
  Send(testing::SmallLogs(3));
  harness_->TakeResult();
  EXPECT_EQ(Json(0)["final"], true);
}

TEST_F(PerfExporterTest, BadKeysAreRefused) {
  const auto problem = [](const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  };
  EXPECT_THAT(problem("frequency: 0s"), HasSubstr("frequency"));
  EXPECT_THAT(problem("smoothing_factor: 0"), HasSubstr("expected a number 0.001..1"));
  EXPECT_THAT(problem("format: yaml"), HasSubstr("one of text, json"));
  EXPECT_THAT(problem("output: /dev/null/x"), HasSubstr("cannot make the folder /dev/null"));
}

TEST(AgeHistogramTest, PercentilesAreThoseOfASortedListWithinASixteenth) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  testing::RandomEngine rng(seed);
  for (int round = 0; round < 200; ++round) {
    AgeHistogram histogram;
    AgeHistogram other;
    std::vector<int64_t> values;
    const int64_t count = testing::Between(rng, 1, 300);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t value = testing::Between(rng, 0, int64_t{1} << testing::Between(rng, 0, 62));
      values.push_back(value);
      (testing::Chance(rng, 0.5) ? histogram : other).Add(value);
    }
    histogram += other;
    std::sort(values.begin(), values.end());
    EXPECT_EQ(histogram.count(), count);
    EXPECT_EQ(histogram.max(), values.back());
    for (const double share : {0.01, 0.5, 0.9, 0.99, 1.0}) {
      const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(count)));
      const int64_t exact = values[rank - 1];
      EXPECT_GE(histogram.Percentile(share), exact);
      EXPECT_LE(histogram.Percentile(share), exact + exact / 16);
    }
  }
  EXPECT_EQ(AgeHistogram().Percentile(0.5), 0);
}

TEST(ProcessUsageTest, ReadsTheFilesOfProc) {
  const std::filesystem::path root =
      std::filesystem::temp_directory_path() / fmt::format("process_usage_{}", getpid());
  std::filesystem::create_directories(root / "self");
  std::filesystem::create_directories(root / "net");
  std::ofstream(root / "self" / "status") << "Name:\tx\nVmHWM:\t    2000 kB\nVmRSS:\t  1000 kB\n";
  std::ofstream(root / "self" / "io") << "rchar: 1\nread_bytes: 4096\nwrite_bytes: 8192\n";
  std::ofstream(root / "net" / "dev")
      << "Inter-|   Receive\n face |bytes\n    lo: 900 1 0 0 0 0 0 0 900 1 0 0 0 0 0 0\n"
      << "  eth0: 100 1 0 0 0 0 0 0 200 1 0 0 0 0 0 0\n  eth1:10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n";
  const ProcessUsage usage = ReadUsage({}, root.string());
  EXPECT_EQ(usage.memory->resident_bytes, 1000 * 1024);
  EXPECT_EQ(usage.memory->peak_bytes, 2000 * 1024);
  EXPECT_EQ(usage.disk->in_bytes, 4096);
  EXPECT_EQ(usage.disk->out_bytes, 8192);
  EXPECT_EQ(usage.network->in_bytes, 110);
  EXPECT_EQ(usage.network->out_bytes, 220);
  std::filesystem::remove_all(root);
  const ProcessUsage nothing = ReadUsage({}, root.string());
  EXPECT_FALSE(nothing.memory.has_value());
  EXPECT_FALSE(nothing.disk.has_value());
  EXPECT_FALSE(nothing.network.has_value());
}

TEST(PerfReportTest, UsageIsOfThePeriod) {
  Measurement start;
  start.usage.cpu = {.user_ns = 1'000'000'000, .system_ns = 0};
  start.usage.disk = {.in_bytes = 100, .out_bytes = 0};
  ReportMaker maker(1, start);
  Measurement now = start;
  now.elapsed = seconds(2);
  now.usage.cpu->user_ns += 1'000'000'000;
  now.usage.cpu->system_ns += 500'000'000;
  now.usage.cpu->voluntary_switches += 30;
  now.usage.cpu->forced_switches += 10;
  now.usage.disk->in_bytes += 2048;
  const PerfReport report = maker.Next(now, {});
  EXPECT_EQ(report.usage.cpu_percent, 75.0);
  EXPECT_EQ(report.usage.switches, 20.0);
  EXPECT_EQ(report.usage.disk->in_bytes, 1024.0);
  EXPECT_THAT(ToLines(report),
              ::testing::ElementsAre("perf: 2.00 s, the last 2.00 s of them", "  nothing came",
                                     "  cpu: 75.0 % of a core, 20 context switches/s",
                                     "  disk: 1.0 KiB/s read, 0 B/s written"));
}

}  // namespace
}  // namespace df::nodes::exporters::perf
