// df_engine checkpoint: what operators do with the checkpoint of a replay.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "engine_process.h"
#include "http_server.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kLake = OTAP_SOURCE_DIR "/examples/data/corner/parquet";

std::string ReadText(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class CheckpointCommandTest : public ::testing::Test {
 protected:
  Ran Run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "checkpoint");
    return RunIn(folder_.path(), std::move(arguments));
  }

  /// Replays logs with the checkpoint state/NAME. Returns how many were delivered.
  std::string Replay(const std::string& name) const {
    const Ran ran = RunIn(folder_.path(), {"replay", kLake, "--to", "null", "--no-cache",
                                           "--signal", "logs", "--checkpoint", "state/" + name});
    EXPECT_EQ(ran.exit_code, 0) << ran.log;
    const size_t begin = ran.log.find("delivered ");
    return begin == std::string::npos ? ran.log
                                      : ran.log.substr(begin, ran.log.find(" logs", begin) - begin);
  }

  std::vector<json> Audit(const std::string& name) const {
    std::vector<json> lines;
    std::ifstream file(folder_.path() / "state" / (name + ".audit.jsonl"));
    for (std::string line; std::getline(file, line);) {
      lines.push_back(json::parse(line));
    }
    return lines;
  }

  TemporaryFolder folder_;
};

TEST_F(CheckpointCommandTest, ShowSaysWhatWasDelivered) {
  EXPECT_EQ(Replay("night"), "delivered 2,000");
  const Ran shown = Run({"show", "state/night"});
  EXPECT_EQ(shown.exit_code, 0) << shown.log;
  EXPECT_THAT(shown.output,
              AllOf(HasSubstr("checkpoint state/night, format version 1\n"),
                    HasSubstr("  base       "), HasSubstr("  selection  everything\n"),
                    HasSubstr("  last save  2"), HasSubstr("2,000       2,000\n")));
  const json answer = json::parse(Run({"show", "state/night", "--json"}).output);
  EXPECT_EQ(answer["version"], 1);
  EXPECT_EQ(answer["selection"], "");
  ASSERT_EQ(answer["tables"].size(), 1u) << answer;
  EXPECT_EQ(answer["tables"][0]["signal"], "logs");
  EXPECT_EQ(answer["tables"][0]["rows_delivered"], 2000);
  EXPECT_EQ(answer["tables"][0]["files"], answer["tables"][0]["files_whole"]);
  EXPECT_EQ(Audit("night").size(), 0u) << "who looks changes nothing";
}

TEST_F(CheckpointCommandTest, WhatIsNotThereIsSaidSo) {
  for (const std::string action : {"show", "export", "reset"}) {
    const Ran ran = Run({action, "state/none"});
    EXPECT_EQ(ran.exit_code, 5) << ran.log;
    EXPECT_THAT(ran.log, HasSubstr("state/none: there is no such checkpoint"));
  }
  EXPECT_FALSE(fs::exists(folder_.path() / "state")) << "nothing is made to look for it";
  EXPECT_EQ(Run({"show", "state/.hidden"}).exit_code, 2);
  EXPECT_EQ(Run({"shwo", "state/none"}).exit_code, 2);
  EXPECT_THAT(Run({"shwo", "state/none"}).log, HasSubstr("did you mean 'show'?"));
  EXPECT_EQ(Run({"show", "state/none", "--yes"}).exit_code, 2);
  EXPECT_EQ(Run({"import", "state/none"}).exit_code, 2);
}

TEST_F(CheckpointCommandTest, WhatWasExportedIsImportedAndGoneOnFrom) {
  EXPECT_EQ(Replay("night"), "delivered 2,000");
  const Ran exported = Run({"export", "state/night", "-o", "night.json"});
  EXPECT_EQ(exported.exit_code, 0) << exported.log;
  EXPECT_EQ(Run({"export", "state/night"}).output, ReadText(folder_.path() / "night.json"));
  EXPECT_EQ(Run({"import", "state/other", "night.json"}).exit_code, 0);
  EXPECT_EQ(Replay("other"), "delivered 0");
  const std::vector<json> audit = Audit("other");
  ASSERT_EQ(audit.size(), 1u);
  EXPECT_EQ(audit[0]["action"], "import");
  EXPECT_EQ(audit[0]["rows_before"], 0);
  EXPECT_EQ(audit[0]["rows_after"], 2000);
  EXPECT_EQ(audit[0]["user"], getuid());

  const Ran again = Run({"import", "state/other", "night.json"});
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.log, HasSubstr("give --replace"));
  EXPECT_EQ(Audit("other").size(), 1u);
  EXPECT_EQ(Run({"import", "state/other", "night.json", "--replace"}).exit_code, 0);
  EXPECT_EQ(Audit("other").back()["rows_before"], 2000);
  // Printed for people it is the same document.
  std::ofstream(folder_.path() / "pretty.json")
      << nlohmann::ordered_json::parse(
             exported.output.empty() ? ReadText(folder_.path() / "night.json") : exported.output)
             .dump(2);
  EXPECT_EQ(Run({"import", "state/pretty", "pretty.json"}).exit_code, 0);
}

