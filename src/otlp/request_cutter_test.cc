// Parts of requests against the whole, item by item.
#include "otlp/request_cutter.h"

#include <cstdlib>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <protozero/pbf_writer.hpp>

#include "otlp/compare/item_counts.h"
#include "otlp/count_items.h"
#include "otlp/encode.h"
#include "testing/random_batch.h"

namespace df::otlp {
namespace {

using otap::Signal;
using protozero::pbf_writer;
using ::testing::HasSubstr;

uint64_t FirstSeed() {
  const char* given = std::getenv("DF_TEST_SEED");
  return given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
}

std::string RandomRequest(Signal signal, testing::RandomEngine& rng) {
  testing::RandomBatchOptions options;
  options.root_rows = static_cast<int>(testing::Between(rng, 0, 60));
  options.max_children = static_cast<int>(testing::Between(rng, 0, 12));
  return EncodeRequest(*testing::RandomBatch(signal, options, rng)).ValueOrDie();
}

/// A message in a field.
std::string In(uint32_t field, const std::string& message) {
  std::string outer;
  pbf_writer(outer).add_message(field, message);
  return outer;
}

class RandomCut : public ::testing::TestWithParam<Signal> {};
INSTANTIATE_TEST_SUITE_P(Signals, RandomCut, ::testing::ValuesIn(otap::kAllSignals));

TEST_P(RandomCut, PartsAreTheWholeAndFit) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 200; ++seed) {
    SCOPED_TRACE(fmt::format("DF_TEST_SEED={}", seed));
    testing::RandomEngine rng(seed);
    const std::string request = RandomRequest(GetParam(), rng);
    const int64_t max_bytes = testing::Between(rng, 1, 4000);
    ItemCounts counts(GetParam(), {});
    ASSERT_TRUE(counts.AddExpected(request).ok());
    auto cutter = RequestCutter::Make(GetParam(), request);
    ASSERT_TRUE(cutter.ok()) << cutter.status();
    int64_t num_items = 0;
    while (cutter->has_more()) {
      RequestPart part = cutter->Next(max_bytes);
      if (testing::Chance(rng, 0.3)) {
        cutter->StepBack();
        part = cutter->Next(testing::Between(rng, 1, max_bytes));
      }
      if (part.can_be_cut) {
        EXPECT_LE(part.request.size(), static_cast<size_t>(max_bytes));
      }
      const auto counted = CountItems(GetParam(), part.request);
      ASSERT_TRUE(counted.ok()) << counted.status();
      EXPECT_EQ(counted->items, part.num_items);
      EXPECT_TRUE(part.can_be_cut || part.num_items <= 1) << part.num_items;
      num_items += part.num_items;
      ASSERT_TRUE(counts.AddActual(part.request).ok());
    }
    EXPECT_EQ(num_items, CountItems(GetParam(), request)->items);
    const Comparison comparison = counts.Compare();
    EXPECT_TRUE(comparison.is_equal()) << comparison.Line(GetParam());
  }
}

TEST(RequestCutter, AMetricStaysWholeWhereItFitsAndIsCutByPointsWhereItDoesNot) {
  std::string gauge;
  for (int i = 0; i < 1000; ++i) {
    std::string point;
    pbf_writer(point).add_fixed64(3, static_cast<uint64_t>(i));
    pbf_writer(gauge).add_message(1, point);
  }
  std::string metric;
  pbf_writer(metric).add_string(1, "large");
  pbf_writer(metric).add_message(5, gauge);
  std::string scope;
  pbf_writer(scope).add_message(2, metric);
  pbf_writer(scope).add_message(2, metric);
  const std::string request = In(1, In(2, scope));

  auto cutter = RequestCutter::Make(Signal::kMetrics, request).ValueOrDie();
  EXPECT_EQ(cutter.Next(12'000).num_items, 1000);  // not 1,060 of both
  EXPECT_EQ(cutter.Next(12'000).num_items, 1000);
  EXPECT_FALSE(cutter.has_more());

  cutter = RequestCutter::Make(Signal::kMetrics, request).ValueOrDie();
  std::vector<int64_t> items;
  while (cutter.has_more()) {
    const RequestPart part = cutter.Next(6'000);
    EXPECT_LE(part.request.size(), 6'000U);
    items.push_back(part.num_items);
  }
  EXPECT_THAT(items, ::testing::ElementsAre(542, 458, 542, 458));
}

TEST(RequestCutter, FieldsThatNobodyKnowsAreInEveryPart) {
  const auto with_unknown = [](std::string message) {
    pbf_writer(message).add_string(1000, "new");
    return message;
  };
  std::string scope;
  for (int i = 0; i < 3; ++i) {
    std::string log;
    pbf_writer(log).add_fixed64(1, 5);
    pbf_writer(scope).add_message(2, with_unknown(log));
  }
  const std::string request =
      with_unknown(In(1, with_unknown(In(2, with_unknown(std::move(scope))))));
  auto cutter = RequestCutter::Make(Signal::kLogs, request).ValueOrDie();
  int num_parts = 0;
  for (; cutter.has_more(); ++num_parts) {
    const std::string part = cutter.Next(1).request;
    int num_unknown = 0;
    for (size_t at = part.find("new"); at != std::string::npos; at = part.find("new", at + 1)) {
      ++num_unknown;
    }
    EXPECT_EQ(num_unknown, 4);
  }
  EXPECT_EQ(num_parts, 3);
}

TEST(RequestCutter, ResourcesScopesAndMetricsWithoutRecordsStay) {
  const std::string resource = In(1, In(1, "\x0a\x00"));
  const std::string bare_scope = In(2, In(1, "\x0a\x01s"));
  const std::string bare_metric = In(2, In(2, "\x0a\x01m"));
  const std::string request =
      In(1, resource) + In(1, resource + bare_scope) + In(1, resource + bare_metric + bare_scope);
  auto cutter = RequestCutter::Make(Signal::kMetrics, request).ValueOrDie();
  std::string joined;
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(cutter.has_more());
    const RequestPart part = cutter.Next(1);
    EXPECT_EQ(part.num_items, 0);
    EXPECT_FALSE(part.can_be_cut);
    joined += part.request;
  }
  EXPECT_FALSE(cutter.has_more());
  EXPECT_EQ(joined, In(1, resource) + In(1, resource + bare_scope) + In(1, resource + bare_metric) +
                        In(1, resource + bare_scope));
}

TEST(RequestCutter, SaysWhatIsWrongWithARequest) {
  EXPECT_THAT(RequestCutter::Make(Signal::kLogs, "\x0a\x7f").status().message(),
              HasSubstr("at offset"));
}

}  // namespace
}  // namespace df::otlp
