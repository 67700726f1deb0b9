#include "nodes/processors/retry/slot_table.h"

#include <map>

#include <gtest/gtest.h>

#include "testing/random_value.h"

namespace df::nodes::processors::retry {
namespace {

using std::chrono::nanoseconds;

constexpr runtime::SteadyTime kStart{std::chrono::seconds(100)};

TEST(SlotTable, AnOutcomeOfAnEarlierAttemptFindsNothing) {
  SlotTable table;
  const uint32_t index = table.Add({}, kStart);
  const uint64_t first = table.CalldataOf(index);
  EXPECT_EQ(table.Find(first), index);
  table.Wait(index, kStart);
  EXPECT_EQ(table.Find(first), std::nullopt);
  EXPECT_EQ(table.TakeNextDue(), index);
  EXPECT_EQ(table.Find(first), std::nullopt);
  EXPECT_EQ(table.Find(table.CalldataOf(index)), index);
  table.Remove(index);
  EXPECT_EQ(table.Add({}, kStart), index) << "a free slot was not used again";
  EXPECT_EQ(table.Find(first), std::nullopt);
  EXPECT_EQ(table.Find(99), std::nullopt);
}

TEST(SlotTable, WhatIsDueComesInOrderOfTimeThenOfArrival) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  df::testing::RandomEngine rng(seed);
  SlotTable table;
  std::multimap<runtime::SteadyTime, uint32_t> model;
  for (int step = 0; step < 5000; ++step) {
    if (model.empty() || df::testing::Chance(rng, 0.5)) {
      const uint32_t index = table.Add({}, kStart);
      const runtime::SteadyTime due = kStart + nanoseconds(df::testing::Between(rng, 0, 50));
      table.Wait(index, due);
      model.emplace(due, index);
    } else {
      ASSERT_EQ(table.next_due(), model.begin()->first);
      const uint32_t index = table.TakeNextDue();
      ASSERT_EQ(index, model.begin()->second);
      table.Remove(index);
      model.erase(model.begin());
    }
    if (df::testing::Chance(rng, 0.01)) {
      table.MakeAllDue(kStart);
      std::multimap<runtime::SteadyTime, uint32_t> all;
      for (const auto& [due, index] : model) {
        all.emplace(kStart, index);
      }
      model = all;
    }
    ASSERT_EQ(table.num_waiting(), static_cast<int64_t>(model.size()));
    ASSERT_EQ(table.num_used(), static_cast<int64_t>(model.size()));
  }
}

}  // namespace
}  // namespace df::nodes::processors::retry
