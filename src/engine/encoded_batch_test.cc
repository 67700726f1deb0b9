// Batches that are still requests: who gets them as they are, who gets tables.
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/pipeline_harness.h"

namespace df::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

/// Notes what it is given, and sends it on.
struct Witness : NodeShared {
  int num_encoded = 0;
  int num_with_tables = 0;
};

class WitnessProcessor final : public OneToOneProcessor {
 public:
  explicit WitnessProcessor(std::shared_ptr<Witness> witness) : witness_(std::move(witness)) {}

  Result<otap::BatchPtr> Transform(const otap::BatchPtr& batch) override {
    ++(batch->encoded() != nullptr ? witness_->num_encoded : witness_->num_with_tables);
    return batch;
  }

 private:
  std::shared_ptr<Witness> witness_;
};

std::shared_ptr<Witness> latest_witness;

NodeDescriptor WitnessDescriptor(std::string_view urn, bool takes_encoded) {
  return {.urn = urn,
          .kind = NodeKind::kProcessor,
          .summary = "for tests",
          .fields = [] { return std::vector<config::FieldDescription>(); },
          .parse = [](const config::Section&, const ValidateContext&) -> NodeConfigPtr {
            return std::make_shared<const NodeConfig>();
          },
          .takes_encoded = takes_encoded,
          .make_shared = [](const NodeConfig&, const ValidateContext&) -> Result<NodeSharedPtr> {
            latest_witness = std::make_shared<Witness>();
            return NodeSharedPtr(latest_witness);
          },
          .make_processor = [](const NodeConfigPtr&, const NodeSharedPtr& shared,
                               const InstanceInfo&) -> Result<std::unique_ptr<Processor>> {
            return std::make_unique<WitnessProcessor>(std::static_pointer_cast<Witness>(shared));
          }};
}

const NodeDescriptor kTakes = WitnessDescriptor("urn:otel:processor:takes", true);
const NodeDescriptor kNeedsTables = WitnessDescriptor("urn:otel:processor:needs_tables", false);

std::string Document(std::string_view middle) {
  return std::string(R"(nodes:
  source: {kind: receiver, plugin_urn: "urn:otel:receiver:test_scripted",
           out_ports: {out: {destinations: [middle]}}}
  middle: {kind: processor, plugin_urn: "urn:otel:processor:)") +
         std::string(middle) + R"(", out_ports: {out: {destinations: [sink]}}}
  sink: {kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}
)";
}

constexpr int64_t kNumItems = 5;

/// The request "good" holds five log records; every other one is malformed.
Result<otap::BatchPtr> Decode(otap::Signal, const arrow::Buffer& bytes) {
  if (bytes.ToString() != "good") {
    return Status::Invalid("resource_logs[0]: offset 7: found the end");
  }
  return testing::SmallLogs(kNumItems);
}

otap::BatchPtr Request(const std::string& bytes) {
  return otap::MakeEncodedBatch(otap::Signal::kLogs,
                                {.bytes = arrow::Buffer::FromString(bytes), .decode = Decode},
                                kNumItems);
}

TEST(EncodedBatch, CountsWithoutTables) {
  const otap::BatchPtr batch = Request("good");
  EXPECT_NE(batch->encoded(), nullptr);
  EXPECT_EQ(batch->root(), nullptr);
  EXPECT_EQ(batch->num_items(), kNumItems);
  EXPECT_EQ(batch->size_bytes(), 4);
  const auto with_tables = otap::WithTables(batch);
  ASSERT_TRUE(with_tables.ok());
  EXPECT_EQ((*with_tables)->encoded(), nullptr);
  EXPECT_EQ((*with_tables)->num_root_rows(), kNumItems);
  EXPECT_EQ(*otap::WithTables(*with_tables), *with_tables);
}

TEST(EncodedBatch, GoesAsItIsToANodeThatTakesIt) {
  testing::PipelineHarness harness(Document("takes"), {&kTakes});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.source().Send(Request("good"));
  harness.RunUntilIdle();
  EXPECT_EQ(latest_witness->num_encoded, 1);
  ASSERT_THAT(harness.sink().taken, SizeIs(1));
  EXPECT_EQ(harness.sink().taken[0]->num_root_rows(), kNumItems) << "the sink has not said so";
  EXPECT_TRUE(harness.source().outcomes[0].is_ack);
  EXPECT_EQ(harness.metric("middle", "items_in"), kNumItems);
  EXPECT_EQ(harness.metric("sink", "items_in"), kNumItems);
}

TEST(EncodedBatch, HasTablesForANodeThatNeedsThem) {
  testing::PipelineHarness harness(Document("needs_tables"), {&kNeedsTables});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.source().Send(Request("good"));
  harness.source().Send(testing::SmallLogs(1));
  harness.RunUntilIdle();
  EXPECT_EQ(latest_witness->num_encoded, 0);
  EXPECT_EQ(latest_witness->num_with_tables, 2);
  EXPECT_THAT(harness.sink().taken, SizeIs(2));
}

TEST(EncodedBatch, ThatIsMalformedIsRefusedForGoodAndTheNextGoesOn) {
  testing::PipelineHarness harness(Document("needs_tables"), {&kNeedsTables});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.source().Send(Request("bad"));
  harness.source().Send(Request("good"));
  harness.RunUntilIdle();
  ASSERT_EQ(harness.source().num_outcomes, 2);
  EXPECT_FALSE(harness.source().outcomes[0].is_ack);
  EXPECT_TRUE(harness.source().outcomes[0].is_permanent);
  EXPECT_THAT(harness.source().outcomes[0].reason, HasSubstr("resource_logs[0]: offset 7"));
  EXPECT_TRUE(harness.source().outcomes[1].is_ack);
  EXPECT_THAT(harness.sink().taken, SizeIs(1));
}

TEST(EncodedBatch, ItsBytesAreThoseOfTheTablesOnceItHasThem) {
  testing::PipelineHarness harness(Document("takes"), {&kTakes});
  ASSERT_TRUE(harness.status().ok()) << harness.status();
  harness.sink().holds = true;
  harness.source().Send(Request("good"));
  harness.RunUntilIdle();
  ASSERT_THAT(harness.sink().held, SizeIs(1));
  EXPECT_EQ(harness.sink().held[0].charge.size_bytes(),
            testing::SmallLogs(kNumItems)->size_bytes());
}

}  // namespace
}  // namespace df::engine
