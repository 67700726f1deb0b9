#include "otlp/compare/item_counts.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otlp/compare/json_request.h"
#include "otlp/request_file.h"

namespace df::otlp {
namespace {

using otap::Signal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Request(Signal signal, std::string_view json) {
  return RequestFromJson(signal, json).ValueOrDie();
}

Comparison Compare(Signal signal, std::string_view expected, std::string_view actual,
                   const CompareOptions& options = {}) {
  ItemCounts counts(signal, options);
  EXPECT_TRUE(counts.AddExpected(Request(signal, expected)).ok());
  EXPECT_TRUE(counts.AddActual(Request(signal, actual)).ok());
  return counts.Compare();
}

std::string Logs(std::string_view records) {
  return fmt::format(R"({{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{}]}}]}}]}})", records);
}

std::string Metrics(std::string_view metrics) {
  return fmt::format(R"({{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{}]}}]}}]}})", metrics);
}

bool AreEqual(std::string_view a, std::string_view b) {
  return Compare(Signal::kLogs, Logs(a), Logs(b)).is_equal();
}

TEST(CompareItems, OrderOfAttributesAndKvlistsIsFreeAndOfArraysIsNot) {
  EXPECT_TRUE(AreEqual(R"({"attributes":[{"key":"a"},{"key":"b","value":{"intValue":1}}]})",
                       R"({"attributes":[{"key":"b","value":{"intValue":1}},{"key":"a"}]})"));
  EXPECT_TRUE(AreEqual(R"({"body":{"kvlistValue":{"values":[{"key":"a"},{"key":"b"}]}}})",
                       R"({"body":{"kvlistValue":{"values":[{"key":"b"},{"key":"a"}]}}})"));
  EXPECT_FALSE(AreEqual(R"({"body":{"arrayValue":{"values":[{"intValue":1},{"intValue":2}]}}})",
                        R"({"body":{"arrayValue":{"values":[{"intValue":2},{"intValue":1}]}}})"));
}

TEST(CompareItems, DefaultsEqualAbsenceButValuesKeepTheirPresence) {
  EXPECT_TRUE(AreEqual(R"({"flags":0,"severityText":"","body":{}})", "{}"));
  EXPECT_TRUE(
      AreEqual(R"({"attributes":[{"key":"a","value":{}}]})", R"({"attributes":[{"key":"a"}]})"));
  EXPECT_FALSE(AreEqual(R"({"body":{"stringValue":""}})", "{}"));
  EXPECT_FALSE(AreEqual(R"({"body":{"intValue":0}})", R"({"body":{"boolValue":false}})"));
  EXPECT_FALSE(AreEqual(R"({"body":{"arrayValue":{}}})", R"({"body":{"kvlistValue":{}}})"));
}

TEST(CompareItems, GroupingIsFreeButWhatItSaysIsNot) {
  const std::string_view together =
      R"({"resourceLogs":[{"resource":{"droppedAttributesCount":1},"scopeLogs":[
          {"scope":{"name":"s"},"logRecords":[{"flags":1},{"flags":2}]}]}]})";
  const std::string_view apart =
      R"({"resourceLogs":[
          {"resource":{"droppedAttributesCount":1},"scopeLogs":[
            {"scope":{"name":"s"},"logRecords":[{"flags":2}]}]},
          {"resource":{"droppedAttributesCount":1},"scopeLogs":[
            {"scope":{"name":"s"},"logRecords":[{"flags":1}]}]}]})";
  EXPECT_TRUE(Compare(Signal::kLogs, together, apart).is_equal());
  const std::string_view other_url =
      R"({"resourceLogs":[{"resource":{"droppedAttributesCount":1},"schemaUrl":"u","scopeLogs":[
          {"scope":{"name":"s"},"logRecords":[{"flags":1},{"flags":2}]}]}]})";
  EXPECT_EQ(Compare(Signal::kLogs, together, other_url).missing, 2);
}

