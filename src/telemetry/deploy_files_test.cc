// What is shipped for Prometheus and Grafana asks for metrics that there are.
#include <cctype>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "telemetry/exposition.h"
#include "telemetry/snapshot.h"

namespace df::telemetry {
namespace {

using ::testing::Contains;
using ::testing::SizeIs;

std::string ReadFile(const std::string& path) {
  std::ifstream file(OTAP_SOURCE_DIR "/" + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> Matches(const std::string& text, const char* pattern) {
  const std::regex expression(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) {
    found.push_back((*at)[1].str());
  }
  return found;
}

/// The series that docs/metrics.md stands for; other tests compare that with the program.
std::set<std::string> SeriesOfTheDocument() {
  static const std::regex kRow(R"(^\| `([\w.]+)` \| (\w+) \|\s*(?:`([^`]*)`)?\s*\|)");
  std::set<std::string> series;
  for (const std::string& line : LinesOf(ReadFile("docs/metrics.md"))) {
    std::smatch row;
    if (!std::regex_search(line, row, kRow)) {
      continue;
    }
    MetricFamily family;
    family.name = row[1];
    family.unit = row[3];
    family.kind = row[2] == "counter"     ? InstrumentKind::kCounter
                  : row[2] == "histogram" ? InstrumentKind::kHistogram
                                          : InstrumentKind::kGauge;
    const std::string name = PrometheusName(family);
    if (family.kind == InstrumentKind::kHistogram) {
      for (const char* part : {"_bucket", "_sum", "_count"}) {
        series.insert(name + part);
      }
    } else {
      series.insert(family.kind == InstrumentKind::kCounter ? name + "_total" : name);
    }
  }
  return series;
}

void ExpectSeries(const std::vector<std::string>& expressions) {
  const std::set<std::string> known = SeriesOfTheDocument();
  ASSERT_GT(known.size(), 100U);
  size_t num_used = 0;
  for (const std::string& expression : expressions) {
    for (const std::string& name : Matches(expression, R"(\b((?:df|process)_\w+))")) {
      EXPECT_THAT(known, Contains(name)) << expression;
      ++num_used;
    }
  }
  EXPECT_GE(num_used, expressions.size());
}

TEST(DeployFiles, AlertsAskForMetricsAndEachHasItsSection) {
  const std::string rules = ReadFile("deploy/prometheus/df_engine.rules.yaml");
  const std::vector<std::string> alerts = Matches(rules, R"(- alert: (\w+))");
  EXPECT_GE(alerts.size(), 15U);
  const std::vector<std::string> expressions = Matches(rules, R"(expr: '([^\n]*)')");
  EXPECT_THAT(expressions, SizeIs(alerts.size()));
  ExpectSeries(expressions);
  const std::string runbook = ReadFile("docs/runbook.md");
  EXPECT_EQ(Matches(runbook, R"(\n## (\w+))"), alerts);
  std::vector<std::string> anchors;
  for (std::string alert : alerts) {
    for (char& c : alert) {
      c = static_cast<char>(std::tolower(c));
    }
    anchors.push_back(alert);
  }
  EXPECT_EQ(Matches(rules, R"(runbook: docs/runbook\.md#(\w+))"), anchors);
  for (const std::string& expression : expressions) {
    EXPECT_NE(runbook.find("\n`" + expression + "`"), std::string::npos) << expression;
  }
}

TEST(DeployFiles, PanelsAskForMetrics) {
  const auto dashboard = nlohmann::json::parse(ReadFile("deploy/grafana/df_engine.json"));
  std::vector<std::string> expressions;
  std::set<int> ids;
  for (const auto& panel : dashboard.at("panels")) {
    EXPECT_TRUE(ids.insert(panel.at("id").get<int>()).second);
    for (const auto& target : panel.at("targets")) {
      expressions.push_back(target.at("expr").get<std::string>());
    }
  }
  EXPECT_GE(expressions.size(), 14U);
  ExpectSeries(expressions);
}

TEST(DeployFiles, ANameThatIsNoneIsFound) {
  EXPECT_THAT(SeriesOfTheDocument(), Contains("df_node_items_in_total"));
  EXPECT_THAT(SeriesOfTheDocument(), Contains("df_node_outcome_latency_seconds_bucket"));
  EXPECT_THAT(SeriesOfTheDocument(), Contains("df_pipeline_memory_pressure"));
  EXPECT_THAT(SeriesOfTheDocument(), ::testing::Not(Contains("df_node_items_in")));
}

}  // namespace
}  // namespace df::telemetry
