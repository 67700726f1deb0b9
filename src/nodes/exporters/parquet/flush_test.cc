// When files are closed: nobody who waits is forgotten, and nobody waits for long.
#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/exporters/parquet/parquet_exporter.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::nodes::exporters::parquet {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// Holds the thread of an exporter up where it makes a file.
struct Gate {
  void Set(bool open) {
    const std::lock_guard lock(mutex);
    is_open = open;
    changed.notify_all();
  }
  void Pass() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return is_open; });
  }
  std::mutex mutex;
  std::condition_variable changed;
  bool is_open = true;
};

class GatedStore final : public lake::FileStore {
 public:
  GatedStore(std::unique_ptr<lake::FileStore> store, Gate* gate)
      : store_(std::move(store)), gate_(gate) {}
  Result<std::unique_ptr<lake::StagedFile>> Create(const std::string& directory,
                                                   const std::string& name) override {
    gate_->Pass();
    return store_->Create(directory, name);
  }
  Result<int64_t> RemoveStale() override { return store_->RemoveStale(); }

 private:
  std::unique_ptr<lake::FileStore> store_;
  Gate* gate_;
};

Gate gate;
ParquetExporter* latest_exporter = nullptr;

struct Parsed final : engine::NodeConfig {
  ParquetConfig config;
};

/// The node, with a gate in front of its files.
const engine::NodeDescriptor& Gated() {
  static const engine::NodeDescriptor descriptor = [] {
    engine::NodeDescriptor gated = kDescriptor;
    gated.parse = [](const config::Section& section,
                     const engine::ValidateContext&) -> engine::NodeConfigPtr {
      auto parsed = std::make_shared<Parsed>();
      parsed->config = ReadParquetConfig(section);
      return parsed;
    };
    gated.make_exporter =
        [](const engine::NodeConfigPtr& config, const engine::NodeSharedPtr&,
           const engine::InstanceInfo& info) -> Result<std::unique_ptr<engine::Exporter>> {
      const auto& parsed = static_cast<const Parsed&>(*config);
      auto made = std::make_unique<ParquetExporter>(
          parsed.config, info,
          [](const ParquetConfig& of) -> Result<std::unique_ptr<lake::FileStore>> {
            ARROW_ASSIGN_OR_RAISE(auto store, MakeStore(of));
            return std::make_unique<GatedStore>(std::move(store), &gate);
          });
      latest_exporter = made.get();
      return made;
    };
    return gated;
  }();
  return descriptor;
}

class FlushTest : public ::testing::Test {
 protected:
  void Open(const std::string& options = "") {
    gate.Set(true);
    harness_ = std::make_unique<testing::PipelineHarness>(
        fmt::format(R"(
nodes:
  source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
           out_ports: {{out: {{destinations: [sink]}}}}}}
  sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:parquet",
         config: {{base_uri: '{}', writer_options: {{{}}}}}}})",
                    folder_.path().string(), options),
        std::vector<const engine::NodeDescriptor*>{&Gated()});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }
  ~FlushTest() override { gate.Set(true); }

  /// Moves the clock, and waits until the thread has done what it was told by then.
  void Advance(std::chrono::nanoseconds duration) {
    harness_->Advance(duration);
    while (!latest_exporter->is_settled()) {
      std::this_thread::yield();
      harness_->RunUntilIdle();
    }
  }
  void AdvanceSlowly(std::chrono::nanoseconds duration) {
    for (std::chrono::nanoseconds done{0}; done < duration; done += milliseconds(10)) {
      Advance(milliseconds(10));
    }
  }
  void End() {
    source().End();
    while (!harness_->has_ended()) {
      harness_->RunUntilIdle();
      std::this_thread::yield();
    }
  }

  testing::ReceiverScript& source() { return harness_->source(); }
  int64_t Flushes(const std::string& reason) {
    return harness_->metric("sink", "df.exporter.parquet.flushes", {{"reason", reason}});
  }

  testing::TemporaryFolder folder_;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(FlushTest, AnAgeFlushThatMeetsASizeFlushIsNotLost) {
  Open("target_rows_per_file: 100, flush_when_older_than: 10s");
  gate.Set(false);
  source().Send(testing::SmallLogs(40));
  source().Send(testing::SmallLogs(70));  // full: the thread is about to close the files of both
  harness_->RunUntilIdle();
  harness_->Advance(seconds(9));
  source().Send(testing::SmallLogs(10));  // for the next files
  harness_->RunUntilIdle();
  harness_->Advance(seconds(1));  // the first is old enough now
  gate.Set(true);
  Advance(milliseconds(1));
  EXPECT_THAT(source().outcomes, SizeIs(2));
  AdvanceSlowly(seconds(10));
  EXPECT_THAT(source().outcomes, SizeIs(3)) << "the last batch waits for ever";
  EXPECT_EQ(Flushes("rows"), 1);
  EXPECT_EQ(Flushes("age"), 1);
  End();
}

