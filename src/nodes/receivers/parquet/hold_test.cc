// Replays that are paused, stepped and changed while they run.
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arrow/compute/initialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/graph.h"
#include "engine/pipeline_instance.h"
#include "nodes/receivers/parquet/replay.h"
#include "testing/corkable_exporter.h"
#include "testing/random_batch.h"
#include "testing/simulated_clock.h"

namespace df::nodes::receivers::parquet {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using std::chrono::seconds;
using ::testing::IsEmpty;

constexpr int64_t kSecond = 1'000'000'000;

bool Never() { return false; }

PaceOptions AtSpeed(double factor) {
  PaceOptions options;
  options.speed.factor = factor;
  options.longest_gap.limit = std::nullopt;
  return options;
}

/// One reader that waits for a time on a thread of its own.
class Waiting {
 public:
  Waiting(Pacer* pacer, int64_t event_nanos)
      : thread_([this, pacer, event_nanos] { wait_ = pacer->WaitUntilDue(event_nanos, Never); }) {}
  Pacer::Wait End() {
    thread_.join();
    return wait_;
  }

 private:
  Pacer::Wait wait_ = Pacer::Wait::kStopped;
  std::thread thread_;
};

TEST(HeldPacer, TheClockStandsStillWhileItIsHeld) {
  df::testing::SimulatedClock clock;
  Pacer pacer(AtSpeed(1), clock);
  pacer.Enter();
  ASSERT_EQ(pacer.WaitUntilDue(kSecond, Never), Pacer::Wait::kDue);
  clock.Advance(seconds(3));  // the clock of the records is at 4 s
  pacer.Hold();
  clock.Advance(seconds(100));
  Waiting reader(&pacer, 5 * kSecond);
  pacer.LetGo();
  clock.Advance(seconds(1));
  pacer.Wake();
  EXPECT_EQ(reader.End(), Pacer::Wait::kDue);
  EXPECT_EQ(pacer.figures().most_behind, seconds(0)) << "a pause makes nothing late";
}

TEST(HeldPacer, AnAdmittedRecordIsTheEarliestAndTheClockGoesToItsTime) {
  df::testing::SimulatedClock clock;
  Pacer pacer(AtSpeed(1), clock);
  pacer.Enter();
  pacer.Enter();
  pacer.Hold();
  pacer.Admit(1);
  Waiting later(&pacer, 9 * kSecond);
  Waiting earlier(&pacer, 5 * kSecond);
  EXPECT_EQ(earlier.End(), Pacer::Wait::kLetThrough) << "not before both wait";
  pacer.Leave();
  pacer.Admit(1);
  EXPECT_EQ(later.End(), Pacer::Wait::kLetThrough);
  pacer.LetGo();
  EXPECT_EQ(pacer.WaitUntilDue(9 * kSecond, Never), Pacer::Wait::kDue);
  Waiting next(&pacer, 10 * kSecond);
  clock.Advance(seconds(1));
  pacer.Wake();
  EXPECT_EQ(next.End(), Pacer::Wait::kDue);
}

TEST(HeldPacer, ARunEndsAtItsTime) {
  df::testing::SimulatedClock clock;
  Pacer pacer(AtSpeed(2), clock);
  EXPECT_FALSE(pacer.RunFor(seconds(10))) << "it is not held";
  pacer.Enter();
  ASSERT_EQ(pacer.WaitUntilDue(kSecond, Never), Pacer::Wait::kDue);
  pacer.Hold();
  clock.Advance(seconds(60));
  ASSERT_TRUE(pacer.RunFor(seconds(10)));  // to 11 s, which takes 5
  clock.Advance(seconds(60));
  EXPECT_EQ(pacer.WaitUntilDue(11 * kSecond, Never), Pacer::Wait::kLetThrough);
  // It looks once, and ends when it is asked for the second time.
  std::atomic<int> num_looks = 0;
  std::atomic<bool> has_ended = false;
  Pacer::Wait wait = Pacer::Wait::kDue;
  std::thread reader([&] {
    wait = pacer.WaitUntilDue(12 * kSecond, [&] { return num_looks++ > 0; });
    has_ended = true;
  });
  while (!has_ended) {
    pacer.Wake();
    std::this_thread::yield();
  }
  reader.join();
  EXPECT_EQ(wait, Pacer::Wait::kStopped);
}

TEST(ChangedPacer, RecordsGoOnAtTheNewSpeedFromWhereTheClockIs) {
  df::testing::SimulatedClock clock;
  Pacer pacer(AtSpeed(1), clock);
  pacer.Enter();
  ASSERT_EQ(pacer.WaitUntilDue(kSecond, Never), Pacer::Wait::kDue);
  clock.Advance(seconds(2));  // at 3 s
  Waiting reader(&pacer, 103 * kSecond);
  pacer.Change(AtSpeed(100));
  clock.Advance(seconds(1));
  pacer.Wake();
  EXPECT_EQ(reader.End(), Pacer::Wait::kDue);
  EXPECT_EQ(pacer.figures().behind, seconds(0));
}

TEST(ChangedPacer, WhoWaitsForARateFollowsTheNewOneAtOnce) {
  df::testing::SimulatedClock clock;
  PaceOptions slow;
  slow.items_per_second = 1;
  Pacer pacer(slow, clock);
  ASSERT_TRUE(pacer.WaitForRate(1'000'000, 0, Never));
  bool has_gone = false;
  std::thread reader([&] { has_gone = pacer.WaitForRate(1, 0, Never); });
  pacer.Change(PaceOptions());
  reader.join();
  EXPECT_TRUE(has_gone);
  EXPECT_FALSE(pacer.has_rate());
}

/// Runs a replay of 2,000 logs in batches of 100; a call is made in every turn of the loop.
class HoldTest : public ::testing::Test {
 protected:
  explicit HoldTest(const std::string& more = "") {
    static int num_pipelines = 0;  // what a node has delivered is remembered by its name
    const std::string document = "nodes:\n  held" + std::to_string(++num_pipelines) +
                                 R"(: {kind: receiver, plugin_urn: "urn:otel:otap:parquet:receiver",
         out_ports: {out: {destinations: [sink]}},
         config: {polling_interval: once, signal_types: [logs], )" +
                                 more + R"(processing_options: {batch_size: 100}, base_uri: ")" +
                                 OTAP_SOURCE_DIR + R"(/examples/data/corner/parquet"}}
  sink: {kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}
)";
    pipeline_ =
        engine::LoadPipeline(document, "test.yaml",
                             engine::NodeRegistry(std::vector<const engine::NodeDescriptor*>{
                                 &kDescriptor, &df::testing::CorkableExporterDescriptor()}),
                             {})
            .ValueOrDie();
    NextGeneration();
  }

  void NextGeneration() {
    shared_.clear();
    for (const engine::CheckedNode& node : pipeline_.nodes) {
      shared_.push_back(node.descriptor->make_shared(*node.config, {}).ValueOrDie());
    }
  }

  Replay& replay() { return static_cast<Replay&>(*shared_[0]); }
  std::vector<otap::BatchPtr>& taken() {
    return static_cast<df::testing::ExporterScript&>(*shared_[1]).taken;
  }
  int64_t NumTaken() {
    int64_t num_items = 0;
    for (const otap::BatchPtr& batch : taken()) {
      num_items += batch->num_items();
    }
    return num_items;
  }

  /// `in_each_turn` returns whether it is to be called again.
  engine::InstanceResult Run(const std::function<bool()>& in_each_turn) {
    runtime::EventLoop loop;
    telemetry::Registry registry;
    instance_ =
        engine::PipelineInstance::Make(pipeline_, shared_, &loop, &registry, {}).ValueOrDie();
    instance_->Start([&loop] { loop.Stop(); });
    std::function<void()> turn = [&] {
      if (in_each_turn()) {
        loop.Post(turn);
      }
    };
    loop.Post(turn);
    loop.Run();
    engine::InstanceResult result = instance_->TakeResult();
    instance_.reset();
    return result;
  }

  /// Whether the loop has had many turns in which a batch could have gone. Counts them.
  bool HasRested() {
    num_turns_ += replay().pacing().num_passing() > 0 ? 1 : 0;
    return num_turns_ % 200 == 199;
  }

  engine::CheckedPipeline pipeline_;
  std::vector<engine::NodeSharedPtr> shared_;
  std::unique_ptr<engine::PipelineInstance> instance_;
  int num_turns_ = 0;
};

