// What commands answer with --json, against docs/answers.schema.json.
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"
#include "json_schema.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

const std::string kCorner = OTAP_SOURCE_DIR "/examples/data/corner/parquet";

class AnswersTest : public ::testing::Test {
 protected:
  AnswersTest() {
    std::ifstream file(fs::path(OTAP_SOURCE_DIR) / "docs/answers.schema.json");
    all_ = json::parse(file);
  }

  /// The schema of one command's answer.
  json SchemaOf(const std::string& name) const {
    return {{"$ref", "#/$defs/" + name}, {"$defs", all_.at("$defs")}};
  }

  /// Runs a command with --json, and holds every line of its answer against the schema `name`.
  /// Returns the lines.
  std::vector<json> Expect(const std::string& name, std::vector<std::string> arguments,
                           int exit_code = 0) const {
    arguments.emplace_back("--json");
    if (arguments[0] != "validate" && arguments[0] != "graph" && arguments[0] != "checkpoint" &&
        arguments[0] != "quarantine") {
      arguments.emplace_back("--no-cache");  // tests share no home
    }
    const Ran ran = RunIn(folder_.path(), arguments);
    EXPECT_EQ(ran.exit_code, exit_code) << arguments[0] << ": " << ran.log;
    const json schema = SchemaOf(name);
    std::vector<json> lines;
    std::istringstream stream(ran.output);
    for (std::string line; std::getline(stream, line);) {
      lines.push_back(json::parse(line));
      const std::string mismatch = SchemaMismatch(lines.back(), schema);
      EXPECT_EQ(mismatch, "") << arguments[0];
      if (!mismatch.empty()) {
        break;
      }
    }
    EXPECT_FALSE(lines.empty()) << arguments[0];
    return lines;
  }

  /// An archive of ours with the items of the example, and the name of its folder.
  std::string MakeLake() const {
    const Ran ran = RunIn(folder_.path(), {"convert", kCorner, "--to", "star-parquet", "-o", "lake",
                                           "-q", "--no-cache"});
    EXPECT_EQ(ran.exit_code, 0) << ran.log;
    return "lake";
  }

  TemporaryFolder folder_;
  json all_;
};

TEST_F(AnswersTest, InspectFits) {
  for (const std::string by : {"partition", "table", "hour", "service"}) {
    Expect("inspect", {"inspect", kCorner, "--by", by});
  }
  Expect("inspect", {"inspect", kCorner, "--by", "hour", "--deep"});
  Expect("inspect", {"inspect", kCorner, "--by", "service", "--deep"});
  Expect("inspect", {"inspect", MakeLake()});
}

TEST_F(AnswersTest, EveryRecordFits) {
  EXPECT_EQ(Expect("logs", {"logs", kCorner, "-n", "all"}).size(), 2000u);
  EXPECT_EQ(Expect("spans", {"spans", kCorner, "-n", "all"}).size(), 2000u);
  EXPECT_EQ(Expect("points", {"points", kCorner, "-n", "all"}).size(), 4998u);
  Expect("trace", {"trace", kCorner, "3a6b4b16b52398cd46fce627bf588ddc", "--with-logs"});
}

TEST_F(AnswersTest, CountsFit) {
  EXPECT_EQ(Expect("count", {"count", kCorner}).size(), 3u);
  Expect("count", {"count", kCorner, "logs", "--by", "service", "--every", "1h"});
}

TEST_F(AnswersTest, VerifyFits) {
  Expect("verify", {"verify", kCorner});
  Expect("verify", {"verify", kCorner, "--fast"});
  const std::string lake = MakeLake();
  Expect("verify", {"verify", lake, "--against", kCorner});
  fs::remove_all(folder_.path() / "lake/log_attrs");
  EXPECT_FALSE(Expect("verify", {"verify", lake}, 4)[0]["problems"].empty());
  const json compared = Expect("verify", {"verify", lake, "--against", kCorner}, 4)[0];
  EXPECT_GT(compared["signals"]["logs"]["against"]["only_there"], 0);
}

