#include "runtime/event_loop.h"

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/cores.h"
#include "testing/simulated_clock.h"

namespace df::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Task<int> Give(int value) { co_return value; }

Task<int> Sum(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    sum += co_await Give(1);
  }
  co_return sum;
}

Task<> Store(Task<int> task, int* result) { *result = co_await std::move(task); }

TEST(Task, AMillionCallsThatDoNotWaitDoNotGrowTheStack) {
  int result = 0;
  Task<> task = Store(Sum(1'000'000), &result);
  task.Start();
  EXPECT_EQ(result, 1'000'000);
}

Task<int> Throw() {
  throw std::runtime_error("broken");
  co_return 0;
}

Task<> Catch(std::string* text) {
  try {
    co_await Throw();
  } catch (const std::exception& error) {
    *text = error.what();
  }
}

TEST(Task, AnExceptionReachesWhoAwaits) {
  std::string text;
  Task<> task = Catch(&text);
  task.Start();
  EXPECT_EQ(text, "broken");
}

Task<> Sleep(EventLoop* loop, std::chrono::nanoseconds duration, Cancellation* cancellation,
             std::string name, std::vector<std::string>* log) {
  const bool has_slept = co_await loop->SleepFor(duration, cancellation);
  log->push_back(name + (has_slept ? " slept" : " cancelled"));
}

class EventLoopTest : public ::testing::Test {
 protected:
  void Spawn(Task<> task) {
    tasks_.push_back(std::move(task));
    tasks_.back().Start();
  }
  df::testing::SimulatedClock clock_;
  EventLoop loop_{clock_};
  std::vector<Task<>> tasks_;
  std::vector<std::string> log_;
};

TEST_F(EventLoopTest, SleepersWakeInOrderOfTheirDeadlines) {
  Spawn(Sleep(&loop_, seconds(3), nullptr, "c", &log_));
  Spawn(Sleep(&loop_, seconds(1), nullptr, "a", &log_));
  Spawn(Sleep(&loop_, seconds(2), nullptr, "b", &log_));
  loop_.RunUntilIdle();
  EXPECT_THAT(log_, ::testing::IsEmpty());
  clock_.Advance(seconds(2));
  loop_.RunUntilIdle();
  EXPECT_THAT(log_, ::testing::ElementsAre("a slept", "b slept"));
  clock_.Advance(seconds(1));
  loop_.RunUntilIdle();
  EXPECT_THAT(log_, ::testing::ElementsAre("a slept", "b slept", "c slept"));
}

TEST_F(EventLoopTest, ACancellationEndsASleepEarly) {
  Cancellation cancellation;
  Spawn(Sleep(&loop_, seconds(3), &cancellation, "a", &log_));
  loop_.RunUntilIdle();
  cancellation.Request();
  loop_.RunUntilIdle();
  EXPECT_THAT(log_, ::testing::ElementsAre("a cancelled"));
  Spawn(Sleep(&loop_, seconds(3), &cancellation, "b", &log_));
  EXPECT_THAT(log_, ::testing::ElementsAre("a cancelled", "b cancelled"));
}

TEST_F(EventLoopTest, ASleeperMayBeDestroyed) {
  Spawn(Sleep(&loop_, seconds(1), nullptr, "a", &log_));
  tasks_.clear();
  clock_.Advance(seconds(2));
  loop_.RunUntilIdle();
  EXPECT_THAT(log_, ::testing::IsEmpty());
}

TEST_F(EventLoopTest, ASubscriptionThatIsGoneIsNotCalled) {
  Cancellation cancellation;
  int num_calls = 0;
  {
    const Cancellation::Subscription gone(&cancellation, [&] { ++num_calls; });
  }
  const Cancellation::Subscription kept(&cancellation, [&] { ++num_calls; });
  cancellation.Request();
  cancellation.Request();
  EXPECT_EQ(num_calls, 1);
  const Cancellation::Subscription late(&cancellation, [&] { ++num_calls; });
  EXPECT_EQ(num_calls, 2);
}

