#include "nodes/receivers/parquet/checkpoint_keeper.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "engine/graph.h"
#include "engine/pipeline_instance.h"
#include "nodes/receivers/parquet/replay.h"
#include "testing/corkable_exporter.h"
#include "testing/faulty_database_files.h"
#include "testing/simulated_clock.h"
#include "testing/tree_replay.h"

namespace df::nodes::receivers::parquet {

extern const engine::NodeDescriptor kDescriptor;

namespace {

namespace fs = std::filesystem;
using df::testing::FaultyDatabaseFiles;
using df::testing::SimulatedClock;
using df::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr int64_t kRows = 100;

class CheckpointKeeperTest : public ::testing::TestWithParam<int> {
 protected:
  std::string directory() const { return (folder_.path() / "state").string(); }
  std::shared_ptr<CheckpointKeeper> Open() {
    // Saves when it is told to, and at its end.
    return CheckpointKeeper::Open({directory(), "night", 1h}, "node", {"/lake", ""}, "", &clock_)
        .ValueOrDie();
  }
  void Deliver(CheckpointKeeper* keeper, int file) {
    const auto record =
        keeper->ledger()->Recognise({.table = otap::TableKind::kLogs,
                                     .partition = "_part_id=a",
                                     .path = fmt::format("logs/_part_id=a/{}.parquet", file),
                                     .digest = fmt::format("{:032x}", file),
                                     .size_bytes = 10,
                                     .modified_nanos = 1,
                                     .number = {},
                                     .content = std::nullopt},
                                    kRows, {});
    keeper->ledger()->Claim(record, this)->Send(0, 0, kRows).Ack();
  }

