#include "lake/catalog/catalog.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <arrow/filesystem/mockfs.h>
#include <arrow/util/io_util.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/catalog/table_walk.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Property;
using ::testing::SizeIs;

/// A store with objects of names that no directory has.
class Listed final : public arrow::fs::internal::MockFileSystem {
 public:
  Listed() : MockFileSystem(arrow::fs::TimePoint{}) {}
  using MockFileSystem::GetFileInfo;
  arrow::Result<arrow::fs::FileInfoVector> GetFileInfo(const arrow::fs::FileSelector&) override {
    arrow::fs::FileInfoVector found;
    for (const char* path : {"b/logs/p=1/good.parquet", "b/logs/p=1//x.parquet",
                             "b/logs/../y.parquet", "b//logs/z.parquet", "b//note.txt"}) {
      found.emplace_back(path, arrow::fs::FileType::File);
    }
    return found;
  }
};

/// A tree whose files have a name and no content: listing opens none.
class CatalogTest : public ::testing::Test {
 protected:
  CatalogTest() { fs::create_directories(base()); }

  fs::path base() const { return folder_.path() / "lake"; }

  void Write(const std::string& path) {
    fs::create_directories((base() / path).parent_path());
    std::ofstream(base() / path) << path;
  }

  LakeListing List(const std::vector<otap::Signal>& signals = {otap::Signal::kLogs}) {
    return ListLake(local_, base().string(), signals).ValueOrDie();
  }

  /// "partition: path" of every file.
  static std::vector<std::string> Files(const LakeListing& listing) {
    std::vector<std::string> files;
    for (const PartitionListing& partition : listing.partitions) {
      for (const auto& table : partition.tables) {
        for (const FileEntry& entry : table) {
          files.push_back(partition.partition + ": " + entry.path);
        }
      }
    }
    return files;
  }

  df::testing::TemporaryFolder folder_;
  std::shared_ptr<storage::Store> local_store_ = storage::Store::Local();
  storage::Store& local_ = *local_store_;
};

TEST_F(CatalogTest, ALinkBesideItsFileIsNoSecondFile) {
  Write("logs/p=1/part-2.parquet");
  fs::create_symlink("part-2.parquet", base() / "logs/p=1/latest.parquet");
  const LakeListing listing = List();
  EXPECT_THAT(Files(listing), ElementsAre("p=1: logs/p=1/part-2.parquet"));
  EXPECT_EQ(listing.num_files, 1);
  EXPECT_THAT(listing.problems, IsEmpty());
  ASSERT_THAT(listing.notices, SizeIs(1));
  EXPECT_THAT(listing.notices[0].message(), HasSubstr("logs/p=1/latest.parquet"));
  EXPECT_THAT(listing.notices[0].message(), HasSubstr("another name of logs/p=1/part-2.parquet"));
}

TEST_F(CatalogTest, HardLinksAreOneFileWhateverTheirFolder) {
  Write("logs/p=1/a.parquet");
  Write("logs/p=1/other.parquet");
  fs::create_hard_link(base() / "logs/p=1/a.parquet", base() / "logs/p=1/b.parquet");
  fs::create_directories(base() / "logs/p=2");
  fs::create_hard_link(base() / "logs/p=1/a.parquet", base() / "logs/p=2/a.parquet");
  const LakeListing listing = List();
  EXPECT_THAT(Files(listing),
              ElementsAre("p=1: logs/p=1/a.parquet", "p=1: logs/p=1/other.parquet"));
  EXPECT_THAT(listing.partitions, SizeIs(1));
  EXPECT_THAT(listing.notices, SizeIs(2)) << "one a folder";
}

