#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/validate.h"
#include "otlp/compare/item_counts.h"
#include "otlp/decode.h"
#include "otlp/encode.h"
#include "testing/random_batch.h"

namespace df::otlp {
namespace {

using otap::BatchPtr;
using otap::Signal;
using ::testing::StartsWith;

std::string Logs(const std::string& records) {
  return R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[)" + records + "]}]}]}";
}

/// The protobuf bytes of what JSON says; the message of the error when it is refused.
std::string Read(const std::string& json, Signal signal = Signal::kLogs) {
  Decoder decoder;
  const auto batches = decoder.DecodeJson(signal, json);
  if (!batches.ok()) {
    return batches.status().message();
  }
  EXPECT_EQ(batches->size(), 1) << json;
  const arrow::Status valid = otap::Validate(*batches->at(0));
  EXPECT_TRUE(valid.ok()) << valid;
  return EncodeRequest(*batches->at(0)).ValueOrDie();
}

class RandomJson : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomJson, ::testing::Range(1, 31));

TEST_P(RandomJson, HoldsWhatProtobufHolds) {
  testing::RandomEngine rng(static_cast<uint64_t>(GetParam()));
  const Signal signal = otap::kAllSignals[static_cast<size_t>(GetParam()) % 3];
  const BatchPtr batch = testing::RandomBatch(signal, {}, rng);
  ItemCounts counts(signal, {});
  ASSERT_TRUE(counts.AddExpected(EncodeRequest(*batch).ValueOrDie()).ok());
  ASSERT_TRUE(counts.AddActual(Read(EncodeJson(*batch).ValueOrDie(), signal)).ok());
  const Comparison comparison = counts.Compare();
  EXPECT_TRUE(comparison.is_equal()) << "seed " << GetParam() << ' ' << comparison.Line(signal);
}

TEST(DecodeJson, TakesBothFormsOfNamesAndNumbers) {
  const std::string camel = Logs(
      R"({"timeUnixNano":"1","severityNumber":9,"traceId":"000102030405060708090a0b0c0d0e0f",)"
      R"("body":{"intValue":"-3"},"flags":1,"attributes":[{"key":"k","value":{"doubleValue":2}}]})");
  const std::string snake = Logs(
      R"({"time_unix_nano":1,"severity_number":"9","trace_id":"000102030405060708090A0B0C0D0E0F",)"
      R"("body":{"int_value":-3.0},"flags":"1e0","unknown":[{"a":1}],"span_id":null,)"
      R"("attributes":[{"key":"k","value":{"double_value":"2.0"}}]})");
  EXPECT_EQ(Read(camel), Read(snake));
  EXPECT_THAT(Read(camel), StartsWith("\n"));
}

TEST(DecodeJson, TakesBothAlphabetsOfBase64) {
  const std::string standard = Read(Logs(R"({"body":{"bytesValue":"+/8="}})"));
  EXPECT_EQ(Read(Logs(R"({"body":{"bytesValue":"-_8"}})")), standard);
  EXPECT_NE(standard.find("\xFB\xFF"), std::string::npos);
}

TEST(DecodeJson, TakesDoublesThatAreNoNumbers) {
  const std::string request = Read(
      Logs(R"({"body":{"arrayValue":{"values":[{"doubleValue":"NaN"},{"doubleValue":"-Infinity"},)"
           R"({"doubleValue":"Infinity"}]}}})"));
  EXPECT_NE(request.find(std::string("\0\0\0\0\0\0\xF8\x7F", 8)), std::string::npos);
  EXPECT_NE(request.find(std::string("\0\0\0\0\0\0\xF0\xFF", 8)), std::string::npos);
}

TEST(DecodeJson, ZeroKeepsItsSign) {
  const std::string kNegativeZero("\0\0\0\0\0\0\0\x80", 8);
  for (const char* zero : {"-0", "-0.0", "-0e3", "\"-0\""}) {
    EXPECT_NE(
        Read(Logs(fmt::format(R"({{"body":{{"doubleValue":{}}}}})", zero))).find(kNegativeZero),
        std::string::npos)
        << zero;
  }
  EXPECT_EQ(Read(Logs(R"({"body":{"doubleValue":0}})")).find(kNegativeZero), std::string::npos);
}

