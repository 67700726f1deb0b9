#include "nodes/exporters/file/file_exporter.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "otlp/encode.h"
#include "otlp/request_file.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::exporters::file {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Document(const std::string& config) {
  return fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:test:scripted:receiver",
               out_ports: {{out: {{destinations: [sink]}}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:file:exporter", config: {{{}}}}}}}}})",
                     config);
}

std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class FileExporterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() /
                 fmt::format("file_exporter_{}_{}", getpid(),
                             ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return (directory_ / name).string(); }

  /// The key that writes to a file of the folder.
  std::string At(const std::string& name) const { return fmt::format("path: '{}'", Path(name)); }

  /// Sends batches through a pipeline and returns its result.
  engine::InstanceResult Run(const std::string& config, const std::vector<otap::BatchPtr>& batches,
                             engine::PipelineInstance::Options options = {}) {
    testing::PipelineHarness harness(Document(config), {&kDescriptor}, options);
    EXPECT_TRUE(harness.status().ok()) << harness.status();
    for (const otap::BatchPtr& batch : batches) {
      harness.source().Send(batch);
    }
    harness.source().End();
    harness.RunUntilIdle();
    EXPECT_TRUE(harness.has_ended());
    outcomes_ = harness.source().outcomes;
    return harness.TakeResult();
  }

  static std::string Problem(const std::string& config, int num_cores = 1) {
    engine::PipelineInstance::Options options;
    options.num_instances = num_cores;
    return testing::PipelineHarness(Document(config), {&kDescriptor}, options).status().message();
  }

  std::filesystem::path directory_;
  std::map<uint64_t, engine::Outcome> outcomes_;
};

TEST_F(FileExporterTest, WritesOneJsonRequestALine) {
  const auto first = testing::SmallLogs(3);
  const auto second = testing::SmallLogs(4);
  const auto result = Run(At("a/b/{signal}.json"), {first, second});
  EXPECT_EQ(ReadAll(Path("a/b/logs.json")), otlp::EncodeJson(*first).ValueOrDie() + "\n" +
                                                otlp::EncodeJson(*second).ValueOrDie() + "\n");
  EXPECT_TRUE(outcomes_.at(0).is_ack);
  EXPECT_TRUE(outcomes_.at(1).is_ack);
  EXPECT_THAT(result.reports.back().lines,
              ElementsAre(fmt::format("wrote 7 log records as 2 requests, {} bytes, to {}",
                                      std::filesystem::file_size(Path("a/b/logs.json")),
                                      Path("a/b/logs.json"))));
  EXPECT_EQ(result.reports.back().num_problems, 0);
}

TEST_F(FileExporterTest, WritesProtobufRequestsBehindTheirLengthOneFileASignal) {
  testing::RandomEngine rng(7);
  const auto batches = testing::RandomBatches(9, std::nullopt, {}, rng);
  Run("format: otlp_proto, " + At("{signal}-{core_id}.otlp"), batches);
  for (const otap::Signal signal : otap::kAllSignals) {
    std::vector<std::string> expected;
    for (const auto& batch : batches) {
      if (batch->signal() == signal) {
        expected.push_back(otlp::EncodeRequest(*batch).ValueOrDie());
      }
    }
    std::vector<std::string> found;
    const std::string path = Path(fmt::format("{}-0.otlp", otap::Name(signal)));
    EXPECT_TRUE(otlp::VisitRequests(path, [&](std::string_view request) {
                  found.emplace_back(request);
                  return arrow::Status::OK();
                }).ok());
    EXPECT_EQ(found, expected);
  }
}

TEST_F(FileExporterTest, SignalsMayShareAFileOfJson) {
  testing::RandomEngine rng(8);
  const auto logs = testing::RandomBatch(otap::Signal::kLogs, {}, rng);
  const auto spans = testing::RandomBatch(otap::Signal::kTraces, {}, rng);
  Run(At("all.json"), {logs, spans});
  EXPECT_EQ(ReadAll(Path("all.json")), otlp::EncodeJson(*logs).ValueOrDie() + "\n" +
                                           otlp::EncodeJson(*spans).ValueOrDie() + "\n");
}

TEST_F(FileExporterTest, OpenModesEmptyExtendOrRefuseAFile) {
  const auto batch = testing::SmallLogs(1);
  const std::string line = otlp::EncodeJson(*batch).ValueOrDie() + "\n";
  const std::string at = At("{signal}");
  Run("open_mode: create_new, " + at, {batch});
  Run("open_mode: append, " + at, {batch});
  EXPECT_EQ(ReadAll(Path("logs")), line + line);
  Run("open_mode: truncate, " + at, {batch});
  EXPECT_EQ(ReadAll(Path("logs")), line);
  const auto refused = Run("open_mode: create_new, " + at, {batch});
  ASSERT_EQ(refused.errors.size(), 1U);
  EXPECT_THAT(refused.errors[0], HasSubstr("File exists"));
  EXPECT_EQ(ReadAll(Path("logs")), line);
}

