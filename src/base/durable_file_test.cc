#include "base/durable_file.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "testing/crash_files.h"

namespace df {
namespace {

using ::testing::AllOf;
using testing::Crash;
using testing::CrashFiles;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr Crash kCrashes[] = {Crash::kOnlyWhatWasSynced, Crash::kNamesWereEarly,
                              Crash::kBytesWereTorn};

class DurableFile : public ::testing::Test {
 protected:
  DurableFile()
      : target_(std::filesystem::temp_directory_path() /
                fmt::format("durable_file_{}_{}", getpid(),
                            ::testing::UnitTest::GetInstance()->current_test_info()->name())) {}
  ~DurableFile() override { std::filesystem::remove_all(target_); }

  /// What a crash now leaves of a file in /tmp; nothing where it is not there.
  std::optional<std::string> Left(Crash crash, const std::string& name) {
    std::filesystem::remove_all(target_);
    files_.LeaveAfter(crash, "/tmp", target_);
    if (!std::filesystem::exists(target_ / name)) {
      return std::nullopt;
    }
    std::ifstream file(target_ / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  std::filesystem::path target_;
  CrashFiles files_;
};

TEST_F(DurableFile, ACrashAtAnyStepLeavesTheOldContentOrTheNew) {
  ASSERT_TRUE(ReplaceFile(&files_, "/tmp/state/a", "old").ok());
  int num_steps = 0;
  files_.OnStep([&] {
    ++num_steps;
    for (const Crash crash : kCrashes) {
      const auto left = Left(crash, "state/a");
      ASSERT_TRUE(left == "old" || left == "new content") << left.value_or("nothing");
    }
  });
  ASSERT_TRUE(ReplaceFile(&files_, "/tmp/state/a", "new content").ok());
  EXPECT_GE(num_steps, 4);
  for (const Crash crash : kCrashes) {
    EXPECT_EQ(Left(crash, "state/a"), "new content");
  }
}

TEST(ReplaceFileTest, SeveralMayReplaceOneFileAtTheSameTime) {
  std::string pattern = (std::filesystem::temp_directory_path() / "replace-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  const auto replace = [&](const std::string& content) {
    for (int i = 0; i < 100; ++i) {
      const Status status = ReplaceFile(&SystemFileCalls(), folder / "marker", content);
      EXPECT_TRUE(status.ok()) << status;
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back(replace, std::to_string(i));
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  const auto entries = std::filesystem::directory_iterator(folder);
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1) << "nothing is left beside it";
  std::filesystem::remove_all(folder);
}

TEST_F(DurableFile, NoSyncCanBeLeftOut) {
  CrashFiles whole;
  ASSERT_TRUE(ReplaceFile(&whole, "/tmp/a/b/c", "content").ok());
  std::vector<std::string> paths = whole.synced_paths();
  EXPECT_THAT(paths, ElementsAre("/", "/tmp", "/tmp/a",
                                 AllOf(StartsWith("/tmp/a/b/.c."), EndsWith(".tmp")), "/tmp/a/b"));
  for (size_t ignored = 1; ignored < paths.size(); ++ignored) {
    CrashFiles files;
    files.IgnoreSyncsOf(ignored);
    ASSERT_TRUE(ReplaceFile(&files, "/tmp/a/b/c", "content").ok());
    std::filesystem::remove_all(target_);
    files.LeaveAfter(Crash::kOnlyWhatWasSynced, "/tmp", target_);
    std::ifstream file(target_ / "a/b/c");
    EXPECT_NE(std::string(std::istreambuf_iterator<char>(file), {}), "content") << paths[ignored];
  }
}

TEST_F(DurableFile, FoldersThatOthersMadeAreSyncedToo) {
  ASSERT_EQ(files_.MakeDirectory("/tmp/lake", 0777), 0);
  ASSERT_EQ(files_.MakeDirectory("/tmp/lake/logs", 0777), 0);
  DurableFolders folders(&files_);
  ASSERT_TRUE(folders.Make("/tmp/lake/logs").ok());
  files_.LeaveAfter(Crash::kOnlyWhatWasSynced, "/tmp", target_);
  EXPECT_TRUE(std::filesystem::exists(target_ / "lake/logs"));
}

TEST_F(DurableFile, AFolderOfOthersThatCannotBeSyncedIsPassedOver) {
  ASSERT_EQ(files_.MakeDirectory("/tmp/lake", 0777), 0);
  files_.SetFault([](std::string_view call, const std::string& path) {
    return call == "open" && (path == "/" || path == "/tmp") ? -EACCES : 0;
  });
  DurableFolders folders(&files_);
  EXPECT_TRUE(folders.Make("/tmp/lake").ok());
  EXPECT_THAT(folders.Make("/tmp/other").message(),
              HasSubstr("'/tmp': cannot fsync: Permission denied"));
}

TEST_F(DurableFile, AFailureLeavesTheOldContentAndNothingElse) {
  ASSERT_TRUE(ReplaceFile(&files_, "/tmp/a", "old").ok());
  for (const std::string_view failing : {"write", "sync", "rename"}) {
    std::string staged;
    files_.SetFault([&](std::string_view call, const std::string& path) {
      if (call != failing || !path.starts_with("/tmp/.a.")) {
        return 0;
      }
      staged = path;
      return -ENOSPC;
    });
    const Status status = ReplaceFile(&files_, "/tmp/a", "new");
    EXPECT_THAT(status.message(), HasSubstr("No space left")) << failing;
    EXPECT_TRUE(IsRetryable(status));
    EXPECT_EQ(files_.Content("/tmp/a"), "old");
    EXPECT_FALSE(files_.Exists(staged)) << staged;
  }
}

TEST_F(DurableFile, WorksOnTheFileSystemOfThisMachine) {
  std::filesystem::remove_all(target_);
  ASSERT_TRUE(ReplaceFile(&SystemFileCalls(), target_ / "x/a", "one").ok());
  ASSERT_TRUE(ReplaceFile(&SystemFileCalls(), target_ / "x/a", "two").ok());
  std::ifstream file(target_ / "x/a");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(target_ / "x"), {}), 1);
}

}  // namespace
}  // namespace df
