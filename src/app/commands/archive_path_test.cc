#include "app/commands/archive_path.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace df::app {
namespace {

namespace fs = std::filesystem;
using otap::Signal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ArchivePathTest : public ::testing::Test {
 protected:
  ArchivePathTest() {
    std::string pattern = (fs::temp_directory_path() / "archive-path-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    Touch("lake/logs/date=2026-11-26/hour=14/_part_id=a/part-1.parquet");
    Touch("lake/logs/date=2026-11-27/hour=00/_part_id=b/part-2.parquet");
    Touch("lake/log_attrs/date=2026-11-26/hour=14/_part_id=a/part-1.parquet");
    Touch("lake/resource_attrs/date=2026-11-26/hour=14/_part_id=a/part-1.parquet");
    Touch("other/deep/spans/part-1.parquet");
    Touch("flat/part-1.parquet");
    Touch("notes.txt");
    fs::create_directories(folder_ / "empty");
  }
  ~ArchivePathTest() override { fs::remove_all(folder_); }

  void Touch(const std::string& path) {
    fs::create_directories((folder_ / path).parent_path());
    std::ofstream(folder_ / path) << "x";
  }
  std::string In(const std::string& path) const { return (folder_ / path).string(); }
  std::string ErrorOf(const std::string& path) const {
    const auto found = ResolvePath(path);
    return found.ok() ? "found " + found->base : found.status().message();
  }

  fs::path folder_;
};

TEST_F(ArchivePathTest, ABaseIsItself) {
  for (const char* slash : {"", "/", "/."}) {
    const auto found = ResolvePath(In("lake") + slash);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->base, In("lake"));
    EXPECT_THAT(found->signals, ElementsAre(Signal::kLogs, Signal::kTraces, Signal::kMetrics));
    EXPECT_THAT(found->partitions, IsEmpty());
    EXPECT_EQ(found->notice, "");
  }
}

TEST_F(ArchivePathTest, AFolderAboveASingleBaseStandsForIt) {
  const auto found = ResolvePath(In("other"));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->base, In("other/deep"));
  EXPECT_THAT(found->notice, HasSubstr("reading '" + In("other/deep") + "'"));
  EXPECT_THAT(ErrorOf(In("")), HasSubstr(In("lake"))) << "the nearest ones";
}

TEST_F(ArchivePathTest, WhatIsStagedIsNoArchive) {
  Touch("fresh/_staging/63b4/logs/part-1.parquet");
  EXPECT_THAT(ErrorOf(In("fresh")), HasSubstr("holds no telemetry"));
}

TEST_F(ArchivePathTest, SeveralBasesMustBeNamed) {
  fs::rename(folder_ / "other/deep", folder_ / "deep");
  EXPECT_THAT(
      ErrorOf(folder_.string()),
      ::testing::AllOf(HasSubstr("2 archives"), HasSubstr(In("lake")), HasSubstr(In("deep"))));
}

TEST_F(ArchivePathTest, ATableNamesItsSignals) {
  const auto logs = ResolvePath(In("lake/logs/"));
  ASSERT_TRUE(logs.ok()) << logs.status();
  EXPECT_EQ(logs->base, In("lake"));
  EXPECT_THAT(logs->signals, ElementsAre(Signal::kLogs));
  EXPECT_THAT(logs->partitions, IsEmpty());
  EXPECT_THAT(ResolvePath(In("lake/log_attrs"))->signals, ElementsAre(Signal::kLogs));
  EXPECT_EQ(ResolvePath(In("lake/resource_attrs"))->signals.size(), 3);
}

TEST_F(ArchivePathTest, AFolderInATableNamesPartitions) {
  const auto found = ResolvePath(In("lake/logs/date=2026-11-26"));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->base, In("lake"));
  EXPECT_THAT(found->partitions, ElementsAre("date=2026-11-26", "date=2026-11-26/*"));
}

