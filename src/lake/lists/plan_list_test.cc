#include "lake/lists/plan_list.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/listed_files.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::ListedFileNames;
using df::testing::StatusMessages;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A base with files that hold nothing, and a plan beside it.
class PlanListTest : public ::testing::Test {
 protected:
  fs::path base() const { return folder_.path() / "base"; }
  fs::path plan() const { return folder_.path() / "plan.jsonl"; }

  void AddFile(const std::string& path, const std::string& bytes = "PAR1") {
    fs::create_directories((base() / path).parent_path());
    std::ofstream(base() / path) << bytes;
  }

  void WritePlan(const std::vector<std::string>& lines) {
    std::ofstream out(plan());
    for (const std::string& line : lines) {
      out << line << "\n";
    }
  }

  LakeListing List(std::vector<otap::Signal> signals = {otap::Signal::kLogs}) {
    fs::create_directories(base());
    PlanList list(storage::Store::Local(), base().string(), plan().string());
    auto listing = list.List(signals);
    EXPECT_TRUE(listing.ok()) << listing.status();
    return listing.ok() ? *listing : LakeListing();
  }

  df::testing::TemporaryFolder folder_;
};

std::string Line(const std::string& table, const std::string& path, const std::string& more = "") {
  return fmt::format(R"({{"table":"{}","partition":"_part_id=a","path":"{}"{}}})", table, path,
                     more);
}

TEST_F(PlanListTest, ListsTheFilesThatThePlanNames) {
  AddFile("anywhere/x.parquet");
  AddFile("anywhere/not-named.parquet");
  AddFile("y");
  WritePlan({PlanHeader(), Line("logs", "anywhere/x.parquet", R"(,"size":4,"rows":7)"), "",
             fmt::format(R"({{"table":"log_attrs","partition":"","path":"file://{}/y"}})",
                         base().string()),
             Line("span_links", "not-looked-at-since-no-spans-are-wanted")});
  const LakeListing listing = List();
  EXPECT_THAT(ListedFileNames(listing),
              ElementsAre("log_attrs  y", "logs _part_id=a anywhere/x.parquet"));
  EXPECT_THAT(listing.problems, IsEmpty());
  EXPECT_EQ(listing.num_files, 2);
  const FileEntry& entry =
      listing.partitions[1].tables[otap::TableIndex(otap::TableKind::kLogs)][0];
  EXPECT_EQ(entry.size_bytes, 4);
  EXPECT_EQ(entry.num_rows, 7);
  EXPECT_GT(entry.modified_nanos, 0);
  EXPECT_TRUE(entry.number.is_known());
}

struct BadLine {
  std::string line;
  std::vector<std::string> words;
};

class BadPlanLine : public PlanListTest, public ::testing::WithParamInterface<BadLine> {};