TEST_F(HoldTest, NothingGoesOutBeforeItIsLetAndEverythingAfter) {
  Pacing& pacing = replay().pacing();
  pacing.Hold();
  int phase = 0;
  const engine::InstanceResult result = Run([&] {
    if (phase == 0 && HasRested()) {
      EXPECT_THAT(taken(), IsEmpty());
      EXPECT_TRUE(pacing.Step({.num_batches = 3}).ok());
      phase = 1;
    } else if (phase == 1 && pacing.hold().num_batches_let == 3 && taken().size() >= 3 &&
               HasRested()) {
      EXPECT_EQ(taken().size(), 3U);
      EXPECT_TRUE(pacing.hold().is_held);
      phase = 2;
      pacing.LetGo();
    }
    return phase < 2;
  });
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_EQ(NumTaken(), 2000);
  EXPECT_FALSE(pacing.hold().is_held);
}

TEST_F(HoldTest, ADrainEndsAPauseAndWhatWasHeldComesWithTheNextGeneration) {
  replay().pacing().Hold();
  ASSERT_TRUE(replay().pacing().Step({.num_batches = 2}).ok());
  const engine::InstanceResult result = Run([&] {
    if (taken().size() >= 2 && HasRested()) {
      instance_->RequestDrain();
      return false;
    }
    return true;
  });
  EXPECT_THAT(result.errors, IsEmpty());
  const int64_t num_before = NumTaken();
  EXPECT_EQ(taken().size(), 2U);
  NextGeneration();
  EXPECT_THAT(Run([] { return false; }).errors, IsEmpty());
  EXPECT_EQ(num_before + NumTaken(), 2000) << "each record once";
}

