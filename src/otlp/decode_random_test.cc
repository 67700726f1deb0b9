// Decoding against encoding on random batches, and against the shapes of messages on random damage.
#include <gtest/gtest.h>

#include "otap/validate.h"
#include "otlp/compare/item_counts.h"
#include "otlp/decode.h"
#include "otlp/decode/proto_fault.h"
#include "otlp/encode.h"
#include "otlp/request_file.h"
#include "testing/random_batch.h"

namespace df::otlp {
namespace {

using otap::BatchPtr;
using otap::Signal;

class RandomDecode : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    rng_.seed(static_cast<uint64_t>(GetParam()));
    RecordProperty("seed", GetParam());
    signal_ = otap::kAllSignals[static_cast<size_t>(GetParam()) % 3];
  }

  std::string RandomRequest(const testing::RandomBatchOptions& options = {}) {
    return EncodeRequest(*testing::RandomBatch(signal_, options, rng_)).ValueOrDie();
  }

  static std::string Encode(const BatchPtr& batch) {
    EncodeStats stats;
    std::string request = EncodeRequest(*batch, &stats).ValueOrDie();
    EXPECT_TRUE(stats.is_exact());
    return request;
  }

  /// Damages a few places: a bit, a byte, or a piece that is cut out, copied or appended to.
  std::string Damage(std::string bytes) {
    const int64_t count = testing::Between(rng_, 1, 3);
    for (int64_t i = 0; i < count && !bytes.empty(); ++i) {
      const auto size = static_cast<int64_t>(bytes.size());
      const auto at = static_cast<size_t>(testing::Between(rng_, 0, size - 1));
      const auto length = static_cast<size_t>(testing::Between(rng_, 1, 20));
      switch (testing::Between(rng_, 0, 5)) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << testing::Between(rng_, 0, 7)));
          break;
        case 1:
          bytes[at] = static_cast<char>(testing::Between(rng_, 0, 255));
          break;
        case 2:
          bytes.erase(at, length);
          break;
        case 3:
          bytes.insert(at, bytes.substr(at, length));
          break;
        case 4:
          bytes.resize(at);
          break;
        default:
          bytes[at] = '\xFF';
      }
    }
    return bytes;
  }

  testing::RandomEngine rng_;
  Signal signal_ = Signal::kLogs;
};
INSTANTIATE_TEST_SUITE_P(Seeds, RandomDecode, ::testing::Range(1, 61));

TEST_P(RandomDecode, WhatTheEncoderWritesComesBackByteForByte) {
  const BatchPtr batch = testing::RandomBatch(signal_, {}, rng_);
  const std::string request = Encode(batch);
  DecodeStats stats;
  const auto decoded = DecodeRequest(signal_, request, {}, &stats);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  ASSERT_EQ(decoded->size(), 1);
  const arrow::Status valid = otap::Validate(*decoded->front());
  EXPECT_TRUE(valid.ok()) << valid;
  EXPECT_EQ(Encode(decoded->front()), request);
  EXPECT_EQ(stats.items, batch->num_items());
  EXPECT_EQ(stats.invalid_ids, 0);
}

TEST_P(RandomDecode, ASplitRequestHoldsTheSameItems) {
  const std::string request = RandomRequest();
  const auto decoded = DecodeRequest(signal_, request, {.max_root_rows = 7});
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->size(), 6);
  ItemCounts counts(signal_, {});
  ASSERT_TRUE(counts.AddExpected(request).ok());
  for (const BatchPtr& batch : *decoded) {
    EXPECT_LE(batch->num_root_rows(), 7);
    const arrow::Status valid = otap::Validate(*batch);
    EXPECT_TRUE(valid.ok()) << valid;
    ASSERT_TRUE(counts.AddActual(Encode(batch)).ok());
  }
  const Comparison comparison = counts.Compare();
  EXPECT_TRUE(comparison.is_equal()) << comparison.Line(signal_);
}

TEST_P(RandomDecode, ADecoderThatWasUsedBeforeDecodesTheSame) {
  Decoder decoder;
  for (int i = 0; i < 4; ++i) {
    const std::string request = RandomRequest({.root_rows = 1 << (2 * i)});
    // Failures in between must leave nothing behind.
    (void)decoder.DecodeRequest(signal_, request.substr(0, request.size() - 1));
    const auto decoded = decoder.DecodeRequest(signal_, request);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    ASSERT_EQ(decoded->size(), 1);
    EXPECT_EQ(Encode(decoded->front()), request);
  }
}

TEST_P(RandomDecode, DamagedRequestsGiveAFaultOrAValidBatch) {
  Decoder decoder;
  int64_t num_refused = 0;
  constexpr int kRounds = 40;
  for (int round = 0; round < kRounds; ++round) {
    const std::string request = Damage(RandomRequest({.root_rows = 4}));
    const auto fault = FindFault(RequestShape(signal_), request, 128);
    DecodeStats stats;
    const auto decoded = decoder.DecodeRequest(signal_, request, &stats);
    // Two walks that know nothing of each other agree on what is malformed.
    ASSERT_EQ(decoded.ok(), !fault.has_value())
        << "seed " << GetParam() << " round " << round << ": " << decoded.status();
    if (!decoded.ok()) {
      ++num_refused;
      EXPECT_EQ(decoded.status().message(), fault->ToString());
      continue;
    }
    for (const BatchPtr& batch : *decoded) {
      const arrow::Status valid = otap::Validate(*batch);
      ASSERT_TRUE(valid.ok()) << "seed " << GetParam() << " round " << round << ": " << valid;
      const auto again = DecodeRequest(signal_, Encode(batch));
      ASSERT_TRUE(again.ok()) << again.status();
      ASSERT_EQ(again->size(), 1);
      EXPECT_EQ(Encode(again->front()), Encode(batch));
    }
  }
  EXPECT_GT(num_refused, 0);
}

/// Requests of another generator, every odd shape among them; in the repository.
class SampleRequests : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Files, SampleRequests,
                         ::testing::Values("corner/logs", "corner/traces", "corner/metrics",
                                           "logs-2025/logs"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::erase_if(name, [](char letter) { return !std::isalnum(letter); });
                           return name;
                         });

TEST_P(SampleRequests, HoldTheSameItemsWhenReadAndWritten) {
  const std::string path = OTAP_SOURCE_DIR "/examples/data/" + GetParam() + ".otlp";
  const Signal signal = *otap::FindSignal(GetParam().substr(GetParam().find('/') + 1));
  ItemCounts counts(signal, {});
  Decoder decoder;
  const arrow::Status status = VisitRequests(path, [&](std::string_view request) -> arrow::Status {
    ARROW_RETURN_NOT_OK(counts.AddExpected(request));
    ARROW_ASSIGN_OR_RAISE(const auto batches, decoder.DecodeRequest(signal, request));
    for (const BatchPtr& batch : batches) {
      ARROW_RETURN_NOT_OK(otap::Validate(*batch));
      ARROW_ASSIGN_OR_RAISE(const std::string again, EncodeRequest(*batch));
      ARROW_RETURN_NOT_OK(counts.AddActual(again));
    }
    return arrow::Status::OK();
  });
  ASSERT_TRUE(status.ok()) << status;
  const Comparison comparison = counts.Compare();
  EXPECT_GT(comparison.expected, 0);
  EXPECT_TRUE(comparison.is_equal())
      << comparison.Line(signal)
      << fmt::format("\n{}", fmt::join(comparison.missing_examples, "\n"))
      << fmt::format("\n{}", fmt::join(comparison.extra_examples, "\n"));
}

}  // namespace
}  // namespace df::otlp
