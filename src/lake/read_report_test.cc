#include "lake/read_report.h"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::lake {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

Status Trouble(size_t i) {
  return MakeError(ErrorKind::kIo, fmt::format("trouble {}", i), {.file = "a"});
}

TEST(ReadReport, TheLatestProblemsAreNamedHoweverManyThereWere) {
  constexpr size_t kFirst = ReadReport::kMaxProblems;
  constexpr size_t kLatest = ReadReport::kMaxLatest;
  ReadReport report;
  for (size_t i = 0; i < 3 * kFirst; ++i) {
    report.Add(Trouble(i));
    const Problem& newest = i < kFirst ? report.problems.back() : report.latest.back();
    ASSERT_THAT(newest.message, HasSubstr(fmt::format("trouble {} ", i)));
  }
  EXPECT_THAT(report.problems, SizeIs(kFirst));
  EXPECT_THAT(report.latest, SizeIs(kLatest));
  EXPECT_EQ(report.num_forgotten, static_cast<int64_t>(2 * kFirst - kLatest));
  EXPECT_EQ(report.num_errors(), static_cast<int64_t>(3 * kFirst));

  report.Add(Trouble(0));
  report.Add(Trouble(3 * kFirst - 1));
  EXPECT_EQ(report.problems.front().count, 2);
  EXPECT_EQ(report.latest.back().count, 2);
}

TEST(ReadReport, MergingForgetsNoProblemThatIsNotCounted) {
  ReadReport sum;
  size_t number = 0;
  for (int part = 0; part < 5; ++part) {
    ReadReport report;
    for (size_t i = 0; i < 700; ++i) {
      report.Add(Trouble(number++));
    }
    sum.Merge(report);
  }
  int64_t named = 0;
  for (const auto* list : {&sum.problems, &sum.latest}) {
    for (const Problem& problem : *list) {
      named += problem.count;
    }
  }
  EXPECT_EQ(named + sum.num_forgotten, sum.num_errors());
  EXPECT_THAT(sum.latest.back().message, HasSubstr(fmt::format("trouble {} ", number - 1)));
}

}  // namespace
}  // namespace df::lake
