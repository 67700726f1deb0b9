#include "app/control/tapped_records.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace df::app {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// Two log records, of users `ann` and `bob`.
json Answer() {
  return json::parse(R"({"is_new": false, "dropped_batches": 1, "dropped_items": 7, "requests": [
    {"signal": "logs", "request": {"resourceLogs": [{"resource": {"attributes": [
      {"key": "service.name", "value": {"stringValue": "shop"}}]}, "scopeLogs": [{"logRecords": [
      {"timeUnixNano": "1", "body": {"stringValue": "first"}, "attributes": [
        {"key": "user", "value": {"stringValue": "ann"}}]},
      {"timeUnixNano": "2", "body": {"stringValue": "second"}, "attributes": [
        {"key": "user", "value": {"stringValue": "bob"}}]}]}]}]}}]})");
}

std::string LinesOf(TappedOptions options, const json& answer = Answer()) {
  auto records = TappedRecords::Make(std::move(options));
  EXPECT_TRUE(records.ok()) << records.status();
  return records->Take(answer).ValueOrDie();
}

TEST(TappedRecordsTest, EveryRecordIsALineAndWhatWasDroppedIsCounted) {
  TappedRecords records = TappedRecords::Make({}).ValueOrDie();
  const std::string lines = records.Take(Answer()).ValueOrDie();
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2) << lines;
  EXPECT_THAT(lines, AllOf(HasSubstr("first"), HasSubstr("user=bob"), HasSubstr("shop")));
  EXPECT_EQ(records.num_dropped(), 7);
  EXPECT_FALSE(records.is_done());
}

TEST(TappedRecordsTest, RedactedValuesAreNotPrintedAndCanBeAskedAbout) {
  const std::string where = "attributes[\"user\"] == \"bob\"";
  const std::string lines = LinesOf(
      {.where = where, .redact = {"user", "service.name"}, .style = {.form = RecordForm::kJson}});
  EXPECT_THAT(lines, AllOf(HasSubstr("second"), Not(HasSubstr("first")), Not(HasSubstr("bob")),
                           Not(HasSubstr("shop")), HasSubstr("[redacted]")));
}

TEST(TappedRecordsTest, RedactionReachesEveryPlace) {
  json request = json::parse(R"({"resourceSpans": [{"scopeSpans": [{"scope": {"attributes": [
      {"key": "k", "value": {"stringValue": "hush"}}]}, "spans": [{"events": [{"attributes": [
      {"key": "k", "value": {"intValue": "hush"}}]}], "links": [{"attributes": [
      {"key": "k", "value": {"arrayValue": {"values": [{"stringValue": "hush"}]}}}]}],
      "attributes": [{"key": "map", "value": {"kvlistValue": {"values": [
      {"key": "k", "value": {"stringValue": "hush"}}]}}}, {"key": "other", "value": {}}]}]}]}]})");
  Redact({"k"}, &request);
  EXPECT_THAT(request.dump(), AllOf(Not(HasSubstr("hush")), HasSubstr("other")));
}

TEST(TappedRecordsTest, ASampleIsOneOfSoManyOverAllAnswers) {
  TappedRecords records = TappedRecords::Make({.every = 3, .count = 2}).ValueOrDie();
  EXPECT_THAT(records.Take(Answer()).ValueOrDie(), HasSubstr("first"));   // the first record
  EXPECT_THAT(records.Take(Answer()).ValueOrDie(), HasSubstr("second"));  // the fourth
  EXPECT_TRUE(records.is_done());
  EXPECT_EQ(records.Take(Answer()).ValueOrDie(), "");
}

TEST(TappedRecordsTest, WhatIsWrongIsNamed) {
  const Status status = TappedRecords::Make({.where = "attributes[\"user\" =="}).status();
  EXPECT_TRUE(status.IsInvalid());
  EXPECT_THAT(status.message(), HasSubstr("--where:"));
  TappedRecords records = TappedRecords::Make({}).ValueOrDie();
  EXPECT_FALSE(records.Take(json::parse("[]")).ok());
  EXPECT_EQ(records.Take(json::parse(R"({"requests": [3, {"signal": "x"}]})")).ValueOrDie(), "");
  // A condition about spans leaves log records out.
  EXPECT_EQ(LinesOf({.where = "span.name == \"x\""}), "");
}

}  // namespace
}  // namespace df::app