TEST(DecodeJson, WholeNumbersAreExactHoweverTheyAreWritten) {
  const auto read = [](std::string_view number) {
    return Read(Logs(fmt::format(R"({{"body":{{"intValue":{}}}}})", number)));
  };
  const std::vector<std::pair<std::string, std::string>> same = {
      {"1e3", "1000"},
      {"1.5e1", "15"},
      {"0.0015E+4", "15"},
      {"15000e-3", "15"},
      {"-0.0", "0"},
      {"0e99", "0"},
      {"9007199254740993.0", "9007199254740993"},
      {"9.007199254740993e15", "9007199254740993"},
      {"1796000000000000001.0", "1796000000000000001"},
      {"1.796000000000000001e18", "1796000000000000001"},
      {"-9223372036854775808.0", "-9223372036854775808"},
      {"9223372036854775807.000", "9223372036854775807"},
      {"-9223372036854775808e0", "-9223372036854775808"}};
  for (const auto& [written, plain] : same) {
    EXPECT_EQ(read(written), read(plain)) << written;
    EXPECT_EQ(read("\"" + written + "\""), read(plain)) << written;
  }
  for (const char* none : {"4503599627370497.5", "9007199254740993.5", "1.00000000000000000001",
                           "0.1", "1e-1", "15e-1", "9223372036854775808.0", "1e19", "1e300",
                           "-9223372036854775809.0", "1e-400", "0.5e-99999999999999999999"}) {
    for (const std::string& written : {std::string(none), fmt::format("\"{}\"", none)}) {
      EXPECT_THAT(read(written), ::testing::HasSubstr("expected a whole number")) << written;
    }
  }
}

TEST(DecodeJson, SaysWhereAValueIsWrong) {
  const std::string kRecord = "resourceLogs[0].scopeLogs[0].logRecords[1].";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"timeUnixNano":-1})",
       kRecord + "timeUnixNano: found a number, expected a whole number from 0 to "
                 "18446744073709551615"},
      {R"({"severityNumber":1.5})",
       kRecord + "severityNumber: found a number, expected a whole number from -2147483648 to "
                 "2147483647"},
      {R"({"severityText":7})", kRecord + "severityText: found a number, expected a text"},
      {R"({"traceId":"0g"})",
       kRecord + "traceId: found another text, expected a text of hex digits"},
      {R"({"body":{"bytesValue":"?"}})",
       kRecord + "body.bytesValue: found another text, expected a text in base64"},
      {R"({"body":{"boolValue":"true"}})",
       kRecord + "body.boolValue: found a text, expected true or false"},
      {R"({"body":[]})", kRecord + "body: found an array, expected an object"},
      {R"({"attributes":{}})", kRecord + "attributes: found an object, expected an array"},
      {R"({"attributes":[{"key":"k"},{"value":{"arrayValue":{"values":[{"doubleValue":"nan"}]}}}]})",
       kRecord + "attributes[1].value.arrayValue.values[0].doubleValue: found a text, expected a "
                 "number, or one of NaN, Infinity and -Infinity"}};
  for (const auto& [record, message] : cases) {
    EXPECT_EQ(Read(Logs("{}," + record)), message);
  }
  for (const char* text : {"", "{", "[]", "{\"resourceLogs\":[}", "{\"a\":\"\xFF\"}"}) {
    EXPECT_THAT(Read(text), StartsWith("found ")) << text;
  }
}

