// df_engine inspect: hours, services, and hours without data.
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine_process.h"

namespace df::e2e {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class InspectTest : public ::testing::Test {
 protected:
  /// Adds log records, each of a service at an hour since 2026-11-26 00:00. Each hour is in files
  /// of its own.
  void AddLogs(const std::vector<std::pair<int, std::string>>& records) const {
    const Ran ran = RunIn(folder_.path(), {"convert", WriteLogs(records), "--to", "star-parquet",
                                           "-o", "lake", "-q"});
    ASSERT_EQ(ran.exit_code, 0) << ran.log;
  }

  /// The same, all in one row group.
  void AddLogsTogether(const std::vector<std::pair<int, std::string>>& records) const {
    WriteLogs(records);
    const Ran ran =
        RunIn(folder_.path(), {"run", "--num-cores", "1", "-c", std::string("yaml:") + R"(
nodes:
  in: {kind: receiver, plugin_urn: "urn:otel:receiver:otlp_file", config: {path: logs.jsonl},
       out_ports: {out: {destinations: [out], dispatch_strategy: round_robin}}}
  out: {kind: exporter, plugin_urn: "urn:otel:exporter:parquet", config: {base_uri: lake}}
)"});
    ASSERT_EQ(ran.exit_code, 0) << ran.log;
  }

  /// Returns the name of the file.
  std::string WriteLogs(const std::vector<std::pair<int, std::string>>& records) const {
    constexpr int64_t kBegin = 1'795'651'200;
    const auto file = folder_.path() / "logs.jsonl";
    std::ofstream out(file);
    for (const auto& [hour, service] : records) {
      const std::string resource =
          service.empty() ? "{}"
                          : fmt::format(R"({{"attributes":[{{"key":"service.name","value":)"
                                        R"({{"stringValue":"{}"}}}}]}})",
                                        service);
      out << fmt::format(
                 R"({{"resourceLogs":[{{"resource":{},"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"{}")"
                 R"(,"body":{{"stringValue":"x"}}}}]}}]}}]}})",
                 resource, (kBegin + hour * 3600) * 1'000'000'000)
          << "\n";
    }
    return file;
  }

  Ran Inspect(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"inspect", "lake", "--no-cache"});
    return RunIn(folder_.path(), std::move(arguments));
  }

  TemporaryFolder folder_;
};

TEST_F(InspectTest, CountsByHourFromFootersWhereTheyTell) {
  AddLogs({{1, "a"}, {1, "b"}});
  AddLogs({{4, "a"}});
  const Ran ran = Inspect({"--by", "hour"});
  EXPECT_EQ(ran.output,
            "HOUR              LOGS  SPANS  POINTS\n"
            "2026-11-26 01:00     2      0       0\n"
            "2026-11-26 04:00     1      0       0\n");
  EXPECT_THAT(ran.log,
              AllOf(HasSubstr("2 hours without logs: 2026-11-26 02:00 to 2026-11-26 04:00"),
                    Not(HasSubstr("--deep"))));
}

TEST_F(InspectTest, ReadsHoursWhereFootersDoNotTell) {
  AddLogsTogether({{1, "a"}, {1, "b"}, {3, "a"}});
  const Ran ran = Inspect({"--by", "hour"});
  EXPECT_THAT(ran.output,
              AllOf(HasSubstr("2026-11-26 01:00    0+"), HasSubstr("(not told)           3")));
  EXPECT_THAT(ran.log, HasSubstr("--deep reads them"));
  const json by_hour = json::parse(Inspect({"--by", "hour", "--json"}).output)["by_hour"];
  EXPECT_EQ(by_hour["hours"][0]["exact"], false);
  EXPECT_EQ(by_hour["not_told"]["logs"], 3);

  const Ran deep = Inspect({"--by", "hour", "--deep"});
  EXPECT_EQ(deep.output,
            "HOUR              LOGS  SPANS  POINTS\n"
            "2026-11-26 01:00     2      0       0\n"
            "2026-11-26 03:00     1      0       0\n");
  const json read = json::parse(Inspect({"--by", "hour", "--deep", "--json"}).output)["by_hour"];
  EXPECT_EQ(read["hours"],
            json::parse(R"([{"hour":"2026-11-26T01:00:00.000Z","items":{"logs":2},"exact":true},)"
                        R"({"hour":"2026-11-26T03:00:00.000Z","items":{"logs":1},"exact":true}])"));
}

TEST_F(InspectTest, NamesServicesAndCountsThemWhenItMayRead) {
  AddLogs({{1, "a"}, {1, "b"}, {2, "b"}, {2, ""}});
  const Ran names = Inspect({"--by", "service"});
  EXPECT_EQ(
      names.output,
      "SERVICE  LOGS  SPANS  POINTS\na           ?      ?       ?\nb           ?      ?       ?\n");
  EXPECT_THAT(names.log, HasSubstr("--deep reads the records"));
  EXPECT_EQ(Inspect({"--by", "service", "--deep"}).output,
            "SERVICE  LOGS  SPANS  POINTS\n"
            "b           2      0       0\n"
            "-           1      0       0\n"
            "a           1      0       0\n");
  EXPECT_EQ(
      json::parse(Inspect({"--by", "service", "--deep", "--json"}).output)["by_service"],
      json::parse(R"([{"service":null,"items":{"logs":1}},{"service":"a","items":{"logs":1}},)"
                  R"({"service":"b","items":{"logs":2}}])"));
}

TEST_F(InspectTest, HolesAreNamedAndNoMoreThanAFew) {
  for (int hour = 0; hour < 16; hour += 2) {
    AddLogs({{hour, "a"}});
  }
  const Ran ran = Inspect({});
  EXPECT_THAT(ran.output,
              AllOf(HasSubstr("note: 7 hours without logs: 2026-11-26 01:00 to 2026-11-26 02:00, "),
                    HasSubstr("09:00 to 2026-11-26 10:00 and 2 more\n")));
  EXPECT_THAT(Inspect({"-q"}).output, Not(HasSubstr("without logs")));
  const json holes = json::parse(Inspect({"--json"}).output)["signals"]["logs"]["holes"];
  EXPECT_EQ(holes.size(), 7u);
  EXPECT_EQ(
      holes[0],
      json::parse(R"({"from":"2026-11-26T01:00:00.000Z","until":"2026-11-26T02:00:00.000Z"})"));
}

}  // namespace
}  // namespace df::e2e
