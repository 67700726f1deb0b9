// Replays at the times of the records, at a rate, and with other times.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::AnyOf;
using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

constexpr int64_t kBegin = 1'750'000'000'000'000'000;
constexpr int64_t kMillis = 1'000'000;

int64_t NowNanos() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

class PaceTest : public ::testing::Test {
 protected:
  fs::path At(const std::string& name) const { return folder_.path() / name; }

  /// Adds a file to the archive with a log record for each time.
  void Add(const std::vector<int64_t>& times) {
    const fs::path path = At(fmt::format("{}.jsonl", num_files_++));
    std::ofstream file(path);
    for (const int64_t time : times) {
      file << fmt::format(
          R"({{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"{}","body":{{"stringValue":"{}"}}}}]}}]}}]}})"
          "\n",
          time, time);
    }
    file.close();
    const Ran ran = RunIn(folder_.path(), {"convert", path.string(), "--to", "star-parquet", "-o",
                                           At("lake").string(), "-q"});
    ASSERT_EQ(ran.exit_code, 0) << ran.log;
    times_.insert(times_.end(), times.begin(), times.end());
  }

  struct Replayed {
    Ran ran;
    milliseconds took{0};
    std::vector<int64_t> times;      ///< as they came
    std::vector<int64_t> originals;  ///< what their bodies say
  };
  Replayed Replay(std::vector<std::string> flags) const {
    const fs::path out = At("out.jsonl");
    fs::remove(out);
    flags.insert(flags.begin(), {"replay", At("lake").string(), "--to", "file:" + out.string()});
    Replayed replayed;
    const auto begin = std::chrono::steady_clock::now();
    replayed.ran = RunIn(folder_.path(), flags);
    replayed.took =
        std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    std::ifstream file(out);
    for (std::string line; std::getline(file, line);) {
      const Json request = Json::parse(line);
      for (const Json& resource : request.at("resourceLogs")) {
        for (const Json& scope : resource.at("scopeLogs")) {
          for (const Json& record : scope.at("logRecords")) {
            replayed.times.push_back(std::stoll(record.at("timeUnixNano").get<std::string>()));
            replayed.originals.push_back(
                std::stoll(record.at("body").at("stringValue").get<std::string>()));
          }
        }
      }
    }
    std::vector<int64_t> sent = times_;
    std::vector<int64_t> found = replayed.originals;
    std::sort(sent.begin(), sent.end());
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found, sent) << replayed.ran.log;
    return replayed;
  }

  TemporaryFolder folder_;
  int num_files_ = 0;
  std::vector<int64_t> times_;
};

TEST_F(PaceTest, RecordsOfFilesSideBySideGoOutInTheOrderOfTheirTimes) {
  std::vector<int64_t> even;
  std::vector<int64_t> odd;
  for (int64_t i = 0; i < 40; ++i) {
    (i % 2 == 0 ? even : odd).push_back(kBegin + i * 500 * kMillis);
  }
  Add(even);
  Add(odd);
  const Replayed replayed = Replay({"--speed", "20x"});
  EXPECT_EQ(replayed.ran.exit_code, 0) << replayed.ran.log;
  EXPECT_GE(replayed.took, milliseconds(975)) << "19.5 s of records at 20x";
  // A batch stands for a tenth of a second, two seconds of records; two files take turns.
  int64_t latest = 0;
  for (const int64_t time : replayed.times) {
    EXPECT_GE(time, latest - 5'000 * kMillis);
    latest = std::max(latest, time);
  }
  EXPECT_EQ(replayed.times, replayed.originals);
  EXPECT_THAT(replayed.ran.log, HasSubstr("pace: records went out at most "));
}

TEST_F(PaceTest, AGapIsCutToTheLongestOne) {
  Add({kBegin, kBegin + 86'400'000 * kMillis});
  const fs::path document = At("gap.yaml");
  std::ofstream(document) << fmt::format(R"(version: otel_dataflow/v1
groups:
  default:
    pipelines:
      main:
        nodes:
          receiver:
            type: receiver:parquet
            config: {{base_uri: {}, polling_interval: once, pace: {{speed: 1x, longest_gap: 200ms}}}}
          exporter: {{type: exporter:noop}}
        connections:
          - {{from: receiver, to: exporter}}
)",
                                         At("lake").string());
  const Ran ran = RunIn(folder_.path(), {"run", "-c", document.string()});
  EXPECT_EQ(ran.exit_code, 0) << ran.log;
  EXPECT_THAT(ran.output + ran.log, HasSubstr("of 1 waits in which nothing was due"));
  EXPECT_THAT(ran.output + ran.log, HasSubstr("replayed 2 log records"));
}

