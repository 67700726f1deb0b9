// Real receivers in front of exporters that hold acks back: a drain loses nothing, doubles nothing,
// and ends soon.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/write/signal_writer.h"
#include "nodes/registry.h"
#include "otlp/decode.h"
#include "otlp/request_file.h"
#include "testing/pipeline_harness.h"
#include "testing/tcp_peer.h"
#include "testing/tree_replay.h"

namespace df::nodes {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::PipelineHarness;

constexpr int kNumBatches = 24;
constexpr int kBatchRows = 10;
/// Of the 60 s that a drain has.
constexpr seconds kSoon{5};

/// Log records whose times are `first` and those that follow.
otap::BatchPtr Logs(int64_t first) {
  arrow::UInt16Builder ids;
  arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::NANO),
                                arrow::default_memory_pool());
  for (int row = 0; row < kBatchRows; ++row) {
    EXPECT_TRUE(ids.Append(static_cast<uint16_t>(row)).ok());
    EXPECT_TRUE(times.Append(first + row).ok());
  }
  otap::BatchBuilder builder(otap::Signal::kLogs);
  EXPECT_TRUE(builder
                  .Set(otap::TableKind::kLogs,
                       arrow::RecordBatch::Make(
                           arrow::schema({arrow::field("id", arrow::uint16()),
                                          arrow::field("time_unix_nano", times.type())}),
                           kBatchRows, {ids.Finish().ValueOrDie(), times.Finish().ValueOrDie()}))
                  .ok());
  return builder.Build();
}

void AddTimes(const otap::Batch& batch, std::vector<int64_t>* times) {
  const auto column = batch.root()->GetColumnByName("time_unix_nano");
  ASSERT_NE(column, nullptr);
  const auto& values = static_cast<const arrow::TimestampArray&>(*column);
  for (int64_t row = 0; row < values.length(); ++row) {
    times->push_back(values.Value(row));
  }
}

std::vector<const engine::NodeDescriptor*> Nodes() {
  return {AllDescriptors().begin(), AllDescriptors().end()};
}

/// Exporter, and whether a batch processor is in front of it.
using Sink = std::tuple<std::string, bool>;

class DrainMatrix : public ::testing::TestWithParam<std::tuple<std::string, Sink>> {
 protected:
  std::string receiver() const { return std::get<0>(GetParam()); }
  bool is_parquet() const { return std::get<0>(std::get<1>(GetParam())) == "parquet"; }

  bool has_batch() const { return std::get<1>(std::get<1>(GetParam())); }

  std::filesystem::path out() const { return folder_.path() / "out"; }

  /// What follows the receiver "in". Without `flushes` nothing but a drain makes it let go.
  std::string Rest(bool flushes) const {
    const std::string time = flushes ? "20ms" : "1h";
    const std::string sink =
        is_parquet()
            ? fmt::format(
                  "sink: {{kind: exporter, plugin_urn: 'urn:otel:exporter:parquet', config: "
                  "{{base_uri: '{}', writer_options: {{flush_when_older_than: {}, "
                  "flush_when_all_wait_for: {}}}}}}}",
                  out().string(), time, time)
            : fmt::format(
                  "sink: {{kind: exporter, plugin_urn: 'urn:otel:exporter:file', config: "
                  "{{path: '{}/{{signal}}.otlp', format: otlp_proto, open_mode: append, "
                  "durability: sync}}}}",
                  out().string());
    if (!has_batch()) {
      return sink;
    }
    return fmt::format(
        "batch: {{kind: processor, plugin_urn: 'urn:otel:processor:batch', out_ports: {{out: "
        "{{destinations: [sink]}}}}, config: {{otap: {{min_size: 60000}}, max_batch_duration: "
        "{}}}}}, {}",
        time, sink);
  }

  /// A receiver of a type that sends to what follows.
  std::string In(const std::string& type, const std::string& config) const {
    return fmt::format(
        "{{kind: receiver, plugin_urn: 'urn:otel:receiver:{}', out_ports: {{out: {{destinations: "
        "[{}]}}}}, config: {}}}",
        type, has_batch() ? "batch" : "sink", config);
  }

