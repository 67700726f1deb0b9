// Replays trees from an object store and writes them to one, over the wire, and compares item by
// item.
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine_process.h"
#include "object_server.h"
#include "otlp/compare/item_counts.h"

namespace df::e2e {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path kCorner = fs::path(OTAP_SOURCE_DIR) / "examples/data/corner";

class ObjectStore : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("AWS_ACCESS_KEY_ID", "key", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    unsetenv("AWS_REGION");
    unsetenv("AWS_PROFILE");
  }

  /// Runs a pipeline from a URI to an exporter; returns its exit code.
  int Run(const std::string& base, const std::string& exporter, int num_cores,
          const std::string& more = "") {
    ReplaySettings settings;
    settings.base = base;
    settings.exporter = exporter;
    settings.more_receiver_config = more;
    const fs::path pipeline = WritePipeline(folder_.path(), settings);
    EngineProcess engine(folder_.path(),
                         {.arguments = {"--num-cores", std::to_string(num_cores), "--strict",
                                        "--pipeline", pipeline.string()}});
    const int code = engine.Wait();
    output_ = engine.Output() + engine.Log();
    return code;
  }

  void ExpectCorner() {
    for (const std::string signal : {"logs", "traces", "metrics"}) {
      const auto comparison =
          otlp::CompareFiles(*otap::FindSignal(signal), (kCorner / (signal + ".otlp")).string(),
                             OtlpFiles(folder_.path(), signal), {.upstream_losses = true});
      ASSERT_TRUE(comparison.ok()) << comparison.status();
      EXPECT_GT(comparison->expected, 0);
      EXPECT_TRUE(comparison->is_equal()) << comparison->Line(*otap::FindSignal(signal));
    }
  }

  TemporaryFolder folder_;
  std::string output_;
};

TEST_F(ObjectStore, GivesATreeBackItemByItem) {
  for (const int num_cores : {1, 2}) {
    ObjectServer server;
    server.PutFolder(kCorner / "parquet", "bucket/some/lake");
    ASSERT_EQ(Run(server.Uri("bucket/some/lake"), OtlpFileExporter(folder_.path()), num_cores), 0)
        << output_;
    ExpectCorner();
    for (const ObjectRequest& request : server.requests()) {
      EXPECT_TRUE(request.is_signed) << request.method << " " << request.key;
    }
    fs::remove_all(folder_.path() / "out");
  }
}

TEST_F(ObjectStore, ValidateAsksItWhetherItAnswersAndWritesNothing) {
  for (const Answer answer : {Answer::kWhole, Answer::kDenied}) {
    ObjectServer server([answer](const ObjectRequest&) { return answer; });
    server.PutFolder(kCorner / "parquet" / "logs", "bucket/lake/logs");
    const auto before = server.objects();
    ReplaySettings settings;
    settings.base = server.Uri("bucket/lake");
    settings.exporter = fmt::format(
        "    plugin_urn: urn:otel:otap:parquet:exporter\n"
        "    config: {{base_uri: \"{}\"}}\n",
        server.Uri("bucket/new"));
    const fs::path document = WritePipeline(folder_.path(), settings);
    const Ran ran = RunIn(folder_.path(), {"validate", "--env", document.string()});
    const bool is_well = answer == Answer::kWhole;
    EXPECT_EQ(ran.exit_code, is_well ? 0 : 2) << ran.output << ran.log;
    EXPECT_THAT(ran.output, HasSubstr(is_well ? "2 ok, 0 warn, 0 fail" : "0 ok, 0 warn, 2 fail"));
    EXPECT_EQ(server.objects(), before);
    EXPECT_FALSE(server.requests().empty());
  }
}

TEST_F(ObjectStore, GivesATreeBackThoughRequestsFail) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  std::mutex mutex;
  ObjectServer server([&](const ObjectRequest& request) {
    const std::lock_guard lock(mutex);
    switch (random() % 20) {
      case 0:
        return Answer::kBusy;
      case 1:
        return Answer::kReset;
      case 2:
        return request.method == "GET" ? Answer::kShort : Answer::kWhole;
      default:
        return Answer::kWhole;
    }
  });
  server.PutFolder(kCorner / "parquet", "bucket/lake");
  ASSERT_EQ(Run(server.Uri("bucket/lake"), OtlpFileExporter(folder_.path()), 2,
                "      storage: {retry: {init_backoff: 1ms, max_backoff: 10ms}}\n"),
            0)
      << output_;
  ExpectCorner();
}

