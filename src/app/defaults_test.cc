// Defaults of different parts that have to fit each other, as docs/configuration.md lists them.
#include <chrono>
#include <fstream>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "config/policies.h"
#include "controller/control_plane.h"
#include "nodes/exporters/otap/config.h"
#include "nodes/exporters/otlp_grpc/config.h"
#include "nodes/exporters/otlp_http/config.h"
#include "nodes/exporters/parquet/config.h"
#include "nodes/processors/batch/config.h"
#include "nodes/processors/retry/config.h"
#include "nodes/receivers/otap/config.h"
#include "nodes/receivers/otlp/config.h"
#include "nodes/receivers/parquet/config.h"
#include "runtime/http1/client.h"
#include "runtime/http1/server.h"
#include "runtime/http2/settings.h"

namespace df::app {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// Of others: what SDKs wait for an export, and the grace of Kubernetes before it kills.
constexpr nanoseconds kSdkTimeout = seconds(10);
constexpr nanoseconds kKubernetesGrace = seconds(30);
// What servers of gRPC take.
constexpr int64_t kGrpcMaxMessage = 4 << 20;

const nodes::exporters::otlp_grpc::OtlpGrpcConfig kGrpcOut;
const nodes::exporters::otlp_http::OtlpHttpConfig kHttpOut;
const nodes::exporters::otap::OtapConfig kOtapOut;
const nodes::receivers::otlp::GrpcConfig kGrpcIn;
const nodes::receivers::otlp::HttpConfig kHttpIn;
const nodes::receivers::otap::OtapConfig kOtapIn;
const nodes::receivers::parquet::ParquetReceiverConfig kParquetIn;
const nodes::exporters::parquet::WriterOptions kParquetOut;
const nodes::processors::batch::BatchConfig kBatch;
const nodes::processors::retry::RetryConfig kRetry;
const config::ShutdownPolicy kShutdown;
const config::RuntimeRecoveryPolicy kRecovery;
const controller::RolloutOptions kRollout;

TEST(Defaults, AConnectionIsMadeBeforeItsCallIsGivenUp) {
  EXPECT_LT(kGrpcOut.connect_timeout, kGrpcOut.timeout);
  EXPECT_LT(kHttpOut.connect_timeout, kHttpOut.timeout);
  EXPECT_LT(kOtapOut.connect_timeout, kOtapOut.timeout);
  // And before a server gives up what it takes for a silent client.
  EXPECT_LT(kHttpOut.connect_timeout, runtime::http1::ServerSettings().handshake_timeout);
  EXPECT_LT(kGrpcOut.connect_timeout, runtime::http2::ConnectionSettings().handshake_timeout);
}

TEST(Defaults, WhatASenderWaitsForComesBeforeItGivesUp) {
  // A receiver that waits for the outcome answers when the file is closed.
  const nanoseconds stored = kBatch.max_batch_duration + kParquetOut.flush_when_older_than;
  for (const nanoseconds patience :
       {kSdkTimeout, kGrpcOut.timeout, kHttpOut.timeout, kGrpcIn.timeout, kHttpIn.timeout}) {
    EXPECT_LT(stored, patience);
  }
  // Of a stream so many are read at a time, and each of them may wait for its file.
  const int64_t rounds = kOtapOut.max_in_flight / kOtapIn.max_concurrent_requests_per_stream;
  EXPECT_LT(rounds * stored, kOtapOut.timeout);
}

TEST(Defaults, AReceiverHoldsARequestNoShorterThanItsSenderWaits) {
  EXPECT_GE(kGrpcIn.timeout, kGrpcOut.timeout);
  EXPECT_GE(kHttpIn.timeout, kHttpOut.timeout);
  EXPECT_GE(runtime::http1::ServerSettings().request_timeout, kHttpOut.timeout);
}

TEST(Defaults, ABatchIsTriedAgainSeveralTimesBeforeItIsGivenUp) {
  EXPECT_GT(kRetry.max_elapsed_time, 5 * (kRetry.max_interval + kGrpcOut.timeout));
  EXPECT_LT(kRetry.initial_interval, kRetry.max_interval);
}

TEST(Defaults, AClientLetsAConnectionGoBeforeItsServerCloses) {
  EXPECT_LT(runtime::http1::ClientSettings().idle_timeout,
            runtime::http1::ServerSettings().idle_timeout);
  EXPECT_LT(runtime::http1::ClientSettings().idle_timeout, kHttpIn.idle_timeout);
}

TEST(Defaults, ADeadPeerIsNoticedBeforeAStreamCountsAsStalled) {
  const runtime::http2::ConnectionSettings http2;
  EXPECT_LT(http2.keepalive_interval + http2.keepalive_timeout, http2.stalled_stream_timeout);
  EXPECT_LT(kOtapOut.http2_keepalive_interval + kOtapOut.http2_keepalive_timeout, kOtapOut.timeout);
}

TEST(Defaults, ADrainHasTimeForWhatIsUnderWay) {
  EXPECT_LE(kParquetOut.flush_when_older_than, kShutdown.drain_timeout);
  EXPECT_LT(kShutdown.drain_timeout, kKubernetesGrace);
  EXPECT_LE(kShutdown.drain_timeout, kRollout.drain_timeout);
  EXPECT_LT(kRecovery.startup_timeout, kRollout.step_timeout);
  EXPECT_LT(kRecovery.max_backoff, kRecovery.reset_after);
}

TEST(Defaults, ATreeIsListedAgainBeforeItsChildrenAreGivenUp) {
  EXPECT_LT(*kParquetIn.polling_interval.interval,
            kParquetIn.processing_options.completeness_grace);
}

TEST(Defaults, RequestsFitIntoServers) {
  for (const int64_t sent :
       {kGrpcOut.max_request_bytes, kHttpOut.max_request_bytes, kOtapOut.max_request_bytes}) {
    EXPECT_LT(sent, kGrpcMaxMessage);
    EXPECT_LT(sent, kGrpcIn.max_decoding_message_size);
    EXPECT_LT(sent, kHttpIn.max_request_body_size);
    EXPECT_LT(sent, kOtapIn.max_decoding_message_size);
  }
}

TEST(Defaults, StandInTheTableAsTheyAre) {
  std::ifstream file(OTAP_SOURCE_DIR "/docs/configuration.md");
  std::stringstream text;
  text << file.rdbuf();
  const auto row = [](std::string_view what, nanoseconds value) {
    return fmt::format("{} | `{}` |", what, FormatDuration(value));
  };
  for (const std::string& expected :
       {row("`exporter:otlp_grpc` `timeout`", kGrpcOut.timeout),
        row("`exporter:otlp_http` `timeout`", kHttpOut.timeout),
        row("`exporter:otap` `timeout`", kOtapOut.timeout),
        row("exporters' `connect_timeout`", kGrpcOut.connect_timeout),
        row("`receiver:otlp` `timeout`", kGrpcIn.timeout),
        row("`receiver:otlp` http `idle_timeout`", kHttpIn.idle_timeout),
        row("`exporter:otlp_http` idle connections", runtime::http1::ClientSettings().idle_timeout),
        row("`processor:batch` `max_batch_duration`", kBatch.max_batch_duration),
        row("`exporter:parquet` `flush_when_older_than`", kParquetOut.flush_when_older_than),
        row("`processor:retry` `initial_interval`", kRetry.initial_interval),
        row("`processor:retry` `max_interval`", kRetry.max_interval),
        row("`processor:retry` `max_elapsed_time`", kRetry.max_elapsed_time),
        row("`receiver:parquet` `polling_interval`", *kParquetIn.polling_interval.interval),
        row("`receiver:parquet` `completeness_grace`",
            kParquetIn.processing_options.completeness_grace),
        row("`policies.shutdown.drain_timeout`", kShutdown.drain_timeout),
        row("`policies.runtime_recovery.startup_timeout`", kRecovery.startup_timeout)}) {
    EXPECT_THAT(text.str(), HasSubstr(expected));
  }
}

}  // namespace
}  // namespace df::app