TEST_F(HoldTest, StepsThatCannotBeMadeAreRefused) {
  Pacing& pacing = replay().pacing();
  EXPECT_TRUE(pacing.Step({.num_batches = 1}).IsInvalid()) << "it is not paused";
  pacing.Hold();
  EXPECT_TRUE(pacing.Step({.event_time = seconds(1)}).IsInvalid()) << "it has no pace";
  EXPECT_TRUE(pacing.Step({.num_batches = 1}).ok());
}

TEST_F(HoldTest, AChangedBatchSizeIsOfTheBatchesThatAreReadFromThenOn) {
  replay().pacing().Hold();
  ASSERT_TRUE(replay().pacing().Step({.num_batches = 2}).ok());
  const engine::InstanceResult result = Run([&] {
    if (taken().size() < 2 || !HasRested()) {
      return true;
    }
    ParquetReceiverConfig changed = replay().config();
    changed.processing_options.batch_size = 17;
    EXPECT_TRUE(CanApply(replay().config(), changed));
    replay().Apply(changed);
    replay().pacing().LetGo();
    return false;
  });
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_EQ(NumTaken(), 2000);
  EXPECT_GT(taken().front()->num_items(), 17);
  EXPECT_LE(taken().back()->num_items(), 17);
}

class PacedHoldTest : public HoldTest {
 protected:
  // All records are due at once: what holds them is the pause.
  PacedHoldTest() : HoldTest("pace: {speed: 1000000000x, longest_gap: 1ms}, ") {}
};

TEST_F(PacedHoldTest, StepsOfBatchesAndOfTimeLetThatMuchThrough) {
  Pacing& pacing = replay().pacing();
  pacing.Hold();
  int phase = 0;
  int num_turns = 0;
  const engine::InstanceResult result = Run([&] {
    if (phase == 0) {
      EXPECT_TRUE(pacing.Step({.num_batches = 1}).ok());
      EXPECT_TRUE(pacing.Step({.num_batches = 2}).ok());
      phase = 1;
    } else if (phase == 1 && taken().size() >= 3 && ++num_turns > 200) {
      EXPECT_EQ(taken().size(), 3U);
      EXPECT_TRUE(pacing.Step({.event_time = std::chrono::hours(24) * 365}).ok());
      phase = 2;
    } else if (phase == 2 && taken().size() >= 10) {
      EXPECT_TRUE(pacing.hold().is_held) << "a step does not end a pause";
      pacing.LetGo();
      phase = 3;
    }
    return phase < 3;
  });
  EXPECT_THAT(result.errors, IsEmpty());
  EXPECT_EQ(NumTaken(), 2000);
}

TEST(CanApply, OnlyWhatAReplayCanFollowWhileItRuns) {
  ParquetReceiverConfig from;
  from.base_uri = "/lake";
  EXPECT_TRUE(CanApply(from, from));
  const auto changed = [&](const std::function<void(ParquetReceiverConfig*)>& change) {
    ParquetReceiverConfig to = from;
    change(&to);
    return CanApply(from, to);
  };
  using Config = ParquetReceiverConfig;
  EXPECT_TRUE(changed([](Config* to) { to->polling_interval.interval = seconds(7); }));
  EXPECT_TRUE(changed([](Config* to) { to->processing_options.batch_size = 9; }));
  EXPECT_TRUE(changed([](Config* to) { to->pace = PaceOptions{.items_per_second = 5}; }));
  EXPECT_FALSE(changed([](Config* to) { to->polling_interval.interval = std::nullopt; }));
  EXPECT_FALSE(changed([](Config* to) { to->pace = AtSpeed(2); })) << "it did not go by time";
  EXPECT_FALSE(changed([](Config* to) { to->signal_types = {otap::Signal::kLogs}; }));
  EXPECT_FALSE(changed([](Config* to) { to->base_uri = "/pond"; }));
  EXPECT_FALSE(changed([](Config* to) { to->watch = Watching::kOff; }));
  EXPECT_FALSE(changed([](Config* to) { to->memory_limit *= 2; }));
  from.pace = AtSpeed(1);
  EXPECT_TRUE(changed([](Config* to) { to->pace = AtSpeed(2); }));
  EXPECT_FALSE(changed([](Config* to) { to->pace = std::nullopt; }));
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
