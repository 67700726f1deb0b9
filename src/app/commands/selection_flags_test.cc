#include "app/commands/selection_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::app {
namespace {

using otap::Signal;
using ::testing::HasSubstr;

constexpr int64_t kNow = 1'795'739'400'000'000'000;
constexpr std::array kLogsOnly = {Signal::kLogs};
constexpr std::array kMetricsOnly = {Signal::kMetrics};

std::string ErrorOf(const SelectionFlags& flags, std::span<const Signal> signals = kLogsOnly) {
  const auto read = ReadSelectionFlags(flags, signals, kNow);
  return read.ok() ? "no error" : read.status().message();
}

std::optional<std::string> LogsWhere(const SelectionFlags& flags) {
  const auto read = ReadSelectionFlags(flags, kLogsOnly, kNow);
  return read.ok() ? read->where[0] : read.status().message();
}

TEST(SelectionFlagsTest, NothingAsksNothing) {
  const auto read = ReadSelectionFlags({}, otap::kAllSignals, kNow);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(read->time.is_everything());
  EXPECT_FALSE(read->wishes.trace_ids.has_value());
  EXPECT_THAT(read->where, ::testing::Each(std::nullopt));
}

TEST(SelectionFlagsTest, FlagsBecomeOneConditionOfEachSignal) {
  const auto read = ReadSelectionFlags({.services = {"cart", "pay\"ments"}, .wants_errors = true},
                                       std::array{Signal::kLogs, Signal::kTraces}, kNow);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->where[0],
            "(severity_number >= SEVERITY_NUMBER_ERROR) and "
            "(resource.attributes[\"service.name\"] == \"cart\" or "
            "resource.attributes[\"service.name\"] == \"pay\\\"ments\")");
  EXPECT_EQ(read->where[1],
            "(status.code == STATUS_CODE_ERROR) and "
            "(resource.attributes[\"service.name\"] == \"cart\" or "
            "resource.attributes[\"service.name\"] == \"pay\\\"ments\")");
  EXPECT_EQ(read->where[2], std::nullopt);
}

TEST(SelectionFlagsTest, WhatTheTableOfRecordsAnswersIsAskedFirst) {
  EXPECT_EQ(LogsWhere({.services = {"a"},
                       .where = {"attributes[\"k\"] == 1", "severity_number > 3"},
                       .grep = "x\\d\n"}),
            "(body != nil and IsMatch(body.string, \"x\\\\d\\x0a\")) and (severity_number > 3) and "
            "(resource.attributes[\"service.name\"] == \"a\") and (attributes[\"k\"] == 1)");
  EXPECT_EQ(LogsWhere({.min_severity = "warn"}), "severity_number >= SEVERITY_NUMBER_WARN");
}

TEST(SelectionFlagsTest, WrongOnesAreNamed) {
  EXPECT_THAT(ErrorOf({.from = ""}), HasSubstr("--from: found ''"));
  EXPECT_THAT(ErrorOf({.until = "1790001001"}), HasSubstr("write 1790001001s"));
  EXPECT_THAT(ErrorOf({.from = "x"}), HasSubstr("--from: found 'x'"));
  EXPECT_THAT(ErrorOf({.from = "-1h", .until = "-2h"}), HasSubstr("--until: "));
  EXPECT_THAT(ErrorOf({.min_severity = "loud"}), HasSubstr("--min-severity: found 'loud'"));
  EXPECT_THAT(ErrorOf({.min_severity = "warn"}, kMetricsOnly), HasSubstr("--min-severity: "));
  EXPECT_THAT(ErrorOf({.wants_errors = true}, kMetricsOnly), HasSubstr("--errors: "));
  EXPECT_THAT(ErrorOf({.where = {"severty_number > 3"}}),
              HasSubstr("--where: for logs: 1:1: found 'severty_number'"));
  EXPECT_THAT(ErrorOf({.where = {"a) or (b"}}), HasSubstr("--where: ")) << "no way out of its part";
  EXPECT_THAT(ErrorOf({.grep = "("}), HasSubstr("--grep: "));
  EXPECT_THAT(ErrorOf({.traces = {"xyz"}}), HasSubstr("--trace: found 'xyz'"));
  EXPECT_THAT(ErrorOf({.trace_ids_file = "/no/such/file"}), HasSubstr("--trace-ids: "));
}

TEST(SelectionFlagsTest, UntilBelongsToTheDayOfFrom) {
  const auto read =
      ReadSelectionFlags({.from = "2026-11-20 14:00", .until = "14:15"}, kLogsOnly, kNow);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read->time.to - *read->time.from, int64_t{15} * 60 * 1'000'000'000);
}

}  // namespace
}  // namespace df::app
