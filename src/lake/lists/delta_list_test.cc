#include "lake/lists/delta_list.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/counted_reads.h"
#include "testing/listed_files.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::ListedFileNames;
using df::testing::StatusMessages;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr const char* kProtocol = R"({"protocol":{"minReaderVersion":1,"minWriterVersion":2}})";

std::string Metadata(const std::string& configuration = "{}",
                     const std::string& partitioned_by = R"("_part_id")",
                     const std::string& provider = "parquet") {
  return fmt::format(
      R"({{"metaData":{{"id":"1","format":{{"provider":"{}","options":{{}}}},"schemaString":)"
      R"("{{\"type\":\"struct\",\"fields\":[{{\"name\":\"id\"}},{{\"name\":\"_part_id\"}}]}}",)"
      R"("partitionColumns":[{}],"configuration":{}}}}})",
      provider, partitioned_by, configuration);
}

std::string Add(const std::string& path, const std::string& part, const std::string& more = "") {
  return fmt::format(
      R"({{"add":{{"path":"{}","partitionValues":{{"_part_id":"{}"}},"size":4,"dataChange":true)"
      R"(,"stats":"{{\"numRecords\":7}}"{}}}}})",
      path, part, more);
}

std::string Remove(const std::string& path) {
  return fmt::format(R"({{"remove":{{"path":"{}","dataChange":true}}}})", path);
}

/// A Delta table of logs that tests write the log of.
class DeltaListTest : public ::testing::Test {
 protected:
  fs::path base() const { return folder_.path(); }
  fs::path log() const { return base() / "logs/_delta_log"; }

  void AddFile(const std::string& path) {
    fs::create_directories((base() / path).parent_path());
    std::ofstream(base() / path) << "PAR1";
  }

  void Commit(int64_t version, const std::vector<std::string>& actions) {
    fs::create_directories(log());
    std::ofstream out(log() / fmt::format("{:020}.json", version));
    for (const std::string& action : actions) {
      out << action << "\n";
    }
  }

  LakeListing List() {
    if (list_ == nullptr) {
      list_ = std::make_unique<DeltaList>(storage::Store::Local(), base().string(), DeltaOptions());
    }
    auto listing = list_->List({otap::Signal::kLogs});
    EXPECT_TRUE(listing.ok()) << listing.status();
    return listing.ok() ? *std::move(listing) : LakeListing();
  }

  df::testing::TemporaryFolder folder_;
  std::unique_ptr<DeltaList> list_;
};

TEST_F(DeltaListTest, ListsWhatWasAddedAndNotRemoved) {
  AddFile("logs/_part_id=a b/x.parquet");
  AddFile("logs/y.parquet");
  AddFile("logs/never-committed.parquet");
  // What stands in which order in a commit means nothing.
  Commit(0, {Add("_part_id=a%20b/x.parquet", "a b"), Metadata(), kProtocol,
             R"({"commitInfo":{"operation":"WRITE"}})"});
  Commit(1, {Add("y.parquet", "a b")});
  Commit(2, {Remove("y.parquet"), R"({"txn":{"appId":"a","version":1}})"});
  const LakeListing listing = List();
  EXPECT_THAT(ListedFileNames(listing),
              ElementsAre("logs _part_id=a b logs/_part_id=a b/x.parquet"));
  EXPECT_THAT(listing.problems, IsEmpty());
  EXPECT_EQ(listing.partitions[0].tables[otap::TableIndex(otap::TableKind::kLogs)][0].num_rows, 7);
}

TEST_F(DeltaListTest, ALaterListingReadsWhatIsNew) {
  AddFile("logs/x.parquet");
  AddFile("logs/y.parquet");
  Commit(0, {kProtocol, Metadata(), Add("x.parquet", "a")});
  EXPECT_THAT(ListedFileNames(List()), SizeIs(1));
  Commit(1, {Add("y.parquet", "a")});
  EXPECT_THAT(ListedFileNames(List()),
              ElementsAre("logs _part_id=a logs/x.parquet", "logs _part_id=a logs/y.parquet"));
  // Old commits may go: what they said is known.
  fs::remove(log() / "00000000000000000000.json");
  Commit(2, {Remove("x.parquet")});
  EXPECT_THAT(ListedFileNames(List()), ElementsAre("logs _part_id=a logs/y.parquet"));
}

TEST_F(DeltaListTest, FilesThatWereReplacedAreNamedWhateverTheLogSaysOfThem) {
  for (const char* file : {"x", "y", "z", "other"}) {
    AddFile(fmt::format("logs/{}.parquet", file));
  }
  Commit(0, {kProtocol, Metadata(), Add("x.parquet", "a"), Add("y.parquet", "a")});
  EXPECT_THAT(List().problems, IsEmpty());
  // Whole partitions that go, and others that come, repeat nothing.
  Commit(1, {Add("other.parquet", "b")});
  EXPECT_THAT(List().problems, IsEmpty());
  Commit(2, {Remove("x.parquet"), Remove("y.parquet"), Add("z.parquet", "a")});
  EXPECT_THAT(StatusMessages(List().problems),
              ElementsAre(AllOf(HasSubstr("has replaced 2 files"), HasSubstr("by 1 others"),
                                HasSubstr("z.parquet"), HasSubstr("_part_id=a"))));
  Commit(3, {Remove("other.parquet")});
  EXPECT_THAT(List().problems, IsEmpty());
}