  FaultyDatabaseFiles files_;
  TemporaryFolder folder_;
  SimulatedClock clock_;
};

TEST_P(CheckpointKeeperTest, WhatCannotBeSavedIsKeptUntilItCan) {
  {
    const auto keeper = Open();
    Deliver(keeper.get(), 1);
    ASSERT_TRUE(keeper->Save().ok());
    clock_.Advance(1s);
    EXPECT_EQ(keeper->Age(), 1s);
    files_.FailWrites(GetParam());
    for (int file = 2; file < 5; ++file) {
      Deliver(keeper.get(), file);
      clock_.Advance(1s);
      EXPECT_THAT(keeper->Save().message(), HasSubstr("night.sqlite")) << file;
    }
    EXPECT_EQ(keeper->Age(), 4s);
    EXPECT_EQ(keeper->TakeFailedSaves(), 3);
    EXPECT_EQ(keeper->TakeFailedSaves(), 0);
    files_.FailWrites(SQLITE_OK);
    Deliver(keeper.get(), 5);
    ASSERT_TRUE(keeper->Save().ok());
    EXPECT_EQ(keeper->Age(), 0s);
    EXPECT_EQ(keeper->TakeFailedSaves(), 0);
  }
  EXPECT_EQ(Open()->num_loaded(), 5 * kRows);
}

TEST_P(CheckpointKeeperTest, AReplayGoesOnAndItsReportSaysWhatIsNotSaved) {
  const std::string document = fmt::format(
      R"(
nodes:
  lake: {{kind: receiver, plugin_urn: "urn:otel:otap:parquet:receiver",
         out_ports: {{out: {{destinations: [sink]}}}},
         config: {{polling_interval: once, base_uri: "{}/examples/data/corner/parquet",
                  checkpoint: {{directory: "{}", name: night, save_interval: 1h}}}}}}
  sink: {{kind: exporter, plugin_urn: "urn:otel:exporter:test_corkable"}}
)",
      OTAP_SOURCE_DIR, directory());
  const auto pipeline =
      engine::LoadPipeline(document, "test.yaml",
                           engine::NodeRegistry(std::vector<const engine::NodeDescriptor*>{
                               &kDescriptor, &testing::CorkableExporterDescriptor()}),
                           {})
          .ValueOrDie();
  std::vector<engine::NodeSharedPtr> shared;
  for (const engine::CheckedNode& node : pipeline.nodes) {
    shared.push_back(node.descriptor->make_shared(*node.config, {}).ValueOrDie());
  }
  runtime::EventLoop loop;
  telemetry::Registry registry;
  auto instance =
      engine::PipelineInstance::Make(pipeline, shared, &loop, &registry, {}).ValueOrDie();
  files_.FailWrites(GetParam());
  instance->Start([&loop] { loop.Stop(); });
  loop.Post([&] {
    CheckpointKeeper* keeper = static_cast<Replay&>(*shared[0]).checkpoint();
    Deliver(keeper, 1);
    EXPECT_FALSE(keeper->Save().ok());
    instance->Collect();
  });
  loop.Run();
  const auto results = instance->TakeResult();
  const telemetry::MetricSnapshot snapshot = registry.Snapshot();
  EXPECT_EQ(snapshot.Sum("df.receiver.checkpoint.failures"), 1);
  EXPECT_NE(snapshot.Find("df.receiver.checkpoint.age"), nullptr);
  const auto report = [&] {
    return kDescriptor.merge_reports(shared[0].get(), std::vector{results.reports[0]});
  };
  const engine::NodeReport failing = report();
  EXPECT_THAT(failing.lines, ::testing::Contains(HasSubstr("delivered 2000 of 2000 log records")));
  EXPECT_THAT(failing.lines,
              ::testing::Contains(HasSubstr("the checkpoint lacks something that was delivered")));
  EXPECT_EQ(failing.num_problems, 1);
  ASSERT_EQ(failing.source->problems.size(), 1U) << "commands print these";
  EXPECT_THAT(failing.source->problems[0].message, HasSubstr("the checkpoint lacks something"));
  files_.FailWrites(SQLITE_OK);
  EXPECT_EQ(report().num_problems, 0);
}

INSTANTIATE_TEST_SUITE_P(Faults, CheckpointKeeperTest,
                         ::testing::Values(SQLITE_FULL, SQLITE_READONLY, SQLITE_IOERR_WRITE),
                         [](const auto& fault) {
                           return std::string(fault.param == SQLITE_FULL       ? "FullDisk"
                                              : fault.param == SQLITE_READONLY ? "ReadOnly"
                                                                               : "BadDisk");
                         });

/// A keeper that shares, and another process beside it.
class SharingKeeperTest : public ::testing::Test {
 protected:
  SharingKeeperTest() {
    CheckpointOptions options{.directory = (folder_.path() / "state").string(),
                              .name = "night",
                              .save_interval = 1h,
                              .lease = LeaseOptions{.ttl = 30s}};
    keeper_ = CheckpointKeeper::Open(options, "node", {"/lake", ""}, "all", &clock_, [this] {
                return now();
              }).ValueOrDie();
    record_ = keeper_->ledger()->Recognise(id_, kRows, {});
  }
  lake::MachineTime now() const {
    return {.boot = "first", .since_boot = clock_.Now().time_since_epoch()};
  }
  std::unique_ptr<lake::Checkpoint> JoinAsAnother() {
    return lake::Checkpoint::OpenShared(
               (folder_.path() / "state").string(), "night", {"/lake", ""},
               {.ttl = 30s, .settings = "all", .clock = [this] { return now(); }})
        .ValueOrDie();
  }
  std::vector<lake::LeaseUnit> units() const {
    return {{.key = lake::LeaseStore::UnitOf(id_), .path = id_.path}};
  }
  std::shared_ptr<lake::FileClaim> Claim() {
    const auto leases = keeper_->ledger()->leases()->Acquire(units());
    return keeper_->ledger()->Claim(record_, this);
  }
  bool Acquire(lake::Checkpoint* other, lake::LearntProgress* learnt) {
    return other->Acquire(units(), learnt).ValueOrDie().front();
  }