TEST(CompareItems, EqualItemsAreCounted) {
  const Comparison comparison =
      Compare(Signal::kLogs, Logs(R"({"flags":1},{"flags":1},{"flags":2})"),
              Logs(R"({"flags":1},{"flags":3},{"flags":3})"));
  EXPECT_EQ(comparison.Line(Signal::kLogs), "logs: 1/3 items equal, 2 extra");
  EXPECT_FALSE(comparison.is_equal());
  EXPECT_THAT(comparison.extra_examples, ElementsAre(HasSubstr("2 x  |  | flags=3")));
}

TEST(CompareItems, AMetricMayBeSplitAndPointsKeepItsHead) {
  const std::string one =
      Metrics(R"({"name":"m","gauge":{"dataPoints":[{"asInt":"1"},{"asInt":"2"}]}})");
  const std::string two = Metrics(R"({"name":"m","gauge":{"dataPoints":[{"asInt":"2"}]}},
                                     {"name":"m","gauge":{"dataPoints":[{"asInt":"1"}]}})");
  EXPECT_TRUE(Compare(Signal::kMetrics, one, two).is_equal());
  const std::string other =
      Metrics(R"({"name":"m","unit":"s","gauge":{"dataPoints":[{"asInt":"1"},{"asInt":"2"}]}})");
  EXPECT_EQ(Compare(Signal::kMetrics, one, other).missing, 2);
  const std::string sum =
      Metrics(R"({"name":"m","sum":{"dataPoints":[{"asInt":"1"},{"asInt":"2"}]}})");
  EXPECT_EQ(Compare(Signal::kMetrics, one, sum).missing, 2);
}

TEST(CompareItems, UnsetAndZeroOfOptionalFieldsDiffer) {
  const std::string zero = Metrics(R"({"histogram":{"dataPoints":[{"sum":0}]}})");
  const std::string unset = Metrics(R"({"histogram":{"dataPoints":[{}]}})");
  EXPECT_EQ(Compare(Signal::kMetrics, zero, unset).missing, 1);
  const std::string empty_buckets =
      Metrics(R"({"exponentialHistogram":{"dataPoints":[{"positive":{"offset":0}}]}})");
  const std::string none = Metrics(R"({"exponentialHistogram":{"dataPoints":[{}]}})");
  EXPECT_TRUE(Compare(Signal::kMetrics, empty_buckets, none).is_equal());
}

TEST(CompareItems, UpstreamLossesAreIgnoredOnRequestOnly) {
  const std::string a = Metrics(R"({"sum":{"isMonotonic":true,"dataPoints":[{}]}})");
  const std::string b = Metrics(R"({"sum":{"dataPoints":[{}]}})");
  EXPECT_FALSE(Compare(Signal::kMetrics, a, b).is_equal());
  EXPECT_TRUE(Compare(Signal::kMetrics, a, b, {.upstream_losses = true}).is_equal());
  const std::string minus = Logs(R"({"body":{"doubleValue":-0.0}})");
  const std::string plus = Logs(R"({"body":{"doubleValue":0.0}})");
  EXPECT_FALSE(Compare(Signal::kLogs, minus, plus).is_equal());
  EXPECT_TRUE(Compare(Signal::kLogs, minus, plus, {.upstream_losses = true}).is_equal());
  EXPECT_TRUE(Compare(Signal::kLogs, minus, plus, {.zero_signs = true}).is_equal());
  EXPECT_FALSE(Compare(Signal::kMetrics, a, b, {.zero_signs = true}).is_equal());
  EXPECT_FALSE(Compare(Signal::kLogs, Logs(R"({"flags":1})"), Logs("{}"), {.upstream_losses = true})
                   .is_equal());
}