TEST_F(CatalogTest, ManyFoldersOfSeveralTablesAreListedAsFewAre) {
  std::vector<std::string> expected;
  for (int partition = 100; partition < 180; ++partition) {
    for (const char* table : {"resource_attrs", "scope_attrs", "logs", "log_attrs"}) {
      for (const char* file : {"a", "b"}) {
        const std::string path = fmt::format("{}/p={}/{}.parquet", table, partition, file);
        Write(path);
        expected.push_back(fmt::format("p={}: {}", partition, path));
      }
    }
  }
  for (const char* table : {"log_attrs", "logs", "scope_attrs"}) {
    Write(fmt::format("{}/p=/lost.parquet", table));
    fs::create_directory_symlink("p=100", base() / table / "p=alias");
  }
  for (int round = 0; round < 5; ++round) {
    const LakeListing listing = List();
    EXPECT_EQ(Files(listing), expected);
    EXPECT_EQ(listing.num_files, std::ssize(expected));
    EXPECT_THAT(listing.problems,
                ElementsAre(Property(&Status::message, HasSubstr("log_attrs/p=")),
                            Property(&Status::message, HasSubstr("file=logs/p=")),
                            Property(&Status::message, HasSubstr("scope_attrs/p="))));
    EXPECT_THAT(listing.notices,
                ElementsAre(Property(&Status::message, HasSubstr("log_attrs/p=alias")),
                            Property(&Status::message, HasSubstr("file=logs/p=alias")),
                            Property(&Status::message, HasSubstr("scope_attrs/p=alias"))));
  }
}

/// Directories of which one goes between its name and its listing, and one cannot be listed.
class Vanishing final : public storage::DirectoryReader {
 public:
  Result<storage::DirectoryListing> List(const std::string& path) override {
    if (path.ends_with("p=1")) {
      return arrow::internal::IOErrorFromErrno(ENOENT, "gone");
    }
    return Status::IOError("denied");
  }
  std::vector<storage::FileNumber> NumbersUpFrom(const std::string&) override { return {}; }
  storage::FileNumber NumberOf(const std::string&) override { return {}; }
};

TEST(TableWalk, AFolderThatGoesWhileItIsListedIsNoProblem) {
  storage::DirectoryListing top;
  for (const char* name : {"p=1", "p=2"}) {
    storage::DirectoryEntry entry;
    entry.name = name;
    entry.is_directory = true;
    top.entries.push_back(entry);
  }
  Vanishing directories;
  const TableListing listing =
      WalkTable(&directories, "b", otap::TableKind::kLogs, top, {}, nullptr);
  EXPECT_THAT(listing.problems,
              ElementsAre(Property(&Status::message, HasSubstr("file=logs/p=2"))));
  EXPECT_TRUE(listing.is_incomplete);
}

TEST_F(CatalogTest, TheSameFileInTwoTablesIsLeftToTheirReaders) {
  Write("logs/a.parquet");
  fs::create_directories(base() / "log_attrs");
  fs::create_hard_link(base() / "logs/a.parquet", base() / "log_attrs/a.parquet");
  EXPECT_THAT(Files(List()), SizeIs(2));
}

TEST_F(CatalogTest, ADirectoryIsWalkedOnceByItsRealName) {
  Write("logs/a/p=1/x.parquet");
  Write("logs/z/p=2/y.parquet");
  fs::create_directory_symlink("../z", base() / "logs/a/later");
  fs::create_directory_symlink("a", base() / "logs/alias");
  const LakeListing listing = List();
  EXPECT_THAT(Files(listing),
              ElementsAre("a/p=1: logs/a/p=1/x.parquet", "z/p=2: logs/z/p=2/y.parquet"));
  EXPECT_THAT(listing.problems, IsEmpty());
  EXPECT_THAT(listing.notices, SizeIs(2));
}

TEST_F(CatalogTest, ALinkToAFolderElsewhereIsAPartition) {
  fs::create_directories(folder_.path() / "disk2");
  std::ofstream(folder_.path() / "disk2/x.parquet") << "x";
  fs::create_directories(base() / "logs");
  fs::create_directory_symlink(folder_.path() / "disk2", base() / "logs/p=1");
  const LakeListing listing = List();
  EXPECT_THAT(Files(listing), ElementsAre("p=1: logs/p=1/x.parquet"));
  EXPECT_THAT(listing.notices, IsEmpty());
}

