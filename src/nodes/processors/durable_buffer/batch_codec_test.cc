#include "nodes/processors/durable_buffer/batch_codec.h"

#include <arrow/compare.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/validate.h"
#include "testing/random_batch.h"

namespace df::nodes::processors::durable_buffer {
namespace {

using ::testing::HasSubstr;

TEST(BatchCodecTest, ABatchComesBackAsItWas) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    testing::RandomEngine random(seed);
    for (const otap::Signal signal : otap::kAllSignals) {
      const otap::BatchPtr batch = testing::RandomBatch(signal, {}, random);
      const otap::BatchPtr read = DecodeBatch(EncodeBatch(*batch).ValueOrDie()).ValueOrDie();
      EXPECT_EQ(read->signal(), signal);
      EXPECT_EQ(read->id_encoding(), batch->id_encoding());
      EXPECT_EQ(read->num_items(), batch->num_items());
      ASSERT_TRUE(otap::Validate(*read).ok()) << otap::Validate(*read);
      for (const otap::TableInfo& info : otap::AllTables()) {
        const auto& table = batch->table(info.kind);
        ASSERT_EQ(table == nullptr, read->table(info.kind) == nullptr) << info.directory;
        if (table != nullptr) {
          EXPECT_TRUE(table->Equals(*read->table(info.kind), false,
                                    arrow::EqualOptions::Defaults().nans_equal(true)))
              << info.directory;
        }
      }
    }
  }
}

TEST(BatchCodecTest, OtherBytesAreRefused) {
  testing::RandomEngine random(3);
  const std::string bytes =
      EncodeBatch(*testing::RandomBatch(otap::Signal::kLogs, {}, random)).ValueOrDie();
  EXPECT_THAT(DecodeBatch("").status().message(), HasSubstr("found a batch of version nothing"));
  EXPECT_THAT(DecodeBatch("\x02\x01\x01").status().message(),
              HasSubstr("of version 2, expected 1"));
  EXPECT_THAT(DecodeBatch("\x01\x09\x01").status().message(), HasSubstr("found signal 9"));
  for (size_t size = 4; size < bytes.size(); size += bytes.size() / 50) {
    EXPECT_FALSE(DecodeBatch(bytes.substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace df::nodes::processors::durable_buffer
