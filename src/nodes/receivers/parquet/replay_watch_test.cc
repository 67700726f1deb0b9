#include <filesystem>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "nodes/receivers/parquet/replay.h"
#include "testing/scripted_watch.h"

namespace df::nodes::receivers::parquet {
namespace {

namespace fs = std::filesystem;

class ReplayWatchTest : public ::testing::Test {
 protected:
  ReplayWatchTest() { fs::create_directories(base_ / "logs"); }
  ~ReplayWatchTest() override {
    std::error_code ignored;
    fs::remove_all(base_, ignored);
  }

  std::unique_ptr<Replay> Following(Watching watch) const {
    ParquetReceiverConfig config;
    config.base_uri = base_.string();
    config.uri = storage::ParseStoreUri(base_.string()).ValueOrDie();
    config.polling_interval.interval = std::chrono::hours(1);
    config.watch = watch;
    return std::make_unique<Replay>(config, storage::Store::Make(config.uri).ValueOrDie());
  }

  const fs::path base_ = fs::path(::testing::TempDir()) / "replay_watch";
};

/// What waits an hour for the next poll goes on when a folder comes.
TEST_F(ReplayWatchTest, ChangesOfATreeThatIsFollowedEndTheWaitForWork) {
  const auto replay = Following(Watching::kAuto);
  replay->Watch();
  const auto taken = replay->work_list().Take().ValueOrDie();
  ASSERT_FALSE(taken.work.has_value());
  fs::create_directories(base_ / "logs" / "p=1");
  replay->work_list().Wait(taken, [] { return false; });
  EXPECT_GT(replay->work_list().Take().ValueOrDie().num_wakes, taken.num_wakes);
  EXPECT_EQ(replay->TakeNewWatchGaps(), storage::FolderWatch::Gaps{});
}

TEST_F(ReplayWatchTest, GapsOfTheWatchAreCountedOnce) {
  const auto replay = Following(Watching::kOff);
  EXPECT_EQ(replay->TakeNewWatchGaps(), storage::FolderWatch::Gaps{});
  const auto watch = std::make_shared<testing::ScriptedWatch>();
  replay->WatchBy(watch);
  watch->Miss(storage::WatchGap::kLimit, "a");
  watch->Overflow();
  watch->Overflow();
  const storage::FolderWatch::Gaps added = replay->TakeNewWatchGaps();
  EXPECT_EQ(added[static_cast<size_t>(storage::WatchGap::kLimit)], 1);
  EXPECT_EQ(added[static_cast<size_t>(storage::WatchGap::kOverflow)], 2);
  EXPECT_EQ(replay->TakeNewWatchGaps(), storage::FolderWatch::Gaps{});
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
