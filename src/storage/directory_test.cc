#include "storage/directory.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <arrow/filesystem/filesystem.h>
#include <arrow/util/io_util.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

arrow::fs::FileInfo Object(const std::string& path, int64_t size_bytes) {
  arrow::fs::FileInfo info(path, arrow::fs::FileType::File);
  info.set_size(size_bytes);
  info.set_mtime(arrow::fs::TimePoint(std::chrono::seconds(7)));
  return info;
}

arrow::fs::FileInfo Folder(const std::string& path) {
  return arrow::fs::FileInfo(path, arrow::fs::FileType::Directory);
}

std::vector<std::string> Names(ListedObjects* objects, const std::string& path) {
  std::vector<std::string> names;
  for (const DirectoryEntry& entry : objects->List(path).ValueOrDie().entries) {
    names.push_back(entry.name + (entry.is_directory ? "/" : ""));
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST(LocalDirectories, ADirectoryThatIsGoneIsToldFromOneThatCannotBeListed) {
  LocalDirectories directories;
  const Status gone = directories.List("/nowhere/at/all").status();
  EXPECT_EQ(arrow::internal::ErrnoFromStatus(gone), ENOENT);
  EXPECT_EQ(gone.message(), "'/nowhere/at/all': No such file or directory");
  const Status file = directories.List("/dev/null").status();
  EXPECT_NE(arrow::internal::ErrnoFromStatus(file), ENOENT);
  EXPECT_EQ(file.message(), "'/dev/null': Not a directory");
}

TEST(ListedObjects, MakesDirectoriesOfNames) {
  ListedObjects objects("b/lake", {Object("b/lake/logs/p/f", 3), Object("b/lake/logs/p/g", 4),
                                   Object("b/lake/top", 5), Object("b/lakes/x", 1)});
  EXPECT_THAT(Names(&objects, "b/lake"), ElementsAre("logs/", "top"));
  EXPECT_THAT(Names(&objects, "b/lake/logs"), ElementsAre("p/"));
  EXPECT_THAT(Names(&objects, "b/lake/logs/p"), ElementsAre("f", "g"));
  const auto entry = objects.List("b/lake/logs/p").ValueOrDie().entries.front();
  EXPECT_EQ(entry.size_bytes, 3);
  EXPECT_EQ(entry.modified_nanos, 7'000'000'000);
  EXPECT_FALSE(objects.List("b/lake/spans").ok());
}

TEST(ListedObjects, KnowsADirectoryOnceHoweverOftenItIsToldOf) {
  ListedObjects objects(
      "b", {Folder("b/logs"), Object("b/logs/f", 1), Folder("b/logs"), Folder("b/empty"),
            Object("b/logs.parquet", 1), Object("b/logs.parquet/f", 1)});
  EXPECT_THAT(Names(&objects, "b"),
              ElementsAre("empty/", "logs.parquet", "logs.parquet/", "logs/"));
  EXPECT_THAT(Names(&objects, "b/empty"), IsEmpty());
  EXPECT_EQ(objects.num_unusable(), 0);
}

TEST(ListedObjects, TellsOfNamesThatCannotBeWalked) {
  ListedObjects objects(
      "b", {Object("b//f", 1), Object("b/../f", 1), Object("b/./f", 1), Object("b/a/", 1),
            Object("b/a/../../etc/f", 1), Object("b/good", 1)});
  EXPECT_THAT(Names(&objects, "b"), ElementsAre("../f", "./f", "/f", "a/", "good"));
  EXPECT_THAT(Names(&objects, "b/a"), ElementsAre("../../etc/f"));
  for (const DirectoryEntry& entry : objects.List("b").ValueOrDie().entries) {
    EXPECT_EQ(entry.error != 0, entry.name.find('/') != std::string::npos) << entry.name;
  }
  EXPECT_EQ(objects.num_unusable(), 5);
}

}  // namespace
}  // namespace df::storage
