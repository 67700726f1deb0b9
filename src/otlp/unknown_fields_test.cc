#include "otlp/unknown_fields.h"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "otlp/compare/item_counts.h"
#include "otlp/count_items.h"
#include "otlp/decode.h"

namespace df::otlp {
namespace {

using otap::Signal;
using protozero::pbf_writer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Path = std::vector<const FieldShape*>;

constexpr uint32_t kNewNumber = 999;

/// The fields of resources and scopes that hold their scopes and records.
bool HoldsRecords(const FieldShape& field) {
  return field.name.starts_with("resource_") || field.name.starts_with("scope_") ||
         field.name == "log_records" || field.name == "spans" || field.name == "metrics" ||
         field.name == "data_points";
}

/// A message with one more inside it at each step of a path, and `inside` in the last one. Where
/// the path leaves the way to the records, there is a record beside it.
std::string Build(const MessageShape& shape, const Path& path, size_t step,
                  const std::string& inside) {
  std::string bytes;
  pbf_writer writer(bytes);
  for (const FieldShape& field : shape.fields) {
    const bool is_on_path = step < path.size() && path[step] == &field;
    if (is_on_path) {
      writer.add_message(field.number, Build(*field.message, path, step + 1, inside));
    } else if (HoldsRecords(field)) {
      writer.add_message(field.number, Build(*field.message, {}, 0, ""));
    }
  }
  return step == path.size() ? bytes + inside : bytes;
}

std::string BuildJson(const MessageShape& shape, const Path& path, size_t step,
                      const std::string& inside) {
  std::string members = step == path.size() ? inside : "";
  for (const FieldShape& field : shape.fields) {
    const bool is_on_path = step < path.size() && path[step] == &field;
    if (is_on_path || HoldsRecords(field)) {
      const std::string value = is_on_path ? BuildJson(*field.message, path, step + 1, inside)
                                           : BuildJson(*field.message, {}, 0, "");
      members += fmt::format("{}\"{}\":{}", members.empty() ? "" : ",", field.name,
                             field.presence == Presence::kRepeated ? "[" + value + "]" : value);
    }
  }
  return "{" + members + "}";
}

/// Every way from the request to a message, without going in circles.
void FindPaths(const MessageShape& shape, std::vector<const MessageShape*>* on_way, Path* path,
               std::vector<Path>* paths) {
  paths->push_back(*path);
  on_way->push_back(&shape);
  for (const FieldShape& field : shape.fields) {
    if (field.message != nullptr &&
        std::find(on_way->begin(), on_way->end(), field.message) == on_way->end()) {
      path->push_back(&field);
      FindPaths(*field.message, on_way, path, paths);
      path->pop_back();
    }
  }
  on_way->pop_back();
}

std::vector<Path> PathsOf(Signal signal) {
  std::vector<Path> paths;
  std::vector<const MessageShape*> on_way;
  Path path;
  FindPaths(RequestShape(signal), &on_way, &path, &paths);
  return paths;
}

const MessageShape& TargetOf(Signal signal, const Path& path) {
  return path.empty() ? RequestShape(signal) : *path.back()->message;
}

std::string NumberField(uint32_t number) {
  std::string bytes;
  pbf_writer(bytes).add_uint32(number, 7);
  return bytes;
}

class EverySignal : public ::testing::TestWithParam<Signal> {};
INSTANTIATE_TEST_SUITE_P(Signals, EverySignal, ::testing::ValuesIn(otap::kAllSignals),
                         [](const auto& param) { return std::string(otap::Name(param.param)); });

TEST_P(EverySignal, ANewFieldOfAnyMessageIsCountedUnderItsName) {
  const std::vector<Path> paths = PathsOf(GetParam());
  EXPECT_GT(paths.size(), 20U);
  for (const Path& path : paths) {
    const MessageShape& target = TargetOf(GetParam(), path);
    const std::string request =
        Build(RequestShape(GetParam()), path, 0, NumberField(kNewNumber) + NumberField(kNewNumber));
    DecodeStats stats;
    const auto batches = DecodeRequest(GetParam(), request, {}, &stats);
    ASSERT_TRUE(batches.ok()) << target.name << ": " << batches.status();
    ASSERT_THAT(stats.unknown.fields(), SizeIs(1)) << target.name << " at " << path.size();
    EXPECT_EQ(stats.unknown.fields()[0].Name(), fmt::format("{} field 999", target.name));
    EXPECT_EQ(stats.unknown.total(), 2);
  }
}

TEST_P(EverySignal, AFieldOfAnotherWireTypeIsCountedToo) {
  for (const Path& path : PathsOf(GetParam())) {
    const MessageShape& target = TargetOf(GetParam(), path);
    for (const FieldShape& field : target.fields) {
      if (field.kind == WireKind::kFixed32) {
        continue;
      }
      std::string bytes;
      pbf_writer(bytes).add_fixed32(field.number, 7);
      DecodeStats stats;
      const auto batches =
          DecodeRequest(GetParam(), Build(RequestShape(GetParam()), path, 0, bytes), {}, &stats);
      ASSERT_TRUE(batches.ok()) << batches.status();
      ASSERT_THAT(stats.unknown.fields(), SizeIs(1)) << target.name << "." << field.name;
      EXPECT_EQ(
          stats.unknown.fields()[0].Name(),
          fmt::format("{}.{} (field {}) of wire type 5", target.name, field.name, field.number));
    }
  }
}

TEST_P(EverySignal, ANewKeyOfJsonIsCountedUnderItsName) {
  for (const Path& path : PathsOf(GetParam())) {
    const MessageShape& target = TargetOf(GetParam(), path);
    const std::string request =
        BuildJson(RequestShape(GetParam()), path, 0, R"("colour":{"a":[1,{}]},"absent":null)");
    DecodeStats stats;
    Decoder decoder;
    const auto batches = decoder.DecodeJson(GetParam(), request, &stats);
    ASSERT_TRUE(batches.ok()) << request << ": " << batches.status();
    ASSERT_THAT(stats.unknown.fields(), SizeIs(1)) << request;
    EXPECT_EQ(stats.unknown.fields()[0].Name(), fmt::format("{} key 'colour'", target.name));
  }
}

TEST_P(EverySignal, RequestsThatDifferInAnUnknownFieldAreNotEqual) {
  for (const Path& path : PathsOf(GetParam())) {
    if (path.empty()) {
      continue;  // a request is no part of its items
    }
    ItemCounts counts(GetParam(), {});
    ASSERT_TRUE(
        counts.AddExpected(Build(RequestShape(GetParam()), path, 0, NumberField(kNewNumber))).ok());
    ASSERT_TRUE(counts.AddActual(Build(RequestShape(GetParam()), path, 0, "")).ok());
    EXPECT_FALSE(counts.Compare().is_equal()) << TargetOf(GetParam(), path).name;
  }
}

TEST_P(EverySignal, WhatPassesThroughKeepsItsBytes) {
  for (const Path& path : PathsOf(GetParam())) {
    const std::string request = Build(RequestShape(GetParam()), path, 0, NumberField(kNewNumber));
    int64_t num_told = 0;
    const auto batches =
        MakeRequestBatches(GetParam(), arrow::Buffer::FromString(request),
                           [&](const DecodeStats& stats) { num_told += stats.unknown.total(); });
    ASSERT_TRUE(batches.ok()) << batches.status();
    ASSERT_THAT(*batches, SizeIs(1));
    ASSERT_NE(batches->front()->encoded(), nullptr);
    EXPECT_EQ(batches->front()->encoded()->bytes->ToString(), request);
    EXPECT_EQ(num_told, 0);
    // Somebody needs its columns, and again after a retry: it is told once.
    ASSERT_TRUE(otap::WithTables(batches->front()).ok());
    ASSERT_TRUE(otap::WithTables(batches->front()).ok());
    EXPECT_EQ(num_told, 1);
  }
}

TEST(UnknownFields, FieldsThatTheDefinitionHasAreCalledByTheirNames) {
  UnknownFields unknown;
  unknown.Add(kResourceShape, 3U << 3U | 2U);
  unknown.Add(kStatusShape, 1U << 3U);
  unknown.Add(kResourceShape, 3U << 3U | 2U);
  std::vector<std::string> lines;
  for (const UnknownField& field : unknown.fields()) {
    lines.push_back(fmt::format("{} {}", field.Name(), field.count));
  }
  EXPECT_THAT(
      lines, ElementsAre("Resource.entity_refs (field 3) 2", "Status.deprecated_code (field 1) 1"));
}

TEST(UnknownFields, WhoInventsNamesFillsNoMemory) {
  UnknownFields unknown;
  for (uint32_t i = 1000; i < 11000; ++i) {
    unknown.Add(kLogRecordShape, i << 3U);
    unknown.AddKey(kSpanShape, std::string(100'000, 'k') + std::to_string(i));
  }
  EXPECT_THAT(unknown.fields(), SizeIs(UnknownFields::kMaxDistinct));
  EXPECT_EQ(unknown.total(), 20'000);
  int64_t named = 0;
  for (const UnknownField& field : unknown.fields()) {
    named += field.count;
    EXPECT_LE(field.key.size(), 64U);
  }
  EXPECT_EQ(named + unknown.num_others(), 20'000);
  UnknownFields sum;
  sum.Add(unknown);
  sum.Add(unknown);
  EXPECT_EQ(sum.total(), 40'000);
}

TEST(UnknownFields, WhatAMetricOfAnotherKindHasIsCounted) {
  // A gauge has no temporality.
  std::string metric;
  pbf_writer(metric).add_message(5, NumberField(2));
  DecodeStats stats;
  ASSERT_TRUE(
      DecodeRequest(
          Signal::kMetrics,
          Build(RequestShape(Signal::kMetrics),
                {&RequestShape(Signal::kMetrics).fields[0],
                 RequestShape(Signal::kMetrics).fields[0].message->Find(2),
                 RequestShape(Signal::kMetrics).fields[0].message->Find(2)->message->Find(2)},
                0, metric),
          {}, &stats)
          .ok());
  ASSERT_THAT(stats.unknown.fields(), SizeIs(1));
  EXPECT_EQ(stats.unknown.fields()[0].Name(), "Gauge field 2");
}

TEST(EmptyGroups, ResourcesAndScopesWithoutRecordsAreCounted) {
  const MessageShape& request = RequestShape(Signal::kLogs);
  std::string scope;
  pbf_writer(scope).add_string(3, "url");
  std::string resource;
  pbf_writer(resource).add_message(2, scope);
  std::string bytes;
  pbf_writer(bytes).add_message(1, resource);
  DecodeStats stats;
  ASSERT_TRUE(DecodeRequest(Signal::kLogs, bytes + Build(request, {}, 0, ""), {}, &stats).ok());
  EXPECT_EQ(stats.empty_groups, 2);
  EXPECT_EQ(stats.items, 1);
}

TEST(DecodeJson, AKeyThatStandsTwiceIsRefused) {
  Decoder decoder;
  const auto read = [&](const std::string& record) {
    return decoder
        .DecodeJson(Signal::kLogs,
                    R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[)" + record + "]}]}]}")
        .status()
        .message();
  };
  EXPECT_THAT(read(R"({"severityText":"a","severityText":"b"})"), HasSubstr("found it twice"));
  EXPECT_THAT(read(R"({"severityText":"a","severity_text":"b"})"), HasSubstr("found it twice"));
  EXPECT_THAT(read(R"({"attributes":[],"attributes":[]})"),
              HasSubstr("attributes: found it twice"));
  EXPECT_THAT(read(R"({"body":{"stringValue":"a","intValue":1}})"),
              HasSubstr("body.intValue: found it beside another one"));
  EXPECT_EQ(read(R"({"severityText":null,"severityText":"b","x":1,"x":2})"), "");
}

TEST(DecodeJson, ManyKeysAndDeepValuesCostWhatTheyWeigh) {
  // With a look-up by comparing keys, 300,000 of them would take minutes.
  std::string json = "{";
  for (int i = 0; i < 300'000; ++i) {
    json += fmt::format("\"k{}\":{},", i, i);
  }
  json += "\"resourceLogs\":[]}";
  Decoder decoder;
  DecodeStats stats;
  ASSERT_TRUE(decoder.DecodeJson(Signal::kLogs, json, &stats).ok());
  EXPECT_EQ(stats.unknown.total(), 300'000);
  const std::string deep(4'000'000, '[');
  EXPECT_THAT(decoder.DecodeJson(Signal::kLogs, deep).status().message(),
              HasSubstr("inside each other"));
}

}  // namespace
}  // namespace df::otlp
