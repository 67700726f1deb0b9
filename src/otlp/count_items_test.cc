// Counting against decoding.
#include "otlp/count_items.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "otlp/decode.h"
#include "otlp/encode.h"
#include "testing/random_batch.h"

namespace df::otlp {
namespace {

using otap::Signal;
using protozero::pbf_writer;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// A request of one metric of these bytes.
std::string MetricRequest(const std::string& metric) {
  std::string scope;
  pbf_writer(scope).add_message(2, metric);
  std::string resource;
  pbf_writer(resource).add_message(2, scope);
  std::string request;
  pbf_writer(request).add_message(1, resource);
  return request;
}

std::string Points(int count) {
  std::string data;
  pbf_writer writer(data);
  for (int i = 0; i < count; ++i) {
    writer.add_message(1, std::string());
  }
  return data;
}

class RandomCount : public ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomCount, ::testing::Range(1, 31));

TEST_P(RandomCount, IsWhatTheDecoderFinds) {
  testing::RandomEngine rng(static_cast<uint64_t>(GetParam()));
  const Signal signal = otap::kAllSignals[static_cast<size_t>(GetParam()) % 3];
  const otap::BatchPtr batch = testing::RandomBatch(signal, {}, rng);
  const std::string request = EncodeRequest(*batch).ValueOrDie();
  const auto count = CountItems(signal, request);
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(count->root_rows, batch->num_root_rows());
  EXPECT_EQ(count->items, batch->num_items());
}

TEST_P(RandomCount, OfADamagedRequestIsRefusedOnlyWhereTheDecoderRefusesIt) {
  testing::RandomEngine rng(static_cast<uint64_t>(GetParam()));
  const Signal signal = otap::kAllSignals[static_cast<size_t>(GetParam()) % 3];
  int num_refused = 0;
  for (int round = 0; round < 60; ++round) {
    std::string request =
        EncodeRequest(*testing::RandomBatch(signal, {.root_rows = 4}, rng)).ValueOrDie();
    const auto at =
        static_cast<size_t>(testing::Between(rng, 0, static_cast<int64_t>(request.size()) - 1));
    if (round % 4 == 0) {
      request.resize(at);
    } else {
      request[at] = static_cast<char>(testing::Between(rng, 0, 255));
    }
    const auto count = CountItems(signal, request);
    DecodeStats stats;
    const auto decoded = DecodeRequest(signal, request, {}, &stats);
    if (!count.ok()) {
      ++num_refused;
      ASSERT_FALSE(decoded.ok()) << "seed " << GetParam() << " round " << round;
      EXPECT_EQ(count.status().message(), decoded.status().message());
    } else if (decoded.ok()) {
      EXPECT_EQ(count->items, stats.items) << "seed " << GetParam() << " round " << round;
    }
  }
  EXPECT_GT(num_refused, 0);
}

TEST(CountItems, CountsTheLastKindOfDataWithItsPartsMerged) {
  std::string metric;
  pbf_writer writer(metric);
  writer.add_message(5, Points(2));  // gauge, then sum: the gauge counts no more
  writer.add_message(7, Points(3));
  writer.add_message(7, Points(4));
  const std::string request = MetricRequest(metric);
  const auto count = CountItems(Signal::kMetrics, request);
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(count->root_rows, 1);
  EXPECT_EQ(count->items, 7);
  DecodeStats stats;
  ASSERT_TRUE(DecodeRequest(Signal::kMetrics, request, {}, &stats).ok());
  EXPECT_EQ(stats.items, 7);
}

TEST(CountItems, FindsNothingInAnEmptyRequest) {
  const auto count = CountItems(Signal::kLogs, "");
  ASSERT_TRUE(count.ok());
  EXPECT_EQ(count->items, 0);
  EXPECT_THAT(*MakeRequestBatches(Signal::kLogs, arrow::Buffer::FromString("")), SizeIs(0));
}

TEST(CountItems, SaysWhereALengthDoesNotFit) {
  std::string request = MetricRequest(std::string());
  request.back() = 5;  // the length of the metric
  EXPECT_THAT(CountItems(Signal::kMetrics, request).status().message(),
              HasSubstr("resource_metrics[0].scope_metrics[0].metrics[0]: at offset 4"));
}

TEST(MakeRequestBatches, KeepsTheBytesAndDecodesThemOnDemand) {
  testing::RandomEngine rng(7);
  const otap::BatchPtr batch = testing::RandomBatch(Signal::kTraces, {}, rng);
  const std::string request = EncodeRequest(*batch).ValueOrDie();
  const auto made = MakeRequestBatches(Signal::kTraces, arrow::Buffer::FromString(request));
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_THAT(*made, SizeIs(1));
  ASSERT_NE(made->front()->encoded(), nullptr);
  EXPECT_EQ(made->front()->encoded()->bytes->ToString(), request);
  EXPECT_EQ(made->front()->num_items(), batch->num_items());
  const auto tables = otap::WithTables(made->front());
  ASSERT_TRUE(tables.ok()) << tables.status();
  EXPECT_EQ(EncodeRequest(**tables).ValueOrDie(), request);
}

TEST(MakeRequestBatches, SplitsWhatIsTooLongForOneBatch) {
  std::string scope;
  pbf_writer writer(scope);
  for (int64_t i = 0; i <= otap::kMaxRootRows; ++i) {
    writer.add_message(2, std::string());
  }
  std::string resource;
  pbf_writer(resource).add_message(2, scope);
  std::string request;
  pbf_writer(request).add_message(1, resource);
  const auto made = MakeRequestBatches(Signal::kLogs, arrow::Buffer::FromString(request));
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_THAT(*made, SizeIs(2));
  EXPECT_EQ(made->at(0)->num_items(), otap::kMaxRootRows);
  EXPECT_EQ(made->at(1)->num_items(), 1);
}

}  // namespace
}  // namespace df::otlp
