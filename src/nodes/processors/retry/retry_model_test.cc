// The retry processor under random outcomes, answered at random times and in random order.
#include <algorithm>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "nodes/processors/retry/retry_processor.h"
#include "testing/pipeline_harness.h"
#include "testing/random_value.h"

namespace df::nodes::processors::retry {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using engine::Outcome;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Between;
using testing::Chance;

/// What the outcomes of a batch so far have to lead to.
struct Expected {
  int attempts = 0;
  int temporary = 0;
  bool is_acked = false;
  bool is_refused = false;
};

class RetryModel {
 public:
  explicit RetryModel(uint64_t seed) : rng_(seed) {
    max_retries_ = static_cast<int>(Between(rng_, 0, 4));
    harness_ = std::make_unique<testing::PipelineHarness>(
        fmt::format(R"({{settings: {{default_pdata_channel_size: {}}}, nodes: {{
          source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
                   out_ports: {{out: {{destinations: [retry]}}}}}},
          retry: {{kind: processor, plugin_urn: "urn:otel:processor:retry",
                  out_ports: {{out: {{destinations: [sink]}}}},
                  config: {{initial_interval: 1s, max_interval: 8s, multiplier: 2, seed: {},
                           max_elapsed_time: 10000s, max_retries: {}, max_in_flight: {}}}}},
          sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                    Between(rng_, 1, 5), seed % 1000, max_retries_, Between(rng_, 1, 12)),
        std::vector{&kDescriptor}, engine::PipelineInstance::Options{.drain_timeout = seconds(20)});
    EXPECT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->sink().holds = true;
    harness_->RunUntilIdle();
  }

  void Run(int num_steps) {
    for (int step = 0; step < num_steps; ++step) {
      if (Chance(rng_, 0.3)) {
        auto batch = testing::SmallLogs(1);
        number_of_[batch.get()] = batches_.size();
        batches_.push_back(batch);
        expected_.emplace_back();
        harness_->source().Send(std::move(batch));
        harness_->RunUntilIdle();
      }
      if (Chance(rng_, 0.6)) {
        AnswerOne();
      }
      harness_->Advance(milliseconds(Between(rng_, 0, 2000)));
      CheckSoFar();
    }
  }

  void EndWithoutDrain() {
    harness_->source().End();
    for (int step = 0; step < 100'000 && !harness_->has_ended(); ++step) {
      AnswerOne();
      harness_->Advance(milliseconds(500));
    }
    CheckSoFar();
    ASSERT_TRUE(harness_->has_ended());
    for (size_t i = 0; i < expected_.size(); ++i) {
      EXPECT_NE(expected_[i].is_acked, expected_[i].is_refused) << "batch " << i;
    }
    EXPECT_EQ(harness_->source().num_outcomes, static_cast<int64_t>(batches_.size()));
    EXPECT_EQ(harness_->instance().memory().used_bytes(), 0);
  }

  /// A drain at this moment; a downstream that answers or is silent, which forces the end.
  void Drain(bool answers) {
    harness_->RequestDrain();
    harness_->RunUntilIdle();
    for (int step = 0; step < 250 && !harness_->has_ended(); ++step) {
      if (answers) {
        while (!harness_->sink().held.empty()) {
          AnswerOne();
        }
      }
      harness_->Advance(milliseconds(100));
    }
    ASSERT_TRUE(harness_->has_ended()) << "a drain has a deadline";
    const bool was_forced = harness_->TakeResult().was_forced;
    if (answers) {
      EXPECT_FALSE(was_forced);
    }
    const int64_t num_sent = harness_->source().num_sent;
    harness_->Destroy();
    EXPECT_EQ(harness_->source().num_outcomes, num_sent) << "not exactly one outcome a batch";
  }

 private:
  void AnswerOne() {
    auto& held = harness_->sink().held;
    if (held.empty()) {
      return;
    }
    const auto index = static_cast<size_t>(Between(rng_, 0, static_cast<int64_t>(held.size()) - 1));
    Expected& expected = expected_[number_of_.at(held[index].batch.get())];
    ++expected.attempts;
    EXPECT_FALSE(expected.is_acked || expected.is_refused) << "sent again after its last word";
    Outcome outcome = Outcome::Ack();
    if (Chance(rng_, 0.5)) {
      outcome = Outcome::Nack("busy", false);
      ++expected.temporary;
      expected.is_refused = max_retries_ > 0 && expected.attempts > max_retries_;
    } else if (Chance(rng_, 0.1)) {
      outcome = Outcome::Nack("broken", true);
      expected.is_refused = true;
    } else {
      expected.is_acked = true;
    }
    harness_->sink().Answer(index, outcome);
  }

  /// Outcomes that are due have been said and no other, and every batch was sent as often as the
  /// answers say, and at most once more.
  void CheckSoFar() {
    std::map<const otap::Batch*, int> sends;
    for (const otap::BatchPtr& batch : harness_->sink().taken) {
      ++sends[batch.get()];
    }
    int64_t num_done = 0;
    for (size_t i = 0; i < expected_.size(); ++i) {
      const Expected& expected = expected_[i];
      const bool is_done = expected.is_acked || expected.is_refused;
      num_done += is_done ? 1 : 0;
      const auto found = harness_->source().outcomes.find(i);
      ASSERT_EQ(found != harness_->source().outcomes.end(), is_done) << "batch " << i;
      if (is_done) {
        ASSERT_EQ(found->second.is_ack, expected.is_acked) << "batch " << i;
        ASSERT_EQ(sends[batches_[i].get()], expected.attempts) << "batch " << i;
      } else {
        ASSERT_LE(sends[batches_[i].get()], expected.attempts + 1) << "batch " << i;
      }
    }
    ASSERT_EQ(harness_->source().num_outcomes, num_done);
  }

  testing::RandomEngine rng_;
  int max_retries_ = 0;
  std::unique_ptr<testing::PipelineHarness> harness_;
  std::vector<otap::BatchPtr> batches_;
  std::map<const otap::Batch*, size_t> number_of_;
  std::vector<Expected> expected_;
};

void ForSeeds(int count, const std::function<void(RetryModel&, testing::RandomEngine&)>& run) {
  const uint64_t first = std::random_device()();
  for (int i = 0; i < count && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE(::testing::Message() << "seed " << first + i);
    RetryModel model(first + i);
    testing::RandomEngine rng(first + i);
    run(model, rng);
  }
}

TEST(RetryModelTest, EveryBatchIsSentAsOftenAsItsOutcomesSayAndCompletesOnce) {
  ForSeeds(60, [](RetryModel& model, testing::RandomEngine&) {
    model.Run(150);
    model.EndWithoutDrain();
  });
}

TEST(RetryModelTest, EveryBatchCompletesOnceWhenADrainComesAtARandomMoment) {
  ForSeeds(60, [](RetryModel& model, testing::RandomEngine& rng) {
    model.Run(static_cast<int>(Between(rng, 0, 100)));
    model.Drain(true);
  });
}

TEST(RetryModelTest, EveryBatchCompletesOnceWhenTheEndIsForced) {
  ForSeeds(60, [](RetryModel& model, testing::RandomEngine& rng) {
    model.Run(static_cast<int>(Between(rng, 0, 100)));
    model.Drain(false);
  });
}

}  // namespace
}  // namespace df::nodes::processors::retry