  FaultyDatabaseFiles files_;
  TemporaryFolder folder_;
  SimulatedClock clock_;
  const lake::FileId id_{.table = otap::TableKind::kLogs,
                         .partition = "_part_id=a",
                         .path = "logs/_part_id=a/1.parquet",
                         .digest = "digest",
                         .size_bytes = 10,
                         .modified_nanos = 1,
                         .number = {},
                         .content = std::nullopt};
  std::shared_ptr<CheckpointKeeper> keeper_;
  lake::FileRecordPtr record_;
};

TEST_F(SharingKeeperTest, WithoutALeaseNothingIsClaimed) {
  EXPECT_EQ(keeper_->ledger()->Claim(record_, this), nullptr);
  const auto other = JoinAsAnother();
  lake::LearntProgress learnt;
  ASSERT_TRUE(Acquire(other.get(), &learnt));
  EXPECT_EQ(Claim(), nullptr);
}

TEST_F(SharingKeeperTest, SendsNothingWhenItsTermIsOverAndSavesNothingOfWhatWasTakenOver) {
  auto claim = Claim();
  ASSERT_NE(claim, nullptr);
  lake::Delivery delivery = claim->Send(0, 0, kRows);
  EXPECT_TRUE(delivery.MayBeSent());
  clock_.Advance(30s);
  EXPECT_FALSE(delivery.MayBeSent());
  const auto other = JoinAsAnother();
  lake::LearntProgress learnt;
  ASSERT_TRUE(Acquire(other.get(), &learnt));
  ASSERT_TRUE(keeper_->RenewWhereDue().ok());
  EXPECT_FALSE(delivery.MayBeSent()) << "the new term is not that of this lease";
  EXPECT_EQ(keeper_->num_leases_lost(), 1);
  delivery.Ack();
  ASSERT_TRUE(keeper_->Save().ok());
  EXPECT_TRUE(other->Load()->empty());
  EXPECT_THAT(keeper_->DescribeLost(), HasSubstr("1 leases were lost"));
}

TEST_F(SharingKeeperTest, ATermThatNobodyHasUsedGoesOnWithARenewal) {
  auto claim = Claim();
  lake::Delivery delivery = claim->Send(0, 0, kRows);
  clock_.Advance(31s);
  EXPECT_FALSE(delivery.MayBeSent());
  ASSERT_TRUE(keeper_->RenewWhereDue().ok());
  EXPECT_TRUE(delivery.MayBeSent());
  EXPECT_EQ(keeper_->num_leases_lost(), 0);
}

TEST_F(SharingKeeperTest, ARenewalThatFailsExtendsNothing) {
  auto claim = Claim();
  lake::Delivery delivery = claim->Send(0, 0, kRows);
  clock_.Advance(11s);
  files_.FailWrites(SQLITE_FULL);
  EXPECT_FALSE(keeper_->RenewWhereDue().ok());
  clock_.Advance(18s);
  EXPECT_TRUE(delivery.MayBeSent());
  clock_.Advance(1s);
  EXPECT_FALSE(delivery.MayBeSent());
  files_.FailWrites(SQLITE_OK);
}

TEST_F(SharingKeeperTest, WhatNobodyUsesAnyMoreIsFreeWithTheSaveThatHasItsProgress) {
  auto claim = Claim();
  claim->Send(0, 0, kRows / 2).Ack();
  ASSERT_TRUE(keeper_->Save().ok());
  const auto other = JoinAsAnother();
  lake::LearntProgress learnt;
  EXPECT_FALSE(Acquire(other.get(), &learnt));
  claim->Send(0, kRows / 2, kRows / 2).Ack();
  claim = nullptr;
  EXPECT_EQ(keeper_->num_leases_held(), 1);
  ASSERT_TRUE(keeper_->Save().ok());
  EXPECT_EQ(keeper_->num_leases_held(), 0);
  EXPECT_TRUE(Acquire(other.get(), &learnt));
  ASSERT_EQ(learnt.files.size(), 1U);
  EXPECT_TRUE(learnt.files[0].is_whole);
}

TEST_F(SharingKeeperTest, LearnsWhatAnotherHasDelivered) {
  {
    const auto other = JoinAsAnother();
    lake::LearntProgress learnt;
    ASSERT_TRUE(Acquire(other.get(), &learnt));
    lake::FileLedger::Changes changes;
    changes.delivered.push_back(
        {.id = id_, .num_rows = kRows, .is_whole = false, .rows = {}, .number = 7});
    changes.delivered.back().rows.Add(0, 0, 40);
    ASSERT_TRUE(other->SaveShared(changes, {}).ok());
  }
  const auto claim = Claim();
  ASSERT_NE(claim, nullptr);
  EXPECT_EQ(claim->Taken().num_rows(), 40);
  claim->Send(0, 40, 60).Ack();
  EXPECT_TRUE(keeper_->ledger()->IsDelivered(record_));
}

}  // namespace
}  // namespace df::nodes::receivers::parquet
