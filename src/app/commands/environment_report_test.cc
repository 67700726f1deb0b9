#include "app/commands/environment_report.h"

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::app {
namespace {

using engine::CheckConditions;
using engine::EnvironmentCheck;
using engine::EnvironmentChecks;
using engine::Finding;
using engine::Verdict;
using std::chrono::milliseconds;
using ::testing::HasSubstr;

EnvironmentCheck Check(std::string_view kind, const std::string& subject,
                       std::function<Finding(const CheckConditions&)> run) {
  return {.mark = {.line = 3, .column = 7},
          .path = "nodes.in",
          .kind = kind,
          .subject = subject,
          .run = std::move(run)};
}

Finding Well(const CheckConditions&) { return {}; }

TEST(EnvironmentReport, SixteenChecksAreMadeAtTheSameTime) {
  const auto all = std::make_shared<std::latch>(16);
  EnvironmentChecks checks;
  for (int i = 0; i < 16; ++i) {
    checks.push_back(Check("connect", "host:1", [all](const CheckConditions&) -> Finding {
      all->arrive_and_wait();  // none ends before all are under way
      return {};
    }));
  }
  checks.push_back(Check("read", "/", Well));
  const CheckedEnvironment checked = RunChecks(checks, {.timeout = std::chrono::minutes(1)});
  EXPECT_FALSE(checked.has_left_behind);
  EXPECT_EQ(CountVerdicts(checked.findings).ok, 17u);
}

TEST(EnvironmentReport, ACheckThatDoesNotEndIsLeftBehindAndFails) {
  std::promise<void> end;
  const std::shared_future<void> ended = end.get_future().share();
  const CheckedEnvironment checked = RunChecks({Check("connect", "host:1",
                                                      [ended](const CheckConditions&) -> Finding {
                                                        ended.wait();
                                                        return {};
                                                      })},
                                               {.timeout = milliseconds(20)}, milliseconds(0));
  EXPECT_TRUE(checked.has_left_behind);
  EXPECT_EQ(checked.findings[0].verdict, Verdict::kFail);
  EXPECT_EQ(checked.findings[0].message, "no answer within 20ms");
  end.set_value();
}

// A document may send to itself: its own port that is being tried is no server.
TEST(EnvironmentReport, NobodyConnectsWhilePortsAreTried) {
  const auto is_tried = std::make_shared<std::atomic<bool>>(false);
  const auto connect = [is_tried](const CheckConditions&) -> Finding {
    return {is_tried->load() ? Verdict::kOk : Verdict::kFail, ""};
  };
  const CheckedEnvironment checked =
      RunChecks({Check("connect", "host:1", connect), Check("connect", "host:2", connect),
                 Check("listen", "127.0.0.1:1",
                       [is_tried](const CheckConditions&) -> Finding {
                         is_tried->store(true);
                         return {};
                       })},
                {.timeout = std::chrono::minutes(1)});
  EXPECT_EQ(CountVerdicts(checked.findings).ok, 3u);
}

TEST(EnvironmentReport, OfTwoThatWantOnePortTheSecondFails) {
  const CheckedEnvironment checked =
      RunChecks({Check("listen", "127.0.0.1:1", Well), Check("listen", "127.0.0.1:1", Well),
                 Check("listen", "127.0.0.1:0", Well), Check("listen", "127.0.0.1:0", Well)},
                {.timeout = std::chrono::minutes(1)});
  EXPECT_THAT(checked.findings[1].message, HasSubstr("nodes.in listens there too, at line 3"));
  EXPECT_EQ(CountVerdicts(checked.findings).ok, 3u);
}

TEST(EnvironmentReport, EachCheckIsALineWithItsPlace) {
  EnvironmentChecks checks = {Check("listen", "127.0.0.1:1", Well), Check("read", "a\nb", Well)};
  checks[1].mark.source = 1;
  EXPECT_EQ(DescribeFindings("doc.yaml", checks, {{}, {Verdict::kFail, "it is not there"}}),
            "ok    doc.yaml:3:7  listen       127.0.0.1:1\n"
            "fail  command line  read         a\\x0ab: it is not there\n");
}

}  // namespace
}  // namespace df::app