TEST(DecodeJson, TakesNamesOfEnums) {
  const auto span = [](std::string_view kind, std::string_view code) {
    return fmt::format(
        R"({{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"kind":{},"status":{{"code":{}}}}}]}}]}}]}})",
        kind, code);
  };
  EXPECT_EQ(Read(span(R"("SPAN_KIND_CONSUMER")", R"("STATUS_CODE_ERROR")"), Signal::kTraces),
            Read(span("5", "2"), Signal::kTraces));
  EXPECT_EQ(Read(span(R"("SPAN_KIND_UNSPECIFIED")", R"("STATUS_CODE_UNSET")"), Signal::kTraces),
            Read(span("0", "0"), Signal::kTraces));
  EXPECT_EQ(Read(Logs(R"({"severityNumber":"SEVERITY_NUMBER_FATAL4"})")),
            Read(Logs(R"({"severityNumber":24})")));
  const auto sum = [](std::string_view temporality) {
    return fmt::format(
        R"({{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"sum":{{"aggregationTemporality":{},)"
        R"("dataPoints":[{{"asInt":1}}]}}}}]}}]}}]}})",
        temporality);
  };
  EXPECT_EQ(Read(sum(R"("AGGREGATION_TEMPORALITY_CUMULATIVE")"), Signal::kMetrics),
            Read(sum("2"), Signal::kMetrics));
  // Numbers that have no name, in both forms, are kept.
  EXPECT_EQ(Read(span("77", R"("78")"), Signal::kTraces),
            Read(span(R"("77")", "78"), Signal::kTraces));
  EXPECT_EQ(Read(span(R"("SPAN_KIND_ELSE")", "0"), Signal::kTraces),
            "resourceSpans[0].scopeSpans[0].spans[0].kind: found another text, expected a whole "
            "number, or a name as SPAN_KIND_CONSUMER");
  EXPECT_THAT(Read(Logs(R"({"flags":"SPAN_KIND_SERVER"})")),
              ::testing::HasSubstr("flags: found a text, expected a whole number from 0"));
}

TEST(DecodeJson, HalvesOfSurrogatePairsCostTheLetterOnly) {
  Decoder decoder;
  DecodeStats stats;
  const auto batches = decoder.DecodeJson(
      Signal::kLogs, Logs(R"({"severityText":"a\ud83dz","body":{"stringValue":"\ude00"}},{})"),
      &stats);
  ASSERT_TRUE(batches.ok()) << batches.status();
  EXPECT_EQ(stats.items, 2);
  EXPECT_EQ(stats.replaced_surrogates, 2);
  const std::string request = EncodeRequest(*batches->at(0)).ValueOrDie();
  EXPECT_NE(request.find("a\xEF\xBF\xBDz"), std::string::npos);
  // Of the next request there are none.
  DecodeStats next;
  ASSERT_TRUE(decoder.DecodeJson(Signal::kLogs, Logs("{}"), &next).ok());
  EXPECT_EQ(next.replaced_surrogates, 0);
}

TEST(DecodeJson, WhatIsNoJsonIsSaidBeforeWhatIsWrongInIt) {
  EXPECT_EQ(Read("{\"resourceLogs\":7,\n]"),
            "found no JSON, expected an object: at line 2, column 1: found ']', expected a key in "
            "quotes");
  EXPECT_EQ(Read("{\"resourceLogs\":7}"), "resourceLogs: found a number, expected an array");
}

TEST(DecodeJson, DepthIsLimited) {
  const auto nested = [](int depth) {
    std::string value = "{}";
    for (int i = 0; i < depth; ++i) {
      value = R"({"arrayValue":{"values":[)" + value + "]}}";
    }
    return Logs(R"({"body":)" + value + "}");
  };
  EXPECT_THAT(Read(nested(48)), StartsWith("\n"));
  EXPECT_THAT(Read(nested(49)), ::testing::HasSubstr("found more than 100 messages inside each "
                                                     "other, expected no more"));
}

TEST(DecodeJson, DamageGivesAnErrorOrAValidBatch) {
  testing::RandomEngine rng(7);
  Decoder decoder;
  int num_refused = 0;
  for (int round = 0; round < 300; ++round) {
    const Signal signal = otap::kAllSignals[static_cast<size_t>(round) % 3];
    std::string json =
        EncodeJson(*testing::RandomBatch(signal, {.root_rows = 2}, rng)).ValueOrDie();
    const auto at =
        static_cast<size_t>(testing::Between(rng, 0, static_cast<int64_t>(json.size()) - 1));
    json[at] = static_cast<char>(testing::Between(rng, 32, 126));
    const auto batches = decoder.DecodeJson(signal, json);
    num_refused += batches.ok() ? 0 : 1;
    for (size_t i = 0; batches.ok() && i < batches->size(); ++i) {
      const arrow::Status valid = otap::Validate(*batches->at(i));
      ASSERT_TRUE(valid.ok()) << "round " << round << ": " << valid;
    }
  }
  EXPECT_GT(num_refused, 0);
}

}  // namespace
}  // namespace df::otlp
