#include "nodes/receivers/parquet/progress_log.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/simulated_clock.h"

namespace df::nodes::receivers::parquet {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ProgressLogTest : public ::testing::Test {
 protected:
  void Pass(seconds duration) {
    for (seconds passed(0); passed < duration; passed += seconds(1)) {
      clock_.Advance(seconds(1));
      loop_.RunUntilIdle();
    }
  }

  testing::SimulatedClock clock_;
  runtime::EventLoop loop_{clock_};
  std::vector<std::string> lines_;
  ProgressLog log_{"node 'lake'", &loop_,
                   [this](const std::string& line) { lines_.push_back(line); }};
};

TEST_F(ProgressLogTest, TellsEachTenSecondsHowItGoes) {
  for (int i = 0; i < 20; ++i) {
    log_.Sent(500);
    if (i > 0) {
      log_.Answered(i != 7);
    }
    Pass(seconds(1));
  }
  EXPECT_THAT(lines_,
              ElementsAre("node 'lake': sent 5000 items in 10 batches, 500 items/s; 8 delivered, 1 "
                          "refused, 1 in flight",
                          "node 'lake': sent 10000 items in 20 batches, 500 items/s; 18 delivered, "
                          "1 refused, 1 in flight"));
}

TEST_F(ProgressLogTest, AShortReplayWritesNothing) {
  log_.Sent(500);
  log_.Answered(true);
  Pass(seconds(9));
  EXPECT_THAT(lines_, IsEmpty());
}

TEST_F(ProgressLogTest, AFollowerThatFindsNothingSaysSoEachFiveMinutes) {
  log_.Sent(500);
  log_.Answered(true);
  Pass(minutes(11));
  EXPECT_THAT(
      lines_,
      ElementsAre("node 'lake': sent 500 items in 1 batches, 50 items/s; 1 delivered, 0 in "
                  "flight",
                  "node 'lake': waiting for new files, nothing to send for 5m; 500 items in "
                  "1 batches so far",
                  "node 'lake': waiting for new files, nothing to send for 10m; 500 items "
                  "in 1 batches so far"));
}

TEST_F(ProgressLogTest, AnEmptyLakeAndMissingOutcomesAreNamedForWhatTheyAre) {
  Pass(minutes(5));
  ASSERT_THAT(lines_, SizeIs(1));
  EXPECT_EQ(lines_[0], "node 'lake': waiting for files, nothing was found to send for 5m");
  log_.Sent(1);
  Pass(minutes(5) + seconds(10));
  ASSERT_THAT(lines_, SizeIs(3));
  EXPECT_EQ(lines_[2], "node 'lake': 1 batches in flight, no outcome for 5m");
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
