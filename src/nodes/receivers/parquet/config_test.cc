#include "nodes/receivers/parquet/config.h"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/document_source.h"
#include "engine/node_registry.h"
#include "select/selector.h"
#include "testing/pipeline_harness.h"
#include "testing/tree_replay.h"

namespace df::nodes::receivers::parquet {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Checks a document whose receiver has this config (flow style); returns the problems, "" when
/// there are none.
std::string Problems(const std::string& config) {
  const df::testing::PipelineHarness harness(fmt::format(R"(
nodes:
  receiver: {{kind: receiver, plugin_urn: "urn:otel:otap:parquet:receiver",
             out_ports: {{out: {{destinations: [sink]}}}}, config: {{{}}}}}
  sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}})",
                                                         config),
                                             {&kDescriptor});
  return harness.status().ok() ? "" : harness.status().message();
}

class GoodConfig : public ::testing::TestWithParam<const char*> {};

TEST_P(GoodConfig, IsAccepted) { EXPECT_EQ(Problems(GetParam()), ""); }

INSTANTIATE_TEST_SUITE_P(
    Table, GoodConfig,
    ::testing::Values(
        "base_uri: data", "base_uri: /data", "storage: {file: {base_uri: data}}",
        "base_uri: data, storage: {retry: {max_retries: 0}, read: {tail_size: 1MiB}}",
        "base_uri: \"file:///data\"", "base_uri: data, signal_types: [logs]",
        "base_uri: data, signal_types: [metrics, traces]", "base_uri: data, polling_interval: once",
        "base_uri: data, polling_interval: 250ms", "base_uri: data, polling_interval: 1h 30m",
        "base_uri: data, processing_options: {batch_size: 1}",
        "base_uri: data, processing_options: {batch_size: 65535, min_file_age: 10s, "
        "validate_relations: true}",
        "base_uri: data, processing_options: {completeness_grace: 0s}",
        "base_uri: data, catalog: {unknown_schemas: warn}",
        "base_uri: data, catalog: {files: {plan: plan.jsonl}}",
        "base_uri: data, catalog: {files: {delta: {}}}",
        "base_uri: data, catalog: {files: {delta: {single_partition: true}}}",
        "base_uri: data, catalog: {files: {ducklake: {catalog: a.sqlite, schema: b, snapshot: 3}}}",
        "base_uri: data, polling_interval: once, select: {where: {traces: \"trace.any(true)\"}}",
        "base_uri: data, resource_join: fail", "base_uri: data, memory_limit: 1GiB",
        "base_uri: data, max_concurrent_partitions: 4"));

struct BadCase {
  const char* config;
  std::vector<std::string> words;
};

class BadConfig : public ::testing::TestWithParam<BadCase> {};

