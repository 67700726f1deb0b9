#include "select/condition.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <gtest/gtest.h>

#include "otap/filter.h"
#include "otap/rows.h"
#include "otlp/decode.h"

namespace df::select {
namespace {

otap::BatchPtr Decode(otap::Signal signal, const std::string& json) {
  otlp::Decoder decoder;
  auto batches = decoder.DecodeJson(signal, json);
  EXPECT_TRUE(batches.ok()) << batches.status();
  EXPECT_EQ(batches->size(), 1U);
  return batches->front();
}

/// Two log records, of which the first has everything and the second nothing.
otap::BatchPtr TwoLogs() {
  return Decode(otap::Signal::kLogs, R"({"resourceLogs":[{
    "resource":{"attributes":[{"key":"service.name","value":{"stringValue":"cart"}}]},
    "scopeLogs":[{"scope":{"name":"s"},"logRecords":[
      {"timeUnixNano":"1000","severityNumber":17,"severityText":"ERROR",
       "body":{"stringValue":"it failed"},"traceId":"0102030405060708090a0b0c0d0e0f10",
       "attributes":[{"key":"code","value":{"intValue":"500"}},
                     {"key":"path","value":{"stringValue":"/cart"}},
                     {"key":"path","value":{"stringValue":"second"}}]},
      {}]}]}]})");
}

/// Returns one character a record: t, f, or e where there is no answer.
std::string Ask(const std::string& text, const otap::BatchPtr& batch) {
  const auto condition = Condition::Compile(text, batch->signal());
  if (!condition.ok()) {
    return condition.status().message();
  }
  const otap::RowSet all(batch->num_root_rows(), true);
  const Answer answer = condition->Ask(*batch, otap::RootTable(batch->signal()), all);
  std::string found;
  for (int64_t row = 0; row < batch->num_root_rows(); ++row) {
    found += answer.failed.Has(row) ? 'e' : answer.yes.Has(row) ? 't' : 'f';
  }
  return found;
}

TEST(Condition, AFieldThatWasNotSetIsEmptyAndAnAttributeIsNil) {
  const auto logs = TwoLogs();
  EXPECT_EQ(Ask(R"(severity_text == "")", logs), "ft");
  EXPECT_EQ(Ask("severity_number == 0", logs), "ft");
  EXPECT_EQ(Ask(R"(attributes["code"] == nil)", logs), "ft");
  EXPECT_EQ(Ask("body == nil", logs), "ft");
  EXPECT_EQ(Ask("trace_id == TraceID(0x00000000000000000000000000000000)", logs), "ft");
}

TEST(Condition, ABooleanThatIsNullIsNilAndOneWithoutAColumnIsFalse) {
  const auto logs = Decode(otap::Signal::kLogs, R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[
      {"attributes":[{"key":"a","value":{"boolValue":true}}]}]}]}]})");
  const auto& attributes = *logs->table(otap::TableKind::kLogAttrs);
  const int place = attributes.schema()->GetFieldIndex("bool");
  ASSERT_GE(place, 0);
  const auto with = [&](const std::shared_ptr<arrow::RecordBatch>& table) {
    otap::BatchBuilder builder(otap::Signal::kLogs);
    EXPECT_TRUE(builder.Set(otap::TableKind::kLogs, logs->root()).ok());
    EXPECT_TRUE(builder.Set(otap::TableKind::kLogAttrs, table).ok());
    return builder.Build();
  };
  const auto nulls = with(attributes
                              .SetColumn(place, attributes.schema()->field(place),
                                         arrow::MakeArrayOfNull(arrow::boolean(), 1).ValueOrDie())
                              .ValueOrDie());
  EXPECT_EQ(Ask(R"(attributes["a"] == nil)", nulls), "t");
  EXPECT_EQ(Ask(R"(attributes["a"] == false)", nulls), "f");
  const auto missing = with(attributes.RemoveColumn(place).ValueOrDie());
  EXPECT_EQ(Ask(R"(attributes["a"] == nil)", missing), "f");
  EXPECT_EQ(Ask(R"(attributes["a"] == false)", missing), "t");
}

TEST(Condition, OfTwoAttributesWithOneKeyTheFirstCounts) {
  EXPECT_EQ(Ask(R"(attributes["path"] == "/cart")", TwoLogs()), "tf");
  EXPECT_EQ(Ask(R"(attributes["path"] == "second")", TwoLogs()), "ff");
}

TEST(Condition, WhatEarlierPartsSettleIsNotAsked) {
  const auto logs = TwoLogs();
  EXPECT_EQ(Ask(R"(HasPrefix(attributes["path"], "/"))", logs), "te");
  EXPECT_EQ(Ask(R"(attributes["path"] != nil and HasPrefix(attributes["path"], "/"))", logs), "tf");
  EXPECT_EQ(Ask(R"(attributes["path"] == nil or HasPrefix(attributes["path"], "x"))", logs), "ft");
  EXPECT_EQ(Ask(R"(not HasPrefix(attributes["path"], "/"))", logs), "fe");
}

/// As the Collector writes them: the shortest digits, and zeros for the others.
TEST(Condition, DoublesHaveTheShortestText) {
  const auto logs = TwoLogs();
  for (const char* test :
       {"String(9223372036854775808.0) == \"9223372036854776000\"", "String(-0.5) == \"-0.5\"",
        "String(100.0) == \"100\"", "String(0.000001) == \"0.000001\"", "String(0.0) == \"0\"",
        "String(1234.5) == \"1234.5\"", "String(0.0000001) == \"1e-07\"",
        "String(100000000000000000000.0) == \"100000000000000000000\"",
        "String(1000000000000000000000.0) == \"1e+21\"", "Double(\"0x1p4\") == 16",
        "SpanID(258) == SpanID(0x0000000000000102)", "IsEmpty(-0.0)"}) {
    EXPECT_EQ(Ask(test, logs), "tt") << test;
  }
  EXPECT_EQ(Ask("Double(\"0x10\") == 16", logs), "1:1: Double: found '0x10', which is no number");
}