TEST_F(ArchivePathTest, AFileNamesItself) {
  const auto found = ResolvePath(In("lake/logs/date=2026-11-26/hour=14/_part_id=a/part-1.parquet"));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->base, In("lake"));
  EXPECT_EQ(found->file, "logs/date=2026-11-26/hour=14/_part_id=a/part-1.parquet");
  EXPECT_THAT(found->partitions, ElementsAre("date=2026-11-26/hour=14/_part_id=a",
                                             "date=2026-11-26/hour=14/_part_id=a/*"));
  EXPECT_THAT(ErrorOf(In("lake/log_attrs/date=2026-11-26/hour=14/_part_id=a/part-1.parquet")),
              HasSubstr("name a file of logs, or the folder"));
  EXPECT_THAT(ErrorOf(In("notes.txt")), HasSubstr("is a file, expected"));
  EXPECT_THAT(ErrorOf(In("flat/part-1.parquet")), HasSubstr("is a file, expected"));
}

TEST_F(ArchivePathTest, PathsMayBeRelative) {
  const fs::path before = fs::current_path();
  fs::current_path(folder_ / "lake");
  const auto base = ResolvePath(".");
  const auto table = ResolvePath("logs");
  const auto file = ResolvePath("logs/date=2026-11-27/hour=00/_part_id=b/part-2.parquet");
  fs::current_path(before);
  ASSERT_TRUE(base.ok() && table.ok() && file.ok());
  EXPECT_EQ(base->base, ".");
  EXPECT_EQ(table->base, ".");
  EXPECT_EQ(file->base, ".");
  EXPECT_EQ(file->file, "logs/date=2026-11-27/hour=00/_part_id=b/part-2.parquet");
}

TEST_F(ArchivePathTest, PatternsNamePartitionsOrASinglePlace) {
  const auto days = ResolvePath(In("lake/logs/date=2026-11-2*/hour=1?"));
  ASSERT_TRUE(days.ok()) << days.status();
  EXPECT_EQ(days->base, In("lake"));
  EXPECT_THAT(days->partitions,
              ElementsAre("date=2026-11-2*/hour=1?", "date=2026-11-2*/hour=1?/*"));
  EXPECT_EQ(ResolvePath(In("la*"))->base, In("lake"));
  EXPECT_THAT(ErrorOf(In("la*/logs")), "found " + In("lake"));
  EXPECT_THAT(ErrorOf(In("*")), HasSubstr("matches 5 places"));
  EXPECT_THAT(ErrorOf(In("zz*")), HasSubstr("matches nothing"));
}

TEST_F(ArchivePathTest, LiteralNamesAreNoPatterns) {
  Touch("lake/logs/tenant=[a]*/part-9.parquet");
  const auto found = ResolvePath(In("lake/logs/tenant=[a]*"));
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_THAT(found->partitions, ElementsAre("tenant=\\[a]\\*", "tenant=\\[a]\\*/*"));
}

TEST_F(ArchivePathTest, AWrongPathSaysWhatWasMeant) {
  EXPECT_THAT(ErrorOf(In("lkae")),
              HasSubstr("no such file or folder; did you mean '" + In("lake")));
  EXPECT_THAT(ErrorOf(In("lkae/logs/x")), HasSubstr("did you mean '" + In("lake")));
  EXPECT_THAT(ErrorOf(In("flat")), HasSubstr("holds 1 .parquet files itself"));
  EXPECT_THAT(ErrorOf(In("empty")), HasSubstr("holds no telemetry"));
  EXPECT_THAT(ErrorOf("~/lake"), HasSubstr("where the shell replaces it"));
  EXPECT_THAT(ErrorOf("ftp://x/y"), HasSubstr("ftp"));
}

TEST_F(ArchivePathTest, ObjectsAreTakenApartByTheirNames) {
  EXPECT_EQ(ResolvePath("s3://bucket/lake")->base, "s3://bucket/lake");
  const auto table = ResolvePath("s3://bucket/lake/logs/");
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->base, "s3://bucket/lake");
  EXPECT_THAT(table->signals, ElementsAre(Signal::kLogs));
  const auto day = ResolvePath("gs://bucket/spans/date=2026-11-26");
  ASSERT_TRUE(day.ok()) << day.status();
  EXPECT_EQ(day->base, "gs://bucket");
  EXPECT_THAT(day->partitions, ElementsAre("date=2026-11-26", "date=2026-11-26/*"));
}

}  // namespace
}  // namespace df::app
