#include "nodes/processors/batch/batch_processor.h"

#include <cstdlib>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/validate.h"
#include "testing/naive_join.h"
#include "testing/pipeline_harness.h"
#include "testing/random_batch.h"

namespace df::nodes::processors::batch {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using engine::Outcome;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

uint64_t FirstSeed() {
  const char* given = std::getenv("DF_TEST_SEED");
  return given == nullptr ? 1 : std::strtoull(given, nullptr, 10);
}

std::string Document(const std::string& config) {
  return fmt::format(R"({{nodes: {{
      source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
               out_ports: {{out: {{destinations: [batch]}}}}}},
      batch: {{kind: processor, plugin_urn: "urn:otap:processor:batch",
              out_ports: {{out: {{destinations: [sink]}}}}, config: {{{}}}}},
      sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                     config);
}

class BatchProcessorTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }

  static std::string Problem(const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  }

  void Start(const std::string& config) {
    harness_ =
        std::make_unique<testing::PipelineHarness>(Document(config), std::vector{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }

  void Send(otap::BatchPtr batch) {
    harness_->source().Send(std::move(batch));
    harness_->RunUntilIdle();
  }
  void Send(int64_t num_logs) { Send(testing::SmallLogs(num_logs)); }

  /// The next output gets this outcome.
  void Next(const Outcome& outcome) { harness_->sink().next_outcomes.push_back(outcome); }

  std::vector<int64_t> Taken() {
    std::vector<int64_t> items;
    for (const otap::BatchPtr& batch : harness_->sink().taken) {
      items.push_back(batch->num_items());
    }
    return items;
  }

  int64_t Flushes(const std::string& reason) {
    return harness_->metric("batch", "df.processor.batch.flushes", {{"reason", reason}});
  }

  const std::map<uint64_t, Outcome>& outcomes() { return harness_->source().outcomes; }

  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(BatchProcessorTest, JoinsUntilTheSmallestSize) {
  Start("otap: {min_size: 10}");
  Send(4);
  Send(4);
  EXPECT_THAT(Taken(), ElementsAre());
  EXPECT_EQ(harness_->metric("batch", "df.processor.batch.pending.items"), 8);
  EXPECT_TRUE(outcomes().empty());
  Send(4);
  EXPECT_THAT(Taken(), ElementsAre(12));
  EXPECT_EQ(outcomes().size(), 3U);
  EXPECT_EQ(Flushes("size"), 1);
  EXPECT_EQ(harness_->metric("batch", "df.processor.batch.pending.items"), 0);
  EXPECT_EQ(harness_->metric("batch", "df.processor.batch.pending.size"), 0);
}

TEST_F(BatchProcessorTest, FirstPieceFillsUpWhatIsPending) {
  Start("otap: {min_size: 5, max_size: 5}");
  Send(3);
  Send(4);
  EXPECT_THAT(Taken(), ElementsAre(5));
  EXPECT_TRUE(outcomes().contains(0));
  EXPECT_FALSE(outcomes().contains(1));
  Send(3);
  EXPECT_THAT(Taken(), ElementsAre(5, 5));
  EXPECT_EQ(outcomes().size(), 3U);
}

TEST_F(BatchProcessorTest, DividesWhatIsLargerThanTheLargestSize) {
  Start("otap: {min_size: 5, max_size: 5}");
  Send(12);
  EXPECT_THAT(Taken(), ElementsAre(5, 5));
  EXPECT_TRUE(outcomes().empty());
  harness_->Advance(milliseconds(200));
  EXPECT_THAT(Taken(), ElementsAre(5, 5, 2));
  EXPECT_TRUE(outcomes().at(0).is_ack);
  EXPECT_EQ(Flushes("timeout"), 1);
}

TEST_F(BatchProcessorTest, TimeCountsFromTheFirstItem) {
  Start("max_batch_duration: 200ms");
  Send(1);
  harness_->Advance(milliseconds(150));
  Send(1);
  harness_->Advance(milliseconds(49));
  EXPECT_THAT(Taken(), ElementsAre());
  harness_->Advance(milliseconds(1));
  EXPECT_THAT(Taken(), ElementsAre(2));
  Send(1);
  harness_->Advance(milliseconds(199));
  EXPECT_THAT(Taken(), ElementsAre(2));
  harness_->Advance(milliseconds(1));
  EXPECT_THAT(Taken(), ElementsAre(2, 1));
}

TEST_F(BatchProcessorTest, TimeOfARestCountsFromTheInputThatItIsOf) {
  Start("otap: {min_size: 5, max_size: 5}");
  Send(4);
  harness_->Advance(milliseconds(150));
  Send(2);
  EXPECT_THAT(Taken(), ElementsAre(5));
  harness_->Advance(milliseconds(199));
  EXPECT_THAT(Taken(), ElementsAre(5));
  harness_->Advance(milliseconds(1));
  EXPECT_THAT(Taken(), ElementsAre(5, 1));
}

TEST_F(BatchProcessorTest, NoDurationSendsEachAtOnce) {
  Start("max_batch_duration: 0s");
  Send(1);
  Send(2);
  EXPECT_THAT(Taken(), ElementsAre(1, 2));
}

TEST_F(BatchProcessorTest, SignalsStayApart) {
  Start("max_batch_duration: 1s");
  testing::RandomEngine rng(FirstSeed());
  const auto logs = testing::RandomBatch(otap::Signal::kLogs, {}, rng);
  const auto spans = testing::RandomBatch(otap::Signal::kTraces, {}, rng);
  Send(logs);
  Send(spans);
  Send(logs);
  harness_->Advance(std::chrono::seconds(1));
  EXPECT_THAT(Taken(), ElementsAre(2 * logs->num_items(), spans->num_items()));
}

TEST_F(BatchProcessorTest, DrainSendsWhatIsPendingAtOnce) {
  Start("max_batch_duration: 1h");
  Send(3);
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  EXPECT_THAT(Taken(), ElementsAre(3));
  EXPECT_EQ(Flushes("drain"), 1);
  EXPECT_TRUE(outcomes().at(0).is_ack);
  EXPECT_TRUE(harness_->has_ended());
}

TEST_F(BatchProcessorTest, EndOfInputSendsWhatIsPending) {
  Start("max_batch_duration: 1h");
  Send(3);
  harness_->source().End();
  harness_->RunUntilIdle();
  EXPECT_THAT(Taken(), ElementsAre(3));
  EXPECT_TRUE(harness_->has_ended());
}

TEST_F(BatchProcessorTest, NackOfAnOutputIsThatOfAllItsInputs) {
  Start("otap: {min_size: 4}");
  Next(Outcome::Nack("busy", false));
  Send(2);
  Send(2);
  for (const uint64_t input : {0, 1}) {
    EXPECT_FALSE(outcomes().at(input).is_ack);
    EXPECT_FALSE(outcomes().at(input).is_permanent);
    EXPECT_EQ(outcomes().at(input).reason, "busy");
  }
}

TEST_F(BatchProcessorTest, PermanentNackOfAPartOutranksTemporaryOnes) {
  Start("otap: {min_size: 2, max_size: 2}");
  Next(Outcome::Nack("busy", false));
  Next(Outcome::Nack("bad", true));
  Next(Outcome::Ack());
  Send(6);
  EXPECT_THAT(Taken(), ElementsAre(2, 2, 2));
  EXPECT_TRUE(outcomes().at(0).is_permanent);
  EXPECT_EQ(outcomes().at(0).reason, "bad");
  Next(Outcome::Ack());
  Next(Outcome::Nack("busy", false));
  Send(4);
  EXPECT_FALSE(outcomes().at(1).is_ack);
  EXPECT_FALSE(outcomes().at(1).is_permanent);
}

TEST_F(BatchProcessorTest, NothingIsKeptBackFromATokenThatFalls) {
  Start("otap: {min_size: 4}");
  harness_->sink().lets_fall = true;
  Send(4);
  EXPECT_EQ(outcomes().at(0).cause, engine::NackCause::kDropped);
}

TEST_F(BatchProcessorTest, AnEmptyBatchIsDone) {
  Start("");
  Send(otap::BatchBuilder(otap::Signal::kLogs).Build());
  EXPECT_TRUE(outcomes().at(0).is_ack);
  EXPECT_THAT(Taken(), ElementsAre());
}

TEST_F(BatchProcessorTest, NeverMakesABatchWithTooManyRootRows) {
  Start("otap: {min_size: 1000000}, max_batch_duration: 1h");
  Send(40'000);
  Send(40'000);
  EXPECT_THAT(Taken(), ElementsAre(40'000));
}

TEST_F(BatchProcessorTest, BytesAreASizeToo) {
  const int64_t bytes = testing::SmallLogs(100)->size_bytes();
  Start(fmt::format("otap: {{min_size: {}, max_size: {}, sizer: bytes}}", bytes, 2 * bytes));
  Send(99);
  EXPECT_THAT(Taken(), ElementsAre());
  Send(1);
  EXPECT_THAT(Taken(), ElementsAre(100));
  Send(500);
  EXPECT_THAT(Taken(), ElementsAre(100, 200, 200, 100));
}

TEST_F(BatchProcessorTest, OlderKeysSayTheSame) {
  Start("send_batch_size: 3, send_batch_max_size: 3, timeout: 1s");
  Send(4);
  EXPECT_THAT(Taken(), ElementsAre(3));
  harness_->Advance(std::chrono::seconds(1));
  EXPECT_THAT(Taken(), ElementsAre(3, 1));
}

TEST_F(BatchProcessorTest, RefusesWhatContradictsItself) {
  EXPECT_THAT(Problem("otap: {min_size: 10, max_size: 5}"), HasSubstr("below the smallest"));
  EXPECT_THAT(Problem("otap: {min_size: 10}, send_batch_size: 5"), HasSubstr("one of the two"));
  EXPECT_THAT(Problem("max_batch_duration: 1s, timeout: 1s"), HasSubstr("one of the two"));
  EXPECT_THAT(Problem("otap: {sizer: requests}"), HasSubstr("items, bytes"));
}

TEST_F(BatchProcessorTest, ChangedSizesApplyToWhatIsPending) {
  const auto config = [](int64_t min_size) {
    auto changed = std::make_shared<BatchConfig>();
    changed->otap.min_size = min_size;
    return changed;
  };
  Start("otap: {min_size: 10}, max_batch_duration: 1h");
  Send(4);
  ASSERT_TRUE(harness_->instance().ApplyConfig(1, config(4)).ok());
  harness_->RunUntilIdle();
  EXPECT_THAT(Taken(), ElementsAre(4));
}

TEST_F(BatchProcessorTest, KeepsEveryRecordOfRandomBatches) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 15; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    testing::RandomEngine rng(seed);
    const int64_t min_size = testing::Between(rng, 1, 60);
    const std::string max_size = testing::Chance(rng, 0.5)
                                     ? "null"
                                     : std::to_string(min_size + testing::Between(rng, 0, 20));
    Start(fmt::format("otap: {{min_size: {}, max_size: {}}}", min_size, max_size));
    std::vector<otap::BatchPtr> sent;
    for (int i = 0; i < 8; ++i) {
      testing::RandomBatchOptions options;
      options.root_rows = static_cast<int>(testing::Between(rng, 0, 30));
      const auto signal = static_cast<otap::Signal>(testing::Between(rng, 0, 2));
      sent.push_back(testing::RandomBatch(signal, options, rng));
      Send(sent.back());
      harness_->Advance(milliseconds(testing::Between(rng, 0, 100)));
    }
    harness_->source().End();
    harness_->RunUntilIdle();
    ASSERT_TRUE(harness_->has_ended());
    for (const otap::BatchPtr& batch : harness_->sink().taken) {
      EXPECT_TRUE(otap::Validate(*batch).ok());
      if (max_size != "null") {
        EXPECT_LE(batch->num_items(), std::stoll(max_size));
      }
    }
    EXPECT_EQ(testing::DescribeDifference(testing::CanonicalRecords(sent),
                                          testing::CanonicalRecords(harness_->sink().taken)),
              "");
    EXPECT_EQ(outcomes().size(), sent.size());
    for (const auto& [input, outcome] : outcomes()) {
      EXPECT_TRUE(outcome.is_ack) << input;
    }
  }
}

/// Hears the outcomes of inputs.
class Listener final : public engine::CompletionHandler {
 public:
  void OnOutcome(const Outcome& outcome, uint64_t calldata) override {
    EXPECT_TRUE(heard.emplace(calldata, outcome).second) << "twice: " << calldata;
  }
  std::map<uint64_t, Outcome> heard;
};

TEST(OutcomeLedger, TellsEachInputTheWorstOfItsOutputsOnce) {
  for (uint64_t seed = FirstSeed(); seed < FirstSeed() + 300; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    testing::RandomEngine rng(seed);
    Listener listener;
    OutcomeLedger ledger;
    std::map<uint64_t, std::vector<uint64_t>> inputs_of;  // output -> inputs by calldata
    std::map<uint64_t, int> worst;                        // input -> 0 ack, 1 nack, 2 for good
    std::map<uint64_t, int> open_parts;
    std::vector<std::pair<OutcomeLedger::Input, uint64_t>> kept;
    uint64_t next_input = 0;
    const auto complete_one = [&] {
      auto place = inputs_of.begin();
      std::advance(place, testing::Between(rng, 0, static_cast<int64_t>(inputs_of.size()) - 1));
      const int severity = static_cast<int>(testing::Between(rng, 0, 2));
      for (const uint64_t input : place->second) {
        worst[input] = std::max(worst[input], severity);
        --open_parts[input];
      }
      const uint64_t output = place->first;
      inputs_of.erase(place);
      const Outcome outcome =
          severity == 0 ? Outcome::Ack() : Outcome::Nack("reason", severity == 2);
      ledger.Complete(output, outcome);
      ledger.Complete(output, Outcome::Nack("a number that is not known any more", true));
    };
    const auto send = [&] {
      std::vector<OutcomeLedger::Input> parts;
      std::vector<uint64_t> inputs;
      for (const auto& [part, input] : kept) {
        parts.push_back(part);
        inputs.push_back(input);
      }
      kept.clear();
      inputs_of[ledger.AddOutput(parts)] = inputs;
    };
    for (int step = 0; step < 60; ++step) {
      const auto input = ledger.Open(engine::CompletionToken(&listener, next_input), {});
      for (int64_t part = testing::Between(rng, 1, 4); part > 0; --part) {
        ledger.AddPart(input);
        kept.emplace_back(input, next_input);
        ++open_parts[next_input];
        if (part > 1 || testing::Chance(rng, 0.4)) {
          send();
        }
      }
      ledger.Close(input);
      ++next_input;
      while (!inputs_of.empty() && testing::Chance(rng, 0.6)) {
        complete_one();
      }
    }
    if (!kept.empty()) {
      send();
    }
    while (!inputs_of.empty()) {
      complete_one();
      for (const auto& [input, parts] : open_parts) {
        EXPECT_EQ(listener.heard.contains(input), parts == 0) << input;
      }
    }
    ASSERT_EQ(listener.heard.size(), next_input);
    for (const auto& [input, outcome] : listener.heard) {
      EXPECT_EQ(outcome.is_ack ? 0 : outcome.is_permanent ? 2 : 1, worst[input]) << input;
    }
  }
}

}  // namespace
}  // namespace df::nodes::processors::batch
