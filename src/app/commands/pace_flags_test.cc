#include "app/commands/pace_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace df::app {
namespace {

constexpr int64_t kNow = 1'764'500'000'000'000'000;

std::string Read(const PaceFlags& flags) {
  const auto config = ReadPaceFlags(flags, kNow);
  return config.ok() ? config->dump() : config.status().message();
}

TEST(PaceFlags, AreWhatTheReceiverIsTold) {
  EXPECT_EQ(Read({}), "{}");
  EXPECT_EQ(Read({.speed = "10x", .rate_limit = "5000/s"}),
            R"({"pace":{"speed":"10x","items_per_second":5000}})");
  EXPECT_EQ(Read({.rate_limit = "2MiB/s"}), R"({"pace":{"bytes_per_second":2097152}})");
  EXPECT_EQ(Read({.rate_limit = "7"}), R"({"pace":{"items_per_second":7}})");
  EXPECT_EQ(Read({.shift = "-7d"}), R"({"time":{"shift":"-7d"}})");
  EXPECT_EQ(Read({.shift_to = "now"}), R"({"time":{"last_at":"now"}})");
  EXPECT_EQ(Read({.speed = "1x", .shift_to = "now"}),
            R"({"pace":{"speed":"1x"},"time":{"as_sent":true}})");
  EXPECT_EQ(Read({.shift_to = "2025-01-31T12:00:00Z"}),
            R"({"time":{"first_at":"1738324800000000000ns"}})");
}

TEST(PaceFlags, WhatIsNoRateOrTimeIsNamed) {
  EXPECT_THAT(Read({.rate_limit = "fast"}), ::testing::HasSubstr("--rate-limit: found 'fast'"));
  EXPECT_THAT(Read({.rate_limit = "0/s"}), ::testing::HasSubstr("--rate-limit: found '0/s'"));
  EXPECT_THAT(Read({.rate_limit = "-5"}), ::testing::HasSubstr("--rate-limit: found '-5'"));
  EXPECT_THAT(Read({.shift_to = "soon"}), ::testing::HasSubstr("--shift-to: found 'soon'"));
}

}  // namespace
}  // namespace df::app
