#include "nodes/receivers/parquet/wrong_folder.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace df::nodes::receivers::parquet {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// A lake at <folder>/a/lake with one file of logs.
class WrongFolder : public ::testing::Test {
 protected:
  WrongFolder() {
    folder_ = fs::path(::testing::TempDir()) / ("wrong_folder_" + std::to_string(getpid()));
    lake_ = folder_ / "a/lake";
    fs::create_directories(lake_ / "logs/_part_id=1");
    fs::create_directories(lake_ / "log_attrs/_part_id=1");
    std::ofstream(lake_ / "logs/_part_id=1/part-1-a.parquet") << "x";
  }
  ~WrongFolder() override { fs::remove_all(folder_); }

  static std::string Describe(const fs::path& base) {
    return DescribeEmptyBase({.path = base.string()}, otap::kAllSignals);
  }
  std::string Meant() const { return "did you mean '" + lake_.string() + "'?"; }

  fs::path folder_;
  fs::path lake_;
};

TEST_F(WrongFolder, TooHighNamesTheFolderWithTables) {
  EXPECT_THAT(Describe(folder_ / "a"), HasSubstr(Meant()));
  EXPECT_THAT(Describe(folder_), HasSubstr(Meant()));
  EXPECT_THAT(Describe(folder_.string() + "/a/"), HasSubstr(Meant()));
}

TEST_F(WrongFolder, TooLowNamesTheFolderAboveTheTable) {
  EXPECT_THAT(Describe(lake_ / "logs"), HasSubstr(Meant()));
  EXPECT_THAT(Describe(lake_ / "logs/_part_id=1"),
              AllOf(HasSubstr("1 .parquet files stand in the folder itself"), HasSubstr(Meant())));
  EXPECT_THAT(Describe(lake_.string() + "/log_attrs/"), HasSubstr(Meant()));
}

TEST_F(WrongFolder, FilesWithoutTableFoldersAreCounted) {
  fs::create_directories(folder_ / "flat");
  std::ofstream(folder_ / "flat/a.parquet") << "x";
  std::ofstream(folder_ / "flat/b.parquet") << "x";
  EXPECT_THAT(Describe(folder_ / "flat"),
              AllOf(HasSubstr("2 .parquet files"), HasSubstr("logs, spans, univariate_metrics"),
                    Not(HasSubstr("did you mean"))));
}

TEST_F(WrongFolder, TablesWithoutFilesAreNamed) {
  fs::create_directories(folder_ / "empty/spans");
  EXPECT_THAT(Describe(folder_ / "empty"), HasSubstr("its table folders (spans) have no .parquet"));
}

TEST_F(WrongFolder, AFolderOfSomethingElseSaysWhatIsMissing) {
  fs::create_directories(folder_ / "photos/2026");
  EXPECT_THAT(Describe(folder_ / "photos"),
              AllOf(HasSubstr("it has no table folders"), Not(HasSubstr("did you mean"))));
  EXPECT_THAT(Describe(folder_ / "nowhere"), HasSubstr("it has no table folders"));
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
