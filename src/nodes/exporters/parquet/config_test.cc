#include "nodes/exporters/parquet/config.h"

#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/node_registry.h"
#include "testing/pipeline_harness.h"

namespace df::nodes::exporters::parquet {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using ::testing::HasSubstr;

/// Checks a document whose exporter has this config (flow style); returns the problems, "" when
/// there are none.
std::string Problems(const std::string& config) {
  const df::testing::PipelineHarness harness(fmt::format(R"(
nodes:
  source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
           out_ports: {{out: {{destinations: [sink]}}}}}}
  sink: {{kind: exporter, plugin_urn: "urn:otel:otap:parquet:exporter", config: {{{}}}}})",
                                                         config),
                                             {&kDescriptor});
  return harness.status().ok() ? "" : harness.status().message();
}

class GoodConfig : public ::testing::TestWithParam<const char*> {};

TEST_P(GoodConfig, IsAccepted) { EXPECT_EQ(Problems(GetParam()), ""); }

INSTANTIATE_TEST_SUITE_P(
    Table, GoodConfig,
    ::testing::Values(
        "base_uri: out", "base_uri: file:///out", "storage: {file: {base_uri: out}}",
        "base_uri: out, partitioning_strategies: [{schema_metadata: [_part_id]}], "
        "writer_options: {target_rows_per_file: 1000, flush_when_older_than: 1h}",
        "base_uri: out, writer_options: {target_bytes_per_file: 1MiB, row_group_bytes: 64KiB, "
        "compression: 'zstd:9', table_compression: {logs: none, span_attrs: gzip}}",
        "base_uri: out, writer_options: {roll_when_older_than: 5m}",
        "base_uri: out, time_levels: day", "base_uri: out, time_levels: hour, seal_after: 1h",
        "base_uri: out, memory_limit: 64MiB"));

struct BadCase {
  const char* config;
  const char* message;
};

class BadConfig : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadConfig, IsRefused) {
  EXPECT_THAT(Problems(GetParam().config), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadConfig,
    ::testing::Values(
        BadCase{"memory_limit: 64MiB", "key 'base_uri' is missing"},
        BadCase{"base_uri: a, storage: {file: {base_uri: b}}", "expected one of the two"},
        BadCase{"base_uri: 'file://here'", "expected file:// and an absolute path"},
        BadCase{"storage: {}", "key 'base_uri' is missing"},
        BadCase{"base_uri: a, partitioning_strategies: [{schema_metadata: [tenant]}]",
                "found 'tenant', expected _part_id"},
        BadCase{"base_uri: a, partitioning_strategies: [{}]", "'schema_metadata' is missing"},
        BadCase{"base_uri: a, writer_options: {compression: zst}",
                "found 'zst', expected none, snappy"},
        BadCase{"base_uri: a, writer_options: {compression: 'zstd:99'}", "found 'zstd:99'"},
        BadCase{"base_uri: a, writer_options: {compression: 'snappy:1'}", "found 'snappy:1'"},
        BadCase{"base_uri: a, writer_options: {table_compression: {log: none}}",
                "unknown table 'log'"},
        BadCase{"base_uri: a, writer_options: {table_compression: {logs: lzma}}",
                "logs: found 'lzma'"},
        BadCase{"base_uri: 's3://bucket/a', writer_options: {roll_when_older_than: 5m}",
                "files are staged on local file systems only"},
        BadCase{"base_uri: a, seal_after: 1h", "expected day or hour: these are what is sealed"},
        BadCase{"base_uri: a, time_levels: day, seal_after: 10s", "10s"},
        BadCase{"base_uri: a, time_levels: minute",
                "found 'minute', expected one of none, day, hour"},
        BadCase{"base_uri: a, writer_options: {flush_when_older_than: 0s}", "0s"}));

}  // namespace
}  // namespace df::nodes::exporters::parquet
