// Batches to a server that takes requests of so many bytes.
#include "delivery/batch_sender.h"

#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/units.h"
#include "otlp/count_items.h"
#include "otlp/decode.h"
#include "testing/pipeline_harness.h"

namespace df::delivery {
namespace {

using otap::Signal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A batch of logs with bodies of these sizes.
otap::BatchPtr LogsOfSizes(const std::vector<size_t>& sizes) {
  std::string request = "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[";
  for (size_t i = 0; i < sizes.size(); ++i) {
    request += fmt::format("{}{{\"timeUnixNano\":\"{}\",\"body\":{{\"stringValue\":\"{}\"}}}}",
                           i == 0 ? "" : ",", i + 1, std::string(sizes[i], 'x'));
  }
  request += "]}]}]}";
  return otlp::Decoder().DecodeJson(Signal::kLogs, request).ValueOrDie().front();
}

std::vector<std::string> Lines(const TooLargeItems& items) {
  std::vector<std::string> lines;
  items.AppendTo(&lines);
  return lines;
}

class BatchSenderTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }

  /// Sends all requests; what is larger than `server_bytes` is refused as `refusal` says.
  void Run(BatchSender* sender, int64_t server_bytes, const SizeRefusal& refusal = {}) {
    while (sender->Next()) {
      const auto size = static_cast<int64_t>(sender->request().body.size());
      sent.push_back(size);
      ASSERT_LT(sent.size(), 10'000U);
      if (size > server_bytes) {
        sender->RefuseAsTooLarge(refusal, "too large");
      } else {
        num_items_taken += otlp::CountItems(Signal::kLogs, sender->request().body)->items;
        sender->Deliver(0, "");
      }
    }
  }

  RequestLimit limit{kDefaultMaxRequestBytes};
  telemetry::Counter counter;
  TooLargeItems too_large{"sink", &counter};
  const Destination destination{&limit, &too_large};
  std::vector<int64_t> sent;
  int64_t num_items_taken = 0;
};

TEST_F(BatchSenderTest, CutsToTheDefaultBeforeSending) {
  BatchSender sender(LogsOfSizes(std::vector<size_t>(64, 100'000)), otlp::Encoding::kProtobuf,
                     destination);
  Run(&sender, 4_MiB);
  EXPECT_EQ(sent.size(), 2U);
  EXPECT_EQ(num_items_taken, 64);
  EXPECT_TRUE(sender.Finish().is_ack);
  EXPECT_EQ(sender.Finish().partial, nullptr);
  EXPECT_FALSE(limit.is_learned());
}

TEST_F(BatchSenderTest, LearnsTheLimitOnceForAllBatches) {
  for (const std::optional<int64_t> said :
       {std::optional<int64_t>(1_MiB), std::optional<int64_t>()}) {
    limit = RequestLimit(kDefaultMaxRequestBytes);
    for (int batch = 0; batch < 3; ++batch) {
      sent.clear();
      num_items_taken = 0;
      BatchSender sender(LogsOfSizes(std::vector<size_t>(64, 100'000)), otlp::Encoding::kProtobuf,
                         destination);
      Run(&sender, 1_MiB, {said});
      EXPECT_EQ(num_items_taken, 64);
      EXPECT_TRUE(sender.Finish().is_ack);
      const auto num_refused =
          std::count_if(sent.begin(), sent.end(), [](int64_t size) { return size > 1_MiB; });
      EXPECT_EQ(num_refused, batch > 0 ? 0 : said.has_value() ? 1 : 2);
    }
  }
}

TEST_F(BatchSenderTest, GivesUpOneRecordAndDeliversTheOthers) {
  std::vector<size_t> sizes(200, 1'000);
  sizes[77] = 5'000'000;
  BatchSender sender(LogsOfSizes(sizes), otlp::Encoding::kProtobuf, destination);
  Run(&sender, 4_MiB);
  EXPECT_EQ(num_items_taken, 199);
  const engine::Outcome outcome = sender.Finish();
  EXPECT_TRUE(outcome.is_ack);
  ASSERT_NE(outcome.partial, nullptr);
  EXPECT_EQ(outcome.partial->num_delivered, 199);
  EXPECT_EQ(outcome.partial->num_refused, 1);
  EXPECT_THAT(outcome.partial->refusal,
              HasSubstr("log record of 1970-01-01T00:00:00.000000078Z of 50000"));
  EXPECT_EQ(too_large.num_items(), 1);
  EXPECT_EQ(counter.value(), 1);
  EXPECT_THAT(Lines(too_large), ElementsAre(HasSubstr("000000078Z, 50000")));
}

TEST_F(BatchSenderTest, AServerThatRefusesEverythingIsAskedOncePerHalving) {
  for (const otlp::Encoding encoding : {otlp::Encoding::kProtobuf, otlp::Encoding::kJson}) {
    sent.clear();
    TooLargeItems all{"sink", &counter};
    BatchSender sender(LogsOfSizes(std::vector<size_t>(1024, 1'000)), encoding, {&limit, &all});
    Run(&sender, 0);
    EXPECT_LE(sent.size(), 14U);
    const engine::Outcome outcome = sender.Finish();
    EXPECT_FALSE(outcome.is_ack);
    EXPECT_TRUE(outcome.is_permanent);
    EXPECT_EQ(all.num_items(), 1024);
    EXPECT_EQ(Lines(all).size(), 6U);
    EXPECT_EQ(Lines(all).back(), "refused as too large: 1019 more");
  }
}

TEST_F(BatchSenderTest, WhatIsStoppedCarriesItsRest) {
  const otap::BatchPtr batch = LogsOfSizes(std::vector<size_t>(64, 100'000));
  BatchSender whole(batch, otlp::Encoding::kProtobuf, destination);
  ASSERT_TRUE(whole.Next());
  whole.Stop("later");
  EXPECT_EQ(whole.Stop("later").partial, nullptr);

  BatchSender sender(batch, otlp::Encoding::kProtobuf, destination);
  ASSERT_TRUE(sender.Next());
  const int64_t first = sender.request().num_items;
  sender.Deliver(2, "too old");
  ASSERT_TRUE(sender.Next());
  const engine::Outcome outcome = sender.Stop("later");
  EXPECT_FALSE(outcome.is_ack);
  EXPECT_FALSE(outcome.is_permanent);
  ASSERT_NE(outcome.partial, nullptr);
  EXPECT_EQ(outcome.partial->whole, batch.get());
  EXPECT_EQ(outcome.partial->num_delivered, first - 2);
  EXPECT_EQ(outcome.partial->num_refused, 2);
  EXPECT_EQ(outcome.partial->rest->num_items(), 64 - first);
}

TEST_F(BatchSenderTest, WhatIsBrokenOffIsTriedInParts) {
  BatchSender sender(LogsOfSizes(std::vector<size_t>(30, 100'000)), otlp::Encoding::kProtobuf,
                     destination);
  ASSERT_TRUE(sender.Next());
  EXPECT_EQ(sender.request().num_items, 30);
  ASSERT_TRUE(sender.TryInParts());
  ASSERT_TRUE(sender.Next());
  EXPECT_EQ(sender.request().num_items, 14);  // heads of messages are counted at their longest
  EXPECT_FALSE(limit.is_learned());
  sender.Deliver(0, "");
  EXPECT_TRUE(limit.is_learned());
  Run(&sender, 4_MiB);
  EXPECT_EQ(num_items_taken, 16);
  BatchSender small(LogsOfSizes({500'000, 500'000}), otlp::Encoding::kProtobuf, destination);
  ASSERT_TRUE(small.Next());
  EXPECT_FALSE(small.TryInParts());
}

}  // namespace
}  // namespace df::delivery