  std::unique_ptr<PipelineHarness> Start(const std::string& in, bool flushes) {
    engine::PipelineInstance::Options options;
    options.drain_timeout = seconds(60);
    auto harness = std::make_unique<PipelineHarness>(
        fmt::format("{{nodes: {{in: {}, {}}}}}", in, Rest(flushes)), Nodes(), options);
    EXPECT_TRUE(harness->status().ok()) << harness->status();
    return harness;
  }

  /// Runs everything, with time as it goes, until something is so.
  void RunUntil(const std::vector<PipelineHarness*>& harnesses,
                const std::function<bool()>& is_so) {
    auto last = std::chrono::steady_clock::now();
    const auto start = last;
    while (!is_so()) {
      const auto now = std::chrono::steady_clock::now();
      ASSERT_LT(now - start, seconds(60)) << "it never came";
      for (PipelineHarness* harness : harnesses) {
        harness->Advance(now - last);
      }
      last = now;
      std::this_thread::yield();
    }
  }

  /// Drains, and says how long it took.
  nanoseconds Drain(PipelineHarness* harness, std::vector<PipelineHarness*> others = {}) {
    const auto start = harness->loop().clock().Now();
    harness->RequestDrain();
    others.push_back(harness);
    RunUntil(others, [&] { return harness->has_ended(); });
    return harness->loop().clock().Now() - start;
  }

  /// Times of all records that are stored, sorted.
  std::vector<int64_t> Stored() const {
    std::vector<int64_t> times;
    if (is_parquet()) {
      for (const otap::BatchPtr& batch : testing::ReplayTree(out(), {}).batches) {
        AddTimes(*batch, &times);
      }
    } else {
      otlp::Decoder decoder;
      const Status status = otlp::VisitRequests(
          (out() / "logs.otlp").string(), [&](std::string_view request) -> Status {
            otlp::DecodeStats stats;
            ARROW_ASSIGN_OR_RAISE(const auto batches,
                                  decoder.DecodeRequest(otap::Signal::kLogs, request, &stats));
            for (const otap::BatchPtr& batch : batches) {
              AddTimes(*batch, &times);
            }
            return Status::OK();
          });
      EXPECT_TRUE(status.ok()) << status;
    }
    std::sort(times.begin(), times.end());
    return times;
  }

  testing::TemporaryFolder folder_;
};

class NetworkDrain : public DrainMatrix {};

TEST_P(NetworkDrain, WhatIsAckedIsStoredOnceAndNothingIsDoubledByAResend) {
  const uint16_t port = testing::TcpAcceptor().port();  // free again
  const std::string address = fmt::format("127.0.0.1:{}", port);
  const bool is_otap = receiver() == "otap";
  const std::string in = is_otap
                             ? In("otap", fmt::format("{{listening_addr: '{}'}}", address))
                             : In("otlp", fmt::format("{{protocols: {{{}: {{listening_addr: '{}', "
                                                      "wait_for_result: true}}}}}}",
                                                      receiver(), address));
  const std::string exporter = is_otap ? "otap" : "otlp_" + receiver();
  auto server = Start(in, /*flushes=*/false);
  server->RunUntilIdle();
  PipelineHarness client(
      fmt::format(
          "{{nodes: {{source: {{kind: receiver, plugin_urn: "
          "'urn:otel:receiver:test_scripted', out_ports: {{out: {{destinations: "
          "[retry]}}}}}}, retry: {{kind: processor, plugin_urn: "
          "'urn:otel:processor:retry', out_ports: {{out: {{destinations: [out]}}}}, config: "
          "{{initial_interval: 20ms, max_interval: 50ms}}}}, out: {{kind: exporter, "
          "plugin_urn: 'urn:otel:exporter:{}', config: {{{}: 'http://{}'}}}}}}}}",
          exporter, receiver() == "http" ? "endpoint" : "grpc_endpoint", address),
      Nodes());
  ASSERT_TRUE(client.status().ok()) << client.status();
  for (int i = 0; i < kNumBatches; ++i) {
    client.source().Send(Logs(1000 + i * kBatchRows));
  }
  // All that the client has in flight at a time, in all of its ways.
  RunUntil({server.get(), &client},
           [&] { return server->metric("in", "items_out") >= 4 * kBatchRows; });
  const auto taken = [&] { return server->metric("in", "items_out"); };
  EXPECT_LT(Drain(server.get(), {&client}), kSoon);
  const int64_t num_taken = taken();
  EXPECT_EQ(std::ssize(Stored()), num_taken);
  const engine::InstanceResult result = server->TakeResult();
  EXPECT_FALSE(result.was_forced);
  server->Destroy();

  server = Start(in, /*flushes=*/true);
  server->RunUntilIdle();
  RunUntil({server.get(), &client}, [&] { return client.source().num_outcomes == kNumBatches; });
  for (const auto& [number, outcome] : client.source().outcomes) {
    EXPECT_TRUE(outcome.is_ack) << outcome.reason;
  }
  EXPECT_LT(Drain(server.get(), {&client}), kSoon);
  Drain(&client);
  std::vector<int64_t> sent;
  for (int i = 0; i < kNumBatches * kBatchRows; ++i) {
    sent.push_back(1000 + i);
  }
  EXPECT_EQ(Stored(), sent);
}