TEST_F(CatalogTest, CirclesEnd) {
  Write("logs/p=1/x.parquet");
  for (const char* name : {"one", "two", "three", "four", "five"}) {
    fs::create_directory_symlink(".", base() / "logs/p=1" / name);
    fs::create_directory_symlink("..", base() / "logs/p=1" / (std::string(name) + "-up"));
  }
  const LakeListing listing = List();
  EXPECT_THAT(Files(listing), ElementsAre("p=1: logs/p=1/x.parquet"));
  EXPECT_THAT(listing.problems, IsEmpty());
  EXPECT_THAT(listing.notices, SizeIs(10));
}

TEST_F(CatalogTest, NoLinkLeadsOutOfATableIntoAnotherOrAboveTheBase) {
  Write("logs/p=1/x.parquet");
  Write("log_attrs/p=1/y.parquet");
  fs::create_directory_symlink("../../log_attrs", base() / "logs/p=1/attributes");
  fs::create_directory_symlink("..", base() / "logs/up");
  fs::create_directory_symlink("../..", base() / "logs/further");
  fs::create_directory_symlink("/", base() / "logs/root");
  const LakeListing listing = List();
  EXPECT_THAT(Files(listing),
              ElementsAre("p=1: logs/p=1/x.parquet", "p=1: log_attrs/p=1/y.parquet"));
  EXPECT_THAT(listing.notices, SizeIs(4));
}

TEST_F(CatalogTest, AFolderNamedLikeAFileIsNoPartition) {
  Write("logs/p=1/x.parquet/part-0.parquet");
  Write("logs/p=1/x.parquet/_SUCCESS");
  Write("log_attrs/p=1/y.parquet");
  const LakeListing listing = List();
  EXPECT_THAT(Files(listing), ElementsAre("p=1: logs/p=1/x.parquet/part-0.parquet",
                                          "p=1: log_attrs/p=1/y.parquet"));
  EXPECT_THAT(listing.problems, IsEmpty());
  ASSERT_THAT(listing.notices, SizeIs(1));
  EXPECT_THAT(listing.notices[0].message(), HasSubstr("logs/p=1/x.parquet"));
}

TEST(CatalogOfObjects, NamesThatCannotBeWalkedAreNamed) {
  const auto objects = std::make_shared<Listed>();
  const auto store =
      storage::Store::Over({.kind = storage::StoreKind::kS3, .path = "b"}, {}, objects);
  const LakeListing listing = ListLake(*store, "b", {otap::Signal::kLogs}).ValueOrDie();
  ASSERT_THAT(listing.problems, SizeIs(3));
  std::string messages;
  for (const Status& problem : listing.problems) {
    messages += problem.message() + "\n";
  }
  EXPECT_THAT(messages, HasSubstr("logs/p=1//x.parquet"));
  EXPECT_THAT(messages, HasSubstr("logs/../y.parquet"));
  EXPECT_THAT(messages, HasSubstr("/logs/z.parquet"));
  EXPECT_EQ(listing.num_files, 1);
}

TEST_F(CatalogTest, ALinkToNothingIsAProblem) {
  Write("logs/p=1/x.parquet");
  fs::create_symlink("gone.parquet", base() / "logs/p=1/y.parquet");
  fs::create_symlink("gone.txt", base() / "logs/p=1/y.txt");
  const LakeListing listing = List();
  EXPECT_THAT(Files(listing), SizeIs(1));
  ASSERT_THAT(listing.problems, SizeIs(1));
  EXPECT_THAT(listing.problems[0].message(), HasSubstr("logs/p=1/y.parquet"));
  EXPECT_THAT(listing.problems[0].message(), HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace df::lake
