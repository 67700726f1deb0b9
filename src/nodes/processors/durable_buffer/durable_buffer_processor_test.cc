#include "nodes/processors/durable_buffer/durable_buffer_processor.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "testing/pipeline_harness.h"

namespace df::nodes::processors::durable_buffer {

extern const engine::NodeDescriptor kDescriptor;

namespace {

namespace fs = std::filesystem;
using engine::NackCause;
using engine::Outcome;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DurableBufferTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "buffer-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    harness_.reset();
    fs::remove_all(folder_);
  }

  std::string Document(const std::string& config) const {
    return fmt::format(R"({{nodes: {{
        source: {{kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
                 out_ports: {{out: {{destinations: [buffer]}}}}}},
        buffer: {{kind: processor, plugin_urn: "urn:otel:processor:durable_buffer",
                 out_ports: {{out: {{destinations: [sink]}}}}, config: {{path: "{}"{}}}}},
        sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}}}}})",
                       folder_.string(), config.empty() ? "" : ", " + config);
  }

  void Start(const std::string& config = "") {
    harness_.reset();  // the folder has one owner
    harness_ =
        std::make_unique<testing::PipelineHarness>(Document(config), std::vector{&kDescriptor});
    ASSERT_TRUE(harness_->status().ok()) << harness_->status();
    harness_->source().ends_by_itself = false;
    harness_->RunUntilIdle();
  }

  void RunUntil(const std::function<bool()>& is_so) {
    while (!is_so()) {
      harness_->RunUntilIdle();
      std::this_thread::yield();
    }
  }
  /// Sends batches of 1, 2, 3, .. items, and waits until they are stored.
  void Send(int count) {
    const int64_t before = source().num_outcomes;
    for (int i = 0; i < count; ++i) {
      source().Send(testing::SmallLogs(++num_sent_));
    }
    RunUntil([&] { return source().num_outcomes == before + count; });
  }
  std::vector<int64_t> Taken() {
    std::vector<int64_t> items;
    for (const otap::BatchPtr& batch : sink().taken) {
      items.push_back(batch->num_items());
    }
    return items;
  }
  engine::InstanceResult End() {
    source().End();
    RunUntil([this] { return harness_->has_ended(); });
    return harness_->TakeResult();
  }
  int64_t Dropped(const std::string& reason) {
    return harness_->metric("buffer", "df.durable_buffer.dropped", {{"reason", reason}});
  }
  testing::ReceiverScript& source() { return harness_->source(); }
  testing::ExporterScript& sink() { return harness_->sink(); }

  fs::path folder_;
  int64_t num_sent_ = 0;
  std::unique_ptr<testing::PipelineHarness> harness_;
};

TEST_F(DurableBufferTest, ABatchIsAckedBeforeItIsDelivered) {
  Start();
  sink().holds = true;
  Send(3);
  for (uint64_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(source().outcomes.at(i).is_ack);
  }
  RunUntil([this] { return sink().held.size() == 3; });
  EXPECT_THAT(Taken(), ElementsAre(1, 2, 3)) << "in the order in which they came";
  for (size_t i = 0; i < 3; ++i) {
    sink().Answer(0, Outcome::Ack());
  }
  const engine::InstanceResult result = End();
  EXPECT_THAT(result.errors, ::testing::IsEmpty());
  EXPECT_EQ(result.reports[1].num_problems, 0) << result.reports[1].lines.at(0);
}

TEST_F(DurableBufferTest, WhatIsNotDeliveredIsDeliveredByTheNextStart) {
  Start();
  sink().holds = true;
  Send(4);
  RunUntil([this] { return sink().held.size() == 4; });
  sink().Answer(1, Outcome::Ack());  // the second
  harness_->RunUntilIdle();
  harness_->Destroy();
  Start();
  RunUntil([this] { return sink().taken.size() == 3; });
  EXPECT_THAT(Taken(), ElementsAre(1, 3, 4));
  const engine::InstanceResult result = End();
  EXPECT_EQ(result.reports[1].num_problems, 0);
  EXPECT_THAT(result.reports[1].lines.at(0), HasSubstr("found 3 of an earlier run, delivered 3"));
  Start();
  EXPECT_EQ(End().reports[1].num_problems, 0);
  EXPECT_TRUE(sink().taken.empty()) << "what was delivered stays away";
}

TEST_F(DurableBufferTest, WhatIsRefusedForNowIsSentAgainAfterAWait) {
  Start("retry_interval: 2s");
  sink().next_outcomes = {Outcome::Nack("busy", false), Outcome::Nack("busy", false)};
  Send(1);
  RunUntil([this] { return sink().taken.size() == 1; });
  for (int i = 0; i < 100; ++i) {
    harness_->RunUntilIdle();
    std::this_thread::yield();
  }
  EXPECT_EQ(sink().taken.size(), 1U);
  harness_->Advance(seconds(2));
  RunUntil([this] { return sink().taken.size() == 2; });
  harness_->Advance(seconds(2));
  for (int i = 0; i < 100; ++i) {
    harness_->RunUntilIdle();
    std::this_thread::yield();
  }
  EXPECT_EQ(sink().taken.size(), 2U) << "the second wait is twice as long";
  harness_->Advance(seconds(2));
  RunUntil([this] { return sink().taken.size() == 3; });
  EXPECT_EQ(End().reports[1].num_problems, 0);
}

