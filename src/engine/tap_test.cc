#include "engine/tap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/pipeline_harness.h"

namespace df::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kAll = 1 << 30;

class TapTest : public ::testing::Test {
 protected:
  TapLook Look(uint64_t session = 1, int64_t max_bytes = kAll) {
    const auto look = taps_.Look(session, kKey, max_bytes);
    EXPECT_TRUE(look.ok()) << look.status();
    return look.ValueOr(TapLook());
  }

  const TapKey kKey = {"default", "main", "out"};
  testing::SimulatedClock clock_;
  TapRegistry taps_{clock_};
  std::shared_ptr<TapPoint> point_ = taps_.PointOf(kKey);
};

TEST_F(TapTest, IsShutUntilSomebodyLooks) {
  EXPECT_FALSE(point_->is_open());
  EXPECT_TRUE(Look().is_new);
  EXPECT_TRUE(point_->is_open());
  point_->Offer(*testing::SmallLogs(5));
  const TapLook look = Look();
  EXPECT_FALSE(look.is_new);
  ASSERT_THAT(look.batches, SizeIs(1));
  EXPECT_EQ(look.batches[0]->num_items(), 5);
  EXPECT_THAT(Look().batches, IsEmpty());
}

TEST_F(TapTest, WhatIsSeenSharesBuffersAndNoArrays) {
  Look();
  const otap::BatchPtr batch = testing::SmallLogs(5);
  point_->Offer(*batch);
  const otap::BatchPtr seen = Look().batches[0];
  EXPECT_NE(seen->root(), batch->root());
  EXPECT_NE(seen->root()->column(0), batch->root()->column(0));
  EXPECT_EQ(seen->root()->column_data(0)->buffers[1], batch->root()->column_data(0)->buffers[1]);
}

TEST_F(TapTest, WhatDoesNotFitIsDroppedFromTheTapAndCounted) {
  Look();
  for (size_t i = 0; i < kMaxTapBatches + 3; ++i) {
    point_->Offer(*testing::SmallLogs(2));
  }
  TapLook look = Look();
  EXPECT_THAT(look.batches, SizeIs(kMaxTapBatches));
  EXPECT_EQ(look.num_dropped_batches, 3);
  EXPECT_EQ(look.num_dropped_items, 6);
  EXPECT_EQ(Look().num_dropped_batches, 0);
  const otap::BatchPtr large = testing::SmallLogs(60'000);
  const int64_t num_fitting = kMaxTapBytes / large->size_bytes();
  for (int64_t i = 0; i <= num_fitting; ++i) {
    point_->Offer(*large);
  }
  look = Look(1, 1);  // one of them at a time
  EXPECT_THAT(look.batches, SizeIs(1));
  EXPECT_EQ(look.num_dropped_batches, 1);
  point_->Offer(*large);  // there is room again
  EXPECT_EQ(Look().batches.size(), static_cast<size_t>(num_fitting));
}

TEST_F(TapTest, ATapThatNobodyLooksAtIsClosed) {
  Look();
  clock_.Advance(kTapLease + std::chrono::seconds(1));
  point_->Offer(*testing::SmallLogs(1));
  EXPECT_FALSE(point_->is_open());
  EXPECT_TRUE(Look().is_new);
}

TEST_F(TapTest, TapsAreFewAndEachLooksAtOneNode) {
  for (uint64_t session = 1; session <= kMaxTaps; ++session) {
    Look(session);
  }
  EXPECT_TRUE(taps_.Look(99, kKey, kAll).status().IsCapacityError());
  const std::shared_ptr<TapPoint> other = taps_.PointOf({"default", "main", "in"});
  EXPECT_TRUE(taps_.Look(1, {"default", "main", "in"}, kAll).status().IsInvalid());
  clock_.Advance(kTapLease + std::chrono::seconds(1));
  EXPECT_TRUE(taps_.Look(99, kKey, kAll).ok());
  point_->Offer(*testing::SmallLogs(1));
  EXPECT_THAT(Look(99).batches, SizeIs(1));
}

TEST_F(TapTest, ANodeThatIsStartedAgainIsSeenByTheSameTap) {
  Look();
  point_.reset();
  point_ = taps_.PointOf(kKey);
  EXPECT_FALSE(Look().is_new);
  point_->Offer(*testing::SmallLogs(1));
  EXPECT_THAT(Look().batches, SizeIs(1));
}

TEST_F(TapTest, ANodeThatIsNotThereIsNamed) {
  const Status missing = taps_.Look(1, {"default", "main", "nut"}, kAll).status();
  EXPECT_TRUE(missing.IsKeyError());
  EXPECT_THAT(missing.message(), HasSubstr("there is no node 'nut' in default/main, but out"));
  point_.reset();
  EXPECT_THAT(taps_.Look(1, kKey, kAll).status().message(), HasSubstr("no node of default/main"));
}

TEST(TapOfPipelineTest, ReceiversShowWhatTheySendAndExportersWhatTheyTake) {
  testing::PipelineHarness harness(R"(
nodes:
  source: {kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
           out_ports: {out: {destinations: [sink]}}}
  sink: {kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"})");
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  const auto look = [](uint64_t session, const std::string& node) {
    return ProcessTaps().Look(session, {"default", "main", node}, kAll).ValueOrDie();
  };
  look(1, "source");
  look(2, "sink");
  harness.sink().is_corked = true;
  for (int i = 0; i < 200; ++i) {
    harness.source().Send(testing::SmallLogs(3));
  }
  harness.source().End();
  harness.RunUntilIdle();
  harness.sink().Uncork();
  harness.RunUntilIdle();
  EXPECT_TRUE(harness.has_ended());
  EXPECT_THAT(look(1, "source").batches, SizeIs(200));
  EXPECT_THAT(look(2, "sink").batches, SizeIs(200));
}

}  // namespace
}  // namespace df::engine