TEST_F(FileExporterTest, EveryCoreHasItsFiles) {
  engine::PipelineInstance::Options options;
  options.instance_index = 1;
  options.num_instances = 2;
  Run(At("{signal}-{core_id}"), {testing::SmallLogs(1)}, options);
  EXPECT_TRUE(std::filesystem::exists(Path("logs-1")));
}

TEST_F(FileExporterTest, AFolderThatCannotBeMadeStopsThePipeline) {
  std::filesystem::create_directories(directory_);
  std::ofstream(Path("file")) << "x";
  const auto result = Run(At("file/{signal}"), {testing::SmallLogs(1)});
  ASSERT_EQ(result.errors.size(), 1U);
  EXPECT_THAT(result.errors[0], HasSubstr("cannot make the folder " + Path("file")));
}

TEST_F(FileExporterTest, ARequestThatCannotBeWrittenIsNackedWithTheReason) {
  const auto result = Run("path: /dev/full", {testing::SmallLogs(1), testing::SmallLogs(2)});
  ASSERT_EQ(outcomes_.size(), 2U);
  EXPECT_FALSE(outcomes_.at(0).is_ack);
  EXPECT_FALSE(outcomes_.at(0).is_permanent);
  EXPECT_THAT(outcomes_.at(0).reason, HasSubstr("cannot write to /dev/full: No space left"));
  EXPECT_EQ(result.reports.back().num_problems, 2);
  EXPECT_THAT(result.reports.back().lines,
              ElementsAre("wrote nothing", HasSubstr("did not write 2 requests; the first: ")));
}

TEST_F(FileExporterTest, ABatchThatCannotBeEncodedIsNackedForGood) {
  otap::BatchBuilder builder(otap::Signal::kLogs, otap::IdEncoding::kTransport);
  Run(At("{signal}"), {builder.Build()});
  EXPECT_FALSE(outcomes_.at(0).is_ack);
  EXPECT_TRUE(outcomes_.at(0).is_permanent);
}

TEST_F(FileExporterTest, AlteredValuesAreReported) {
  arrow::StringBuilder text;
  ASSERT_TRUE(text.Append("\xFF").ok());
  otap::BatchBuilder builder(otap::Signal::kLogs);
  ASSERT_TRUE(
      builder
          .Set(otap::TableKind::kLogs,
               arrow::RecordBatch::Make(arrow::schema({arrow::field("event_name", arrow::utf8())}),
                                        1, arrow::ArrayVector{text.Finish().ValueOrDie()}))
          .ok());
  const auto result = Run(At("{signal}"), {builder.Build()});
  EXPECT_EQ(result.reports.back().num_problems, 1);
  EXPECT_THAT(result.reports.back().lines.at(1),
              HasSubstr("altered logs: 1 texts that are not UTF-8"));
}

TEST_F(FileExporterTest, PathsThatWouldMixFilesAreRefused) {
  EXPECT_THAT(Problem("path: out.json", 2),
              HasSubstr("2 cores would write to one file, expected {core_id} in the path"));
  EXPECT_EQ(Problem("path: 'out-{core_id}.json'", 2), "");
  EXPECT_THAT(Problem("path: out.otlp, format: otlp_proto"),
              HasSubstr("expected {signal} in the path"));
  EXPECT_THAT(Problem("path: 'out-{signals}'"), HasSubstr("unknown placeholder '{signals}'"));
  EXPECT_THAT(Problem(""), HasSubstr("key 'path' is missing"));
  EXPECT_THAT(Problem("path: x, format: json"), HasSubstr("one of otlp_json, otlp_proto"));
}

TEST_F(FileExporterTest, AFailedWriteLeavesWholeRequests) {
  std::filesystem::create_directories(directory_);
  auto file = OutputFile::Open(Path("a"), OpenMode::kTruncate).ValueOrDie();
  ASSERT_TRUE(file->Write("1", "23").ok());
  const rlimit unlimited = [] {
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    return limit;
  }();
  rlimit small = unlimited;
  small.rlim_cur = 5;
  signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const Status status = file->Write("4", "5678");
  setrlimit(RLIMIT_FSIZE, &unlimited);
  EXPECT_THAT(status.message(), HasSubstr("File too large"));
  EXPECT_EQ(ReadAll(Path("a")), "123");
  ASSERT_TRUE(file->Write("4", "5678").ok());
  EXPECT_EQ(ReadAll(Path("a")), "12345678");
  EXPECT_EQ(file->size_bytes(), 8);
}

}  // namespace
}  // namespace df::nodes::exporters::file