TEST_F(DeltaListTest, ATableThatIsMadeAnewIsReadAnew) {
  AddFile("logs/x.parquet");
  AddFile("logs/y.parquet");
  Commit(0, {kProtocol, Metadata(), Add("x.parquet", "a")});
  EXPECT_THAT(ListedFileNames(List()), SizeIs(1));
  fs::remove_all(log());
  Commit(0, {kProtocol, Metadata(), Add("y.parquet", "b"), ""});
  EXPECT_THAT(ListedFileNames(List()), ElementsAre("logs _part_id=b logs/y.parquet"));
}

TEST_F(DeltaListTest, RowsThatAreWrittenAnewWhileFollowingAreNamed) {
  AddFile("logs/x.parquet");
  AddFile("logs/y.parquet");
  Commit(0, {kProtocol, Metadata(), Add("x.parquet", "a")});
  EXPECT_THAT(List().problems, IsEmpty());
  std::string rewritten = Add("y.parquet", "a");
  rewritten.replace(rewritten.find("true"), 4, "false");
  Commit(1, {Remove("x.parquet"), rewritten});
  const LakeListing listing = List();
  EXPECT_THAT(ListedFileNames(listing), ElementsAre("logs _part_id=a logs/y.parquet"));
  EXPECT_THAT(StatusMessages(listing.problems),
              ElementsAre(AllOf(HasSubstr("has replaced 1 files"), HasSubstr("y.parquet"))));
  EXPECT_THAT(List().problems, IsEmpty());
}

TEST_F(DeltaListTest, ARefusedLogIsReadAgainOnlyWhenItHasChanged) {
  AddFile("logs/x.parquet");
  Commit(0, {kProtocol, Metadata(), Add("x.parquet", "a")});
  Commit(1, {R"({"unknownAction":{}})"});
  const auto store = std::make_shared<df::testing::CountedFileSystem>();
  DeltaList list(std::shared_ptr<storage::Store>(storage::Store::Over(
                     storage::ParseStoreUri(base().string()).ValueOrDie(), {}, store)),
                 base().string(), DeltaOptions());
  const auto look = [&] {
    return StatusMessages(list.List({otap::Signal::kLogs}).ValueOrDie().problems);
  };
  const auto is_refused = ::testing::Contains(HasSubstr("unknownAction"));
  EXPECT_THAT(look(), is_refused);
  const int64_t num_bytes = store->num_bytes();
  EXPECT_GT(num_bytes, 0);
  EXPECT_THAT(look(), is_refused);
  EXPECT_EQ(store->num_bytes(), num_bytes);
  Commit(1, {R"({"txn":{"appId":"a","version":1}})"});
  EXPECT_THAT(look(), IsEmpty());
}

TEST_F(DeltaListTest, AMissingFileCostsItself) {
  AddFile("logs/x.parquet");
  Commit(0, {kProtocol, Metadata(), Add("x.parquet", "a"), Add("gone.parquet", "a"),
             Add("s3://elsewhere/z.parquet", "a")});
  const LakeListing listing = List();
  EXPECT_THAT(ListedFileNames(listing), ElementsAre("logs _part_id=a logs/x.parquet"));
  EXPECT_THAT(StatusMessages(listing.problems),
              ElementsAre(AllOf(HasSubstr("logs version 0"), HasSubstr("the file is not there")),
                          HasSubstr("not below base_uri")));
}

struct BadLog {
  std::vector<std::string> actions;  ///< of version 1
  std::string word;
};

class RefusedDelta : public DeltaListTest, public ::testing::WithParamInterface<BadLog> {};

TEST_P(RefusedDelta, IsNamedAndItsSignalIsNotListed) {
  AddFile("logs/x.parquet");
  Commit(0, {kProtocol, Metadata(), Add("x.parquet", "a")});
  Commit(1, GetParam().actions);
  const LakeListing listing = List();
  EXPECT_THAT(ListedFileNames(listing), IsEmpty());
  EXPECT_THAT(StatusMessages(listing.problems),
              ElementsAre(AllOf(HasSubstr("Delta table logs: "), HasSubstr(GetParam().word),
                                HasSubstr("nothing is read of logs"))));
  Commit(1, {R"({"commitInfo":{}})"});
  EXPECT_THAT(ListedFileNames(List()), SizeIs(1)) << "a log that is mended is read";
}

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedDelta,
    ::testing::Values(
        BadLog{{Add("x.parquet", "a", R"(,"deletionVector":{"storageType":"u"})")},
               "00000000000000000001.json:1: file x.parquet has a deletion vector"},
        BadLog{{Metadata(R"({"delta.columnMapping.mode":"name"})")}, "found column mapping 'name'"},
        BadLog{{Metadata("{}", R"("body")")}, "partitioned by body, a column of the model"},
        BadLog{{Metadata("{}", "", "csv")}, "format 'csv', expected parquet"},
        BadLog{{R"({"protocol":{"minReaderVersion":4}})"}, "minReaderVersion 4"},
        BadLog{{R"({"protocol":{"minReaderVersion":3,"readerFeatures":["timestampNtz",)"
                R"("deletionVectors","variantType"]}})"},
               "reader features deletionVectors, variantType"},
        BadLog{{R"({"sidecar":{}})"}, "action 'sidecar'"},
        BadLog{{R"({"add":{"path":"x","size":"4"}})"}, "size: found string"},
        BadLog{{R"({"add":{"size":4}})"}, "without a path"},
        BadLog{{R"({"remove":{"dataChange":true}})"}, "removed file without a path"},
        BadLog{{Add("./a.parquet", "a"), Remove("a.parquet")}, "found a.parquet removed"},
        BadLog{{R"({"add":)"}, "found no action"},
        BadLog{{R"({"add":{},"remove":{}})"}, "found no action"}));

