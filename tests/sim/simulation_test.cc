#include "sim/simulation.h"

#include <set>

#include <gtest/gtest.h>

#include "nodes/registry.h"
#include "sim/batch_pool.h"

namespace df::sim {
namespace {

std::vector<const engine::NodeDescriptor*> Nodes() {
  const auto nodes = nodes::AllDescriptors();
  return {nodes.begin(), nodes.end()};
}

TEST(Simulation, ASeedReplaysIdentically) {
  std::set<uint64_t> hashes;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const SimulationResult first = Simulate(seed, Nodes());
    const SimulationResult again = Simulate(seed, Nodes());
    EXPECT_EQ(first.trace_hash, again.trace_hash) << first.Explain();
    EXPECT_EQ(first.num_events, again.num_events);
    EXPECT_EQ(first.document, again.document);
    hashes.insert(first.trace_hash);
  }
  EXPECT_GE(hashes.size(), 58U) << "different seeds have to give different runs";
}

TEST(Simulation, SeedsReachWhatTheyAreFor) {
  int64_t num_forced = 0;
  int64_t num_failed = 0;
  int64_t num_batches = 0;
  int64_t num_acked = 0;
  for (uint64_t seed = 20'000; seed < 20'300; ++seed) {
    const SimulationResult result = Simulate(seed, Nodes());
    ASSERT_TRUE(result.problems.empty()) << result.Explain();
    num_forced += result.was_forced ? 1 : 0;
    num_failed += result.has_failed ? 1 : 0;
    num_batches += result.num_batches;
    num_acked += result.num_acked;
  }
  EXPECT_GT(num_forced, 5);
  EXPECT_GT(num_failed, 5);
  EXPECT_GT(num_acked, num_batches / 4);
  EXPECT_LT(num_acked, num_batches * 95 / 100);
}

TEST(Simulation, AFailureTellsHowToSeeItAgain) {
  SimulationResult result = Simulate(7, Nodes());
  result.problems = {"invariant 1: made up"};
  const std::string text = result.Explain();
  EXPECT_NE(text.find("seed 7: 1 problems"), std::string::npos);
  EXPECT_NE(text.find("invariant 1: made up"), std::string::npos);
  EXPECT_NE(text.find("connections:"), std::string::npos);
  EXPECT_NE(text.find("./dev sim --seeds 1 --seed 7"), std::string::npos);
}

TEST(BatchPool, ItemsKeepTheNumbersThatTheyAreGiven) {
  for (uint64_t choice = 0; choice < 48; ++choice) {
    const otap::BatchPtr batch = NumberItems(*PooledBatch(choice), 500);
    std::vector<int64_t> items;
    ReadItems(*batch, &items);
    ASSERT_EQ(static_cast<int64_t>(items.size()), batch->num_items());
    for (size_t i = 0; i < items.size(); ++i) {
      EXPECT_EQ(items[i], 500 + static_cast<int64_t>(i));
    }
  }
}

}  // namespace
}  // namespace df::sim
