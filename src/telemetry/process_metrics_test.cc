#include "telemetry/process_metrics.h"

#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/logging.h"
#include "telemetry/names.h"

namespace df::telemetry {
namespace {

TEST(ProcessMetrics, TellWhatTheProcessHas) {
  Registry registry;
  const ProcessMetrics metrics(&registry);
  const MetricSnapshot snapshot = registry.Snapshot();
  EXPECT_GT(snapshot.Sum("process.cpu.time"), 0);
  EXPECT_GT(snapshot.Sum("process.memory.usage"), 1 << 20);
  EXPECT_GE(snapshot.Sum("process.memory.virtual"), snapshot.Sum("process.memory.usage"));
  EXPECT_GT(snapshot.Sum("df.process.memory.peak"), 1 << 20);
  EXPECT_GE(snapshot.Sum("process.open_file_descriptor.count"), 3);
  EXPECT_GE(snapshot.Sum("process.thread.count"), 1);
  EXPECT_GT(snapshot.Sum("process.paging.faults"), 0);
  EXPECT_GT(snapshot.Sum("process.uptime"), 0);
  EXPECT_LT(snapshot.Sum("process.uptime"), 3'600'000'000'000);
  EXPECT_EQ(snapshot.Sum("df.build.info"), 1);
}

TEST(ProcessMetrics, FollowWhatChanges) {
  Registry registry;
  const ProcessMetrics metrics(&registry);
  const MetricSnapshot before = registry.Snapshot();
  const int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  LogDebug("not written");
  LogWarning("written");
  const MetricSnapshot after = registry.Snapshot();
  close(file);
  const auto rise = [&](const char* name, const Attributes& attributes = {}) {
    return after.Sum(name, attributes) - before.Sum(name, attributes);
  };
  EXPECT_EQ(rise("process.open_file_descriptor.count"), 1);
  EXPECT_EQ(rise("df.log.records", {{"level", "warning"}}), 1);
  EXPECT_EQ(rise("df.log.records", {{"level", "debug"}}), 0);
  EXPECT_GE(rise("process.uptime"), 0);
}

TEST(ProcessMetrics, EveryNameIsOneOfTheEngine) {
  Registry registry;
  const ProcessMetrics metrics(&registry);
  for (const MetricFamily& family : registry.Snapshot().families) {
    EXPECT_TRUE(std::any_of(names::kAll.begin(), names::kAll.end(), [&](const Instrument* known) {
      return known->name == family.name;
    })) << family.name;
  }
}

}  // namespace
}  // namespace df::telemetry
