#include "engine/outage_log.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/simulated_clock.h"

namespace df::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class OutageLogTest : public ::testing::Test {
 protected:
  void Pass(std::chrono::nanoseconds duration) {
    clock_.Advance(duration);
    log_.OnTime();
  }

  testing::SimulatedClock clock_;
  std::vector<std::string> lines_;
  OutageLog log_{
      {.subject = "node 'out'"}, &clock_, [this](LogLevel level, const std::string& line) {
        lines_.push_back(std::string(Name(level)) + " " + line);
      }};
};

TEST_F(OutageLogTest, SaysNothingWhileAllIsWell) {
  for (int i = 0; i < 100; ++i) {
    log_.Succeeded();
    Pass(seconds(10));
  }
  EXPECT_THAT(lines_, IsEmpty());
  EXPECT_EQ(log_.next_line(), std::nullopt);
}

TEST_F(OutageLogTest, TellsTheBeginTheCourseAndTheEndOfAnOutage) {
  log_.Failed("connection refused");
  for (int i = 0; i < 41; ++i) {
    Pass(seconds(1));
    log_.Failed("no route");
  }
  Pass(seconds(1));
  log_.Succeeded();
  EXPECT_THAT(
      lines_,
      ElementsAre("warning node 'out': nothing is delivered: connection refused",
                  "warning node 'out': nothing is delivered for 30s, 30 batches refused: no route",
                  "info node 'out': delivering again after 42s, 42 batches refused"));
}

TEST_F(OutageLogTest, AnOutageWithoutFurtherAttemptsIsToldAgain) {
  log_.Failed("timeout");
  for (int i = 0; i < 61; ++i) {
    Pass(seconds(1));
  }
  EXPECT_EQ(lines_.size(), 3U);
  EXPECT_EQ(lines_.back(),
            "warning node 'out': nothing is delivered for 1m, 1 batches refused: "
            "timeout");
}

TEST_F(OutageLogTest, OutagesThatComeAndGoMakeAFewLines) {
  for (int i = 0; i < 600; ++i) {  // a minute
    log_.Failed("busy");
    log_.Succeeded();
    Pass(milliseconds(100));
  }
  // Begin and end, at 0 and 30 s.
  EXPECT_THAT(lines_,
              ElementsAre("warning node 'out': nothing is delivered: busy",
                          "info node 'out': delivering again after 0s, 1 batches refused",
                          "warning node 'out': nothing is delivered, after 299 shorter outages: "
                          "busy",
                          "info node 'out': delivering again after 0s, 1 batches refused"));
}

TEST_F(OutageLogTest, AnOutageSoonAfterAnotherIsToldWhenItLasts) {
  log_.Failed("busy");
  log_.Succeeded();
  Pass(seconds(5));
  log_.Failed("gone");
  EXPECT_EQ(lines_.size(), 2U);
  Pass(seconds(24));
  EXPECT_EQ(lines_.size(), 2U);
  Pass(seconds(1));
  ASSERT_EQ(lines_.size(), 3U);
  EXPECT_EQ(lines_.back(),
            "warning node 'out': nothing is delivered for 25s, 1 batches refused: gone");
}

TEST_F(OutageLogTest, ClocksThatGoOnBetweenTwoLooksMakeNoDuration) {
  class Ticking final : public runtime::Clock {
   public:
    runtime::SteadyTime Now() const override { return now_ += std::chrono::microseconds(3); }
    runtime::WallTime WallNow() const override { return {}; }

   private:
    mutable runtime::SteadyTime now_;
  };
  const Ticking clock;
  std::vector<std::string> lines;
  OutageLog log({.subject = "node 'out'"}, &clock,
                [&](LogLevel, const std::string& line) { lines.push_back(line); });
  log.Failed("gone");
  EXPECT_THAT(lines, ElementsAre("node 'out': nothing is delivered: gone"));
}

TEST_F(OutageLogTest, ACauseIsOneLine) {
  log_.Failed("first\nsecond" + std::string(5000, 'x'));
  ASSERT_EQ(lines_.size(), 1U);
  EXPECT_EQ(lines_[0].find('\n'), std::string::npos);
  EXPECT_LT(lines_[0].size(), 1200U);
}

}  // namespace
}  // namespace df::engine
