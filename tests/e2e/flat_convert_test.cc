// Rows of a table, for tools that know nothing of stars.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine_process.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kLake = OTAP_SOURCE_DIR "/examples/data/corner/parquet";

class FlatConvertTest : public ::testing::Test {
 protected:
  Ran Convert(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"convert", kLake, "--no-cache"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunIn(folder_.path(), std::move(arguments));
  }
  static std::string ReadText(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  fs::path out() const { return folder_.path() / "out"; }

  TemporaryFolder folder_;
};

TEST_F(FlatConvertTest, EachSignalHasAFileInAFolder) {
  const Ran csv = Convert({"--to", "csv", "-o", out().string()});
  EXPECT_EQ(csv.exit_code, 0) << csv.log;
  EXPECT_THAT(csv.log, HasSubstr("wrote 2,000 logs to"));
  const Ran parquet = Convert({"--to", "flat-parquet", "-o", out().string()});
  EXPECT_EQ(parquet.exit_code, 0) << parquet.log;
  for (const char* name : {"logs", "spans", "points"}) {
    EXPECT_THAT(ReadText(out() / (std::string(name) + ".csv")), HasSubstr("\"service\""));
    const std::string bytes = ReadText(out() / (std::string(name) + ".parquet"));
    EXPECT_TRUE(bytes.starts_with("PAR1") && bytes.ends_with("PAR1")) << name;
  }
  // Nothing is left of how they were written.
  EXPECT_EQ(std::distance(fs::directory_iterator(out()), {}), 6);
}

TEST_F(FlatConvertTest, OneSignalGoesIntoAFileOrToStdout) {
  const fs::path file = folder_.path() / "spans.csv";
  ASSERT_EQ(Convert({"--to", "csv", "-o", file.string(), "--signal", "spans"}).exit_code, 0);
  const Ran piped = Convert({"--to", "csv", "-o", "-", "--signal", "spans", "--threads", "1"});
  EXPECT_EQ(piped.exit_code, 0) << piped.log;
  std::string text = ReadText(file);
  EXPECT_EQ(text.size(), piped.output.size());
}

TEST_F(FlatConvertTest, WhatCannotBeIsRefusedAndLeavesNothing) {
  const Ran several = Convert({"--to", "csv", "-o", "all.csv"});
  EXPECT_EQ(several.exit_code, 2);
  EXPECT_THAT(several.log, HasSubstr("one file holds one signal"));
  const Ran piped = Convert({"--to", "flat-parquet", "-o", "-", "--signal", "logs"});
  EXPECT_EQ(piped.exit_code, 2);
  EXPECT_THAT(piped.log, HasSubstr("Parquet is not for stdout"));
  const Ran other = Convert({"--to", "csv", "-o", "logs.parquet", "--signal", "logs"});
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.log, HasSubstr("expected a name that ends in .csv"));
  const Ran receipt = Convert({"--to", "csv", "-o", out().string(), "--receipt", "r.json"});
  EXPECT_EQ(receipt.exit_code, 2);
  EXPECT_THAT(receipt.log, HasSubstr("written without one"));
  const Ran none = Convert({"--to", "csv", "-o", out().string(), "--service", "nobody"});
  EXPECT_EQ(none.exit_code, 5);
  EXPECT_FALSE(fs::exists(out()));
  EXPECT_FALSE(fs::exists(folder_.path() / "all.csv"));
}

}  // namespace
}  // namespace df::e2e
