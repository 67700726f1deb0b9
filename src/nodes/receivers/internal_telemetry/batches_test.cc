#include <map>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "nodes/receivers/internal_telemetry/log_batch.h"
#include "nodes/receivers/internal_telemetry/metric_batches.h"
#include "otap/validate.h"
#include "otlp/encode.h"
#include "telemetry/metric_set.h"
#include "telemetry/names.h"

namespace df::nodes::receivers::internal_telemetry {
namespace {

using telemetry::InstrumentKind;
using Json = nlohmann::json;

Json Encoded(const otap::Batch& batch) {
  EXPECT_TRUE(otap::Validate(batch).ok()) << otap::Validate(batch);
  otlp::EncodeStats stats;
  const auto text = otlp::EncodeJson(batch, &stats);
  EXPECT_TRUE(text.ok()) << text.status();
  EXPECT_TRUE(stats.is_exact());
  return Json::parse(text.ValueOr("{}"));
}

Result<std::vector<otap::BatchPtr>> AllBatches(const telemetry::MetricSnapshot& snapshot,
                                               const Resource& resource, int64_t max_rows) {
  MetricBatches maker(snapshot, resource, max_rows);
  std::vector<otap::BatchPtr> batches;
  while (true) {
    ARROW_ASSIGN_OR_RAISE(otap::BatchPtr batch, maker.Next());
    if (batch == nullptr) {
      return batches;
    }
    batches.push_back(std::move(batch));
  }
}

TEST(MetricBatches, EveryKindIsWhatOtlpMakesOfIt) {
  telemetry::Registry registry([] { return int64_t{1'000}; });
  telemetry::MetricSet& set = registry.FindOrAdd("df.test", {{"node.id", "a"}, {"core.id", "0"}});
  set.AddCounter({InstrumentKind::kCounter, "c", "{batch}", "Counts", "reason"}, {{"reason", "x"}})
      .Add(3);
  set.AddGauge({InstrumentKind::kUpDownCounter, "d", "By", "Up and down"}).Set(-4);
  set.AddGauge({InstrumentKind::kGauge, "g", "s", "A time"}).Set(1'500'000'000);
  const int64_t bounds[] = {1'000'000'000, 2'000'000'000};
  telemetry::Histogram& histogram =
      set.AddHistogram({InstrumentKind::kHistogram, "h", "s", "Spread"}, bounds);
  histogram.Record(500'000'000);
  histogram.Record(1'500'000'000);
  histogram.Record(4'000'000'000);
  set.AddHistogram({InstrumentKind::kHistogram, "i", "By", "Empty"}, bounds);

  const auto batches = AllBatches(registry.Snapshot(), {{"service.name", "x"}}, 100);
  ASSERT_TRUE(batches.ok()) << batches.status();
  ASSERT_EQ(batches->size(), 1U);
  EXPECT_EQ(Encoded(*batches->at(0)), Json::parse(R"({"resourceMetrics": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "x"}}]},
    "scopeMetrics": [{
      "scope": {"name": "df.test", "attributes": [
        {"key": "core.id", "value": {"stringValue": "0"}},
        {"key": "node.id", "value": {"stringValue": "a"}}]},
      "metrics": [
        {"name": "c", "description": "Counts", "unit": "{batch}", "sum": {
          "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [{
            "attributes": [{"key": "reason", "value": {"stringValue": "x"}}],
            "startTimeUnixNano": "1000", "timeUnixNano": "1000", "asInt": "3"}]}},
        {"name": "d", "description": "Up and down", "unit": "By", "sum": {
          "aggregationTemporality": 2, "dataPoints": [{
            "startTimeUnixNano": "1000", "timeUnixNano": "1000", "asInt": "-4"}]}},
        {"name": "g", "description": "A time", "unit": "s", "gauge": {"dataPoints": [{
            "startTimeUnixNano": "1000", "timeUnixNano": "1000", "asDouble": 1.5}]}},
        {"name": "h", "description": "Spread", "unit": "s", "histogram": {
          "aggregationTemporality": 2, "dataPoints": [{
            "startTimeUnixNano": "1000", "timeUnixNano": "1000", "count": "3", "sum": 6.0,
            "bucketCounts": ["1", "1", "1"], "explicitBounds": [1.0, 2.0],
            "min": 0.5, "max": 4.0}]}},
        {"name": "i", "description": "Empty", "unit": "By", "histogram": {
          "aggregationTemporality": 2, "dataPoints": [{
            "startTimeUnixNano": "1000", "timeUnixNano": "1000", "sum": 0.0,
            "bucketCounts": ["0", "0", "0"], "explicitBounds": [1e9, 2e9]}]}}]}]}]})"));
}

// "scope{set attributes} name{attributes}" of every point, with its value.
using Flat = std::map<std::string, double>;

std::string Braced(const Json& attributes) {
  std::map<std::string, std::string> sorted;
  for (const Json& attribute : attributes) {
    sorted[attribute["key"]] = attribute["value"]["stringValue"];
  }
  return fmt::format("{}", Json(sorted).dump());
}

void AddTo(const Json& request, Flat* flat) {
  for (const Json& resource : request["resourceMetrics"]) {
    for (const Json& scope : resource["scopeMetrics"]) {
      for (const Json& metric : scope["metrics"]) {
        for (const char* kind : {"sum", "gauge", "histogram"}) {
          if (!metric.contains(kind)) {
            continue;
          }
          for (const Json& point : metric[kind]["dataPoints"]) {
            const std::string key =
                fmt::format("{}{} {}{}", scope["scope"]["name"].get<std::string>(),
                            Braced(scope["scope"].value("attributes", Json::array())),
                            metric["name"].get<std::string>(),
                            Braced(point.value("attributes", Json::array())));
            const double value = point.contains("asInt")
                                     ? std::stod(point["asInt"].get<std::string>())
                                 : point.contains("asDouble") ? point["asDouble"].get<double>()
                                                              : point["sum"].get<double>();
            EXPECT_TRUE(flat->emplace(key, value).second) << key;
          }
        }
      }
    }
  }
}

TEST(MetricBatches, AllPointsOfARandomRegistryArriveOnceInBoundedBatches) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 10; ++round) {
    telemetry::Registry registry;
    const int num_sets = static_cast<int>(rng() % 20);
    for (int i = 0; i < num_sets; ++i) {
      telemetry::Attributes identity({{"node.id", std::to_string(i)}});
      telemetry::MetricSet& set = registry.FindOrAdd(
          fmt::format("s{}", rng() % 3), rng() % 5 == 0 ? telemetry::Attributes() : identity);
      for (const telemetry::Instrument* instrument : telemetry::names::kAll) {
        if (rng() % 2 == 0 || instrument->attributes.find(',') != std::string_view::npos) {
          continue;
        }
        for (uint64_t j = instrument->attributes.empty() ? 1 : rng() % 4; j > 0; --j) {
          telemetry::Attributes attributes;
          if (!instrument->attributes.empty()) {
            attributes = {{std::string(instrument->attributes), std::to_string(rng() % 4)}};
          }
          const auto value = static_cast<int64_t>(rng() % 1'000'000'000'000);
          if (instrument->kind == InstrumentKind::kCounter) {
            set.AddCounter(*instrument, attributes).Add(value);
          } else if (instrument->kind == InstrumentKind::kHistogram) {
            set.AddHistogram(*instrument, telemetry::LatencyBounds(), attributes).Record(value);
          } else {
            set.AddGauge(*instrument, attributes).Set(-value);
          }
        }
      }
    }
    const telemetry::MetricSnapshot snapshot = registry.Snapshot();
    Flat expected;
    for (const telemetry::MetricFamily& family : snapshot.families) {
      for (const telemetry::MetricPoint& point : family.points) {
        const auto braced = [](const telemetry::Attributes& attributes) {
          return Json(std::map<std::string, std::string>(attributes.entries().begin(),
                                                         attributes.entries().end()))
              .dump();
        };
        const int64_t value =
            family.kind == InstrumentKind::kHistogram ? point.histogram.sum : point.value;
        expected[fmt::format("{}{} {}{}", point.set->scope, braced(point.set->attributes),
                             family.name, braced(point.attributes))] =
            family.is_time() ? static_cast<double>(value) / 1e9 : static_cast<double>(value);
      }
    }
    const auto max_rows = static_cast<int64_t>(1 + rng() % 100);
    const auto batches = AllBatches(snapshot, {}, max_rows);
    ASSERT_TRUE(batches.ok()) << batches.status();
    Flat found;
    for (const otap::BatchPtr& batch : *batches) {
      AddTo(Encoded(*batch), &found);
      EXPECT_LT(batch->num_root_rows(),
                max_rows + static_cast<int64_t>(telemetry::names::kAll.size()));
    }
    EXPECT_EQ(found, expected);
  }
}

TEST(LogBatch, RecordsAreWhatOtlpMakesOfThem) {
  std::vector<LogRecord> records(2);
  records[0] = {1,         1'000,         LogLevel::kWarning,
                "df.test", "it happened", {{"n", 3}, {"x", 0.5}, {"ok", true}, {"t", "text"}}};
  records[1] = {2, 2'000, LogLevel::kInfo, "", "plain", {}};
  const auto batch = MakeLogBatch(records, {{"service.name", "x"}});
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(Encoded(**batch), Json::parse(R"({"resourceLogs": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "x"}}]},
    "scopeLogs": [{"scope": {"name": "df.log"}, "logRecords": [
      {"timeUnixNano": "1000", "observedTimeUnixNano": "1000", "severityNumber": 13,
       "severityText": "WARN", "body": {"stringValue": "it happened"}, "eventName": "df.test",
       "attributes": [
         {"key": "n", "value": {"intValue": "3"}}, {"key": "x", "value": {"doubleValue": 0.5}},
         {"key": "ok", "value": {"boolValue": true}}, {"key": "t", "value": {"stringValue": "text"}}]},
      {"timeUnixNano": "2000", "observedTimeUnixNano": "2000", "severityNumber": 9,
       "severityText": "INFO", "body": {"stringValue": "plain"}}]}]}]})"));
}

}  // namespace
}  // namespace df::nodes::receivers::internal_telemetry