TEST_F(ObjectStore, IsAskedAsOftenAsMaxRetriesSaysAndNoMore) {
  ObjectServer server([](const ObjectRequest& request) {
    return request.query.find("list-type") != std::string::npos ? Answer::kBusy : Answer::kWhole;
  });
  server.PutFolder(kCorner / "parquet", "bucket/lake");
  EXPECT_NE(Run(server.Uri("bucket/lake"), OtlpFileExporter(folder_.path()), 1,
                "      storage: {retry: {max_retries: 2, init_backoff: 1ms, max_backoff: 2ms}}\n"),
            0);
  int64_t num_listings = 0;
  for (const ObjectRequest& request : server.requests()) {
    num_listings += request.query.find("list-type") != std::string::npos ? 1 : 0;
  }
  int64_t num_starts = 1;  // the engine starts a node that failed once more
  for (size_t at = 0; (at = output_.find("is started again in", at)) != std::string::npos; ++at) {
    ++num_starts;
  }
  // Each start asks for a listing, and then whether the base is there: three attempts each.
  EXPECT_EQ(num_listings, 2 * 3 * num_starts) << output_;
}

TEST_F(ObjectStore, TakesATreeAndGivesItBack) {
  ObjectServer server;
  server.PutFolder(kCorner / "parquet", "bucket/lake");
  ASSERT_EQ(Run(server.Uri("bucket/lake"),
                fmt::format("    plugin_urn: \"urn:otel:otap:parquet:exporter\"\n    config:\n"
                            "      base_uri: \"{}\"\n",
                            server.Uri("bucket/copy")),
                1),
            0)
      << output_;
  ASSERT_EQ(Run(server.Uri("bucket/copy"), OtlpFileExporter(folder_.path()), 1), 0) << output_;
  ExpectCorner();
  for (const auto& [key, bytes] : server.objects()) {
    EXPECT_THAT(key, Not(::testing::EndsWith("/")));
  }
}

TEST_F(ObjectStore, AsksWithoutKeysWhenItIsTold) {
  ObjectServer server;
  server.PutFolder(kCorner / "parquet" / "logs", "bucket/lake/logs");
  Run(server.Uri("bucket/lake"), OtlpFileExporter(folder_.path()), 1,
      "      storage: {s3: {auth: {type: anonymous}}}\n");
  EXPECT_FALSE(server.requests().empty());
  for (const ObjectRequest& request : server.requests()) {
    EXPECT_FALSE(request.is_signed) << request.method << " " << request.key;
  }
}

TEST_F(ObjectStore, SaysWhatIsMissing) {
  ObjectServer server([](const ObjectRequest& request) {
    return request.key.find("/lake/log_attrs") != std::string::npos ||
                   request.query.find("denied") != std::string::npos
               ? Answer::kDenied
               : Answer::kWhole;
  });
  server.PutFolder(kCorner / "parquet", "bucket/lake");
  const std::string exporter = OtlpFileExporter(folder_.path());
  EXPECT_NE(Run(server.Uri("nowhere/lake"), exporter, 1), 0);
  EXPECT_THAT(output_, HasSubstr("there is no bucket of that name"));
  EXPECT_NE(Run(server.Uri("bucket/lakes"), exporter, 1), 0);
  EXPECT_THAT(output_, HasSubstr("s3://bucket/lakes cannot be listed: nothing is there"));
  EXPECT_NE(Run(server.Uri("bucket/denied"), exporter, 1), 0);
  EXPECT_THAT(output_, HasSubstr("s3:ListBucket"));
  EXPECT_EQ(Run(server.Uri("bucket/lake"), exporter, 1), 4) << output_;
  EXPECT_THAT(output_, AllOf(HasSubstr("table=log_attrs"), HasSubstr("s3:GetObject")));
}

}  // namespace
}  // namespace df::e2e