TEST_F(FlushTest, FilesAreClosedWhenEverybodyWaitsButNotSoon) {
  Open();
  source().senders_wait = true;
  source().Send(testing::SmallLogs(5));
  AdvanceSlowly(milliseconds(490));
  EXPECT_THAT(source().outcomes, IsEmpty());
  AdvanceSlowly(milliseconds(20));
  EXPECT_THAT(source().outcomes, SizeIs(1));
  EXPECT_EQ(Flushes("all_wait"), 1);
  End();
}

TEST_F(FlushTest, FilesOfSendersThatDoNotWaitGrow) {
  Open();
  for (int i = 0; i < 29; ++i) {
    source().Send(testing::SmallLogs(5));
    AdvanceSlowly(milliseconds(100));
  }
  EXPECT_THAT(source().outcomes, IsEmpty());
  AdvanceSlowly(milliseconds(200));
  EXPECT_FALSE(source().outcomes.empty());
  EXPECT_EQ(Flushes("age"), 1);
  End();
}

TEST_F(FlushTest, ADrainClosesFilesWhileTheReceiverWaitsForThem) {
  Open("flush_when_older_than: 1h, flush_when_all_wait_for: 1h");
  testing::RandomEngine random(5);
  const auto sent = testing::RandomBatches(12, std::nullopt, {}, random);
  source().waits_for_outcomes = true;
  for (const auto& batch : sent) {
    source().Send(batch);
  }
  harness_->RunUntilIdle();
  EXPECT_THAT(source().outcomes, IsEmpty());
  harness_->RequestDrain();
  while (!harness_->has_ended()) {
    harness_->RunUntilIdle();  // and the clock stands still
    std::this_thread::yield();
  }
  ASSERT_THAT(source().outcomes, SizeIs(sent.size()));
  for (const auto& [number, outcome] : source().outcomes) {
    EXPECT_TRUE(outcome.is_ack) << outcome.reason;
  }
  EXPECT_GE(Flushes("drain"), 3);
  EXPECT_EQ(Flushes("end"), 0);
  testing::ExpectSameRecords(sent, testing::ReplayTree(folder_.path(), {}));
}

/// A batch span processor of an SDK with its defaults: one call at a time, 512 spans a call, a
/// queue of 2,048, a call each 5 s or when there are 512.
struct Sdk {
  int64_t num_made = 0;
  int64_t num_queued = 0;
  int64_t num_dropped = 0;
  int64_t num_calls = 0;
  std::chrono::nanoseconds called_at{0};
  std::chrono::nanoseconds longest_call{0};
};

class SenderRates : public FlushTest, public ::testing::WithParamInterface<int> {};

TEST_P(SenderRates, OneSenderThatWaitsIsNotStarved) {
  Open();
  source().senders_wait = true;
  Sdk sdk;
  const int64_t spans_each_10_ms = GetParam() / 100;
  bool is_in_call = false;
  for (std::chrono::nanoseconds now{0}; now < seconds(20); now += milliseconds(10)) {
    sdk.num_made += spans_each_10_ms;
    sdk.num_queued += spans_each_10_ms;
    if (sdk.num_queued > 2048) {
      sdk.num_dropped += sdk.num_queued - 2048;
      sdk.num_queued = 2048;
    }
    if (is_in_call && source().num_outcomes == sdk.num_calls) {
      is_in_call = false;
      sdk.longest_call = std::max(sdk.longest_call, now - sdk.called_at);
    }
    if (!is_in_call && (sdk.num_queued >= 512 || now - sdk.called_at >= seconds(5))) {
      const int64_t count = std::min<int64_t>(sdk.num_queued, 512);
      sdk.num_queued -= count;
      sdk.called_at = now;
      ++sdk.num_calls;
      is_in_call = true;
      source().Send(testing::SmallLogs(count));
    }
    Advance(milliseconds(10));
  }
  EXPECT_EQ(sdk.num_dropped, 0) << "of " << sdk.num_made;
  EXPECT_LE(sdk.longest_call, seconds(1));
  const int64_t num_files = harness_->metric("sink", "df.exporter.parquet.files");
  RecordProperty("files_in_20_s", static_cast<int>(num_files));
  EXPECT_LE(num_files, 40);
  End();
}

INSTANTIATE_TEST_SUITE_P(SpansASecond, SenderRates, ::testing::Values(100, 400, 800));

TEST_F(FlushTest, AFastSenderIsNotHeldUpByManySlowOnes) {
  Open();
  source().senders_wait = true;
  // One sender sends again as soon as it is answered, 20 others each once in 2 s: a batch each
  // 100 ms, so that there is never half a second without one.
  int64_t num_fast = 0;
  int64_t waiting_for = -1;
  for (std::chrono::nanoseconds now{0}; now < seconds(10); now += milliseconds(10)) {
    if (waiting_for < 0 || source().outcomes.contains(static_cast<uint64_t>(waiting_for))) {
      waiting_for = source().num_sent + std::ssize(source().batches);
      source().Send(testing::SmallLogs(2));
      ++num_fast;
    }
    if (now % milliseconds(100) == std::chrono::nanoseconds(0)) {
      source().Send(testing::SmallLogs(1));
    }
    Advance(milliseconds(10));
  }
  EXPECT_GE(num_fast, 17);
  End();
}

}  // namespace
}  // namespace df::nodes::exporters::parquet