TEST(CompareItems, AFieldThatIsNotKnownIsADifference) {
  ItemCounts counts(Signal::kTraces, {});
  const std::string link = Request(
      Signal::kTraces,
      R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"links":[{"droppedAttributesCount":5}]}]}]}]})");
  std::string moved = link;
  moved[moved.size() - 2] = 10 << 3;  // the count under number 10
  ASSERT_TRUE(counts.AddExpected(link).ok());
  ASSERT_TRUE(counts.AddActual(moved).ok());
  EXPECT_THAT(counts.Compare().extra_examples, ElementsAre(HasSubstr("unknown_10=5")));
}

TEST(CompareItems, BytesThatAreNoProtobufAreRefused) {
  ItemCounts counts(Signal::kLogs, {});
  EXPECT_TRUE(counts.AddActual("\x0a\x05zz").IsInvalid());
  EXPECT_TRUE(counts.AddActual("\x12\x01z").IsInvalid());
}

class RequestFile : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ =
        std::filesystem::temp_directory_path() /
        ("otlp_compare_" + std::to_string(::testing::UnitTest::GetInstance()->random_seed()) + "_" +
         ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Write(const std::string& name, std::string_view bytes) {
    const std::string path = directory_ / name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  static std::string Framed(std::string_view request) {
    const auto head = RequestHead(request.size()).ValueOrDie();
    return std::string(head.data(), head.size()).append(request);
  }

  std::filesystem::path directory_;
};

TEST_F(RequestFile, GivesItsRequestsInOrder) {
  const std::string path = Write("a", Framed("one") + Framed("") + Framed(std::string(300, 'x')));
  std::vector<size_t> sizes;
  ASSERT_TRUE(VisitRequests(path, [&](std::string_view request) {
                sizes.push_back(request.size());
                return arrow::Status::OK();
              }).ok());
  EXPECT_THAT(sizes, ElementsAre(3, 0, 300));
}

TEST_F(RequestFile, NamesTheRequestThatIsCutOff) {
  const auto ignore = [](std::string_view) { return arrow::Status::OK(); };
  const std::string framed = Framed("one") + Framed("two");
  EXPECT_THAT(VisitRequests(Write("a", framed.substr(0, 13)), ignore).message(),
              HasSubstr("the request at offset 7 has 2 of its 3 bytes"));
  EXPECT_THAT(VisitRequests(Write("b", framed.substr(0, 9)), ignore).message(),
              HasSubstr("2 bytes at offset 7"));
  EXPECT_TRUE(VisitRequests(directory_ / "none", ignore).IsIOError());
}

TEST_F(RequestFile, ArgumentsMayBeFilesDirectoriesAndPatterns) {
  const std::string a = Write("a-0", "");
  const std::string b = Write("a-1", "");
  EXPECT_THAT(*ExpandPath(a), ElementsAre(a));
  EXPECT_THAT(*ExpandPath(directory_), ElementsAre(a, b));
  EXPECT_THAT(*ExpandPath(directory_ / "a-*"), ElementsAre(a, b));
  EXPECT_TRUE(ExpandPath(directory_ / "b-*").status().IsIOError());
}

TEST_F(RequestFile, JsonAndProtobufAreComparedAlike) {
  const std::string json = Logs(R"({"flags":1,"traceId":"0aFF","body":{"bytesValue":"AQI="}})");
  const std::string request = Request(Signal::kLogs, json);
  const std::string expected = Write("a", Framed(request) + Framed(request));
  const std::string actual = Write("b", json + "\n" + json + "\n");
  EXPECT_EQ(CompareFiles(Signal::kLogs, expected, {actual}, {})->Line(Signal::kLogs),
            "logs: 2/2 items equal, 0 extra");
  EXPECT_EQ(CompareFiles(Signal::kLogs, expected, {actual, expected}, {})->Line(Signal::kLogs),
            "logs: 2/2 items equal, 2 extra");
  EXPECT_THAT(
      CompareFiles(Signal::kLogs, expected, {Write("c", "{\"x\":1}\n")}, {}).status().message(),
      HasSubstr("c:1: not OTLP JSON: ExportLogsServiceRequest has no field x"));
}

}  // namespace
}  // namespace df::otlp
