#include "app/receipt.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "engine/account.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string Read(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class ReceiptTest : public ::testing::Test {
 protected:
  ReceiptTest() {
    folder_ = fs::path(::testing::TempDir()) / ("receipt_test_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  ~ReceiptTest() override { fs::remove_all(folder_); }

  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  fs::path folder_;
};

TEST_F(ReceiptTest, IsPutInPlaceOfTheOldOneAndLeavesNothingBeside) {
  const fs::path path = folder_ / "receipt.json";
  const ReceiptFile file = ReceiptFile::Make(path.string()).ValueOrDie();
  EXPECT_THAT(Files(), IsEmpty()) << "trying leaves nothing";
  ASSERT_TRUE(file.Write("one").ok());
  EXPECT_EQ(Read(path), "one");
  ASSERT_TRUE(file.Write("2").ok());
  EXPECT_EQ(Read(path), "2");
  EXPECT_THAT(Files(), ElementsAre("receipt.json"));
}

TEST_F(ReceiptTest, FollowsALink) {
  fs::create_directories(folder_ / "real");
  std::ofstream(folder_ / "real/r.json") << "old";
  fs::create_symlink(folder_ / "real/r.json", folder_ / "link.json");
  const ReceiptFile file = ReceiptFile::Make((folder_ / "link.json").string()).ValueOrDie();
  ASSERT_TRUE(file.Write("new").ok());
  EXPECT_TRUE(fs::is_symlink(folder_ / "link.json"));
  EXPECT_EQ(Read(folder_ / "real/r.json"), "new");
}

TEST_F(ReceiptTest, WhatCannotBeWrittenIsSaidBeforeTheStart) {
  EXPECT_THAT(ReceiptFile::Make((folder_ / "none/r.json").string()).status().message(),
              HasSubstr("cannot be written: No such file or directory"));
  EXPECT_THAT(ReceiptFile::Make(folder_.string()).status().message(), HasSubstr("Is a directory"));
}

TEST_F(ReceiptTest, ADeviceStaysADevice) {
  const ReceiptFile full = ReceiptFile::Make("/dev/full").ValueOrDie();
  EXPECT_THAT(full.Write("x").message(), HasSubstr("/dev/full: cannot be written: No space left"));
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
  EXPECT_TRUE(ReceiptFile::Make("/dev/null").ValueOrDie().Write("x").ok());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
}

TEST_F(ReceiptTest, AFailureKeepsTheOldOne) {
  const fs::path path = folder_ / "sub/receipt.json";
  fs::create_directories(folder_ / "sub");
  std::ofstream(path) << "old";
  const ReceiptFile file = ReceiptFile::Make(path.string()).ValueOrDie();
  // The name of the file that is written first is taken.
  fs::create_directories(path.string() + ".tmp-" + std::to_string(getpid()));
  EXPECT_FALSE(file.Write("new").ok());
  EXPECT_EQ(Read(path), "old");
}

TEST(FormatReceipt, BrokenSumsAreNamed) {
  auto source = std::make_shared<engine::SourceAccount>();
  source->signals.push_back({.signal = otap::Signal::kLogs, .listed = 5});
  controller::NodeSummary lake{.name = "lake", .urn = "u", .report = {}};
  lake.report.source = std::move(source);
  controller::RunResult result;
  result.signal = SIGINT;
  result.pipelines.emplace_back().nodes.push_back(std::move(lake));
  const auto json = nlohmann::json::parse(FormatReceipt(result, {.document = "a", .exit_code = 1}));
  EXPECT_THAT(json["broken_sums"].at(0).get<std::string>(),
              HasSubstr("lake: the sums of logs do not hold"));
  EXPECT_EQ(json["outcome"], "failed");
  EXPECT_EQ(json["stopped_by"], "SIGINT");
}

TEST(Sha256, IsThatOfTheText) {
  EXPECT_EQ(Sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace df::app
