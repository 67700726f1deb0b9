// Marks of dead letters come off again without a trace, as far as OTLP can tell.
#include "otap/dead_letter.h"

#include <array>
#include <cstdlib>
#include <string>
#include <vector>

#include <arrow/compute/initialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/attribute_edit.h"
#include "otap/validate.h"
#include "otlp/compare/item_digests.h"
#include "otlp/encode.h"
#include "testing/random_batch.h"

namespace df::otlp {
namespace {

using otap::Signal;
using ::testing::HasSubstr;

const otap::DeadLetter kLetter = {.reason = "HTTP 400: no such tenant",
                                  .status = "refused_in_part",
                                  .refused_items = 3,
                                  .time = "2026-11-30T22:00:00.000000001Z",
                                  .source = "default/main/dead_letters"};

uint64_t FirstSeed() {
  const char* given = std::getenv("DF_TEST_SEED");
  return given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
}

std::string RequestOf(const otap::BatchPtr& batch) { return EncodeRequest(*batch).ValueOrDie(); }

ItemSum SumOf(const otap::BatchPtr& batch) {
  return SumOfItems(batch->signal(), RequestOf(batch)).ValueOrDie();
}

/// Gives the resources of a batch attributes that look like marks.
otap::BatchPtr WithLookalikes(const otap::BatchPtr& batch) {
  std::vector<otap::AttributeAction> actions;
  for (const char* key :
       {"reason", "original.reason", "original.original.reason", "time", "mine"}) {
    actions.push_back({.kind = otap::AttributeActionKind::kUpsert,
                       .key = std::string(otap::kDeadLetterPrefix) + key,
                       .value = std::string("of the sender: ") + key});
  }
  const std::array owners = {otap::AttributeOwner::kResource};
  return EditAttributes(batch, owners, actions, nullptr).ValueOrDie();
}

class DeadLetterTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }
};

TEST_F(DeadLetterTest, UnmarkGivesBackTheItemsThatWereMarked) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 20; ++seed) {
    SCOPED_TRACE(::testing::Message() << "DF_TEST_SEED=" << seed);
    testing::RandomEngine random(seed);
    for (const Signal signal : otap::kAllSignals) {
      otap::BatchPtr batch = testing::RandomBatch(signal, {}, random);
      if (seed % 3 == 0) {
        batch = WithLookalikes(batch);
      }
      const otap::BatchPtr marked = MarkDeadLetter(batch, kLetter).ValueOrDie();
      ASSERT_NE(SumOf(marked), SumOf(batch));
      ASSERT_TRUE(otap::Validate(*marked).ok()) << otap::Validate(*marked);
      ASSERT_EQ(marked->num_items(), batch->num_items());
      // A letter that was refused again.
      const otap::BatchPtr twice = MarkDeadLetter(marked, kLetter).ValueOrDie();
      const otap::BatchPtr once = UnmarkDeadLetter(twice).ValueOrDie();
      ASSERT_EQ(SumOf(once), SumOf(marked));
      const otap::BatchPtr unmarked = UnmarkDeadLetter(once).ValueOrDie();
      ASSERT_TRUE(otap::Validate(*unmarked).ok()) << otap::Validate(*unmarked);
      ASSERT_EQ(SumOf(unmarked), SumOf(batch));
      ASSERT_EQ(unmarked->num_root_rows(), batch->num_root_rows());
    }
  }
}

TEST_F(DeadLetterTest, EveryResourceSaysWhatHappened) {
  testing::RandomEngine random(5);
  for (const Signal signal : otap::kAllSignals) {
    const std::string request =
        RequestOf(MarkDeadLetter(testing::RandomBatch(signal, {}, random), kLetter).ValueOrDie());
    EXPECT_THAT(request, HasSubstr("df_engine.dead_letter.reason"));
    EXPECT_THAT(request, HasSubstr("HTTP 400: no such tenant"));
    EXPECT_THAT(request, HasSubstr("df_engine.dead_letter.refused_items"));
    EXPECT_THAT(request, HasSubstr("2026-11-30T22:00:00.000000001Z"));
    EXPECT_THAT(request, HasSubstr("default/main/dead_letters"));
  }
}

TEST_F(DeadLetterTest, ABatchWithoutMarksIsReturnedItself) {
  testing::RandomEngine random(6);
  const otap::BatchPtr batch = testing::RandomBatch(Signal::kLogs, {}, random);
  EXPECT_EQ(otap::UnmarkDeadLetter(batch).ValueOrDie(), batch);
}

}  // namespace
}  // namespace df::otlp