TEST_F(AnswersTest, CompactAndPruneFit) {
  Expect("compact", {"compact", kCorner, "--plan", "--older-than", "0s"});
  const std::string lake = MakeLake();
  MakeLake();
  const json done = Expect("compact", {"compact", lake, "--older-than", "0s"})[0];
  ASSERT_EQ(done["plan"], false);
  EXPECT_TRUE(done["groups"][0].contains("new_partitions")) << done;
  Expect("prune", {"prune", kCorner, "--plan", "--older-than", "1d"});
  Expect("prune", {"prune", lake, "--older-than", "1s"});
}

TEST_F(AnswersTest, ThePlanOfAReplayFits) {
  Expect("plan", {"replay", kCorner, "--to", "null", "--plan"});
}

TEST_F(AnswersTest, ACheckpointFits) {
  const Ran ran = RunIn(folder_.path(), {"replay", kCorner, "--to", "null", "--no-cache", "-q",
                                         "--checkpoint", "state/night"});
  EXPECT_EQ(ran.exit_code, 0) << ran.log;
  const json answer = Expect("checkpoint", {"checkpoint", "show", "state/night"})[0];
  EXPECT_EQ(answer["tables"].size(), 3u) << answer;
}

TEST_F(AnswersTest, AQuarantineFits) {
  const std::string lake = MakeLake();
  for (const auto& entry : fs::recursive_directory_iterator(folder_.path() / lake / "logs")) {
    if (entry.is_regular_file()) {
      fs::resize_file(entry.path(), fs::file_size(entry.path()) / 2);
    }
  }
  const Ran ran = RunIn(folder_.path(), {"replay", lake, "--to", "null", "--no-cache", "-q",
                                         "--checkpoint", "state/night"});
  EXPECT_EQ(ran.exit_code, 4) << ran.log;
  const json answer = Expect("quarantine", {"quarantine", "list", "state/night"})[0];
  ASSERT_FALSE(answer["entries"].empty());
  EXPECT_EQ(Expect("quarantine", {"quarantine", "show", "state/night", "1"})[0]["entries"][0],
            answer["entries"][0]);
}

TEST_F(AnswersTest, ValidateAndGraphFit) {
  for (const std::string name : {"two-pipelines-v1.yaml", "route-by-signal-v1.yaml"}) {
    const std::string document = OTAP_SOURCE_DIR "/configs/" + name;
    Expect("validate", {"validate", document});
    Expect("graph", {"graph", document});
  }
  std::ofstream(folder_.path() / "wrong.yaml") << "nodes: {a: {kind: reciever}}\n";
  EXPECT_FALSE(Expect("validate", {"validate", "wrong.yaml"}, 2)[0]["problems"].empty());
  const json answer = Expect(
      "validate", {"validate", "--env", OTAP_SOURCE_DIR "/configs/parquet-to-otlp-v1.yaml"}, 2)[0];
  EXPECT_EQ(answer["environment"].size(), 2u) << "paths are relative to another folder";
}

// A schema that lets everything pass would fit as well.
TEST_F(AnswersTest, AnAnswerWithAnotherKeyOrTypeDoesNotFit) {
  const json count = {{"signal", "logs"}, {"count", 1}};
  EXPECT_EQ(SchemaMismatch(count, SchemaOf("count")), "");
  EXPECT_NE(SchemaMismatch({{"signal", "logs"}, {"count", "1"}}, SchemaOf("count")), "");
  json plan = {{"batches", 1}, {"to", "null"}, {"logs", 1}};
  EXPECT_EQ(SchemaMismatch(plan, SchemaOf("plan")), "");
  plan["spans"] = 1;
  EXPECT_THAT(SchemaMismatch(plan, SchemaOf("plan")), HasSubstr("spans is not expected"));
  EXPECT_THAT(SchemaMismatch({{"trace_id", std::string(32, 'a')}}, SchemaOf("trace")),
              HasSubstr("spans is missing"));
}

}  // namespace
}  // namespace df::e2e
