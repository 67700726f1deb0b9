// The fan-out processor under random outcomes, answered in random order at random times.
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "nodes/processors/fanout/fanout_processor.h"
#include "testing/pipeline_harness.h"
#include "testing/random_value.h"

namespace df::nodes::processors::fanout {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using engine::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Between;
using testing::Chance;

constexpr size_t kNumTargets = 5;

/// Routes by hand: each is the list of targets that stand in for each other.
using Routes = std::vector<std::vector<size_t>>;

/// What a batch has to have come to, from the answers so far: nothing while it is open.
class Model {
 public:
  Model(Routes routes, size_t primary, bool is_sequential, AwaitAck await)
      : routes_(std::move(routes)),
        primary_(primary),
        is_sequential_(is_sequential),
        await_(await) {}

  /// Answers by target: true for an ack. Returns whether the sender has an ack, a nack, or nothing.
  std::optional<bool> Expect(const std::map<size_t, bool>& answers) const {
    if (await_ == AwaitAck::kNone) {
      return true;
    }
    bool are_all_acked = true;
    bool are_all_known = true;
    for (size_t route = 0; route < routes_.size(); ++route) {
      const std::optional<bool> result = ResultOf(routes_[route], answers);
      if (await_ == AwaitAck::kPrimary && route == primary_) {
        return result;
      }
      if (await_ == AwaitAck::kAll && is_sequential_ && result == false) {
        return false;
      }
      are_all_known &= result.has_value();
      are_all_acked &= result == true;
      if (is_sequential_ && !result.has_value()) {
        return std::nullopt;
      }
    }
    return are_all_known ? std::optional(are_all_acked) : std::nullopt;
  }

  /// Returns the targets that have been sent the batch by now.
  std::vector<size_t> Reached(const std::map<size_t, bool>& answers) const {
    std::vector<size_t> reached;
    for (const std::vector<size_t>& route : routes_) {
      for (const size_t target : route) {
        reached.push_back(target);
        const auto answer = answers.find(target);
        if (answer == answers.end() || answer->second) {
          break;
        }
      }
      const std::optional<bool> result = ResultOf(route, answers);
      if (is_sequential_ &&
          (!result.has_value() || (await_ == AwaitAck::kAll && result == false))) {
        break;
      }
    }
    std::sort(reached.begin(), reached.end());
    return reached;
  }

 private:
  static std::optional<bool> ResultOf(const std::vector<size_t>& route,
                                      const std::map<size_t, bool>& answers) {
    for (const size_t target : route) {
      const auto answer = answers.find(target);
      if (answer == answers.end()) {
        return std::nullopt;
      }
      if (answer->second) {
        return true;
      }
    }
    return false;
  }

  Routes routes_;
  size_t primary_;
  bool is_sequential_;
  AwaitAck await_;
};

std::string Document(const std::string& config, int64_t channel_size) {
  std::string ports;
  std::string sinks;
  for (size_t i = 0; i < kNumTargets; ++i) {
    ports += fmt::format("p{0}: {{destinations: [s{0}]}}, ", i);
    sinks += fmt::format(
        "s{}: {{kind: exporter, plugin_urn: \"urn:otel:exporter:test_corkable\"}}, ", i);
  }
  return fmt::format(R"({{settings: {{default_pdata_channel_size: {}}}, nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [fanout]}}}}}},
      fanout: {{kind: processor, plugin_urn: "urn:otel:processor:fanout",
               out_ports: {{{}}}, default_out_port: p0, config: {{{}}}}}, {}}}}})",
                     channel_size, ports, config, sinks);
}