INSTANTIATE_TEST_SUITE_P(
    All, NetworkDrain,
    ::testing::Combine(::testing::Values("grpc", "http", "otap"),
                       ::testing::Values(Sink("parquet", false), Sink("parquet", true),
                                         Sink("file", false), Sink("file", true))),
    [](const auto& one) {
      const Sink& sink = std::get<1>(one.param);
      return fmt::format("{}_{}{}", std::get<0>(one.param), std::get<1>(sink) ? "batch_" : "",
                         std::get<0>(sink));
    });

class SourceDrain : public DrainMatrix {};

TEST_P(SourceDrain, WhatWasSentIsStoredOnce) {
  std::string in;
  if (receiver() == "parquet") {
    const auto lake = folder_.path() / "in";
    const auto store = lake::MakeLocalStore(lake.string());
    class Listener final : public lake::WriteListener {
     public:
      void OnEncoded(std::span<const uint64_t>) override {}
      void OnClosed(std::span<const uint64_t>, lake::CloseReason, const lake::FileCounts&,
                    const Status& status) override {
        EXPECT_TRUE(status.ok()) << status;
      }
      void OnRefused(uint64_t, const Status& status) override { ADD_FAILURE() << status; }
    } listener;
    lake::SignalWriter::Settings settings;
    settings.unix_millis = [] { return int64_t{1'756'000'000'000}; };
    lake::SignalWriter writer(store.get(), otap::Signal::kLogs, settings, &listener);
    for (int i = 0; i < 200; ++i) {
      writer.Add(Logs(1000 + i * kBatchRows), static_cast<uint64_t>(i));
    }
    writer.Close(lake::CloseReason::kEnd);
    in = In(
        "parquet",
        fmt::format(
            "{{base_uri: '{}', processing_options: {{batch_size: 10, completeness_grace: 10ms}}}}",
            lake.string()));
  } else {
    in =
        In("traffic_generator",
           "{enable_ack_nack: true, traffic_config: {signals_per_second: 2000, max_batch_size: 10, "
           "log_weight: 1, trace_weight: 0, metric_weight: 0}}");
  }
  auto server = Start(in, /*flushes=*/false);
  server->RunUntilIdle();
  const auto sent = [&] { return server->metric("in", "items_out"); };
  RunUntil({server.get()}, [&] { return sent() >= 5 * kBatchRows; });
  EXPECT_LT(Drain(server.get()), kSoon);
  const auto stored = Stored();
  EXPECT_EQ(std::ssize(stored), sent());
  if (receiver() == "parquet") {
    EXPECT_EQ(std::adjacent_find(stored.begin(), stored.end()), stored.end());
  }
  EXPECT_EQ(server->metric("in", "acked"), server->metric("in", "batches_out"));
}

INSTANTIATE_TEST_SUITE_P(
    All, SourceDrain,
    ::testing::Combine(::testing::Values("parquet", "generator"),
                       ::testing::Values(Sink("parquet", false), Sink("parquet", true),
                                         Sink("file", false), Sink("file", true))),
    [](const auto& one) {
      const Sink& sink = std::get<1>(one.param);
      return fmt::format("{}_{}{}", std::get<0>(one.param), std::get<1>(sink) ? "batch_" : "",
                         std::get<0>(sink));
    });

}  // namespace
}  // namespace df::nodes
