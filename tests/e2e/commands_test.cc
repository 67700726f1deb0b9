// The commands that answer questions, against OTLP JSON of the same archive, evaluated here.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

const std::string kCorner = OTAP_SOURCE_DIR "/examples/data/corner/parquet";

class CommandsTest : public ::testing::Test {
 protected:
  Ran Run(std::vector<std::string> arguments) const {
    return RunIn(folder_.path(), std::move(arguments));
  }

  /// The same, where it has to end well. Footers are not kept: tests share no home.
  std::string Answer(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin() + 2, "--no-cache");
    const Ran ran = Run(arguments);
    EXPECT_EQ(ran.exit_code, 0) << ran.log;
    return ran.output;
  }

  TemporaryFolder folder_;
};

std::vector<json> Lines(const std::string& text) {
  std::vector<json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(json::parse(line));
  }
  return lines;
}

/// A number of OTLP JSON, which writes those of 64 bits as texts; 0 where there is none.
int64_t Number(const json& object, const char* key) {
  if (!object.contains(key)) {
    return 0;
  }
  const json& value = object[key];
  return value.is_string() ? static_cast<int64_t>(std::stoull(value.get<std::string>()))
                           : value.get<int64_t>();
}

/// "2026-09-21T14:30:01.783831010Z" as nanoseconds since 1970; 0 for nothing.
int64_t Nanos(const json& object, const char* key) {
  if (!object.contains(key)) {
    return 0;
  }
  const std::string text = object[key];
  std::tm time{};
  std::istringstream(text) >> std::get_time(&time, "%Y-%m-%dT%H:%M:%S");
  const std::string digits = text.substr(20, text.size() - 21);
  return static_cast<int64_t>(timegm(&time)) * 1'000'000'000 +
         std::stoll((digits + "000000000").substr(0, 9));
}

std::string ServiceOf(const json& resource) {
  if (resource.contains("attributes")) {
    for (const json& attribute : resource["attributes"]) {
      if (attribute.value("key", "") == "service.name") {
        return attribute["value"].value("stringValue", "");
      }
    }
  }
  return "";
}

/// Calls `visit(resource, item)` for each item of OTLP JSON; `item` of metrics is the metric.
template <typename Visit>
void VisitItems(const std::vector<json>& requests, const char* resources, const char* scopes,
                const char* items, Visit visit) {
  for (const json& request : requests) {
    for (const json& resource : request.value(resources, json::array())) {
      for (const json& scope : resource.value(scopes, json::array())) {
        for (const json& item : scope.value(items, json::array())) {
          visit(resource.value("resource", json::object()), item);
        }
      }
    }
  }
}

using Record = std::vector<std::string>;

std::string Hex(const json& object, const char* key) {
  const std::string id = object.value(key, "");
  return id.find_first_not_of('0') == std::string::npos ? "" : id;
}

