#include "nodes/receivers/traffic_generator/batches.h"

#include <map>

#include <arrow/api.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/validate.h"
#include "otlp/decode.h"
#include "otlp/encode.h"

namespace df::nodes::receivers::traffic_generator {
namespace {

using otap::BatchPtr;
using otap::Signal;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kNow = 1'750'000'000'000'000'000;

class EverySignal : public ::testing::TestWithParam<Signal> {
 protected:
  BatchPtr Make(int64_t num_rows, uint64_t seed = 1) {
    Random random(seed);
    return MakeBatch(GetParam(), Pools(config_), num_rows, kNow, &random).ValueOrDie();
  }

  TrafficGeneratorConfig config_;
};
INSTANTIATE_TEST_SUITE_P(Signals, EverySignal, ::testing::ValuesIn(otap::kAllSignals),
                         [](const auto& test) { return std::string(otap::Name(test.param)); });

TEST_P(EverySignal, GivesCanonicalBatches) {
  for (const bool corner : {false, true}) {
    config_.traffic.corner_shapes = corner;
    for (const int64_t size : {1, 2, 17, 1000, 5000}) {
      const BatchPtr batch = Make(size);
      EXPECT_EQ(batch->num_root_rows(), size);
      const arrow::Status valid = otap::Validate(*batch);
      EXPECT_TRUE(valid.ok()) << size << ": " << valid;
    }
  }
}

TEST_P(EverySignal, GivesBatchesThatSurviveOtlp) {
  config_.traffic.corner_shapes = true;
  config_.traffic.use_trace_context = true;
  config_.traffic.num_span_links = 1;
  const BatchPtr batch = Make(500);
  otlp::EncodeStats stats;
  const std::string request = otlp::EncodeRequest(*batch, &stats).ValueOrDie();
  EXPECT_TRUE(stats.is_exact());
  const auto decoded = otlp::DecodeRequest(GetParam(), request).ValueOrDie();
  ASSERT_EQ(decoded.size(), 1U);
  EXPECT_EQ(decoded[0]->num_items(), batch->num_items());
  EXPECT_EQ(otlp::EncodeRequest(*decoded[0]).ValueOrDie(), request);
}

TEST_P(EverySignal, GivesTheSameForTheSameSeed) {
  config_.traffic.corner_shapes = true;
  const std::string first = otlp::EncodeRequest(*Make(300, 7)).ValueOrDie();
  EXPECT_EQ(otlp::EncodeRequest(*Make(300, 7)).ValueOrDie(), first);
  EXPECT_NE(otlp::EncodeRequest(*Make(300, 8)).ValueOrDie(), first);
}

TEST_P(EverySignal, CanDoWithoutAttributesAndWithMany) {
  config_.resource_attributes.clear();
  for (const int64_t count : {0, 20}) {
    config_.traffic.num_log_attributes = count;
    config_.traffic.num_span_attributes = count;
    config_.traffic.num_metric_attributes = count;
    config_.traffic.num_data_points_per_metric = 3;
    const arrow::Status valid = otap::Validate(*Make(50));
    EXPECT_TRUE(valid.ok()) << count << ": " << valid;
  }
}

TEST(MakeLogs, HasBodiesOfTheSizeThatIsWanted) {
  TrafficGeneratorConfig config;
  config.traffic.num_log_attributes = 0;
  config.traffic.log_body_size_bytes = 0;
  Random random(1);
  std::string json = otlp::EncodeJson(**MakeLogs(Pools(config), 3, kNow, &random)).ValueOrDie();
  EXPECT_THAT(json, Not(HasSubstr("body")));
  EXPECT_THAT(json, Not(HasSubstr("traceId")));
  config.traffic.log_body_size_bytes = 700;
  config.traffic.use_trace_context = true;
  json = otlp::EncodeJson(**MakeLogs(Pools(config), 1, kNow, &random)).ValueOrDie();
  const size_t begin = json.find("\"body\":{\"stringValue\":\"") + 23;
  EXPECT_EQ(json.find('"', begin) - begin, 700U);
  EXPECT_THAT(json, HasSubstr("traceId"));
}

TEST(Zipf, DrawsTheFirstMostOften) {
  Random random(3);
  std::map<uint32_t, int> counts;
  const Zipf zipf(100, 1.0);
  constexpr int kDraws = 100'000;
  for (int i = 0; i < kDraws; ++i) {
    ++counts[zipf.Draw(&random)];
  }
  // The harmonic number of 100 is 5.19: the first rank has 19 % of all.
  EXPECT_NEAR(counts[0], kDraws / 5.187, kDraws / 100.0);
  EXPECT_NEAR(counts[1], kDraws / 5.187 / 2, kDraws / 100.0);
  EXPECT_EQ(counts.rbegin()->first, 99U);
  const Zipf even(10, 0);
  counts.clear();
  for (int i = 0; i < kDraws; ++i) {
    ++counts[even.Draw(&random)];
  }
  EXPECT_EQ(counts.size(), 10U);
  EXPECT_NEAR(counts[9], kDraws / 10.0, kDraws / 100.0);
}

}  // namespace
}  // namespace df::nodes::receivers::traffic_generator