TEST_F(CheckpointCommandTest, DocumentsThatAreDamagedForeignOrNewerAreRefused) {
  EXPECT_EQ(Replay("night"), "delivered 2,000");
  const std::string good = Run({"export", "state/night"}).output;
  const auto refusal = [&](const std::string& text) {
    std::ofstream(folder_.path() / "wrong.json") << text;
    const Ran ran = Run({"import", "state/wrong", "wrong.json"});
    EXPECT_EQ(ran.exit_code, 2) << ran.log;
    EXPECT_FALSE(fs::exists(folder_.path() / "state/wrong.sqlite"));
    return ran.log;
  };
  EXPECT_THAT(refusal(good.substr(0, good.size() / 2)), HasSubstr("found no JSON: it is damaged"));
  std::string changed = good;
  changed.replace(changed.find("\"delivered\":\"all\""), 17, "\"delivered\":[[0,0,1]]");
  EXPECT_THAT(refusal(changed), HasSubstr("it is damaged, or was changed: found digest"));
  EXPECT_THAT(refusal("{\"pipelines\": []}"), HasSubstr("it is not an export of a checkpoint"));
  EXPECT_THAT(refusal("[]"), HasSubstr("it is not an export of a checkpoint"));
  std::string newer = good;
  newer.replace(newer.find("\"version\":1"), 11, "\"version\":2");
  EXPECT_THAT(refusal(newer), HasSubstr("found version 2, expected 1 at most"));
  EXPECT_EQ(Run({"import", "state/wrong", "nowhere.json"}).exit_code, 2);
}

TEST_F(CheckpointCommandTest, ResetHasEverythingSentAgain) {
  EXPECT_EQ(Replay("night"), "delivered 2,000");
  const Ran refused = Run({"reset", "state/night"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.log, HasSubstr("expected --yes"));
  EXPECT_EQ(Replay("night"), "delivered 0");
  const Ran done = Run({"reset", "state/night", "--yes"});
  EXPECT_EQ(done.exit_code, 0) << done.log;
  EXPECT_THAT(done.output, HasSubstr("2,000 records in "));
  ASSERT_EQ(Audit("night").size(), 1u);
  EXPECT_EQ(Audit("night")[0]["action"], "reset");
  EXPECT_EQ(Audit("night")[0]["rows_before"], 2000);
  EXPECT_EQ(Audit("night")[0]["rows_after"], 0);
  EXPECT_EQ(Run({"show", "state/night"}).exit_code, 5);
  EXPECT_EQ(Replay("night"), "delivered 2,000");
}

TEST_F(CheckpointCommandTest, WhatAReplayHasIsLeftAlone) {
  EXPECT_EQ(Replay("live"), "delivered 2,000");
  const std::string exported = Run({"export", "state/live"}).output;
  std::ofstream(folder_.path() / "live.json") << exported;
  fs::create_directory(folder_.path() / "running");
  EngineProcess follower(folder_.path() / "running",
                         {.arguments = {"replay", kLake, "--to", "null", "--no-cache", "--signal",
                                        "logs", "--follow", "--checkpoint", "live"}});
  ASSERT_TRUE(follower.WaitForOutput(
      [&](const std::string&) { return !ReadText(folder_.path() / "running/live.lock").empty(); }));
  const std::vector<std::vector<std::string>> all = {
      {"show", "running/live"},
      {"export", "running/live"},
      {"import", "running/live", "live.json", "--replace"},
      {"reset", "running/live", "--yes"}};
  for (const std::vector<std::string>& one : all) {
    const Ran ran = Run(one);
    EXPECT_EQ(ran.exit_code, 1) << one[0];
    EXPECT_THAT(ran.log, ::testing::ContainsRegex("process [0-9]+ \\(df_engine\\) has this"))
        << one[0];
  }
  EXPECT_FALSE(fs::exists(folder_.path() / "running/live.audit.jsonl"));
}

}  // namespace
}  // namespace df::e2e