TEST(EventLoop, RunsTimersOfTheRealClockAndCallsFromOtherThreads) {
  EventLoop loop;
  std::vector<std::string> log;
  Task<> task = Sleep(&loop, milliseconds(5), nullptr, "a", &log);
  task.Start();
  std::jthread other([&] {
    loop.Post([&] {
      log.push_back("posted");
      loop.Stop();
    });
  });
  loop.Run();
  EXPECT_THAT(log, ::testing::Contains("posted"));
}

TEST(EventLoop, AStopBeforeRunIsNotLost) {
  EventLoop loop;
  loop.Stop();
  loop.Run();
}

TEST(Cores, ParsesIdsAndRanges) {
  EXPECT_THAT(ParseCoreIds("2").ValueOrDie(), ::testing::ElementsAre(2));
  EXPECT_THAT(ParseCoreIds("0-2,1,6").ValueOrDie(), ::testing::ElementsAre(0, 1, 2, 6));
  for (const char* text : {"", "a", "1-", "3-1", "1,,2", "1;2", "-1", "99999", "0-3x"}) {
    EXPECT_FALSE(ParseCoreIds(text).ok()) << text;
  }
}

TEST(Cores, AThreadCanBeBoundToEveryAllowedCore) {
  for (const int core : AllowedCores()) {
    std::jthread([core] { EXPECT_TRUE(PinThisThread(core).ok()); });
  }
}

Task<> WaitAndNote(Wakeup* wakeup, int number, std::vector<int>* order) {
  co_await wakeup->Wait();
  order->push_back(number);
}

class LastFirst final : public ReadyOrder {
 public:
  size_t Choose(size_t num_ready) override { return num_ready - 1; }
};

TEST(EventLoop, AnOrderChoosesAmongWhatIsReady) {
  const testing::SimulatedClock clock;
  EventLoop loop(clock);
  LastFirst last_first;
  for (ReadyOrder* chosen : std::initializer_list<ReadyOrder*>{nullptr, &last_first}) {
    loop.SetReadyOrder(chosen);
    Wakeup wakeup(&loop);
    std::vector<int> order;
    std::vector<Task<>> tasks;
    for (int number = 0; number < 4; ++number) {
      tasks.push_back(WaitAndNote(&wakeup, number, &order));
      tasks.back().Start();
    }
    for (int number = 0; number < 4; ++number) {
      wakeup.Notify();
    }
    loop.RunUntilIdle();
    if (chosen == nullptr) {
      EXPECT_THAT(order, ::testing::ElementsAre(0, 1, 2, 3));
    } else {
      EXPECT_THAT(order, ::testing::ElementsAre(3, 2, 1, 0));
    }
  }
}

TEST(EventLoop, SteppingDoesNotWaitForDeadlinesOfItsOwnClock) {
  testing::SimulatedClock clock;
  EventLoop loop(clock);
  int num_fired = 0;
  Timer timer(&loop, [&num_fired] { ++num_fired; });
  timer.StartAt(clock.Now() + std::chrono::nanoseconds(1));
  loop.RunUntilIdle();  // comes back, however short the time to the deadline is
  EXPECT_EQ(num_fired, 0);
  clock.Advance(std::chrono::nanoseconds(1));
  loop.RunUntilIdle();
  EXPECT_EQ(num_fired, 1);
}

TEST(EventLoop, TheNextDeadlineIsThatOfTheFirstTimer) {
  testing::SimulatedClock clock;
  EventLoop loop(clock);
  EXPECT_EQ(loop.NextDeadline(), std::nullopt);
  Timer late(&loop, [] {});
  Timer early(&loop, [] {});
  late.StartAt(clock.Now() + seconds(2));
  early.StartAt(clock.Now() + seconds(1));
  EXPECT_EQ(loop.NextDeadline(), clock.Now() + seconds(1));
  clock.Advance(seconds(1));
  loop.RunUntilIdle();
  EXPECT_EQ(loop.NextDeadline(), clock.Now() + seconds(1));
  late.Cancel();
  EXPECT_EQ(loop.NextDeadline(), std::nullopt);
}

}  // namespace
}  // namespace df::runtime
