#include "storage/retry.h"

#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::storage {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

/// Time that passes only while somebody waits.
class WaitedClock final : public RetryClock {
 public:
  std::chrono::steady_clock::time_point Now() override { return now; }
  bool Wait(nanoseconds duration) override {
    waits.push_back(duration);
    now += duration;
    return true;
  }
  std::chrono::steady_clock::time_point now{};
  std::vector<nanoseconds> waits;
};

class RetryTest : public ::testing::Test {
 protected:
  Status Run(Retry& retry, int failures, const Status& failure) {
    num_calls_ = 0;
    return retry.Run(Operation::kRead,
                     [&] { return num_calls_++ < failures ? failure : Status::OK(); });
  }
  Retry Make(RetryOptions options) { return {StoreKind::kS3, options, &clock_, &counters_, 1}; }

  const Status passing_ = Status::IOError("AWS Error NETWORK_CONNECTION");
  const Status throttled_ = Status::IOError("AWS Error SLOW_DOWN");
  const Status denied_ = Status::IOError("AWS Error ACCESS_DENIED");
  WaitedClock clock_;
  StoreCounters counters_;
  int num_calls_ = 0;
};

TEST_F(RetryTest, MakesRequestsAgainThatMayPass) {
  Retry retry = Make({});
  EXPECT_TRUE(Run(retry, 3, passing_).ok());
  EXPECT_EQ(num_calls_, 4);
  EXPECT_EQ(counters_.num_retries, 3);
  EXPECT_EQ(counters_.num_failed, 0);
  ASSERT_EQ(clock_.waits.size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    const auto most = milliseconds(100 << i);
    EXPECT_LE(clock_.waits[i], most);
    EXPECT_GE(clock_.waits[i], most / 2);
  }
}

TEST_F(RetryTest, LeavesWhatStays) {
  Retry retry = Make({});
  EXPECT_EQ(Run(retry, 100, denied_), denied_);
  EXPECT_EQ(num_calls_, 1);
  EXPECT_EQ(counters_.num_failed, 1);
  EXPECT_TRUE(clock_.waits.empty());
}

TEST_F(RetryTest, EndsAfterSoManyAttempts) {
  Retry retry = Make({.max_retries = 2});
  const Status status = Run(retry, 100, throttled_);
  EXPECT_EQ(num_calls_, 3);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("tried 3 times"));
  EXPECT_EQ(counters_.num_throttled, 3);
}

TEST_F(RetryTest, EndsAfterSoLong) {
  Retry retry = Make({.max_retries = 1'000'000,
                      .init_backoff = seconds(1),
                      .max_backoff = seconds(10),
                      .backoff_base = 10,
                      .retry_timeout = seconds(60)});
  EXPECT_FALSE(Run(retry, 1'000'000'000, passing_).ok());
  EXPECT_LE(clock_.now.time_since_epoch(), seconds(60));
  EXPECT_GE(clock_.now.time_since_epoch(), seconds(45));
}

TEST_F(RetryTest, LeavesAttemptsToAClientThatMakesThemItself) {
  Retry retry = Make({});
  retry.LeaveToClient();
  EXPECT_EQ(Run(retry, 100, passing_), passing_);
  EXPECT_EQ(num_calls_, 1);
  EXPECT_TRUE(Run(retry, 3, Status::IOError("the answer ended early: found 5 bytes")).ok());
  EXPECT_EQ(num_calls_, 4);
}

TEST(RetryClock, StopEndsAWait) {
  RetryClock clock;
  StoreCounters counters;
  Retry retry(StoreKind::kS3,
              {.init_backoff = std::chrono::hours(1),
               .max_backoff = std::chrono::hours(1),
               .retry_timeout = std::chrono::hours(9)},
              &clock, &counters, 1);
  std::thread stopper;
  const Status status = retry.Run(Operation::kRead, [&] {
    stopper = std::thread([&] { clock.Stop(); });
    return Status::IOError("AWS Error NETWORK_CONNECTION");
  });
  stopper.join();
  EXPECT_FALSE(status.ok());
  EXPECT_TRUE(retry.Run(Operation::kRead, [] { return Status::OK(); }).IsCancelled());
  clock.Resume();
  EXPECT_TRUE(retry.Run(Operation::kRead, [] { return Status::OK(); }).ok());
}

}  // namespace
}  // namespace df::storage