TEST_F(DeltaListTest, AGapInTheVersionsIsNamed) {
  AddFile("logs/x.parquet");
  Commit(0, {kProtocol, Metadata(), Add("x.parquet", "a")});
  Commit(2, {Remove("x.parquet")});
  EXPECT_THAT(StatusMessages(List().problems),
              ElementsAre(HasSubstr("found no 00000000000000000001.json, and versions up to 2")));
  fs::remove(log() / "00000000000000000000.json");
  EXPECT_THAT(StatusMessages(List().problems),
              ElementsAre(HasSubstr("found no 00000000000000000000.json")));
}

TEST_F(DeltaListTest, ALogThatHasLostItsEndIsNamed) {
  Commit(0, {kProtocol, Metadata()});
  std::ofstream(log() / "_last_checkpoint") << R"({"version":10,"size":3})";
  EXPECT_THAT(StatusMessages(List().problems),
              ElementsAre(HasSubstr("found versions up to 0, expected 10 and more")));
}

TEST_F(DeltaListTest, CheckpointsInAnotherFormAreNamed) {
  Commit(0, {kProtocol, Metadata()});
  std::ofstream(log() / "00000000000000000000.checkpoint.80a083e8-7026.parquet") << "x";
  EXPECT_THAT(StatusMessages(List().problems),
              ElementsAre(HasSubstr("expected one in the form of")));
}

TEST_F(DeltaListTest, AFolderWithoutLogIsRefused) {
  AddFile("logs/x.parquet");
  EXPECT_THAT(StatusMessages(List().problems), ElementsAre(HasSubstr("found no _delta_log")));
}

TEST_F(DeltaListTest, NamesABaseThatIsATableItself) {
  fs::create_directories(base() / "_delta_log");
  DeltaList list(storage::Store::Local(), base().string(), {});
  EXPECT_THAT(list.List({otap::Signal::kLogs}).status().message(),
              HasSubstr("the base is a Delta table"));
}

class DeltaCheckpoint : public ::testing::TestWithParam<const char*> {};

/// Made by tests/cases/delta_checkpoint/make.py.
TEST_P(DeltaCheckpoint, GivesWhatThePastVersionsHaveSaid) {
  const fs::path base = fs::path(OTAP_SOURCE_DIR) / "tests/cases/delta_checkpoint" / GetParam();
  DeltaList list(storage::Store::Local(), base.string(), {});
  const LakeListing listing = list.List({otap::Signal::kLogs}).ValueOrDie();
  EXPECT_THAT(listing.problems, IsEmpty());
  ASSERT_THAT(listing.partitions, SizeIs(2));
  EXPECT_EQ(listing.partitions[0].partition, "_part_id=a");
  EXPECT_EQ(listing.partitions[1].partition, "_part_id=b b");
  const size_t logs = otap::TableIndex(otap::TableKind::kLogs);
  EXPECT_THAT(listing.partitions[0].tables[logs], SizeIs(2));
  ASSERT_THAT(listing.partitions[1].tables[logs], SizeIs(1));
  EXPECT_EQ(listing.partitions[1].tables[logs][0].num_rows, 2);
}

INSTANTIATE_TEST_SUITE_P(Form, DeltaCheckpoint, ::testing::Values("single", "parts"));

TEST_F(DeltaListTest, ACheckpointOfWhichAPartIsMissingDoesNotCount) {
  fs::copy(fs::path(OTAP_SOURCE_DIR) / "tests/cases/delta_checkpoint/parts", base(),
           fs::copy_options::recursive);
  fs::remove(log() / "00000000000000000001.checkpoint.0000000002.0000000002.parquet");
  EXPECT_THAT(StatusMessages(List().problems),
              ElementsAre(HasSubstr("found no 00000000000000000000.json, and versions up to 2")));
  std::ofstream(log() / "00000000000000000001.checkpoint.0000000002.0000000002.parquet") << "x";
  EXPECT_THAT(StatusMessages(List().problems),
              ElementsAre(HasSubstr("checkpoint.0000000002.0000000002.parquet: ")));
}

}  // namespace
}  // namespace df::lake
