#include "app/run_progress.h"

#include <condition_variable>
#include <mutex>
#include <string>

#include <gtest/gtest.h>

#include "telemetry/names.h"

namespace df::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::chrono::steady_clock::time_point kBegin{};

ProgressSample At(milliseconds time, int64_t num_done, std::optional<double> share,
                  int64_t num_refused = 0) {
  return {.time = kBegin + time,
          .has_outcomes = true,
          .num_done = num_done,
          .num_refused = num_refused,
          .share = share};
}

TEST(ProgressHistory, SaysShareCountRateAndTheTimeLeft) {
  ProgressHistory history(/*has_end=*/true);
  history.Add(At(seconds(0), 0, std::nullopt));
  EXPECT_EQ(history.Text(0), "0 records delivered, 0/s");
  history.Add(At(seconds(10), 1'204'000, 0.25));
  EXPECT_EQ(history.Text(0), "25 %  1,204,000 records delivered, 120,400/s, 30 s left");
  history.Add(At(seconds(20), 2'408'000, 0.5, 7));
  EXPECT_EQ(history.Text(0), "50 %  2,408,000 records delivered, 7 refused, 120,400/s, 20 s left");
}

TEST(ProgressHistory, TheRateIsThatOfTheLastSeconds) {
  ProgressHistory history(/*has_end=*/true);
  history.Add(At(seconds(0), 0, 0.0));
  history.Add(At(seconds(10), 1'000'000, 0.1));
  for (int i = 1; i <= 8; ++i) {
    history.Add(At(seconds(10 + i), 1'000'000 + i * 10, 0.1));
  }
  EXPECT_EQ(history.Text(0), "10 %  1,000,080 records delivered, 10/s, 2 min 42 s left");
}

TEST(ProgressHistory, WhatHasNoEndHasNoShare) {
  ProgressHistory history(/*has_end=*/false);
  history.Add(At(seconds(0), 0, 0.0));
  history.Add(At(seconds(2), 10, 0.5));
  EXPECT_EQ(history.Text(0), "10 records delivered, 5/s");
  EXPECT_EQ(history.Text(60), "10 records delivered, 5/s");
}

TEST(ProgressHistory, FitsIntoTheTerminal) {
  ProgressHistory history(/*has_end=*/true);
  history.Add(At(seconds(0), 0, 0.0));
  history.Add(At(seconds(4000), 1'000'000, 0.25));
  EXPECT_EQ(history.Text(100),
            " 25 %  [#########.............................]  1,000,000 records delivered, 250/s, "
            "3 h 20 min left");
  EXPECT_EQ(history.Text(80),
            " 25 %  [####..............]  1,000,000 records delivered, 250/s, 3 h 20 min left");
  EXPECT_EQ(history.Text(40), " 25 %  1,000,000 records delivered");
  EXPECT_EQ(history.Text(41), " 25 %  1,000,000 records delivered, 250/s");
  for (size_t width = 1; width < 120; ++width) {
    EXPECT_LE(history.Text(width).size(), width);
  }
}

TEST(RunProgress, WritesLinesWhereThereIsNoTerminal) {
  telemetry::Registry registry([] { return 0; });
  std::mutex mutex;
  std::condition_variable looked;
  int num_looks = 0;
  const telemetry::CollectHook hook = registry.OnCollect([&] {
    const std::lock_guard lock(mutex);
    ++num_looks;
    looked.notify_all();
  });
  for (const bool has_end : {true, false}) {
    num_looks = 0;
    ::testing::internal::CaptureStderr();
    {
      const RunProgress progress(
          &registry,
          {.name = "replay", .has_end = has_end, .line_interval = std::chrono::milliseconds(1)});
      std::unique_lock lock(mutex);
      looked.wait(lock, [&] { return num_looks >= 4; });
    }
    const std::string lines = ::testing::internal::GetCapturedStderr();
    // A run without end that does nothing says nothing.
    EXPECT_EQ(lines.substr(0, lines.find('\n') + 1), has_end ? "replay: 0 items sent, 0/s\n" : "");
  }
}

TEST(TakeSample, SumsUpWhatSourcesSay) {
  telemetry::Registry registry([] { return 0; });
  EXPECT_FALSE(TakeSample(registry.Snapshot(), kBegin).has_outcomes);
  auto& generator = registry.FindOrAdd("df.node", {{"node.type", "urn:otel:receiver:generator"}});
  generator.AddCounter(telemetry::names::kNodeItemsOut, {{"signal", "logs"}}).Add(5);
  auto& batch = registry.FindOrAdd("df.node", {{"node.type", "urn:otel:processor:batch"}});
  batch.AddCounter(telemetry::names::kNodeItemsOut, {{"signal", "logs"}}).Add(5);
  EXPECT_EQ(TakeSample(registry.Snapshot(), kBegin).num_done, 5);

  auto& files = registry.FindOrAdd("df.node", {{"node.type", "urn:otel:receiver:parquet"}});
  files.AddGauge(telemetry::names::kReceiverSizeFound).Set(1000);
  files.AddGauge(telemetry::names::kReceiverSizeWaiting).Set(500);
  files.AddCounter(telemetry::names::kReceiverRowsListed).Add(80);
  files.AddCounter(telemetry::names::kReceiverRowsAcked).Add(30);
  files.AddCounter(telemetry::names::kReceiverRowsRefused).Add(2);
  files.AddCounter(telemetry::names::kReceiverRowsDropped, {{"reason", "unreadable"}}).Add(8);
  const ProgressSample sample = TakeSample(registry.Snapshot(), kBegin);
  EXPECT_TRUE(sample.has_outcomes);
  EXPECT_EQ(sample.num_done, 30);
  EXPECT_EQ(sample.num_refused, 2);
  EXPECT_EQ(sample.share, 0.25);
}

}  // namespace
}  // namespace df::app
