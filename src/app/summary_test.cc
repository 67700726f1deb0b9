#include "app/summary.h"

#include <csignal>
#include <memory>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/commands/exit_codes.h"
#include "engine/account.h"

namespace df::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// A run of one pipeline with one receiver.
controller::RunResult RunOf(controller::Outcome outcome, int64_t num_problems,
                            bool has_found_nothing) {
  auto source = std::make_shared<engine::SourceAccount>();
  source->has_found_nothing = has_found_nothing;
  controller::NodeSummary lake{.name = "lake", .urn = "urn:otel:receiver:parquet", .report = {}};
  lake.report.num_problems = num_problems;
  lake.report.source = std::move(source);
  controller::PipelineSummary pipeline;
  pipeline.outcome = outcome;
  pipeline.nodes.push_back(std::move(lake));
  controller::RunResult result;
  result.outcome = outcome;
  result.pipelines.push_back(std::move(pipeline));
  return result;
}

TEST(ExitCode, TheWorstCounts) {
  using enum controller::Outcome;
  EXPECT_EQ(ExitCode(RunOf(kClean, 0, false), false), 0);
  EXPECT_EQ(ExitCode(RunOf(kClean, 0, true), false), 5);
  EXPECT_EQ(ExitCode(RunOf(kClean, 1, false), false), 4);
  EXPECT_EQ(ExitCode(RunOf(kClean, 1, true), false), 4);
  EXPECT_EQ(ExitCode(RunOf(kFailed, 0, true), false), 1);
  EXPECT_EQ(ExitCode(RunOf(kFailed, 1, false), false), 1);
  EXPECT_EQ(ExitCode(RunOf(kForced, 1, true), false), 3);
}

TEST(ExitCode, IncompleteMayBeAllowedAndNothingElse) {
  using enum controller::Outcome;
  EXPECT_EQ(ExitCode(RunOf(kClean, 1, false), true), 0);
  EXPECT_EQ(ExitCode(RunOf(kClean, 1, true), true), 5);
  EXPECT_EQ(ExitCode(RunOf(kFailed, 1, false), true), 1);
  EXPECT_EQ(ExitCode(RunOf(kForced, 1, false), true), 3);
}

TEST(ExitCode, ASignalChangesNothing) {
  controller::RunResult result = RunOf(controller::Outcome::kClean, 0, false);
  result.signal = SIGTERM;
  EXPECT_EQ(ExitCode(result, false), 0);
  result.pipelines[0].nodes[0].report.num_problems = 2;
  EXPECT_EQ(ExitCode(result, false), 4);
}

TEST(ExitCode, ProblemsOfAnEarlierConfigurationCount) {
  controller::RunResult result = RunOf(controller::Outcome::kClean, 3, false);
  controller::PipelineSummary& pipeline = result.pipelines[0];
  pipeline.earlier.push_back(std::exchange(pipeline.nodes, {}));
  EXPECT_EQ(ExitCode(result, false), 4);
}

TEST(Summary, EndsWithTheNumberOfProblems) {
  EXPECT_THAT(FormatSummary("x.yaml", RunOf(controller::Outcome::kClean, 3, false)),
              HasSubstr("\nincomplete: 3 problems, named above\n"));
  EXPECT_THAT(FormatSummary("x.yaml", RunOf(controller::Outcome::kClean, 0, false)),
              Not(HasSubstr("incomplete")));
}

}  // namespace
}  // namespace df::app
