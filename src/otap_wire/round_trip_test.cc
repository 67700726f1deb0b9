// What the producer writes, the consumer reads.
#include <set>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/initialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap_wire/consumer.h"
#include "otap_wire/message.h"
#include "otap_wire/producer.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"

namespace df::otap_wire {
namespace {

using ::testing::HasSubstr;

class RoundTrip : public ::testing::TestWithParam<BufferCompression> {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

unsigned Seed() {
  const int given = ::testing::UnitTest::GetInstance()->random_seed();
  return given == 0 ? 1U : static_cast<unsigned>(given);
}

TEST_P(RoundTrip, GivesTheSameRecords) {
  SCOPED_TRACE(Seed());
  testing::RandomEngine rng(Seed());
  for (const otap::Signal signal : otap::kAllSignals) {
    Producer producer(signal, {.compression = GetParam()});
    Consumer consumer(signal);
    for (int i = 0; i < 25; ++i) {
      testing::RandomBatchOptions options;
      options.root_rows = i % 5 == 4 ? 0 : 20;
      // Schemas change from batch to batch in the first half, and stay in the second.
      options.missing_column = i < 12 ? 0.15 : 0;
      options.dictionary = i < 12 ? 0.5 : 1;
      const auto batch = testing::RandomBatch(signal, options, rng);
      const auto message = producer.Produce(batch, i);
      ASSERT_TRUE(message.ok()) << message.status();
      const auto read = consumer.Consume(*message);
      ASSERT_TRUE(read.ok()) << read.status();
      const auto expected = testing::CanonicalRecords({batch});
      const auto actual = testing::CanonicalRecords({*read});
      ASSERT_EQ(expected, actual) << testing::DescribeDifference(expected, actual);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Buffers, RoundTrip,
                         ::testing::Values(BufferCompression::kNone, BufferCompression::kLz4,
                                           BufferCompression::kZstd));

/// A batch of logs whose severity texts are `count` words from `first` on.
otap::BatchPtr LogsWithWords(int first, int count) {
  arrow::StringBuilder words;
  arrow::UInt16Builder keys;
  for (int i = 0; i < count; ++i) {
    EXPECT_TRUE(words.Append("word-" + std::to_string(first + i)).ok());
    EXPECT_TRUE(keys.Append(static_cast<uint16_t>(i)).ok());
  }
  const auto type = arrow::dictionary(arrow::uint16(), arrow::utf8());
  const auto column = arrow::DictionaryArray::FromArrays(type, keys.Finish().ValueOrDie(),
                                                         words.Finish().ValueOrDie())
                          .ValueOrDie();
  otap::BatchBuilder builder(otap::Signal::kLogs);
  EXPECT_TRUE(builder
                  .Set(otap::TableKind::kLogs,
                       arrow::RecordBatch::Make(
                           arrow::schema({arrow::field("severity_text", type)}), count, {column}))
                  .ok());
  return builder.Build();
}

class OneStream : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }

  /// Sends a batch through both ends and returns the schema id and size of its payload.
  std::pair<std::string, size_t> Send(const otap::BatchPtr& batch) {
    const auto message = producer_.Produce(batch, 1);
    EXPECT_TRUE(message.ok()) << message.status();
    const auto read = consumer_.Consume(*message);
    EXPECT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(testing::CanonicalRecords({batch}), testing::CanonicalRecords({*read}));
    const auto payload = ReadBatchArrowRecords(*message)->payloads.front();
    return {std::string(payload.schema_id), payload.record.size()};
  }

  Producer producer_{otap::Signal::kLogs,
                     {.compression = BufferCompression::kNone, .dictionary_bytes = 60'000}};
  Consumer consumer_{otap::Signal::kLogs};
};

TEST_F(OneStream, DictionariesThatGrowGoOutAsDeltas) {
  const auto [first_id, first_size] = Send(LogsWithWords(0, 500));
  const auto [same_id, same_size] = Send(LogsWithWords(0, 500));
  const auto [more_id, more_size] = Send(LogsWithWords(400, 110));
  EXPECT_EQ(first_id, same_id);
  EXPECT_EQ(first_id, more_id);
  EXPECT_GT(first_size, 7000U);
  EXPECT_LT(same_size, 1500U);  // 500 keys and no entry
  EXPECT_LT(more_size, 1500U);  // 110 keys and ten entries
  EXPECT_EQ(producer_.stats().schemas, 1);
}

TEST_F(OneStream, BeginsAnewWhenDictionariesHaveGrownTooLarge) {
  std::set<std::string> ids;
  for (int i = 0; i < 20; ++i) {
    ids.insert(Send(LogsWithWords(i * 1000, 1000)).first);
  }
  EXPECT_GT(ids.size(), 2U);
  EXPECT_LT(ids.size(), 10U);
}

TEST_F(OneStream, DictionariesThatNeverEndAreRefused) {
  Producer endless(otap::Signal::kLogs, {.dictionary_bytes = 1 << 30});
  Consumer strict(otap::Signal::kLogs, {.dictionary_bytes = 60'000});
  arrow::Result<otap::BatchPtr> read = otap::BatchPtr();
  int64_t num_read = -1;
  for (int i = 0; i < 20 && read.ok(); ++i) {
    read = strict.Consume(*endless.Produce(LogsWithWords(i * 1000, 1000), i));
    ++num_read;
  }
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.status().message(), HasSubstr("expected at most 60000"));
  EXPECT_GT(num_read, 2);
  EXPECT_TRUE(strict.is_failed());
}

TEST_F(OneStream, ABatchTheOtherEndNeverSawEndsTheStream) {
  Send(LogsWithWords(0, 10));
  ASSERT_TRUE(producer_.Produce(LogsWithWords(10, 10), 2).ok());
  Producer other(otap::Signal::kTraces);
  testing::RandomEngine rng(3);
  const auto message = other.Produce(testing::RandomBatch(otap::Signal::kTraces, {}, rng), 3);
  const auto read = consumer_.Consume(*message);
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.status().message(), HasSubstr("expected one of logs"));
  EXPECT_TRUE(consumer_.is_failed());
  EXPECT_FALSE(consumer_.Consume(*producer_.Produce(LogsWithWords(0, 1), 4)).ok());
}

TEST_F(OneStream, TooManyRowsAreRefusedAndNotWrapped) {
  const auto message = producer_.Produce(LogsWithWords(0, 65'536), 1);
  ASSERT_FALSE(message.ok());
  EXPECT_THAT(message.status().message(), HasSubstr("expected at most 65535"));
}

TEST_F(OneStream, WhatInflatesToTooMuchIsRefused) {
  Producer small(otap::Signal::kLogs);
  Consumer strict(otap::Signal::kLogs, {.inflated_bytes = 4096});
  const auto read = strict.Consume(*small.Produce(LogsWithWords(0, 5000), 1));
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.status().message(), HasSubstr("inflates to more than 4096 bytes"));
  EXPECT_TRUE(strict.is_failed());
}

TEST_F(OneStream, ASmallMessageInflatesToSomeTimesItsOwnSizeOnly) {
  arrow::StringBuilder texts;
  ASSERT_TRUE(texts.Append(std::string(40 << 20, 'x')).ok());
  otap::BatchBuilder builder(otap::Signal::kLogs);
  ASSERT_TRUE(builder
                  .Set(otap::TableKind::kLogs,
                       arrow::RecordBatch::Make(
                           arrow::schema({arrow::field("severity_text", arrow::utf8())}), 1,
                           {texts.Finish().ValueOrDie()}))
                  .ok());
  const std::string message =
      *Producer(otap::Signal::kLogs, {.compression = BufferCompression::kZstd})
           .Produce(builder.Build(), 1);
  ASSERT_LT(message.size(), 10'000U);
  const auto read = consumer_.Consume(message);
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.status().message(), HasSubstr("inflates to more than 33554432 bytes"));
  EXPECT_TRUE(Consumer(otap::Signal::kLogs, {.inflated_anyway = 64 << 20}).Consume(message).ok());
}

TEST_F(OneStream, AMessageThatIsTooLongIsRefused) {
  Consumer strict(otap::Signal::kLogs, {.message_bytes = 10});
  EXPECT_FALSE(strict.Consume(*producer_.Produce(LogsWithWords(0, 5), 1)).ok());
  EXPECT_TRUE(strict.is_failed());
}

TEST_F(OneStream, ACutOffRecordIsRefused) {
  const std::string bytes = *producer_.Produce(LogsWithWords(0, 5), 1);
  auto message = *ReadBatchArrowRecords(bytes);
  message.payloads[0].record.remove_suffix(16);
  const auto read = consumer_.Consume(message);
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.status().message(), HasSubstr("payload 30 (logs)"));
}

}  // namespace
}  // namespace df::otap_wire