TEST_P(BadPlanLine, IsNamedAndCostsItself) {
  AddFile("good.parquet");
  AddFile("bad.parquet");
  WritePlan({Line("logs", "good.parquet"), GetParam().line});
  const LakeListing listing = List();
  EXPECT_THAT(ListedFileNames(listing), ElementsAre("logs _part_id=a good.parquet"));
  ASSERT_EQ(listing.problems.size(), 1U);
  EXPECT_THAT(listing.problems[0].message(), HasSubstr("plan.jsonl:2: "));
  for (const std::string& word : GetParam().words) {
    EXPECT_THAT(listing.problems[0].message(), HasSubstr(word));
  }
  EXPECT_THAT(listing.partitions[0].is_incomplete, Contains(true));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadPlanLine,
    ::testing::Values(
        BadLine{Line("logs", "gone.parquet"), {"the file is not there", "file=gone.parquet"}},
        BadLine{Line("logs", "no/folder/gone.parquet"),
                {"the folder of the file cannot be listed"}},
        BadLine{Line("logs", "bad.parquet", R"(,"size":5)"), {"of 4 bytes, expected 5"}},
        BadLine{Line("logs", "bad.parquet", R"(,"size":-1)"), {"size: found another number"}},
        BadLine{Line("logs", "bad.parquet", R"(,"rows":"7")"), {"rows: found string"}},
        BadLine{Line("logs", "bad.parquet", R"(,"colour":1)"), {"found key 'colour'"}},
        BadLine{Line("logz", "bad.parquet"), {"found table 'logz', expected one of the 27"}},
        BadLine{Line("log_attrs", "../x"),
                {"a part that is empty, '.' or '..'", "table=log_attrs"}},
        BadLine{Line("logs", "/etc/x"), {"'/etc/x', which is not below base_uri"}},
        BadLine{Line("logs", "s3://bucket/x"), {"which is not below base_uri"}},
        BadLine{Line("logs", ""), {"expected a file below it"}},
        BadLine{R"({"partition":"","path":"bad.parquet"})", {"table: found none"}},
        BadLine{R"({"table":"logs","path":"bad.parquet"})", {"partition: found none"}},
        BadLine{R"({"table":"logs","partition":"_part_id=","path":"bad.parquet"})",
                {"found partition '_part_id='"}},
        BadLine{R"({"table":"logs","partition":"a=1//b=2","path":"bad.parquet"})",
                {"found partition 'a=1//b=2'"}},
        BadLine{R"({"table":"logs",)", {"found no JSON object"}},
        BadLine{R"(["logs"])", {"found no JSON object"}},
        BadLine{Line("logs", std::string(kMaxPlanLineBytes, 'x')), {"more than 64KiB"}}));

TEST_F(PlanListTest, ReadsAFileOnceThatIsNamedTwice) {
  AddFile("a.parquet");
  fs::create_hard_link(base() / "a.parquet", base() / "b.parquet");
  WritePlan({Line("logs", "a.parquet"), Line("log_attrs", "a.parquet"), Line("logs", "b.parquet")});
  const LakeListing listing = List();
  EXPECT_THAT(ListedFileNames(listing), ElementsAre("logs _part_id=a a.parquet"));
  EXPECT_THAT(StatusMessages(listing.problems),
              ElementsAre(AllOf(HasSubstr("plan.jsonl:2: "), HasSubstr("plan.jsonl:1 already"))));
  EXPECT_THAT(StatusMessages(listing.notices), ElementsAre(HasSubstr("another name of a.parquet")));
}

TEST_F(PlanListTest, RefusesAPlanOfAnotherVersion) {
  WritePlan({R"({"version":2})"});
  fs::create_directories(base());
  PlanList list(storage::Store::Local(), base().string(), plan().string());
  const auto listing = list.List({otap::Signal::kLogs});
  EXPECT_THAT(listing.status().message(), HasSubstr("plan.jsonl:1: found version 2, expected 1"));
}

TEST_F(PlanListTest, NamesAPlanThatIsNotThere) {
  fs::create_directories(base());
  PlanList list(storage::Store::Local(), base().string(), plan().string());
  const auto listing = list.List({otap::Signal::kLogs});
  EXPECT_THAT(listing.status().message(), HasSubstr("plan.jsonl"));
  EXPECT_TRUE(IsRetryable(listing.status()));
}

TEST_F(PlanListTest, LinesThatAreWrittenAreRead) {
  AddFile("logs/_part_id=a/\xD7\xA9 \"x\".parquet");
  const FileEntry entry{.path = "logs/_part_id=a/\xD7\xA9 \"x\".parquet", .size_bytes = 4};
  WritePlan({PlanHeader(), PlanLine(otap::TableKind::kLogs, "_part_id=a", entry).ValueOrDie()});
  const LakeListing listing = List();
  EXPECT_THAT(ListedFileNames(listing), ElementsAre("logs _part_id=a " + entry.path));
  EXPECT_THAT(listing.problems, IsEmpty());
  EXPECT_FALSE(PlanLine(otap::TableKind::kLogs, "", {.path = "\xFF"}).ok());
}

}  // namespace
}  // namespace df::lake