/// The keys of attributes in their order, of OTLP JSON and of a map.
std::string Keys(const json& attributes) {
  std::vector<std::string> keys;
  for (const auto& [key, attribute] : attributes.items()) {
    keys.push_back(attributes.is_array() ? attribute.value("key", "") : key);
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  return fmt::format("{}", fmt::join(keys, "|"));
}

std::multiset<Record> LogsOfOtlp(const std::vector<json>& requests) {
  std::multiset<Record> records;
  VisitItems(
      requests, "resourceLogs", "scopeLogs", "logRecords",
      [&](const json& resource, const json& log) {
        const int64_t time = Number(log, "timeUnixNano");
        const int64_t observed = Number(log, "observedTimeUnixNano");
        records.insert({fmt::format("{}", time == 0 ? observed : time), fmt::format("{}", observed),
                        fmt::format("{}", Number(log, "severityNumber")),
                        log.value("severityText", ""), Hex(log, "traceId"), Hex(log, "spanId"),
                        log.value("eventName", ""), ServiceOf(resource),
                        log.contains("body") && log["body"].contains("stringValue")
                            ? log["body"]["stringValue"].get<std::string>()
                            : "",
                        log.contains("body") && !log["body"].empty() ? "body" : "none",
                        Keys(log.value("attributes", json::array()))});
      });
  return records;
}

std::multiset<Record> LogsOfCommand(const std::vector<json>& lines) {
  std::multiset<Record> records;
  for (const json& log : lines) {
    records.insert(
        {fmt::format("{}", Nanos(log, "time")), fmt::format("{}", Nanos(log, "observed_time")),
         fmt::format("{}", log.value("severity_number", 0)), log.value("severity_text", ""),
         log.value("trace_id", ""), log.value("span_id", ""), log.value("event_name", ""),
         log.value("service", json("")).is_string() ? log.value("service", "") : "",
         log.contains("body") && log["body"].is_string() ? log["body"].get<std::string>() : "",
         log.contains("body") ? "body" : "none", Keys(log.value("attributes", json::object()))});
  }
  return records;
}

/// Texts of JSON that stand for bytes and numbers that are none would be taken for texts.
void DropOtherBodies(std::vector<json>* requests) {
  for (json& request : *requests) {
    for (json& resource : request["resourceLogs"]) {
      for (json& scope : resource["scopeLogs"]) {
        for (json& log : scope["logRecords"]) {
          if (!log.contains("body")) {
            continue;
          }
          const json body = log["body"];
          if (body.contains("bytesValue")) {
            log["body"] = {{"stringValue", body["bytesValue"]}};
          } else if (body.contains("doubleValue") && body["doubleValue"].is_string()) {
            log["body"] = {{"stringValue", body["doubleValue"]}};
          }
        }
      }
    }
  }
}

TEST_F(CommandsTest, LogsAreThoseOfOtlp) {
  auto requests =
      Lines(Answer({"convert", kCorner, "--to", "otlp-json", "-o", "-", "--signal", "logs"}));
  DropOtherBodies(&requests);
  const auto expected = LogsOfOtlp(requests);
  ASSERT_EQ(expected.size(), 2'000);
  EXPECT_EQ(LogsOfCommand(Lines(Answer({"logs", kCorner, "-n", "all", "--json"}))), expected);
}

TEST_F(CommandsTest, TheLastOnesAreThoseOfAll) {
  const auto all = Lines(Answer({"logs", kCorner, "-n", "all", "--json"}));
  for (size_t i = 1; i < all.size(); ++i) {
    ASSERT_LE(Nanos(all[i - 1], "time"), Nanos(all[i], "time"));
  }
  const auto last = Lines(Answer({"logs", kCorner, "-n", "37", "--json"}));
  const auto first = Lines(Answer({"logs", kCorner, "-n", "37", "--first", "--json"}));
  EXPECT_EQ(last, std::vector<json>(all.end() - 37, all.end()));
  EXPECT_EQ(first, std::vector<json>(all.begin(), all.begin() + 37));
}

TEST_F(CommandsTest, SpansAreThoseOfOtlp) {
  std::multiset<Record> expected;
  VisitItems(
      Lines(Answer({"convert", kCorner, "--to", "otlp-json", "-o", "-", "--signal", "spans"})),
      "resourceSpans", "scopeSpans", "spans", [&](const json& resource, const json& span) {
        const int64_t status = span.contains("status") ? Number(span["status"], "code") : 0;
        expected.insert({Hex(span, "traceId"), Hex(span, "spanId"), Hex(span, "parentSpanId"),
                         fmt::format("{}", Number(span, "startTimeUnixNano")),
                         fmt::format("{}", Number(span, "endTimeUnixNano")), span.value("name", ""),
                         status == 0   ? ""
                         : status == 1 ? "ok"
                                       : "error",
                         ServiceOf(resource),
                         fmt::format("{}", span.value("events", json::array()).size()),
                         fmt::format("{}", span.value("links", json::array()).size()),
                         Keys(span.value("attributes", json::array()))});
      });
  std::multiset<Record> actual;
  for (const json& span : Lines(Answer({"spans", kCorner, "-n", "all", "--json"}))) {
    actual.insert({span.value("trace_id", ""), span.value("span_id", ""),
                   span.value("parent_span_id", ""), fmt::format("{}", Nanos(span, "start_time")),
                   fmt::format("{}", Nanos(span, "end_time")), span.value("name", ""),
                   span.value("status", ""),
                   span.value("service", json("")).is_string() ? span.value("service", "") : "",
                   fmt::format("{}", span.value("events", json::array()).size()),
                   fmt::format("{}", span.value("links", json::array()).size()),
                   Keys(span.value("attributes", json::object()))});
  }
  ASSERT_EQ(expected.size(), 2'000);
  EXPECT_EQ(actual, expected);
}

std::string Double(const json& object, const char* key) {
  return object.contains(key) ? object[key].is_string()
                                    ? object[key].get<std::string>()
                                    : fmt::format("{}", object[key].get<double>())
                              : "none";
}

TEST_F(CommandsTest, PointsAreThoseOfOtlp) {
  std::multiset<Record> expected;
  VisitItems(
      Lines(Answer({"convert", kCorner, "--to", "otlp-json", "-o", "-", "--signal", "points"})),
      "resourceMetrics", "scopeMetrics", "metrics", [&](const json&, const json& metric) {
        for (const auto& [kind, name] :
             std::map<std::string, std::string>{{"gauge", "gauge"},
                                                {"sum", "sum"},
                                                {"histogram", "histogram"},
                                                {"exponentialHistogram", "exponential_histogram"},
                                                {"summary", "summary"}}) {
          for (const json& point :
               metric.value(kind, json::object()).value("dataPoints", json::array())) {
            const bool is_number = kind == "gauge" || kind == "sum";
            expected.insert(
                {metric.value("name", ""), name, fmt::format("{}", Number(point, "timeUnixNano")),
                 point.contains("asInt")
                     ? fmt::format("{}", std::stod(point["asInt"].is_string()
                                                       ? point["asInt"].get<std::string>()
                                                       : point["asInt"].dump()))
                     : Double(point, "asDouble"),
                 is_number ? "" : fmt::format("{}", Number(point, "count")),
                 is_number || (kind == "summary" && !point.contains("sum")) ? ""
                                                                            : Double(point, "sum"),
                 Double(point, "min"), Double(point, "max"),
                 fmt::format("{}", point.value("bucketCounts", json::array()).size()),
                 fmt::format("{}", point.value("quantileValues", json::array()).size()),
                 Keys(point.value("attributes", json::array()))});
          }
        }
      });
  std::multiset<Record> actual;
  for (const json& point : Lines(Answer({"points", kCorner, "-n", "all", "--json"}))) {
    const std::string type = point.value("type", "");
    const bool is_number = type == "gauge" || type == "sum";
    std::string sum = is_number ? "" : Double(point, "sum");
    if (type == "summary" && (sum == "none" || sum == "0")) {
      sum = "";  // OTLP writes no sum of 0 there
    }
    actual.insert({point.value("metric", ""), type, fmt::format("{}", Nanos(point, "time")),
                   Double(point, "value"),
                   is_number ? "" : fmt::format("{}", point.value("count", int64_t{0})), sum,
                   Double(point, "min"), Double(point, "max"),
                   fmt::format("{}", point.value("bucket_counts", json::array()).size()),
                   fmt::format("{}", point.value("quantiles", json::array()).size()),
                   Keys(point.value("attributes", json::object()))});
  }
  ASSERT_EQ(expected.size(), 4'998);
  EXPECT_EQ(actual, expected);
}

TEST_F(CommandsTest, CountsAreThoseOfOtlp) {
  std::map<std::pair<std::string, std::string>, int64_t> expected;
  VisitItems(
      Lines(Answer({"convert", kCorner, "--to", "otlp-json", "-o", "-", "--signal", "spans"})),
      "resourceSpans", "scopeSpans", "spans", [&](const json& resource, const json& span) {
        const int64_t status = span.contains("status") ? Number(span["status"], "code") : 0;
        ++expected[{ServiceOf(resource), status == 0 ? "unset" : status == 1 ? "ok" : "error"}];
      });
  std::map<std::pair<std::string, std::string>, int64_t> actual;
  for (const json& group :
       Lines(Answer({"count", kCorner, "spans", "--by", "service", "--by", "status", "--json"}))) {
    actual[{group["service"].is_string() ? group["service"].get<std::string>() : "",
            group["status"].get<std::string>()}] += group["count"].get<int64_t>();
  }
  EXPECT_EQ(actual, expected);
}

TEST_F(CommandsTest, AnArchiveOfArchivesIsTheSame) {
  const std::string lake = (folder_.path() / "lake").string();
  Answer({"convert", kCorner, "--to", "star-parquet", "-o", lake});
  for (const char* verb : {"logs", "points"}) {
    const auto sorted = [](std::vector<json> lines) {
      std::sort(lines.begin(), lines.end());
      return lines;
    };
    EXPECT_EQ(sorted(Lines(Answer({verb, lake, "-n", "all", "--json"}))),
              sorted(Lines(Answer({verb, kCorner, "-n", "all", "--json"}))));
  }
}

TEST_F(CommandsTest, DamageIsNamedAndTheRestIsPrinted) {
  const fs::path lake = folder_.path() / "lake";
  fs::copy(kCorner, lake, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  for (const auto& entry : fs::recursive_directory_iterator(lake / "logs")) {
    if (entry.path().extension() == ".parquet") {
      fs::resize_file(entry.path(), 100);
      break;
    }
  }
  const Ran ran = Run({"logs", lake.string(), "-n", "all", "--no-cache"});
  EXPECT_EQ(ran.exit_code, 4);
  EXPECT_EQ(std::count(ran.output.begin(), ran.output.end(), '\n'), 1'900);
  EXPECT_THAT(ran.log, HasSubstr("df_engine logs: incomplete: "));
  const Ran count = Run({"count", lake.string(), "--no-cache"});
  EXPECT_EQ(count.exit_code, 4);
  EXPECT_THAT(count.output, HasSubstr("1,900"));
  EXPECT_EQ(Run({"inspect", lake.string(), "--no-cache"}).exit_code, 4);
}

TEST_F(CommandsTest, WrongLinesSayWhatWasMeant) {
  const auto expect = [&](std::vector<std::string> arguments, int code, const std::string& said) {
    const Ran ran = Run(std::move(arguments));
    EXPECT_EQ(ran.exit_code, code) << said;
    EXPECT_THAT(ran.log, HasSubstr(said));
    EXPECT_EQ(ran.output, "");
  };
  expect({}, 2, "df_engine inspect ./lake");
  expect({"inspct", kCorner}, 2, "unknown command 'inspct'; did you mean 'inspect'?");
  expect({kCorner}, 2, "df_engine inspect " + kCorner);
  expect({"logs", kCorner, "--serivce", "x"}, 2, "unknown flag '--serivce'; did you mean");
  expect({"run", "--pipline", "x.yaml"}, 2, "unknown flag '--pipline'; did you mean '--pipeline'?");
  expect({"replay", kCorner, "--to", "null", "--rate=5"}, 2, "'--rate' is not known: --rate-limit");
  expect({"replay", kCorner, "--to", "null", "--speed", "fast"}, 2, "found 'fast'");
  expect({"logs", kCorner + "x"}, 2, "did you mean '" + kCorner + "'?");
  expect({"logs", kCorner, "--from", "noon"}, 2, "--from: found 'noon'");
  expect({"logs", kCorner, "-n", "0"}, 2, "-n: found '0'");
  expect({"spans", kCorner, "--min-severity", "warn"}, 2, "--min-severity: ");
  expect({"points", kCorner + "/logs"}, 2, "holds logs only");
  expect({"count", kCorner, "--by", "service"}, 2, "name logs, spans or points behind PATH");
  expect({"replay", kCorner, "--to", kCorner}, 2, "is the archive itself");
  expect({"replay", kCorner, "--to", "grpc://"}, 2, "expected grpc://HOST:PORT");
  expect({"replay", kCorner, "--to", "grpc://x:1", "--header", "secret"}, 2,
         "--header: expected NAME=VALUE");
  expect({"replay", kCorner, "--no-cache", "--to", "grpc://127.0.0.1:1"}, 1, "Connection refused");
  expect({"logs", kCorner, "--no-cache", "--service", "nobody"}, 5, "0 of 0 matching");
  expect({"trace", kCorner, "--no-cache", std::string(32, 'a')}, 5, "no span of this trace");
  expect({"receive", "--to", "x", "--listen", "a,b"}, 2, "--listen: found 'a'");
  expect({"convert", kCorner, "--to", "otlp-proto", "-o", "x.jsonl"}, 2, "-o: 'x.jsonl'");
  expect({"convert", kCorner, "--to", "otlp-json", "-o", ""}, 2, "-o: found nothing");
  expect({"count", kCorner, "--from", ""}, 2, "--from: found ''");
  expect({"explain", "exporter:parket"}, 2, "did you mean 'exporter:parquet'?");
}

TEST_F(CommandsTest, AReaderThatGoesAwayIsNoError) {
  for (const std::string& command : std::vector<std::string>{"logs '" + kCorner + "' -n all --json",
                                                             "count '" + kCorner + "'", "help"}) {
    const std::string line = "'" DF_ENGINE_PATH "' " + command +
                             (command == "help" ? "" : " --no-cache") +
                             " 2>/dev/null | head -c 10 >/dev/null; exit \\${PIPESTATUS[0]}";
    const int status = std::system(("bash -c \"" + line + "\"").c_str());
    EXPECT_EQ(WEXITSTATUS(status), 0) << command;
  }
}

TEST_F(CommandsTest, AFollowerEndsWellWhenItIsStopped) {
  const fs::path out = folder_.path() / "out.jsonl";
  EngineProcess process(folder_.path(),
                        {.arguments = {"replay", kCorner, "--no-cache", "--follow", "--to",
                                       "file:" + out.string(), "--log-level", "info"}});
  ASSERT_TRUE(process.WaitForOutput(
      [&](const std::string&) { return fs::exists(out) && fs::file_size(out) > 0; }));
  process.Signal(SIGINT);
  const int code = process.Wait();
  // All that was found is delivered, or the rest is said not to be.
  EXPECT_THAT(code, ::testing::AnyOf(0, 128 + SIGINT)) << process.Log();
  EXPECT_THAT(process.Log(), AllOf(HasSubstr("delivered "), HasSubstr("stopped by SIGINT")));
}

TEST_F(CommandsTest, TwoCoresMayBeginAnArchiveTogether) {
  for (int i = 0; i < 3; ++i) {
    const std::string lake = (folder_.path() / fmt::format("lake{}", i)).string();
    const Ran made = Run({"generate", "--to", lake, "-n", "6000", "--threads", "2"});
    EXPECT_EQ(made.exit_code, 0) << made.log;
    for (const char* signal : {"logs", "spans", "points"}) {
      EXPECT_THAT(Answer({"count", lake, signal}), HasSubstr("2,000"));
    }
  }
}

TEST_F(CommandsTest, WhenNothingIsWantedThatIsSaid) {
  for (const char* verb : {"replay", "convert"}) {
    std::vector<std::string> line = {verb, kCorner, "--no-cache", "--service", "nobody"};
    const std::vector<std::string> place =
        std::string(verb) == "replay"
            ? std::vector<std::string>{"--to", "null"}
            : std::vector<std::string>{"--to", "otlp-json", "-o", folder_.path() / "x.jsonl"};
    line.insert(line.end(), place.begin(), place.end());
    EXPECT_EQ(Run(line).exit_code, 5) << verb;
  }
}

TEST_F(CommandsTest, WhatIsReceivedCanBeAsked) {
  const std::string lake = (folder_.path() / "lake").string();
  const Ran made = Run({"generate", "--to", lake, "-n", "3000", "--threads", "1", "--seed", "7"});
  EXPECT_EQ(made.exit_code, 0) << made.log;
  EXPECT_THAT(Answer({"count", lake, "logs"}), HasSubstr("1,000"));
  EXPECT_THAT(Answer({"count", lake, "spans", "--by", "service"}),
              AllOf(HasSubstr("load-generator"), HasSubstr("1,000")));
  const auto spans = Lines(Answer({"spans", lake, "-n", "1", "--json"}));
  ASSERT_EQ(spans.size(), 1);
  const std::string trace = spans[0]["trace_id"];
  const auto tree = Lines(Answer({"trace", lake, trace, "--json"}));
  ASSERT_EQ(tree.size(), 1);
  EXPECT_EQ(tree[0]["trace_id"], trace);
  size_t num_spans = 0;
  for (const json& span : Lines(Answer({"spans", lake, "-n", "all", "--json"}))) {
    num_spans += span["trace_id"] == trace ? 1 : 0;
  }
  EXPECT_EQ(tree[0]["spans"].size(), num_spans);
}

}  // namespace
}  // namespace df::e2e