TEST_P(BadConfig, IsRefusedWithTheReason) {
  const std::string problems = Problems(GetParam().config);
  ASSERT_NE(problems, "") << GetParam().config;
  for (const std::string& word : GetParam().words) {
    EXPECT_THAT(problems, HasSubstr(word)) << GetParam().config;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, BadConfig,
    ::testing::Values(
        BadCase{"signal_types: [logs]", {"base_uri", "missing"}},
        BadCase{"base_uri: \"\"", {"base_uri"}}, BadCase{"base_uri: [a]", {"base_uri"}},
        BadCase{"base_uri: \"ftp://host/x\"", {"ftp", "s3://"}},
        BadCase{
            "base_uri: a, catalog: {files: {}}",
            {"catalog.files", "found 0 lists of files, expected one of plan, ducklake and delta"}},
        BadCase{"base_uri: a, catalog: {files: {plan: b, delta: {}}}",
                {"catalog.files", "found 2 lists of files"}},
        BadCase{"base_uri: a, catalog: {files: {ducklake: {}}}",
                {"catalog.files.ducklake", "catalog", "missing"}},
        BadCase{"base_uri: a, catalog: {files: {ducklake: {catalog: b, snapshot: -2}}}",
                {"catalog.files.ducklake.snapshot"}},
        BadCase{"base_uri: a, catalog: {files: {plan: [b]}}", {"catalog.files.plan"}},
        BadCase{"base_uri: a, storage: {s3: {region: b}}", {"storage.s3 means nothing for 'a'"}},
        BadCase{"base_uri: a, storage: {file: {base_uri: b}}", {"expected one of the two"}},
        BadCase{"storage: {s3: {region: b}}", {"base_uri", "missing"}},
        BadCase{"storage: {s3: {base_uri: \"s3://b\", auth: {type: keys}}}", {"access_key_id"}},
        BadCase{"storage: {s3: {base_uri: \"s3://b\", auth: {access_key_id: x}}}", {"type: keys"}},
        BadCase{"storage: {azure: {base_uri: \"az://c\", auth: {sas_token: x}}}",
                {"type: sas_token"}},
        BadCase{"storage: {gcs: {base_uri: \"gs://b\", auth: {type: service_account}}}",
                {"service_account_file"}},
        BadCase{"base_uri: \"s3://key:secret@b\"", {"keys do not belong into a URI"}},
        BadCase{"base_uri: \"file://relative\"", {"absolute"}},
        BadCase{"base_uri: a, zzz: 1", {"zzz"}},
        BadCase{"base_uri: a, catalog: {unknown_schemas: refuse}",
                {"unknown_schemas", "without cache"}},
        BadCase{"base_uri: a, catalog: {unknown_schemas: ask}", {"ask", "accept"}},
        BadCase{"base_uri: a, base_url: b", {"base_url", "base_uri"}},
        BadCase{"base_uri: a, signal_types: []", {"signal_types"}},
        BadCase{"base_uri: a, signal_types: [profiles]", {"profiles", "logs"}},
        BadCase{"base_uri: a, signal_types: [logs, logs]", {"logs"}},
        BadCase{"base_uri: a, signal_types: logs", {"signal_types"}},
        BadCase{"base_uri: a, signal_types: [Logs]", {"Logs"}},
        BadCase{"base_uri: a, polling_interval: 0s", {"polling_interval", "once"}},
        BadCase{"base_uri: a, polling_interval: 5", {"polling_interval", "unit"}},
        BadCase{"base_uri: a, polling_interval: -1s", {"polling_interval"}},
        BadCase{"base_uri: a, polling_interval: soon", {"soon"}},
        BadCase{"base_uri: a, select: {where: {traces: \"not trace.any(true)\"}}",
                {"trace.any beside polling_interval", "write polling_interval: once"}},
        BadCase{"base_uri: a, polling_interval: once, select: {where: {metrics: "
                "\"trace.any(true)\"}}",
                {"data points are of no trace"}},
        BadCase{"base_uri: a, processing_options: {batch_size: 0}", {"batch_size", "1..65535"}},
        BadCase{"base_uri: a, processing_options: {batch_size: 65536}", {"batch_size", "1..65535"}},
        BadCase{"base_uri: a, processing_options: {batch_size: x}", {"batch_size", "x"}},
        BadCase{"base_uri: a, processing_options: {batch_size: 1.5}", {"batch_size"}},
        BadCase{"base_uri: a, processing_options: {batchsize: 1}", {"batchsize", "batch_size"}},
        BadCase{"base_uri: a, processing_options: {min_file_age: 3 parsecs}",
                {"min_file_age", "parsecs"}},
        BadCase{"base_uri: a, processing_options: {validate_relations: maybe}",
                {"validate_relations", "maybe"}},
        BadCase{"base_uri: a, processing_options: 7", {"processing_options"}},
        BadCase{"base_uri: a, resource_join: guess", {"guess", "infer"}},
        BadCase{"base_uri: a, memory_limit: 1KiB", {"memory_limit"}},
        BadCase{"base_uri: a, memory_limit: lots", {"memory_limit", "lots"}},
        BadCase{"base_uri: a, max_concurrent_partitions: 0", {"max_concurrent_partitions"}},
        BadCase{"base_uri: a, select: {where: severity_numbr > 3}",
                {"select.where", "for logs: 1:1: found 'severity_numbr'",
                 "did you mean 'severity_number'"}},
        BadCase{"base_uri: a, select: {where: {traces: 'kind ='}}",
                {"select.where.traces", "1:6: found '='", "a comparison"}},
        BadCase{"base_uri: a, select: {where: {span: 'true'}}", {"span", "traces"}},
        BadCase{"base_uri: a, select: {time: {from: '2025-01-31T12:00:00'}}",
                {"select.time.from", "2025-01-31T12:00:00Z"}},
        BadCase{"base_uri: a, select: {time: {from: 5s, to: 4s}}",
                {"select.time", "nothing can be wanted"}},
        BadCase{"base_uri: a, select: {time: {from: -1h, to: -2h}}", {"nothing can be wanted"}},
        BadCase{"base_uri: a, select: {trace_ids: [abc]}", {"abc", "32 hexadecimal digits"}},
        BadCase{"base_uri: a, select: {trace_ids: []}", {"found no id"}},
        BadCase{"base_uri: a, signal_types: [metrics], select: {trace_ids: "
                "[0102030405060708090a0b0c0d0e0f10]}",
                {"select.trace_ids", "metrics alone, which are of no trace"}},
        BadCase{"base_uri: a, signal_types: [logs], select: {where: {traces: 'true'}}",
                {"select.where.traces", "traces, which are not among signal_types"}},
        BadCase{"base_uri: a, select: {trace_ids_file: /no/such/file}", {"cannot be opened"}},
        BadCase{"base_uri: a, select: {times: {}}", {"times", "time"}},
        BadCase{"base_uri: a, base_uri: b", {"base_uri"}}));

ParquetReceiverConfig Read(const std::string& config) {
  config::Problems problems("f");
  const config::ValuePtr root = config::ReadDocument(
      {.name = "f", .text = "{" + config + "}"}, {},
      [](const std::string&) -> std::optional<std::string> { return std::nullopt; }, &problems);
  ParquetReceiverConfig read = ReadParquetReceiverConfig(config::Section(*root, "", &problems));
  EXPECT_TRUE(problems.empty()) << problems.Lines().front();
  return read;
}

/// Times that are written as so long ago are fixed when a replay begins.
TEST(Config, ASelectionBeginsWithItsReplay) {
  const ParquetReceiverConfig config = Read(
      "base_uri: a, signal_types: [logs], select: {time: {from: -1h, to: 5000s}, "
      "partitions: {include: ['day=1*'], exclude: ['*/tenant=x']}, "
      "where: severity_number > 8, trace_ids: [0102030405060708090a0b0c0d0e0f10]}");
  ASSERT_TRUE(config.selection.has_value());
  const auto options =
      MakeReadOptions(config, std::chrono::system_clock::time_point(std::chrono::seconds(4000)));
  ASSERT_NE(options.selector, nullptr);
  const select::Wishes& wishes = options.selector->wishes();
  EXPECT_EQ(wishes.time.from, 400'000'000'000);
  EXPECT_EQ(wishes.time.to, 5'000'000'000'000);
  EXPECT_TRUE(wishes.where[0].has_value());
  EXPECT_FALSE(wishes.where[1].has_value());
  EXPECT_EQ(wishes.trace_ids->size(), 1U);
  EXPECT_TRUE(options.wants_partition("day=12/tenant=y"));
  EXPECT_FALSE(options.wants_partition("day=12/tenant=x"));
  EXPECT_FALSE(options.wants_partition("day=2/tenant=y"));
}

TEST(Config, SelectionsThatWantTheSameHaveOneFingerprint) {
  const auto fingerprint = [](const std::string& select) {
    return Read("base_uri: a, select: {" + select + "}").selection->Fingerprint();
  };
  EXPECT_EQ(fingerprint("time: {from: -1h}"), fingerprint("time: {from: -60m}"));
  EXPECT_NE(fingerprint("time: {from: -1h}"), fingerprint("time: {from: -2h}"));
  EXPECT_NE(fingerprint("trace_ids: [0102030405060708090a0b0c0d0e0f10]"),
            fingerprint("trace_ids: [0102030405060708090a0b0c0d0e0f11]"));
}

TEST(Config, AllProblemsAreReportedAtOnceWithTheirPlaces) {
  const std::string problems = Problems("resource_join: guess, polling_interval: 0s, zzz: 1");
  EXPECT_THAT(problems, AllOf(HasSubstr("guess"), HasSubstr("polling_interval"), HasSubstr("zzz"),
                              HasSubstr("base_uri")));
}

TEST(Config, DefaultsAreThoseOfTheReadme) {
  const ParquetReceiverConfig config;
  EXPECT_EQ(config.polling_interval.interval, std::chrono::seconds(5));
  EXPECT_EQ(MakeReadOptions(config, {}).batch_size, 8192);
  EXPECT_EQ(MakeReadOptions(config, {}).signals.size(), 3U);
  EXPECT_EQ(MakeReadOptions(config, {}).memory_limit_bytes, 256_MiB);
  EXPECT_EQ(MakeFollowOptions(config).completeness_grace, std::chrono::seconds(10));
}

TEST(ParquetReceiverConfigTest, ACheckpointIsInADirectoryOrThatOfTheEngine) {
  const df::testing::TemporaryFolder folder;
  EXPECT_EQ(Problems(fmt::format("base_uri: data, checkpoint: {{directory: \"{}\", name: night}}",
                                 folder.path().string())),
            "");
  EXPECT_THAT(Problems("base_uri: data, checkpoint: {name: night}"),
              AllOf(HasSubstr("checkpoint: expected directory, or engine.state_dir"),
                    HasSubstr("test.yaml:")));
  EXPECT_THAT(Problems("base_uri: data, checkpoint: {directory: \"\", name: night}"),
              AllOf(HasSubstr("checkpoint.directory"), ::testing::Not(HasSubstr("state_dir"))));
  EXPECT_THAT(Problems("base_uri: data, checkpoint: {directory: here, name: a/b}"),
              HasSubstr("name: found 'a/b'"));
}

TEST(ParquetReceiverConfigTest, ALeaseGoesWithWhatSeveralProcessesCanDo) {
  const df::testing::TemporaryFolder folder;
  const auto problems = [&folder](const std::string& lease, const std::string& more) {
    return Problems(
        fmt::format("base_uri: data, polling_interval: once, checkpoint: {{directory: \"{}\", "
                    "name: night, lease: {}}}{}",
                    folder.path().string(), lease, more));
  };
  EXPECT_EQ(problems("{}", ""), "");
  EXPECT_EQ(problems("{ttl: 5s}", ""), "");
  EXPECT_THAT(problems("{ttl: 10ms}", ""), HasSubstr("ttl: expected a duration of 1s or more"));
  EXPECT_THAT(problems("{}", ", pace: {speed: 2x}"), HasSubstr("lease: found pace beside it"));
  EXPECT_THAT(problems("{}", ", time: {shift: 1h}"), HasSubstr("lease: found time beside it"));
  EXPECT_THAT(problems("{}", ", processing_options: {late_children: resend}"),
              HasSubstr("lease: found processing_options.late_children: resend beside it"));
  EXPECT_THAT(problems("{}", ", progress: {resume: receipt.json}"),
              HasSubstr("lease: found progress.resume beside it"));
}

TEST(ParquetReceiverConfigTest, WhatIsSentIsToldByMoreThanTheSelection) {
  ParquetReceiverConfig config;
  const std::string all = DescribeSettings(config);
  EXPECT_THAT(all, HasSubstr("signal_types: logs, metrics, traces; resource_join: infer"));
  config.resource_join = lake::ResourceJoin::kDrop;
  EXPECT_NE(DescribeSettings(config), all);
  config = {};
  config.signal_types = {otap::Signal::kMetrics, otap::Signal::kTraces, otap::Signal::kLogs};
  EXPECT_EQ(DescribeSettings(config), all);
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
