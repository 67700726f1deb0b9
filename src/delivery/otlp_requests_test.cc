#include "delivery/otlp_requests.h"

#include <cstdlib>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otlp/compare/item_counts.h"
#include "otlp/count_items.h"
#include "otlp/decode.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::delivery {
namespace {

using otap::Signal;
using otlp::Encoding;

uint64_t FirstSeed() {
  const char* given = std::getenv("DF_TEST_SEED");
  return given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
}

/// The same as a request that came in.
otap::BatchPtr AsItCameIn(const otap::Batch& batch) {
  auto request = arrow::Buffer::FromString(otlp::EncodeRequest(batch).ValueOrDie());
  return otlp::MakeRequestBatches(batch.signal(), request).ValueOrDie().front();
}

std::string ToProto(Signal signal, Encoding encoding, const std::string& body) {
  if (encoding == Encoding::kProtobuf) {
    return body;
  }
  return otlp::EncodeRequest(*otlp::Decoder().DecodeJson(signal, body).ValueOrDie().front())
      .ValueOrDie();
}

class OtlpRequestsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

TEST_F(OtlpRequestsTest, ABatchThatFitsIsOneRequest) {
  const otap::BatchPtr batch = testing::SmallLogs(100);
  for (const Encoding encoding : {Encoding::kProtobuf, Encoding::kJson}) {
    const std::string expected = encoding == Encoding::kJson
                                     ? otlp::EncodeJson(*batch).ValueOrDie()
                                     : otlp::EncodeRequest(*batch).ValueOrDie();
    OtlpRequests requests(batch, encoding);
    const auto request = requests.Next(static_cast<int64_t>(expected.size())).ValueOrDie();
    EXPECT_EQ(request->body, expected);
    EXPECT_EQ(request->num_items, 100);
    EXPECT_TRUE(request->can_be_cut);
    EXPECT_EQ(requests.stats().items, encoding == Encoding::kJson ? 0 : 100);
    EXPECT_FALSE(requests.Next(10).ValueOrDie().has_value());
    EXPECT_EQ(requests.stats().items, 100);
    EXPECT_EQ(requests.TakeRest().ValueOrDie(), nullptr);
  }
}

TEST_F(OtlpRequestsTest, PartsStepsBackAndRestAreTheWhole) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 120; ++seed) {
    SCOPED_TRACE(fmt::format("DF_TEST_SEED={}", seed));
    testing::RandomEngine rng(seed);
    const Signal signal = otap::kAllSignals[seed % 3];
    const Encoding encoding = seed % 2 == 0 ? Encoding::kProtobuf : Encoding::kJson;
    testing::RandomBatchOptions options;
    options.root_rows = static_cast<int>(testing::Between(rng, 1, 40));
    const otap::BatchPtr batch = testing::RandomBatch(signal, options, rng);
    otlp::ItemCounts counts(signal, {});
    ASSERT_TRUE(counts.AddExpected(otlp::EncodeRequest(*batch).ValueOrDie()).ok());
    OtlpRequests requests(seed % 4 < 2 ? batch : AsItCameIn(*batch), encoding);
    int64_t max_bytes = testing::Between(rng, 100, 8000);
    const int64_t num_requests = testing::Between(rng, 0, 20);
    bool has_more = true;
    for (int64_t i = 0; has_more && i < num_requests; ++i) {
      auto request = requests.Next(max_bytes).ValueOrDie();
      if (request.has_value() && testing::Chance(rng, 0.3)) {
        requests.StepBack();
        max_bytes = std::max<int64_t>(static_cast<int64_t>(request->body.size()) / 2, 1);
        request = requests.Next(max_bytes).ValueOrDie();
      }
      has_more = request.has_value();
      if (has_more) {
        EXPECT_TRUE(!request->can_be_cut || request->body.size() <= static_cast<size_t>(max_bytes));
        ASSERT_TRUE(counts.AddActual(ToProto(signal, encoding, request->body)).ok());
      }
    }
    const auto rest = requests.TakeRest();
    ASSERT_TRUE(rest.ok()) << rest.status();
    if (*rest != nullptr) {
      const std::string left = (*rest)->encoded() != nullptr
                                   ? (*rest)->encoded()->bytes->ToString()
                                   : otlp::EncodeRequest(**rest).ValueOrDie();
      ASSERT_TRUE(counts.AddActual(left).ok());
    }
    const otlp::Comparison comparison = counts.Compare();
    EXPECT_TRUE(comparison.is_equal()) << comparison.Line(signal);
  }
}

TEST_F(OtlpRequestsTest, WhatCannotBeReadIsSentAsItCame) {
  otap::EncodedRequest request;
  request.bytes = arrow::Buffer::FromString("\x0a\x7fnot OTLP");
  request.decode = [](Signal, const arrow::Buffer&) -> arrow::Result<otap::BatchPtr> {
    return Status::Invalid("nobody decodes this");
  };
  OtlpRequests requests(otap::MakeEncodedBatch(Signal::kLogs, request, 5), Encoding::kProtobuf);
  const auto whole = requests.Next(1).ValueOrDie();
  EXPECT_EQ(whole->body, "\x0a\x7fnot OTLP");
  EXPECT_FALSE(whole->can_be_cut);
}

}  // namespace
}  // namespace df::delivery
