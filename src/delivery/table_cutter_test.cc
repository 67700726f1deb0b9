// Parts of tables against the whole, item by item.
#include "delivery/table_cutter.h"

#include <cstdlib>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "otap/validate.h"
#include "otlp/compare/item_counts.h"
#include "otlp/encode.h"
#include "testing/random_batch.h"

namespace df::delivery {
namespace {

using otap::Signal;

uint64_t FirstSeed() {
  const char* given = std::getenv("DF_TEST_SEED");
  return given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
}

class RandomTables : public ::testing::TestWithParam<Signal> {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }

  /// Cuts until everything fits or cannot be cut.
  void Cut(const otap::BatchPtr& batch, int64_t max_bytes, int depth, otlp::ItemCounts* counts) {
    const std::string request = otlp::EncodeRequest(*batch).ValueOrDie();
    const auto size = static_cast<int64_t>(request.size());
    if (size <= max_bytes || !CanBeCut(*batch)) {
      ASSERT_TRUE(counts->AddActual(request).ok());
      return;
    }
    ASSERT_LT(depth, 16);
    const auto parts = CutTables(batch, size, max_bytes);
    ASSERT_TRUE(parts.ok()) << parts.status();
    ASSERT_GT(parts->size(), 1U);
    for (const otap::BatchPtr& part : *parts) {
      const Status valid = otap::Validate(*part);
      ASSERT_TRUE(valid.ok()) << valid;
      EXPECT_LE(part->num_items(), std::max<int64_t>((batch->num_items() + 1) / 2, 1));
      Cut(part, max_bytes, depth + 1, counts);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Signals, RandomTables, ::testing::ValuesIn(otap::kAllSignals));

TEST_P(RandomTables, PartsAreTheWhole) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 60; ++seed) {
    SCOPED_TRACE(fmt::format("DF_TEST_SEED={}", seed));
    testing::RandomEngine rng(seed);
    testing::RandomBatchOptions options;
    options.root_rows = static_cast<int>(testing::Between(rng, 1, 60));
    options.max_children = static_cast<int>(testing::Between(rng, 0, 12));
    const otap::BatchPtr batch = testing::RandomBatch(GetParam(), options, rng);
    otlp::ItemCounts counts(GetParam(), {});
    ASSERT_TRUE(counts.AddExpected(otlp::EncodeRequest(*batch).ValueOrDie()).ok());
    Cut(batch, testing::Between(rng, 1, 4000), 0, &counts);
    const otlp::Comparison comparison = counts.Compare();
    EXPECT_TRUE(comparison.is_equal()) << comparison.Line(GetParam());
  }
}

}  // namespace
}  // namespace df::delivery