void RunRandom(uint64_t seed) {
  testing::RandomEngine rng(seed);
  // Targets 0, 1 and 2 are routes; 3 and 4 stand in for one of them or for each other.
  Routes routes = {{0}, {1}, {2}};
  const auto first = static_cast<size_t>(Between(rng, 0, 2));
  routes[first].push_back(3);
  const bool is_chain = Chance(rng, 0.5);
  const size_t second = is_chain ? first : (first + 1) % 3;
  routes[second].push_back(4);
  const auto primary = static_cast<size_t>(Between(rng, 0, 2));
  const bool is_sequential = Chance(rng, 0.5);
  const auto await = static_cast<AwaitAck>(Between(rng, 0, 2));
  const std::array<const char*, 3> await_names = {"primary", "all", "none"};
  std::string config = fmt::format("mode: {}, await_ack: {}, max_inflight: {}, destinations: [",
                                   is_sequential ? "sequential" : "parallel",
                                   await_names[static_cast<size_t>(await)], Between(rng, 0, 6));
  for (size_t i = 0; i < 3; ++i) {
    config += fmt::format("{{port: p{}, primary: {}}}, ", i, i == primary);
  }
  config += fmt::format("{{port: p3, fallback_for: p{}}}, {{port: p4, fallback_for: p{}}}]", first,
                        is_chain ? 3 : second);
  const Model model(routes, primary, is_sequential, await);
  testing::PipelineHarness harness(Document(config, Between(rng, 1, 4)), {&kDescriptor},
                                   engine::PipelineInstance::Options{.drain_timeout = seconds(5)});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.source().ends_by_itself = false;
  std::map<const otap::Batch*, size_t> number_of;
  std::vector<std::map<size_t, bool>> answers;
  const auto sink = [&](size_t i) -> testing::ExporterScript& {
    return harness.sink(fmt::format("s{}", i));
  };
  for (size_t i = 0; i < kNumTargets; ++i) {
    sink(i).holds = true;
  }
  std::vector<otap::BatchPtr> batches;
  const auto answer_one = [&] {
    const auto target = static_cast<size_t>(Between(rng, 0, kNumTargets - 1));
    const auto num_held = static_cast<int64_t>(sink(target).held.size());
    if (num_held == 0) {
      return;
    }
    const auto index = static_cast<size_t>(Between(rng, 0, num_held - 1));
    const bool is_ack = Chance(rng, 0.6);
    const size_t number = number_of.at(sink(target).held[index].batch.get());
    EXPECT_TRUE(answers[number].emplace(target, is_ack).second) << "sent twice";
    sink(target).Answer(index, is_ack ? Outcome::Ack() : Outcome::Nack("no", Chance(rng, 0.5)));
  };
  const auto check = [&](bool is_final) {
    for (size_t i = 0; i < batches.size(); ++i) {
      const std::optional<bool> expected = model.Expect(answers[i]);
      const auto found = harness.source().outcomes.find(i);
      const bool is_told = found != harness.source().outcomes.end();
      // With none the ack comes when the batch is taken, which input may wait for.
      if (await != AwaitAck::kNone || is_final) {
        ASSERT_EQ(is_told, expected.has_value()) << "batch " << i;
      }
      if (is_told) {
        ASSERT_EQ(found->second.is_ack, expected) << "batch " << i;
      }
    }
  };
  for (int step = 0; step < 120; ++step) {
    if (Chance(rng, 0.3)) {
      batches.push_back(testing::SmallLogs(1));
      number_of[batches.back().get()] = batches.size() - 1;
      answers.emplace_back();
      harness.source().Send(batches.back());
    }
    harness.RunUntilIdle();
    answer_one();
    harness.RunUntilIdle();
    check(false);
  }
  if (Chance(rng, 0.3)) {
    harness.RequestDrain();
    harness.RunUntilIdle();
    harness.Advance(seconds(5));
    ASSERT_TRUE(harness.has_ended());
    harness.TakeResult();
    harness.Destroy();
    EXPECT_EQ(harness.source().num_outcomes, harness.source().num_sent);
    return;
  }
  harness.source().End();
  for (int step = 0; step < 100'000 && !harness.has_ended(); ++step) {
    harness.RunUntilIdle();
    answer_one();
  }
  harness.RunUntilIdle();
  ASSERT_TRUE(harness.has_ended());
  check(true);
  std::map<const otap::Batch*, std::vector<size_t>> reached;
  for (size_t i = 0; i < kNumTargets; ++i) {
    for (const otap::BatchPtr& batch : sink(i).taken) {
      reached[batch.get()].push_back(i);
    }
  }
  for (size_t i = 0; i < batches.size(); ++i) {
    EXPECT_EQ(reached[batches[i].get()], model.Reached(answers[i])) << "batch " << i;
  }
  EXPECT_EQ(harness.source().num_outcomes, static_cast<int64_t>(batches.size()));
  EXPECT_EQ(harness.instance().memory().used_bytes(), 0);
}

TEST(FanoutModelTest, EveryBatchGoesWhereTheModelSaysAndCompletesOnceAsItSays) {
  const uint64_t first = std::random_device()();
  for (uint64_t seed = first; seed < first + 150 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    RunRandom(seed);
  }
}

}  // namespace
}  // namespace df::nodes::processors::fanout
