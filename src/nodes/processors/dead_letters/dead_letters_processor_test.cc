#include "nodes/processors/dead_letters/dead_letters_processor.h"

#include <arrow/compute/initialize.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "otap/dead_letter.h"
#include "otlp/encode.h"
#include "testing/pipeline_harness.h"

namespace df::nodes::processors::dead_letters {

extern const engine::NodeDescriptor kDescriptor;

namespace {

using engine::NackCause;
using engine::Outcome;
using ::testing::HasSubstr;

class DeadLettersProcessorTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(arrow::compute::Initialize().ok()); }

  static std::string Document(const std::string& config, const std::string& default_port = "out") {
    return fmt::format(R"({{nodes: {{
        source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
                 out_ports: {{out: {{destinations: [letters]}}}}}},
        letters: {{kind: processor, plugin_urn: "urn:otel:processor:dead_letters",
                  default_out_port: {},
                  out_ports: {{out: {{destinations: [sink]}},
                              dead_letters: {{destinations: [store]}}}}, config: {{{}}}}},
        sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}},
        store: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                       default_port, config);
  }

  void Start(const std::string& config = "") {
    harness_ =
        std::make_unique<testing::PipelineHarness>(Document(config), std::vector{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }

  /// Sends a batch of ten items of which the destination says this.
  void Send(const Outcome& answer) {
    harness_->sink().next_outcomes.push_back(answer);
    harness_->source().Send(testing::SmallLogs(10));
    harness_->RunUntilIdle();
  }

  static Outcome RefusedInPart(int64_t num_refused) {
    Outcome outcome = Outcome::Ack();
    auto partial = std::make_shared<engine::PartialDelivery>();
    partial->num_delivered = 10 - num_refused;
    partial->num_refused = num_refused;
    partial->refusal = "some are bad";
    outcome.partial = std::move(partial);
    return outcome;
  }

  testing::ExporterScript& store() { return harness_->sink("store"); }
  const Outcome& heard(uint64_t number = 0) { return harness_->source().outcomes.at(number); }
  engine::InstanceResult End() {
    harness_->source().End();
    harness_->RunUntilIdle();
    EXPECT_TRUE(harness_->has_ended());
    return harness_->TakeResult();
  }

  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(DeadLettersProcessorTest, WhatIsTakenGoesNowhereElse) {
  Start();
  Send(Outcome::Ack());
  EXPECT_TRUE(heard().is_ack);
  EXPECT_EQ(heard().partial, nullptr);
  EXPECT_TRUE(store().taken.empty());
}

TEST_F(DeadLettersProcessorTest, ARefusedBatchIsAckedWhenItIsDurableAndNotBefore) {
  Start();
  store().holds = true;
  Send(Outcome::Nack("HTTP 400: no such tenant", /*is_permanent=*/true));
  ASSERT_EQ(store().taken.size(), 1U);
  EXPECT_EQ(harness_->source().num_outcomes, 0) << "it is not durable yet";
  const std::string request = otlp::EncodeRequest(*store().taken[0]).ValueOrDie();
  EXPECT_THAT(request, HasSubstr("HTTP 400: no such tenant"));
  EXPECT_THAT(request, HasSubstr("/letters"));
  EXPECT_EQ(store().taken[0]->num_items(), 10);
  store().Answer(0, Outcome::Ack());
  harness_->RunUntilIdle();
  ASSERT_EQ(harness_->source().num_outcomes, 1);
  EXPECT_TRUE(heard().is_ack);
  ASSERT_NE(heard().partial, nullptr);
  EXPECT_EQ(heard().partial->num_delivered, 0);
  EXPECT_EQ(heard().partial->num_refused, 10);
  EXPECT_EQ(heard().partial->num_dead_letters, 10);
  EXPECT_EQ(heard().partial->refusal, "HTTP 400: no such tenant");
  EXPECT_EQ(harness_->metric("letters", "df.dead_letters.items", {{"signal", "logs"}}), 10);
}

TEST_F(DeadLettersProcessorTest, OfABatchThatWasRefusedInPartAllIsKeptAndSaysSo) {
  Start();
  Send(RefusedInPart(3));
  ASSERT_EQ(store().taken.size(), 1U);
  EXPECT_EQ(store().taken[0]->num_items(), 10);
  EXPECT_THAT(otlp::EncodeRequest(*store().taken[0]).ValueOrDie(), HasSubstr("refused_in_part"));
  EXPECT_TRUE(heard().is_ack);
  EXPECT_EQ(heard().partial->num_delivered, 7);
  EXPECT_EQ(heard().partial->num_refused, 3);
  EXPECT_EQ(heard().partial->num_dead_letters, 3);
}

TEST_F(DeadLettersProcessorTest, WhatIsRefusedForNowIsNoDeadLetter) {
  Start();
  Send(Outcome::Nack("busy", /*is_permanent=*/false));
  Send(Outcome::Nack("it has ended", /*is_permanent=*/true, NackCause::kRouteClosed));
  EXPECT_TRUE(store().taken.empty());
  EXPECT_FALSE(heard(0).is_ack);
  EXPECT_FALSE(heard(0).is_permanent);
  EXPECT_EQ(heard(1).cause, NackCause::kRouteClosed);
}

TEST_F(DeadLettersProcessorTest, ANackForNowWithItemsThatWereRefusedIsOfTheWholeBatch) {
  Start();
  Outcome answer = Outcome::Nack("busy", /*is_permanent=*/false);
  auto partial = std::make_shared<engine::PartialDelivery>(*RefusedInPart(3).partial);
  partial->rest = testing::SmallLogs(2);
  answer.partial = std::move(partial);
  Send(answer);
  EXPECT_FALSE(heard().is_ack);
  EXPECT_EQ(heard().partial, nullptr) << "the rest alone would leave out what was refused";
}

TEST_F(DeadLettersProcessorTest, WhatCannotBeWrittenIsNotDeliveredAndComesAgain) {
  Start();
  store().next_outcomes.push_back(Outcome::Nack("no space left", /*is_permanent=*/false));
  store().next_outcomes.push_back(Outcome::Nack("no space left", /*is_permanent=*/false));
  Send(Outcome::Nack("HTTP 400", /*is_permanent=*/true));
  Send(RefusedInPart(3));
  EXPECT_FALSE(heard(0).is_ack);
  EXPECT_FALSE(heard(0).is_permanent) << "its sender keeps it";
  EXPECT_EQ(heard(0).reason, "HTTP 400; it could not be written as a dead letter: no space left");
  EXPECT_TRUE(heard(1).is_ack) << "most of it is delivered";
  EXPECT_EQ(heard(1).partial->num_refused, 3);
  EXPECT_EQ(heard(1).partial->num_dead_letters, 0);
  EXPECT_THAT(heard(1).partial->refusal, HasSubstr("no space left"));
  Send(Outcome::Nack("HTTP 400", /*is_permanent=*/true));
  EXPECT_EQ(heard(2).partial->num_dead_letters, 10) << "on_error: continue";
  const engine::InstanceResult result = End();
  EXPECT_THAT(result.errors, ::testing::IsEmpty());
}

TEST_F(DeadLettersProcessorTest, OnErrorStopEndsThePipeline) {
  Start("on_error: stop");
  store().next_outcomes.push_back(Outcome::Nack("no space left", /*is_permanent=*/false));
  Send(Outcome::Nack("HTTP 400", /*is_permanent=*/true));
  harness_->RunUntilIdle();
  ASSERT_TRUE(harness_->has_ended());
  EXPECT_FALSE(heard().is_ack);
  EXPECT_THAT(harness_->TakeResult().errors.at(0),
              HasSubstr("a dead letter cannot be written (on_error: stop): no space left"));
}

TEST_F(DeadLettersProcessorTest, LettersThatAreOpenAtTheEndAreStillHeard) {
  Start();
  store().holds = true;
  harness_->sink().holds = true;
  harness_->source().Send(testing::SmallLogs(10));
  harness_->RunUntilIdle();
  harness_->source().End();
  harness_->RunUntilIdle();
  EXPECT_FALSE(harness_->has_ended());
  harness_->sink().Answer(0, Outcome::Nack("HTTP 400", /*is_permanent=*/true));
  harness_->RunUntilIdle();
  ASSERT_EQ(store().taken.size(), 1U) << "the port is open until the destination has answered";
  store().Answer(0, Outcome::Ack());
  harness_->RunUntilIdle();
  EXPECT_EQ(heard().partial->num_dead_letters, 10);
}

TEST_F(DeadLettersProcessorTest, AForcedEndLeavesNoBatchWithoutItsOutcome) {
  Start();
  store().holds = true;
  Send(Outcome::Nack("HTTP 400", /*is_permanent=*/true));
  harness_->Destroy();  // fails where a batch has no outcome, or two
  EXPECT_FALSE(heard().is_ack);
}

TEST_F(DeadLettersProcessorTest, TheDestinationHasToBeTheDefault) {
  harness_ = std::make_unique<testing::PipelineHarness>(Document("", "dead_letters"),
                                                        std::vector{&kDescriptor});
  harness_->RunUntilIdle();
  ASSERT_TRUE(harness_->has_ended());
  EXPECT_THAT(harness_->TakeResult().errors.at(0), HasSubstr("name it in default_output"));
}

TEST_F(DeadLettersProcessorTest, InputWaitsForRoom) {
  Start("max_in_flight: 1");
  store().holds = true;
  Send(Outcome::Nack("HTTP 400", /*is_permanent=*/true));
  Send(Outcome::Ack());
  EXPECT_EQ(harness_->sink().taken.size(), 1U);
  store().Answer(0, Outcome::Ack());
  harness_->RunUntilIdle();
  EXPECT_EQ(harness_->sink().taken.size(), 2U);
}

}  // namespace
}  // namespace df::nodes::processors::dead_letters
