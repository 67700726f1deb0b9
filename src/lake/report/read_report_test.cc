#include "lake/report/read_report.h"

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

TEST(ReadReport, WhatIsWrongWithASchemaIsNamedOnceATable) {
  ReadReport report;
  const auto add = [&](ErrorKind kind, std::string_view what, std::string table, std::string file) {
    report.Add(MakeError(kind, std::string(what), {.table = std::move(table), .file = file}));
  };
  add(ErrorKind::kSchemaReconstruction, "found int32", "logs", "a");
  add(ErrorKind::kSchemaReconstruction, "found int32", "logs", "b");
  add(ErrorKind::kSchemaReconstruction, "found int32", "log_attrs", "c");
  add(ErrorKind::kSchemaReconstruction, "found int64", "logs", "d");
  add(ErrorKind::kIo, "found int32", "logs", "e");
  add(ErrorKind::kIo, "found int32", "logs", "f");
  ASSERT_THAT(report.problems, SizeIs(5));
  EXPECT_EQ(report.problems[0].count, 2);
  EXPECT_THAT(report.problems[0].message, HasSubstr("file=a"));
  EXPECT_THAT(report.problems[4].message, HasSubstr("file=f"));
  EXPECT_EQ(report.num_errors(), 6);
}

TEST(ReadReport, WhatWasForgottenIsNamedAgainWhenItComesAgain) {
  constexpr size_t kListed = ReadReport::kMaxProblems + ReadReport::kMaxLatest;
  ReadReport report;
  for (size_t i = 0; i < kListed + 10; ++i) {
    report.Add(Trouble(i));
  }
  for (size_t i = 0; i < 3; ++i) {
    report.Add(Trouble(kListed + 5));               // still there
    report.Add(Trouble(ReadReport::kMaxProblems));  // forgotten until it came the second time
  }
  EXPECT_THAT(report.latest, SizeIs(ReadReport::kMaxLatest));
  EXPECT_EQ(report.latest.back().count, 3);
  EXPECT_EQ(report.latest[ReadReport::kMaxLatest - 6].count, 4);
  EXPECT_EQ(report.num_forgotten, 11);
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
