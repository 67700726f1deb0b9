#include "nodes/exporters/file/file_exporter.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <sstream>
#include <thread>
#include <tuple>

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "otlp/encode.h"
#include "otlp/request_file.h"
#include "testing/crash_files.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::exporters::file {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Document(const std::string& config) {
  return fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
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
    while (!harness.has_ended()) {
      harness.RunUntilIdle();
      std::this_thread::yield();
    }
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
  EXPECT_THAT(result.errors[0], HasSubstr("Not a directory"));
}

TEST_F(FileExporterTest, ARequestThatCannotBeWrittenIsNackedWithTheReason) {
  const auto result = Run("path: /dev/full", {testing::SmallLogs(1), testing::SmallLogs(2)});
  ASSERT_EQ(outcomes_.size(), 2U);
  EXPECT_FALSE(outcomes_.at(0).is_ack);
  EXPECT_FALSE(outcomes_.at(0).is_permanent);
  EXPECT_THAT(outcomes_.at(0).reason, HasSubstr("'/dev/full': cannot write: No space left"));
  EXPECT_EQ(result.reports.back().num_problems, 0) << "the sender may send it again";
  EXPECT_THAT(
      result.reports.back().lines,
      ElementsAre("wrote nothing",
                  HasSubstr("did not write 2 requests, 0 of them permanently; the first: ")));
}