/// A mistake is told where it stands, with what was meant.
TEST(Condition, MistakesAreToldBeforeAnyDataIsRead) {
  const auto logs = TwoLogs();
  EXPECT_EQ(Ask("severity_numbr > 3", logs),
            "1:1: found 'severity_numbr', expected a field of a log; did you mean "
            "'severity_number'?");
  EXPECT_EQ(Ask("true and\n severity_number == SEVERITY_NUMBER_WARNING", logs),
            "2:21: found 'SEVERITY_NUMBER_WARNING', which is no enum of a log; did you mean "
            "'SEVERITY_NUMBER_WARN'?");
  EXPECT_EQ(Ask("severity_number == \"ERROR\"", logs),
            "1:1: found an integer compared with text, which are never equal");
  EXPECT_EQ(Ask(R"(IsMatch(body, "("))", logs).substr(0, 24), "1:1: found the pattern '");
  EXPECT_EQ(Ask("severity_text != nil", logs),
            "1:1: found text compared with nil; where it was not set it is \"\", never nil");
  EXPECT_EQ(Ask(R"(HasPrefx(body, "a"))", logs),
            "1:1: found 'HasPrefx', which is no function; did you mean 'HasPrefix'?");
  EXPECT_EQ(Ask(R"(HasPrefix(body))", logs), "1:1: expected HasPrefix(target, prefix)");
  EXPECT_EQ(Ask("severity_number >", logs), "1:18: found the end, expected a value");
  EXPECT_EQ(Ask("body == 'a'", logs), "1:9: found ''', expected text in double quotes");
}

/// Compiles a condition that may ask of traces; returns the message of the error, or "".
std::string CompileWithTraces(const std::string& text, otap::Signal signal) {
  const auto condition = Condition::Compile(text, signal, TraceQuestions::kAllowed);
  return condition.ok() ? "" : condition.status().message();
}

TEST(Condition, QuestionsOfTracesAreReadOnce) {
  const auto condition = Condition::Compile(
                             "trace.any(severity_number > 16 ) and (not trace.any(flags == 1) or "
                             "trace.any( severity_number > 16))",
                             otap::Signal::kLogs, TraceQuestions::kAllowed)
                             .ValueOrDie();
  EXPECT_EQ(std::vector<std::string>(condition.trace_questions().begin(),
                                     condition.trace_questions().end()),
            (std::vector<std::string>{"severity_number > 16", "flags == 1"}));
  const otap::BatchPtr logs = TwoLogs();
  const auto ask = [&](const Condition& asked) {
    return asked.Ask(*logs, otap::TableKind::kLogs, otap::RowSet(2, true));
  };
  const Answer unknown = ask(condition);
  EXPECT_EQ(unknown.failed.Count(), 2) << "nobody has looked for the traces";
  EXPECT_EQ(unknown.first_failure, "its traces were not looked for");
  TraceId first{};
  std::memcpy(first.data(), "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10", 16);
  const auto some = std::make_shared<const TraceIds>(std::vector<TraceId>{first, TraceId{}});
  const auto none = std::make_shared<const TraceIds>(std::vector<TraceId>{});
  const Answer answer = ask(condition.WithTraces({some, none}));
  EXPECT_TRUE(answer.yes.Has(0));
  EXPECT_EQ(answer.failed.Count(), 0);
  EXPECT_EQ(ask(condition.WithTraces({none, none})).yes.Count(), 0);
}

TEST(Condition, QuestionsOfTracesThatCannotBeAskedAreRefused) {
  EXPECT_EQ(Ask("flags == 1 and trace.any(flags == 1)", TwoLogs()),
            "1:16: found trace.any, which looks through a whole archive first: it has its place in "
            "select of receiver:parquet");
  EXPECT_EQ(CompileWithTraces("trace.any(flags == 1)", otap::Signal::kMetrics),
            "1:1: found trace.any, but data points are of no trace");
  EXPECT_EQ(CompileWithTraces("trace.any(flags == 1 or\n trace.any(true))", otap::Signal::kLogs),
            "2:2: found trace.any inside trace.any");
  EXPECT_EQ(CompileWithTraces("trace.any(flag == 1)", otap::Signal::kLogs).substr(0, 19),
            "1:11: found 'flag',");
  EXPECT_EQ(CompileWithTraces("trace.any(flags == 1", otap::Signal::kLogs),
            "1:21: found the end, expected ')', 'and' or 'or'");
  EXPECT_EQ(CompileWithTraces("trace.any()", otap::Signal::kLogs),
            "1:11: found ')', expected a value");
  std::string deep;
  for (int i = 0; i < 70; ++i) {
    deep += "trace.any(";
  }
  EXPECT_EQ(CompileWithTraces(deep, otap::Signal::kLogs).substr(0, 5), "1:661");
}

TEST(Condition, NestingAndLengthAreBounded) {
  EXPECT_EQ(Ask(std::string(20'000, '(') + "true" + std::string(20'000, ')'), TwoLogs()),
            "1:67: found more than 64 levels of nesting");
  EXPECT_EQ(Ask(std::string(70'000, ' ') + "true", TwoLogs()),
            "1:1: found 70004 bytes, expected at most 65536");
  std::string sum = "severity_number == 1";
  for (int i = 0; i < 300; ++i) {
    sum += " + 1";
  }
  EXPECT_EQ(Ask(sum, TwoLogs()), "1:1050: found more than 256 operations");
}

}  // namespace
}  // namespace df::select