TEST_F(DurableBufferTest, WhatIsRefusedForGoodIsDroppedAndCounted) {
  Start();
  sink().next_outcomes = {Outcome::Nack("HTTP 400", true)};
  Send(2);
  RunUntil([this] { return sink().taken.size() == 2; });
  const engine::InstanceResult result = End();
  EXPECT_EQ(Dropped("refused"), 1);
  EXPECT_EQ(result.reports[1].num_problems, 1);
  EXPECT_THAT(result.reports[1].lines.back(),
              HasSubstr("1 items were dropped (refused); the first: HTTP 400"));
}

TEST_F(DurableBufferTest, AFullBufferRefusesForNow) {
  Start("max_bytes: 1MiB, segment_bytes: 64KiB");
  sink().holds = true;
  while (source().outcomes.empty() || source().outcomes.rbegin()->second.is_ack) {
    Send(50);
    ASSERT_LT(num_sent_, 20'000);
  }
  const Outcome& refused = source().outcomes.rbegin()->second;
  EXPECT_FALSE(refused.is_permanent);
  EXPECT_EQ(refused.cause, NackCause::kRouteFull);
  EXPECT_THAT(refused.reason, HasSubstr("the durable buffer is full"));
  EXPECT_EQ(Dropped("full"), 0);
}

TEST_F(DurableBufferTest, TheOldestMakesRoomWhereItIsToldTo) {
  Start("max_bytes: 1MiB, segment_bytes: 64KiB, when_full: drop_oldest");
  sink().holds = true;
  while (Dropped("full") == 0) {
    Send(50);
    ASSERT_LT(num_sent_, 20'000);
  }
  for (const auto& [number, outcome] : source().outcomes) {
    EXPECT_TRUE(outcome.is_ack) << outcome.reason;
  }
}

TEST_F(DurableBufferTest, WhatIsTooOldIsDroppedAndCounted) {
  Start("max_age: 60s, max_in_flight: 1");
  sink().holds = true;
  Send(3);
  RunUntil([this] { return sink().held.size() == 1; });
  harness_->Advance(seconds(70));
  RunUntil([this] { return Dropped("age") == 2 + 3; });
  sink().Answer(0, Outcome::Ack());
  EXPECT_EQ(End().reports[1].num_problems, 2 + 3);
  EXPECT_THAT(Taken(), ElementsAre(1));
}

TEST_F(DurableBufferTest, ADamagedRecordIsNamedAndCostsNothingElse) {
  Start();
  sink().holds = true;
  Send(3);
  RunUntil([this] { return sink().held.size() == 3; });
  harness_->Destroy();
  fs::path segment;
  for (const auto& entry : fs::directory_iterator(folder_ / "core-0")) {
    segment = entry.path().extension() == ".segment" ? entry.path() : segment;
  }
  {
    std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(60);
    file << "damage";
  }
  Start();
  RunUntil([this] { return sink().taken.size() == 2; });
  EXPECT_THAT(Taken(), ElementsAre(2, 3));
  const engine::InstanceResult result = End();
  EXPECT_EQ(Dropped("damaged"), 1);
  EXPECT_THAT(result.reports[1].lines.back(), HasSubstr("is not what was written"));
}

TEST_F(DurableBufferTest, ADrainLeavesTheRestForTheNextStart) {
  Start("max_in_flight: 1");
  sink().holds = true;
  Send(3);
  RunUntil([this] { return sink().held.size() == 1; });
  harness_->RequestDrain();
  harness_->RunUntilIdle();
  sink().Answer(0, Outcome::Ack());
  RunUntil([this] { return harness_->has_ended(); });
  const engine::InstanceResult result = harness_->TakeResult();
  EXPECT_THAT(result.reports[1].lines.at(1),
              HasSubstr("2 batches (5 items) are not delivered and stay in the buffer"));
  Start();
  RunUntil([this] { return sink().taken.size() == 2; });
  EXPECT_THAT(Taken(), ElementsAre(2, 3));
  End();
}

TEST_F(DurableBufferTest, AFolderThatCannotBeUsedFailsThePipeline) {
  std::ofstream(folder_ / "core-0") << "a file";
  Start();
  RunUntil([this] { return harness_->has_ended(); });
  EXPECT_THAT(harness_->TakeResult().errors.at(0), HasSubstr("core-0"));
}

TEST_F(DurableBufferTest, WhatRunsOnMoreCoresHaveLeftIsNotForgotten) {
  fs::create_directories(folder_ / "core-3");
  std::ofstream(folder_ / "core-3" / "0000000000000001.segment") << "x";
  Start();
  RunUntil([this] { return harness_->has_ended(); });
  EXPECT_THAT(harness_->TakeResult().errors.at(0),
              HasSubstr("holds batches of a run on more cores, and this one has 1"));
}

TEST_F(DurableBufferTest, BadKeysAreRefused) {
  const auto problem = [&](const std::string& config) {
    return testing::PipelineHarness(Document(config), {&kDescriptor}).status().message();
  };
  EXPECT_THAT(problem("max_bytes: 1MiB, segment_bytes: 1MiB"),
              HasSubstr("more than a quarter of max_bytes"));
  EXPECT_THAT(problem("retry_interval: 40s"), HasSubstr("max_retry_interval below"));
  EXPECT_THAT(problem("when_full: block"), HasSubstr("when_full"));
}

}  // namespace
}  // namespace df::nodes::processors::durable_buffer