TEST_F(FileExporterTest, ABatchThatCannotBeEncodedIsNackedForGood) {
  otap::BatchBuilder builder(otap::Signal::kLogs, otap::IdEncoding::kTransport);
  const auto result = Run(At("{signal}"), {builder.Build()});
  EXPECT_FALSE(outcomes_.at(0).is_ack);
  EXPECT_TRUE(outcomes_.at(0).is_permanent);
  EXPECT_EQ(result.reports.back().num_problems, 1);
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

TEST_F(FileExporterTest, AnUnfinishedRequestIsCutOffAndNamedBeforeMoreIsWritten) {
  const auto batch = testing::SmallLogs(1);
  const std::string line = otlp::EncodeJson(*batch).ValueOrDie() + "\n";
  std::filesystem::create_directories(directory_);
  std::ofstream(Path("a")) << line << line.substr(0, 10);
  const auto result = Run("open_mode: append, durability: sync, " + At("a"), {batch});
  EXPECT_EQ(ReadAll(Path("a")), line + line);
  EXPECT_THAT(result.reports.back().lines,
              Contains(HasSubstr("cut 10 bytes of an unfinished request off the end of ")));
  EXPECT_EQ(result.reports.back().num_problems, 0);

  std::ofstream(Path("b")) << "the notes of somebody\n";
  const auto refused = Run("open_mode: append, " + At("b"), {batch});
  ASSERT_EQ(refused.errors.size(), 1U);
  EXPECT_THAT(refused.errors[0], HasSubstr("/b': found no beginning of a request at offset 0"));
  EXPECT_EQ(ReadAll(Path("b")), "the notes of somebody\n");
}

/// A file in memory whose calls can be held up and made to fail.
testing::CrashFiles* crash_files = nullptr;

struct ParsedForTest final : engine::NodeConfig {
  FileConfig config;
};

const engine::NodeDescriptor& OnCrashFiles() {
  static const engine::NodeDescriptor descriptor = [] {
    engine::NodeDescriptor made = kDescriptor;
    made.parse = [](const config::Section& section,
                    const engine::ValidateContext&) -> engine::NodeConfigPtr {
      auto parsed = std::make_shared<ParsedForTest>();
      parsed->config = config::Read(FileFields(), section);
      return parsed;
    };
    made.make_exporter =
        [](const engine::NodeConfigPtr& config, const engine::NodeSharedPtr&,
           const engine::InstanceInfo& info) -> Result<std::unique_ptr<engine::Exporter>> {
      return std::make_unique<FileExporter>(static_cast<const ParsedForTest&>(*config).config, info,
                                            crash_files);
    };
    return made;
  }();
  return descriptor;
}

class FileDurability : public ::testing::Test {
 protected:
  FileDurability() { crash_files = &files_; }

  void Open(const std::string& durability, const std::string& more = "") {
    harness_ = std::make_unique<testing::PipelineHarness>(
        Document(fmt::format("path: /tmp/a/out, durability: {}{}", durability, more)),
        std::vector<const engine::NodeDescriptor*>{&OnCrashFiles()});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->RunUntilIdle();
  }
  void RunUntil(const std::function<bool()>& is_so) {
    while (!is_so()) {
      harness_->RunUntilIdle();
      std::this_thread::yield();
    }
  }
  void End() {
    harness_->source().End();
    RunUntil([this] { return harness_->has_ended(); });
  }
  /// Holds calls of that name up while `gate` is taken.
  void HoldUp(std::string_view held, std::mutex* gate) {
    files_.SetFault([held, gate](std::string_view call, const std::string&) {
      if (call == held) {
        const std::lock_guard lock(*gate);
      }
      return 0;
    });
  }
  testing::ReceiverScript& source() { return harness_->source(); }

  testing::CrashFiles files_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(FileDurability, AnAckComesWhenTheLevelIsReachedAndTheLoopNeverWaits) {
  for (const auto& [durability, held, acks_before] :
       {std::tuple("none", "write", true), std::tuple("flush", "write", false),
        std::tuple("flush", "sync", true), std::tuple("sync", "write", false),
        std::tuple("sync", "sync", false)}) {
    SCOPED_TRACE(fmt::format("{} while {} waits", durability, held));
    Open(durability);
    std::mutex gate;
    std::unique_lock closed(gate);
    HoldUp(held, &gate);
    source().Send(testing::SmallLogs(1));
    harness_->RunUntilIdle();  // returns, whatever the disk does
    if (acks_before) {
      RunUntil([this] { return source().outcomes.size() == 1; });
    } else {
      for (int i = 0; i < 100; ++i) {
        harness_->RunUntilIdle();
        std::this_thread::yield();
      }
      EXPECT_EQ(source().outcomes.size(), 0U);
    }
    closed.unlock();
    End();
    EXPECT_TRUE(source().outcomes.at(0).is_ack);
    files_.SetFault({});
  }
}

TEST_F(FileDurability, ASyncThatFailsNacksWhatItWasForAndTakesItBack) {
  Open("sync");
  source().Send(testing::SmallLogs(1));
  RunUntil([this] { return source().outcomes.size() == 1; });
  const std::string before = files_.Content("/tmp/a/out");
  files_.SetFault(
      [](std::string_view call, const std::string&) { return call == "sync" ? -EIO : 0; });
  source().Send(testing::SmallLogs(2));
  RunUntil([this] { return source().outcomes.size() == 2; });
  files_.SetFault({});
  EXPECT_FALSE(source().outcomes.at(1).is_ack);
  EXPECT_FALSE(source().outcomes.at(1).is_permanent);
  EXPECT_THAT(source().outcomes.at(1).reason, HasSubstr("cannot fsync: Input/output error"));
  EXPECT_EQ(files_.Content("/tmp/a/out"), before);
  End();
}

TEST_F(FileDurability, AFullDiskNacksAndLeavesWholeRequests) {
  Open("flush");
  files_.LimitWrites(5);
  int num_writes = 0;
  files_.SetFault([&](std::string_view call, const std::string&) {
    return call == "write" && ++num_writes > 3 ? -ENOSPC : 0;
  });
  source().Send(testing::SmallLogs(3));
  RunUntil([this] { return source().outcomes.size() == 1; });
  EXPECT_THAT(source().outcomes.at(0).reason, HasSubstr("cannot write: No space left on device"));
  EXPECT_EQ(files_.Content("/tmp/a/out"), "");
  files_.SetFault({});
  files_.LimitWrites(SIZE_MAX);
  const auto batch = testing::SmallLogs(4);
  source().Send(batch);
  End();
  EXPECT_EQ(files_.Content("/tmp/a/out"), otlp::EncodeJson(*batch).ValueOrDie() + "\n");
}

TEST_F(FileDurability, WhatWasAckedWithoutWaitingAndNotWrittenIsAProblem) {
  Open("none");
  files_.SetFault(
      [](std::string_view call, const std::string&) { return call == "write" ? -EIO : 0; });
  source().Send(testing::SmallLogs(3));
  End();
  EXPECT_TRUE(source().outcomes.at(0).is_ack);
  const auto result = harness_->TakeResult();
  EXPECT_EQ(result.reports.back().num_problems, 1);
  EXPECT_THAT(result.reports.back().lines,
              Contains(HasSubstr(
                  "did not write 1 requests, 1 of them permanently; the first: '/tmp/a/out'")));
}

TEST_F(FileDurability, WhatWaitsToBeWrittenIsBounded) {
  Open("flush", ", queue_size: 64KiB");
  std::mutex gate;
  std::unique_lock closed(gate);
  HoldUp("write", &gate);
  const auto batch = testing::SmallLogs(400);
  const auto size = static_cast<int64_t>(otlp::EncodeJson(*batch).ValueOrDie().size());
  const int64_t count = 4 * (64 << 10) / size;
  for (int64_t i = 0; i < count; ++i) {
    source().Send(batch);
  }
  harness_->RunUntilIdle();
  EXPECT_LE(harness_->metric("sink", "df.exporter.file.queued.size"), 64 << 10);
  EXPECT_GT(harness_->metric("sink", "df.exporter.file.queued.size"), (64 << 10) - 2 * size);
  closed.unlock();
  End();
  EXPECT_EQ(std::ssize(source().outcomes), count);
}

TEST_F(FileDurability, ADrainIsNotHeldUpAndEverythingIsSynced) {
  Open("flush");
  source().waits_for_outcomes = true;
  for (int i = 0; i < 20; ++i) {
    source().Send(testing::SmallLogs(2));
  }
  harness_->RunUntilIdle();
  harness_->RequestDrain();
  RunUntil([this] { return harness_->has_ended(); });
  EXPECT_EQ(source().outcomes.size(), 20U);
  EXPECT_THAT(files_.synced_paths(), Contains("/tmp/a/out"));
}

TEST_F(FileExporterTest, AFailedWriteLeavesWholeRequests) {
  std::filesystem::create_directories(directory_);
  auto file = OutputFile::Open(&SystemFileCalls(), Path("a"), FileConfig()).ValueOrDie();
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
}

}  // namespace
}  // namespace df::nodes::exporters::file
