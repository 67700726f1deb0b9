#include "nodes/receivers/parquet/pacing.h"

#include <arrow/compute/initialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/read/time_cut.h"
#include "otap/any_value.h"
#include "otap/rows.h"
#include "otap/time_shift.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"
#include "testing/simulated_clock.h"

namespace df::nodes::receivers::parquet {
namespace {

using df::testing::CanonicalRecords;

constexpr int64_t kHour = 3'600'000'000'000;

bool Never() { return false; }

int64_t Nanos(runtime::WallTime time) {
  return std::chrono::nanoseconds(time.time_since_epoch()).count();
}

class PacingTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(arrow::compute::Initialize().ok()); }

  otap::BatchPtr Batch(otap::Signal signal) {
    return df::testing::RandomBatch(signal, {.missing_column = 0}, random_);
  }

  df::testing::SimulatedClock clock_;
  df::testing::RandomEngine random_{7};
};

TEST_F(PacingTest, NothingIsChangedWhereNothingIsAskedFor) {
  Pacing pacing({}, {}, clock_);
  const otap::BatchPtr batch = Batch(otap::Signal::kLogs);
  otap::BatchPtr admitted = batch;
  EXPECT_TRUE(pacing.Admit(&admitted, Never).ValueOrDie().has_value());
  EXPECT_EQ(admitted, batch);
}

TEST_F(PacingTest, TheFirstOrLastTimeOfTheArchiveGetsItsPlace) {
  const otap::BatchPtr batch = Batch(otap::Signal::kTraces);
  const int64_t latest = lake::LatestEventTime(*batch).value();
  TimeOptions time;
  time.last_at.at = select::TimePoint{.nanos = kHour, .is_relative = true};
  Pacing pacing({}, time, clock_);
  ASSERT_TRUE(pacing.Learn({.first = 1, .last = latest}).ok());
  otap::BatchPtr admitted = batch;
  ASSERT_TRUE(pacing.Admit(&admitted, Never).ok());
  EXPECT_EQ(lake::LatestEventTime(*admitted), Nanos(clock_.WallNow()) - kHour);

  const Status unknown = Pacing({}, time, clock_).Learn({.last = latest, .num_without_last = 3});
  EXPECT_THAT(unknown.ToString(), ::testing::HasSubstr("time.last_at: 3 files"));
  EXPECT_TRUE(IsPermanent(unknown)) << "started anew it would find the same";
}

TEST_F(PacingTest, AReplayThatIsStartedAnewAddsWhatItAddedBefore) {
  TimeOptions time;
  time.first_at.at = select::TimePoint{.nanos = kHour, .is_relative = false};
  const auto shared = std::make_shared<FoundShift>();
  for (const int64_t first : {int64_t{100}, int64_t{900}}) {
    Pacing pacing({}, time, clock_);
    pacing.UseFoundShift(shared);
    // The second time some of the files are known already, and not looked at.
    ASSERT_TRUE(pacing.Learn({.first = first, .last = 1'000}).ok());
    EXPECT_EQ(shared->Get(), kHour - 100);
  }
}

TEST_F(PacingTest, ARecordHasTheTimeAtWhichItIsDue) {
  PaceOptions pace;
  pace.speed.factor = 60;
  Pacing pacing(pace, {.as_sent = true}, clock_);
  const int64_t last = LastTimeWaitedFor(Nanos(clock_.WallNow()));
  const Pacing::Turn turn(&pacing);
  int num_tried = 0;
  for (const otap::Signal signal : otap::kAllSignals) {
    const otap::BatchPtr batch = Batch(signal);
    const auto latest = lake::LatestEventTime(*batch, last);
    if (!latest.has_value()) {
      continue;
    }
    ++num_tried;
    clock_.Advance(std::chrono::hours(24));  // whatever comes is due
    otap::BatchPtr admitted = batch;
    ASSERT_TRUE(pacing.Admit(&admitted, Never).ok());
    const auto expected = otap::ShiftTimes(batch, Nanos(clock_.WallNow()) - *latest).ValueOrDie();
    EXPECT_EQ(CanonicalRecords({admitted}), CanonicalRecords({expected.batch}));
  }
  EXPECT_GE(num_tried, 2);
}

TEST_F(PacingTest, EachItemSaysByHowMuchItWasShifted) {
  TimeOptions time{.keep_original = true};
  time.shift.by = std::chrono::hours(-1);
  Pacing pacing({}, time, clock_);
  for (const otap::Signal signal : {otap::Signal::kLogs, otap::Signal::kTraces}) {
    const otap::BatchPtr batch = Batch(signal);
    otap::BatchPtr admitted = batch;
    ASSERT_TRUE(pacing.Admit(&admitted, Never).ok());
    const auto& table = admitted->table(
        signal == otap::Signal::kLogs ? otap::TableKind::kLogAttrs : otap::TableKind::kSpanAttrs);
    ASSERT_NE(table, nullptr);
    const otap::BytesColumn keys(otap::FindArray(table, "key"));
    int64_t num_marked = 0;
    for (int64_t row = 0; row < table->num_rows(); ++row) {
      num_marked += keys.At(row) == kShiftAttribute ? 1 : 0;
    }
    EXPECT_EQ(num_marked, batch->num_items());
  }
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