TEST_F(PaceTest, ARateIsKept) {
  std::vector<int64_t> times;
  for (int64_t i = 0; i < 60; ++i) {
    times.push_back(kBegin + i);
  }
  Add(times);
  const Replayed replayed = Replay({"--rate-limit", "100/s"});
  EXPECT_EQ(replayed.ran.exit_code, 0) << replayed.ran.log;
  EXPECT_GE(replayed.took, milliseconds(500)) << "the last of six batches goes when five are over";
}

TEST_F(PaceTest, EveryTimeIsMovedAsAsked) {
  Add({kBegin, kBegin + 5, kBegin + 10'000 * kMillis});
  std::vector<int64_t> earlier = times_;
  for (int64_t& time : earlier) {
    time -= 86'400'000 * kMillis;
  }
  EXPECT_THAT(Replay({"--shift", "-1d"}).times, ElementsAreArray(earlier));

  Replayed moved = Replay({"--shift-to", "2026-01-01T00:00:00Z"});
  EXPECT_EQ(moved.times.at(0), 1'767'225'600'000'000'000);
  EXPECT_EQ(moved.times.at(2) - moved.times.at(0), 10'000 * kMillis);

  const int64_t begin = NowNanos();
  moved = Replay({"--shift-to", "now"});
  EXPECT_GE(moved.times.at(2), begin) << "the last record is of now";
  EXPECT_LE(moved.times.at(2), NowNanos());
  EXPECT_EQ(moved.times.at(2) - moved.times.at(0), 10'000 * kMillis);

  const int64_t paced_begin = NowNanos();
  moved = Replay({"--speed", "50x", "--shift-to", "now"});
  for (const int64_t time : moved.times) {
    EXPECT_GE(time, paced_begin - 5'000 * kMillis);
    EXPECT_LE(time, NowNanos());
  }
}

TEST_F(PaceTest, ATimeThatCannotBeMovedIsNamed) {
  Add({kBegin, 7});
  const Replayed moved = Replay({"--shift", "-1d"});
  EXPECT_EQ(moved.ran.exit_code, 4);
  EXPECT_THAT(moved.ran.log, HasSubstr("incomplete: reconstruction: times would come to lie"));
  const Ran quiet = RunIn(folder_.path(),
                          {"replay", At("lake").string(), "--to", "null", "--shift", "-1d", "-q"});
  EXPECT_EQ(quiet.exit_code, 4);
  EXPECT_THAT(quiet.log, HasSubstr("incomplete: reconstruction: times would come to lie"))
      << "an exit code other than 0 is always explained";
  EXPECT_THAT(quiet.log, Not(HasSubstr("delivered")));
}

/// A tree without statistics: nothing tells which times it has.
void WriteWithoutStatistics(const fs::path& base, int num_partitions) {
  df::testing::RandomEngine random(7);
  df::testing::LakeWriterOptions options;
  options.layout = df::testing::LakeLayout::kOwn;
  options.statistics = false;
  options.batches_per_partition = 1;
  const auto batches =
      df::testing::RandomBatches(num_partitions, otap::Signal::kLogs, {.root_rows = 3}, random);
  ASSERT_TRUE(df::testing::WriteLake(base, batches, options, 1).ok());
}

TEST_F(PaceTest, WhereNobodyKnowsTheTimesNothingGoesOutAndThatIsAFailure) {
  for (const int num_partitions : {1, 3}) {
    const std::string lake = At(fmt::format("without-{}", num_partitions)).string();
    WriteWithoutStatistics(lake, num_partitions);
    const std::string receipt = At("receipt.json").string();
    const Ran ran = RunIn(folder_.path(), {"replay", lake, "--to", "null", "--shift-to", "now",
                                           "--receipt", receipt});
    EXPECT_EQ(ran.exit_code, 1) << ran.log;
    EXPECT_THAT(ran.log, HasSubstr("do not say in their statistics"));
    EXPECT_THAT(ran.log, Not(HasSubstr("is started again"))) << "it would fail again";
    std::ifstream file(receipt);
    const Json said = Json::parse(file);
    EXPECT_EQ(said.at("outcome"), "failed");
    const Json& records =
        said.at("pipelines")[0].at("nodes")[0].at("source").at("signals").at("logs").at("records");
    EXPECT_GT(records.at("missing"), 0) << records;
    EXPECT_EQ(records.at("sent"), 0) << records;
  }
}

TEST_F(PaceTest, ALaterRunAddsTheSameToTimesOrIsRefused) {
  Add({kBegin, kBegin + 5});
  const std::string lake = At("lake").string();
  const auto replay = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"replay", lake, "--to", "null", "-q"});
    return RunIn(folder_.path(), flags);
  };
  const std::string receipt = At("receipt.json").string();
  // Of what is left then another time would be the first.
  for (const std::vector<std::string>& later :
       {std::vector<std::string>{"--checkpoint", At("state/night").string()}}) {
    std::vector<std::string> flags = later;
    flags.insert(flags.end(), {"--shift-to", "now"});
    const Ran ran = replay(flags);
    EXPECT_EQ(ran.exit_code, 2) << ran.log;
    EXPECT_THAT(ran.log, HasSubstr("write time.shift, which adds the same in each"));
  }
  ASSERT_EQ(replay({"--shift", "-1d", "--receipt", receipt}).exit_code, 0);
  for (const std::vector<std::string>& flags : {std::vector<std::string>{"--resume", receipt},
                                                {"--resume", receipt, "--shift", "-2d"},
                                                {"--resume", receipt, "--shift-to", "now"}}) {
    const Ran ran = replay(flags);
    EXPECT_EQ(ran.exit_code, 2) << ran.log;
    EXPECT_THAT(ran.log, AnyOf(HasSubstr("it is of a replay that sent times shifted by -1d"),
                               HasSubstr("write time.shift, which adds the same in each")));
  }
  EXPECT_EQ(replay({"--resume", receipt, "--shift", "-1d"}).exit_code, 0);
  // A checkpoint made with one shift is refused with another.
  const std::string checkpoint = At("state/shifted").string();
  EXPECT_EQ(replay({"--checkpoint", checkpoint, "--shift", "1h"}).exit_code, 0);
  EXPECT_EQ(replay({"--checkpoint", checkpoint, "--shift", "1h"}).exit_code, 0);
  const Ran other = replay({"--checkpoint", checkpoint});
  EXPECT_NE(other.exit_code, 0);
  EXPECT_THAT(other.log, HasSubstr("sent times shifted by 1h, and this one sends everything"));
}

TEST_F(PaceTest, WhatWasAddedIsSaid) {
  Add({kBegin, kBegin + 5});
  const Replayed moved = Replay({"--shift-to", "2025-06-15T15:06:40Z"});
  EXPECT_THAT(moved.ran.log, HasSubstr("pace: every time was shifted by "));
}

TEST_F(PaceTest, AStopEndsTheWait) {
  Add({kBegin, kBegin + 30'000 * kMillis});
  EngineProcess engine(folder_.path(),
                       {.arguments = {"replay", At("lake").string(), "--to", "-", "--speed", "1x",
                                      "--receipt", At("receipt.json").string()}});
  ASSERT_TRUE(engine.WaitForOutput(
      [](const std::string& output) { return output.find("timeUnixNano") != std::string::npos; }));
  const auto begin = std::chrono::steady_clock::now();
  engine.Signal(SIGINT);
  EXPECT_EQ(engine.Wait(), 130);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(25));
  std::ifstream file(At("receipt.json"));
  const Json receipt = Json::parse(file);
  EXPECT_EQ(receipt.at("outcome"), "incomplete") << receipt.dump(1);
}

TEST_F(PaceTest, FlagsOfArchivesAreRefusedForOtlp) {
  Add({kBegin});
  const Ran ran =
      RunIn(folder_.path(), {"replay", At("0.jsonl").string(), "--to", "null", "--speed", "2x"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.log, HasSubstr("is OTLP: conditions, pace and time"));
}

}  // namespace
}  // namespace df::e2e
