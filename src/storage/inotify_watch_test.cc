#include "storage/inotify_watch.h"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/vfs.h>

namespace df::storage {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr size_t kMostFolders = 20;

class InotifyWatchTest : public ::testing::Test {
 protected:
  InotifyWatchTest() : watch_(InotifyWatch::Make(kMostFolders).ValueOrDie()) {
    fs::create_directories(root_);
    watch_->OnChange([this] {
      const std::lock_guard lock(mutex_);
      ++num_calls_;
      called_.notify_all();
    });
    watch_->Add(root_.string());
  }
  ~InotifyWatchTest() override {
    watch_.reset();
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  void Write(const fs::path& path) { std::ofstream(path) << "x"; }

  /// Waits for the thread of the watch to have told of all that is wanted. What never comes ends by
  /// the time limit of the test.
  void Await(size_t num_folders, size_t num_new_folders) {
    std::unique_lock lock(mutex_);
    while (seen_.folders.size() < num_folders || seen_.new_folders.size() < num_new_folders) {
      called_.wait(lock, [this] { return num_calls_ > 0; });
      num_calls_ = 0;
      lock.unlock();
      FolderChanges changes = watch_->Take();
      lock.lock();
      seen_.folders.merge(changes.folders);
      seen_.new_folders.merge(changes.new_folders);
    }
  }

  const fs::path root_ =
      fs::path(::testing::TempDir()) /
      ("inotify_watch_" +
       std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()));
  std::unique_ptr<InotifyWatch> watch_;
  std::mutex mutex_;
  std::condition_variable called_;
  int num_calls_ = 0;
  FolderChanges seen_;
};

TEST_F(InotifyWatchTest, AFileThatIsRenamedIntoAFolderIsTold) {
  Write(root_ / ".part.tmp");
  fs::rename(root_ / ".part.tmp", root_ / "part.parquet");
  Await(1, 0);
  EXPECT_THAT(seen_.folders, ElementsAre(root_.string()));
  EXPECT_THAT(seen_.new_folders, IsEmpty());
}

TEST_F(InotifyWatchTest, AFileThatIsWrittenInPlaceIsToldWhenItIsClosed) {
  std::ofstream file(root_ / "part.parquet");
  file << "x" << std::flush;
  Write(root_ / "notes.txt");
  fs::create_directory(root_ / "p=1");  // events come in order: those before it have been told
  Await(0, 1);
  EXPECT_THAT(seen_.folders, IsEmpty()) << "it is still being written, and notes.txt is no table";
  file.close();
  Await(1, 0);
  EXPECT_THAT(seen_.folders, ElementsAre(root_.string()));
}

TEST_F(InotifyWatchTest, AFolderThatComesIsToldAndWatchedOnceItIsAdded) {
  fs::create_directory(root_ / "p=1");
  Await(0, 1);
  EXPECT_THAT(seen_.new_folders, ElementsAre((root_ / "p=1").string()));
  watch_->Add((root_ / "p=1").string());
  Write(root_ / "p=1" / "part.parquet");
  Await(1, 0);
  EXPECT_THAT(seen_.folders, ElementsAre((root_ / "p=1").string()));
}

TEST_F(InotifyWatchTest, AFolderThatVanishesAndComesAgainIsWatchedAgain) {
  fs::create_directory(root_ / "p=1");
  Await(0, 1);
  watch_->Add((root_ / "p=1").string());
  fs::remove(root_ / "p=1");
  watch_->Add((root_ / "p=1").string());
  EXPECT_EQ(watch_->gaps(), FolderWatch::Gaps{}) << "a folder that is gone is no gap";
  seen_ = {};
  fs::create_directory(root_ / "p=1");
  Await(0, 1);
  watch_->Add((root_ / "p=1").string());
  Write(root_ / "p=1" / "part.parquet");
  Await(1, 0);
  EXPECT_THAT(seen_.folders, ElementsAre((root_ / "p=1").string()));
}

TEST_F(InotifyWatchTest, MoreFoldersThanAreKeptAreAnOverflowThatIsNamedOnce) {
  for (size_t i = 0; i <= kMostFolders; ++i) {
    fs::create_directory(root_ / std::to_string(i));
  }
  FolderChanges changes;
  while (!changes.has_lost_some) {
    {
      std::unique_lock lock(mutex_);
      called_.wait(lock, [this] { return num_calls_ > 0; });
      num_calls_ = 0;
    }
    if (watch_->gaps()[static_cast<size_t>(WatchGap::kOverflow)] > 0) {
      changes = watch_->Take();
    }
  }
  EXPECT_EQ(watch_->gaps()[static_cast<size_t>(WatchGap::kOverflow)], 1);
  EXPECT_EQ(watch_->DescribeGaps().size(), 1U);
}

TEST(IsChangedByOthers, SaysSoOfNetworkFileSystemsOnly) {
  EXPECT_TRUE(IsChangedByOthers(0x6969)) << "NFS";
  EXPECT_TRUE(IsChangedByOthers(static_cast<int32_t>(0xFF534D42))) << "CIFS, with its sign";
  EXPECT_FALSE(IsChangedByOthers(0xEF53)) << "ext4";
  EXPECT_FALSE(IsChangedByOthers(0x01021994)) << "tmpfs";
}

}  // namespace
}  // namespace df::storage
