#include "base/state_directory.h"

#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "testing/crash_files.h"

namespace df {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::Crash;
using testing::CrashFiles;
using ::testing::HasSubstr;

class StateDirectory : public ::testing::Test {
 protected:
  StateDirectory()
      : folder_(fs::canonical(fs::temp_directory_path()) /
                fmt::format("state_directory_{}_{}", getpid(),
                            ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::create_directories(folder_);
  }
  ~StateDirectory() override { fs::remove_all(folder_); }

  static mode_t PermissionsOf(const fs::path& path) {
    struct stat found{};
    EXPECT_EQ(stat(path.c_str(), &found), 0) << path;
    return found.st_mode & 07777;
  }
  /// Expects that a folder is refused when it is checked and when it is made, in the same words.
  static std::string Refusal(const fs::path& path) {
    const Status checked = CheckStateDirectory(path);
    EXPECT_FALSE(checked.ok()) << path;
    EXPECT_EQ(KindOf(checked), ErrorKind::kConfig);
    EXPECT_EQ(MakeStateDirectory(&SystemFileCalls(), path).message(), checked.message());
    return checked.message();
  }

  fs::path folder_;
};

TEST_F(StateDirectory, IsMadeForTheUserAlone) {
  const fs::path path = folder_ / "a" / "b";
  EXPECT_TRUE(CheckStateDirectory(path).ok());
  EXPECT_FALSE(fs::exists(folder_ / "a"));
  ASSERT_TRUE(MakeStateDirectory(&SystemFileCalls(), path).ok());
  EXPECT_EQ(PermissionsOf(path), 0700);
  EXPECT_EQ(PermissionsOf(folder_ / "a"), 0700);
  EXPECT_TRUE(MakeStateDirectory(&SystemFileCalls(), path).ok());
  EXPECT_TRUE(MakeStateDirectory(&SystemFileCalls(), folder_ / "c/").ok());
  EXPECT_EQ(PermissionsOf(folder_ / "c"), 0700);
}

TEST_F(StateDirectory, ItsNamesAreDurable) {
  CrashFiles files;
  // These files are not on the disk, where what was made is looked at: it counts as missing there.
  const fs::path made = "/missing_for_this_test/state";
  ASSERT_TRUE(MakeStateDirectory(&files, made).ok());
  files.LeaveAfter(Crash::kOnlyWhatWasSynced, "/missing_for_this_test", folder_ / "left");
  EXPECT_TRUE(fs::is_directory(folder_ / "left" / "state"));
}

TEST_F(StateDirectory, LinksAreRefused) {
  fs::create_directory(folder_ / "there");
  fs::permissions(folder_ / "there", fs::perms::owner_all);
  fs::create_directory_symlink(folder_ / "there", folder_ / "link");
  EXPECT_THAT(Refusal(folder_ / "link"),
              AllOf(HasSubstr((folder_ / "link").string()), HasSubstr("found a symbolic link")));
  EXPECT_THAT(Refusal(folder_ / "link" / "below"),
              AllOf(HasSubstr("/link'"), HasSubstr("found a symbolic link")));
  fs::create_directory_symlink(folder_ / "nowhere", folder_ / "dangling");
  EXPECT_THAT(Refusal(folder_ / "dangling"), HasSubstr("found a symbolic link"));
}

TEST_F(StateDirectory, WhatOthersMayReadIsRefused) {
  fs::create_directory(folder_ / "open");
  ASSERT_EQ(chmod((folder_ / "open").c_str(), 0750), 0);
  EXPECT_THAT(Refusal(folder_ / "open"), HasSubstr("found permissions 0750, expected 0700"));
}

TEST_F(StateDirectory, WhatIsOfAnotherUserIsRefused) {
  if (geteuid() != 0) {
    GTEST_SKIP() << "only root may give a folder away";
  }
  fs::create_directory(folder_ / "other");
  ASSERT_EQ(chmod((folder_ / "other").c_str(), 0700), 0);
  ASSERT_EQ(chown((folder_ / "other").c_str(), 65532, 65532), 0);
  EXPECT_THAT(Refusal(folder_ / "other"), HasSubstr("found a folder of user 65532"));
}

TEST_F(StateDirectory, AFileIsRefused) {
  std::ofstream(folder_ / "file") << "x";
  EXPECT_THAT(Refusal(folder_ / "file"), HasSubstr("expected a folder"));
  EXPECT_THAT(Refusal(folder_ / "file" / "below"), HasSubstr("expected a folder"));
}

}  // namespace
}  // namespace df
