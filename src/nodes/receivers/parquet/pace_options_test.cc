#include "nodes/receivers/parquet/pace_options.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/receivers/parquet/config.h"
#include "testing/pipeline_harness.h"

namespace df::nodes::receivers::parquet {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using ::testing::HasSubstr;

std::string Problems(const std::string& config) {
  const df::testing::PipelineHarness harness(fmt::format(R"(
nodes:
  receiver: {{kind: receiver, plugin_urn: "urn:otel:otap:parquet:receiver",
             out_ports: {{out: {{destinations: [sink]}}}}, config: {{base_uri: data, {}}}}}
  sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}})",
                                                         config),
                                             {&kDescriptor});
  return harness.status().ok() ? "" : harness.status().message();
}

TEST(PaceOptions, WhatCanBeMeantIsAccepted) {
  for (const char* config :
       {"polling_interval: once, pace: {speed: 10x}",
        "polling_interval: once, pace: {speed: 0.5, longest_gap: none}",
        "polling_interval: once, pace: {speed: 1e3x, longest_gap: 5m, items_per_second: 7}",
        "pace: {items_per_second: 5000, bytes_per_second: 10MiB}", "time: {shift: -24h}",
        "time: {shift: +1d, keep_original: true}", "polling_interval: once, time: {last_at: now}",
        "polling_interval: once, time: {first_at: 2026-01-01T00:00:00Z}",
        "polling_interval: once, time: {as_sent: true}, pace: {speed: 1x}"}) {
    EXPECT_EQ(Problems(config), "") << config;
  }
}

TEST(PaceOptions, WhatCannotBeMeantIsNamed) {
  const auto expect = [](const char* config, const char* problem) {
    EXPECT_THAT(Problems(config), HasSubstr(problem)) << config;
  };
  expect("pace: {}", "found none of speed, items_per_second and bytes_per_second");
  expect("polling_interval: once, pace: {speed: 0x}",
         "found '0x', expected a number from 0.000001");
  expect("polling_interval: once, pace: {speed: fast}", "found 'fast'");
  expect("polling_interval: once, pace: {speed: nan}", "found 'nan'");
  expect("polling_interval: once, pace: {speed: 1x, longest_gap: 0s}", "found '0s'");
  expect("pace: {speed: 1x}", "speed: found beside a polling_interval");
  expect("pace: {items_per_second: -1}", "items_per_second");
  expect("time: {keep_original: true}", "found 0 of shift, first_at, last_at and as_sent");
  expect("time: {shift: 1h, as_sent: true}", "found 2 of shift");
  expect("time: {shift: yesterday}", "found 'yesterday'");
  expect("time: {last_at: now}", "last_at: found beside a polling_interval");
  expect("polling_interval: once, time: {as_sent: true}", "as_sent: found without pace.speed");
  expect("polling_interval: once, time: {first_at: noon}", "found 'noon'");
  expect("polling_interval: once, time: {first_at: now}, checkpoint: {directory: d, name: n}",
         "first_at: found beside checkpoint: of what is left then a later run");
  expect("polling_interval: once, time: {last_at: now}, progress: {resume: r.json}",
         "last_at: found beside progress.resume");
}

TEST(PaceOptions, TimesAreDescribedByWhatBecomesOfThem) {
  TimeOptions time;
  EXPECT_EQ(DescribeTimes(time), "");
  time.keep_original = true;
  EXPECT_EQ(DescribeTimes(time), "");
  time.shift.by = std::chrono::hours(-24);
  EXPECT_EQ(DescribeTimes(time), "times shifted by -1d, each with what was added to it");
  EXPECT_EQ(DescribeTimes({.as_sent = true}), "times as records are sent");
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
