#include "telemetry/exposition.h"

#include <cmath>
#include <map>
#include <random>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "telemetry/metric_set.h"
#include "telemetry/names.h"
#include "telemetry/prometheus_parser_test.h"

namespace df::telemetry {
namespace {

using ::testing::HasSubstr;

constexpr Instrument kBytes = {InstrumentKind::kUpDownCounter, "df.test.memory", "By",
                               "Bytes \\ with a\nbreak"};
constexpr Instrument kTime = {InstrumentKind::kCounter, "df.test.busy.time", "s", "Busy", "reason"};
constexpr Instrument kLatency = {InstrumentKind::kHistogram, "df.test.latency", "s", "Latency"};
constexpr Instrument kRatio = {InstrumentKind::kGauge, "df.test.full", "1", "How full"};

MetricFamily Named(InstrumentKind kind, std::string name, std::string unit) {
  MetricFamily family;
  family.kind = kind;
  family.name = std::move(name);
  family.unit = std::move(unit);
  return family;
}

TEST(Exposition, NamesFollowTheRulesOfOpenTelemetry) {
  using enum InstrumentKind;
  EXPECT_EQ(PrometheusName(Named(kCounter, "process.cpu.time", "s")), "process_cpu_time_seconds");
  EXPECT_EQ(PrometheusName(Named(kUpDownCounter, "a.b", "By")), "a_b_bytes");
  EXPECT_EQ(PrometheusName(Named(kGauge, "a.bytes", "By")), "a_bytes");
  EXPECT_EQ(PrometheusName(Named(kCounter, "a.total", "{batch}")), "a");
  EXPECT_EQ(PrometheusName(Named(kGauge, "a", "1")), "a_ratio");
  EXPECT_EQ(PrometheusName(Named(kCounter, "a", "1")), "a");
  EXPECT_EQ(PrometheusName(Named(kGauge, "9a..b/ c", "")), "_9a_b_c");
}

TEST(Exposition, EveryMetricOfTheEngineHasItsOwnName) {
  std::set<std::string> names;
  for (const Instrument* instrument : names::kAll) {
    EXPECT_TRUE(names
                    .insert(PrometheusName(Named(instrument->kind, std::string(instrument->name),
                                                 std::string(instrument->unit))))
                    .second)
        << instrument->name;
  }
}

TEST(Exposition, TextIsAsItIsWrittenDown) {
  Registry registry([] { return int64_t{5}; });
  MetricSet& set = registry.FindOrAdd("df.test", {{"node.id", "a \"b\"\\\n"}});
  set.AddGauge(kBytes).Set(-7);
  set.AddCounter(kTime, {{"reason", "edge_full"}}).Add(1'500'000'000);
  const int64_t bounds[] = {1'000, 2'000'000'000};
  Histogram& latency = set.AddHistogram(kLatency, bounds);
  latency.Record(500);
  latency.Record(1'500);
  latency.Record(3'000'000'000);
  set.AddGauge(kRatio).Set(1);
  EXPECT_EQ(ToPrometheus(registry.Snapshot(), {{"service.name", "df_engine"}}),
            R"(# HELP target_info The attributes of the resource
# TYPE target_info gauge
target_info{service_name="df_engine"} 1
# HELP df_test_busy_time_seconds_total Busy
# TYPE df_test_busy_time_seconds_total counter
df_test_busy_time_seconds_total{node_id="a \"b\"\\\n",otel_scope_name="df.test",reason="edge_full"} 1.5
# HELP df_test_full_ratio How full
# TYPE df_test_full_ratio gauge
df_test_full_ratio{node_id="a \"b\"\\\n",otel_scope_name="df.test"} 1
# HELP df_test_latency_seconds Latency
# TYPE df_test_latency_seconds histogram
df_test_latency_seconds_bucket{node_id="a \"b\"\\\n",otel_scope_name="df.test",le="1e-06"} 1
df_test_latency_seconds_bucket{node_id="a \"b\"\\\n",otel_scope_name="df.test",le="2"} 2
df_test_latency_seconds_bucket{node_id="a \"b\"\\\n",otel_scope_name="df.test",le="+Inf"} 3
df_test_latency_seconds_sum{node_id="a \"b\"\\\n",otel_scope_name="df.test"} 3.000002
df_test_latency_seconds_count{node_id="a \"b\"\\\n",otel_scope_name="df.test"} 3
# HELP df_test_memory_bytes Bytes \\ with a\nbreak
# TYPE df_test_memory_bytes gauge
df_test_memory_bytes{node_id="a \"b\"\\\n",otel_scope_name="df.test"} -7
)");
  const std::string open = ToPrometheus(registry.Snapshot(), {}, TextFormat::kOpenMetrics);
  EXPECT_THAT(open, HasSubstr("# TYPE target info\ntarget_info{} 1\n"));
  EXPECT_THAT(open,
              HasSubstr("# TYPE df_test_busy_time_seconds counter\n# UNIT "
                        "df_test_busy_time_seconds seconds\ndf_test_busy_time_seconds_total{"));
  EXPECT_THAT(open, HasSubstr("le=\"2.0\"} 2\n"));
  EXPECT_TRUE(open.ends_with("# EOF\n"));
}

TEST(Exposition, LabelsThatBecomeTheSameAreJoined) {
  Registry registry;
  registry.FindOrAdd("s", {{"a.b", "1"}, {"a_b", "2"}}).AddGauge(kBytes).Set(1);
  EXPECT_THAT(ToPrometheus(registry.Snapshot(), {}), HasSubstr("{a_b=\"1;2\",otel_scope_name"));
}

TEST(Exposition, AcceptChoosesTheFormat) {
  EXPECT_EQ(ChooseTextFormat("application/openmetrics-text; version=1.0.0,text/plain;q=0.5"),
            TextFormat::kOpenMetrics);
  EXPECT_EQ(ChooseTextFormat("text/plain"), TextFormat::kPrometheus);
  EXPECT_EQ(ChooseTextFormat(""), TextFormat::kPrometheus);
  EXPECT_NE(ContentType(TextFormat::kPrometheus), ContentType(TextFormat::kOpenMetrics));
}

// Fills a registry with every metric of the engine and random numbers.
void FillAtRandom(Registry* registry, std::mt19937_64& rng) {
  for (int i = 0; i < 3; ++i) {
    MetricSet& set = registry->FindOrAdd(
        fmt::format("df.s{}", i % 2), {{"node.id", fmt::format("n\"\\\n{}", i)}, {"core.id", "0"}});
    for (const Instrument* instrument : names::kAll) {
      std::vector<Attributes::Entry> entries;
      for (std::string_view keys = instrument->attributes; !keys.empty();) {
        const std::string key(keys.substr(0, keys.find(',')));
        keys.remove_prefix(std::min(keys.size(), key.size() + 1));
        entries.emplace_back(key, fmt::format("v{}", rng() % 2));
      }
      const Attributes attributes(entries);
      const auto number = static_cast<int64_t>(rng() >> (rng() % 60 + 4));
      switch (instrument->kind) {
        case InstrumentKind::kCounter:
          set.AddCounter(*instrument, attributes).Add(number);
          break;
        case InstrumentKind::kUpDownCounter:
        case InstrumentKind::kGauge:
          set.AddGauge(*instrument, attributes).Set(-number);
          break;
        case InstrumentKind::kHistogram:
          for (uint64_t j = rng() % 20; j > 0; --j) {
            set.AddHistogram(*instrument, LatencyBounds(), attributes)
                .Record(static_cast<int64_t>(rng() >> (rng() % 36 + 25)));
          }
          break;
      }
    }
  }
}

TEST(Exposition, WhatAParserReadsIsWhatWasCounted) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 rng(seed);
  for (int round = 0; round < 20; ++round) {
    Registry registry;
    FillAtRandom(&registry, rng);
    const MetricSnapshot snapshot = registry.Snapshot();
    PrometheusParser parser;
    ASSERT_EQ(parser.Parse(ToPrometheus(snapshot, {{"service.name", "x"}})), "");
    size_t num_expected = 1;
    for (const MetricFamily& family : snapshot.families) {
      const std::string name = PrometheusName(family);
      const double scale = family.is_time() ? 1e9 : 1;
      for (const MetricPoint& point : family.points) {
        std::map<std::string, std::string> labels = {{"otel_scope_name", point.set->scope}};
        for (const Attributes* attributes : {&point.set->attributes, &point.attributes}) {
          for (auto [key, value] : attributes->entries()) {
            std::replace(key.begin(), key.end(), '.', '_');
            labels[key] = value;
          }
        }
        if (family.kind != InstrumentKind::kHistogram) {
          const std::string suffix = family.kind == InstrumentKind::kCounter ? "_total" : "";
          EXPECT_DOUBLE_EQ(parser.Value(name + suffix, labels) * scale,
                           static_cast<double>(point.value))
              << name;
          ++num_expected;
          continue;
        }
        EXPECT_DOUBLE_EQ(parser.Value(name + "_sum", labels) * scale,
                         static_cast<double>(point.histogram.sum));
        EXPECT_EQ(parser.Value(name + "_count", labels),
                  static_cast<double>(point.histogram.count));
        num_expected += 2 + point.histogram.counts.size();
      }
    }
    EXPECT_EQ(parser.num_samples(), num_expected);
  }
}

TEST(Exposition, TheParserOfTheTestRefusesWhatIsWrong) {
  const std::string head = "# HELP a b\n# TYPE a counter\n";
  for (const std::string bad :
       {"a 1", "a{x=\"1} 1\n", "a{x=\"\\q\"} 1\n", "a{9=\"1\"} 1\n", "a 1x\n", "a 1\na 1\n",
        "b 1\n", "a{x=\"1\" y=\"2\"} 1\n", "# TYPE a counter\n", "\n"}) {
    EXPECT_NE(PrometheusParser().Parse(head + bad), "") << bad;
  }
  const std::string histogram = "# HELP h b\n# TYPE h histogram\n";
  EXPECT_EQ(PrometheusParser().Parse(histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n"
                                                 "h_sum 3\nh_count 2\n"),
            "");
  for (const std::string bad :
       {"h_bucket{le=\"1\"} 3\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n",
        "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 3\n",
        "h_bucket{le=\"1\"} 1\nh_sum 3\nh_count 1\n", "h_bucket{le=\"+Inf\"} 2\nh_count 2\n"}) {
    EXPECT_NE(PrometheusParser().Parse(histogram + bad), "") << bad;
  }
}

TEST(Exposition, JsonSaysTheSameAsTheSnapshot) {
  std::mt19937_64 rng(7);
  Registry registry([] { return int64_t{99}; });
  FillAtRandom(&registry, rng);
  const MetricSnapshot snapshot = registry.Snapshot();
  const auto json = nlohmann::json::parse(ToJson(snapshot, {{"service.name", "\xff"}}));
  EXPECT_EQ(json["time_unix_nano"], 99);
  EXPECT_EQ(json["resource"]["service.name"], "\uFFFD");
  ASSERT_EQ(json["metrics"].size(), snapshot.families.size());
  for (size_t i = 0; i < snapshot.families.size(); ++i) {
    const MetricFamily& family = snapshot.families[i];
    const auto& metric = json["metrics"][i];
    const double scale = family.is_time() ? 1e9 : 1;
    EXPECT_EQ(metric["name"], family.name);
    EXPECT_EQ(metric["unit"], family.unit);
    EXPECT_EQ(metric["description"], family.description);
    EXPECT_EQ(metric["kind"], Name(family.kind));
    ASSERT_EQ(metric["points"].size(), family.points.size());
    for (size_t j = 0; j < family.points.size(); ++j) {
      const MetricPoint& point = family.points[j];
      const auto& shown = metric["points"][j];
      EXPECT_EQ(shown["scope"], point.set->scope);
      EXPECT_EQ(shown["set"]["node.id"], *point.set->attributes.Find("node.id"));
      EXPECT_EQ(shown["attributes"].size(), point.attributes.entries().size());
      if (family.kind != InstrumentKind::kHistogram) {
        EXPECT_DOUBLE_EQ(shown["value"].get<double>() * scale, static_cast<double>(point.value));
        continue;
      }
      EXPECT_EQ(shown["count"], point.histogram.count);
      EXPECT_EQ(shown.contains("min"), point.histogram.count > 0);
      for (size_t k = 0; k < point.histogram.counts.size(); ++k) {
        EXPECT_EQ(shown["buckets"][k]["count"], point.histogram.counts[k]);
      }
      EXPECT_EQ(shown["buckets"].back()["le"], "+Inf");
    }
  }
}

}  // namespace
}  // namespace df::telemetry
