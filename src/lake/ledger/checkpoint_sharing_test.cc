#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/ledger/checkpoint.h"
#include "lake/ledger/file_leases.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using namespace std::chrono_literals;
using df::testing::TemporaryFolder;
using ::testing::HasSubstr;

constexpr int64_t kRows = 100;
constexpr std::chrono::nanoseconds kTtl = 30s;

FileId IdOf(int file) {
  return {.table = otap::TableKind::kLogs,
          .partition = "_part_id=a",
          .path = fmt::format("logs/_part_id=a/{}.parquet", file),
          .digest = fmt::format("{:032x}", file),
          .size_bytes = 10 + file,
          .modified_nanos = 1,
          .number = {},
          .content = std::nullopt};
}

std::vector<LeaseUnit> UnitsOf(int file) {
  return {{.key = LeaseStore::UnitOf(IdOf(file)), .path = IdOf(file).path}};
}

/// A change that says that the first rows of a file were delivered.
FileLedger::Changes Delivered(int file, int64_t num_rows, int64_t number) {
  DeliveredFile delivered{
      .id = IdOf(file), .num_rows = kRows, .is_whole = false, .rows = {}, .number = number};
  delivered.rows.Add(0, 0, num_rows);
  FileLedger::Changes changes;
  changes.delivered.push_back(delivered);
  return changes;
}

class SharedCheckpointTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<Checkpoint>> TryJoin(const CheckpointSubject& subject,
                                              const std::string& settings) {
    return Checkpoint::OpenShared(
        folder_.path().string(), "night", subject,
        {.ttl = kTtl, .settings = settings, .clock = [this] { return now_; }});
  }
  std::unique_ptr<Checkpoint> Join() {
    auto joined = TryJoin({"/lake", ""}, "all");
    EXPECT_TRUE(joined.ok()) << joined.status().ToString();
    return *std::move(joined);
  }
  bool Acquire(Checkpoint* checkpoint, int file, LearntProgress* learnt = nullptr) {
    LearntProgress unused;
    const auto held = checkpoint->Acquire(UnitsOf(file), learnt == nullptr ? &unused : learnt);
    EXPECT_TRUE(held.ok()) << held.status().ToString();
    return held->front();
  }

  TemporaryFolder folder_;
  MachineTime now_{.boot = "first", .since_boot = 1000s};
};

TEST_F(SharedCheckpointTest, WhoTakesOverGoesOnFromTheRowsThatWereSaved) {
  const auto first = Join();
  const auto second = Join();
  EXPECT_TRUE(Acquire(first.get(), 1));
  EXPECT_FALSE(Acquire(second.get(), 1));
  ASSERT_TRUE(first->SaveShared(Delivered(1, 40, first->first_number() + 1), {}).ok());
  now_.since_boot += kTtl;
  ASSERT_TRUE(second->Renew().ok());
  LearntProgress learnt;
  EXPECT_TRUE(Acquire(second.get(), 1, &learnt));
  ASSERT_EQ(learnt.files.size(), 1U);
  EXPECT_EQ(learnt.files[0].rows.num_rows(), 40);
  EXPECT_EQ(learnt.files[0].number, first->first_number() + 1);
}

TEST_F(SharedCheckpointTest, WhoWasTakenOverFromSavesNothingOfTheFileAndAllOfOthers) {
  const auto first = Join();
  EXPECT_TRUE(Acquire(first.get(), 1));
  EXPECT_TRUE(Acquire(first.get(), 2));
  now_.since_boot += kTtl;
  const auto second = Join();
  EXPECT_TRUE(Acquire(second.get(), 1));
  ASSERT_TRUE(second->SaveShared(Delivered(1, 70, second->first_number() + 1), {}).ok());
  auto changes = Delivered(1, 100, second->first_number() + 1);
  changes.delivered.push_back(Delivered(2, 30, first->first_number() + 1).delivered.front());
  const auto lost = first->SaveShared(changes, {});
  ASSERT_TRUE(lost.ok());
  EXPECT_EQ(*lost, std::vector<std::string>{UnitsOf(1).front().key});
  const auto files = *second->Load();
  ASSERT_EQ(files.size(), 2U);
  for (const DeliveredFile& file : files) {
    EXPECT_EQ(file.rows.num_rows(), file.id.path == IdOf(1).path ? 70 : 30);
  }
  EXPECT_TRUE(first->SaveShared(Delivered(1, 100, 5), {})->empty()) << "it is named once";
}

TEST_F(SharedCheckpointTest, ALeaseThatIsReleasedWithASaveIsFree) {
  const auto first = Join();
  const auto second = Join();
  EXPECT_TRUE(Acquire(first.get(), 1));
  ASSERT_TRUE(first->SaveShared(Delivered(1, 40, 7), {UnitsOf(1).front().key}).ok());
  EXPECT_TRUE(Acquire(second.get(), 1));
  EXPECT_EQ(first->Renew()->size(), 0U) << "it was given, not lost";
}

TEST_F(SharedCheckpointTest, WhatAnotherIsAtIsNotForgottenAsGone) {
  const auto first = Join();
  const auto second = Join();
  EXPECT_TRUE(Acquire(first.get(), 1));
  ASSERT_TRUE(first->SaveShared(Delivered(1, 40, 7), {}).ok());
  FileLedger::Changes changes;
  changes.forgotten = {7};
  ASSERT_TRUE(second->SaveShared(changes, {}).ok());
  EXPECT_EQ(second->Load()->size(), 1U);
  ASSERT_TRUE(first->SaveShared(changes, {}).ok());
  EXPECT_EQ(second->Load()->size(), 0U);
}

TEST_F(SharedCheckpointTest, AFileThatCannotBeOpenedIsInQuarantineOnce) {
  const auto first = Join();
  const auto second = Join();
  for (const auto* checkpoint : {&first, &second}) {
    FileLedger::Changes changes;
    changes.quarantined.push_back({.number = (*checkpoint)->first_number() + 1,
                                   .path = "logs/_part_id=a/9.parquet",
                                   .size_bytes = 9,
                                   .modified_nanos = 1,
                                   .rows = {},
                                   .reason = "damaged"});
    ASSERT_TRUE((*checkpoint)->SaveShared(changes, {}).ok());
  }
  EXPECT_EQ(first->LoadQuarantine()->size(), 1U);
}

TEST_F(SharedCheckpointTest, WhatOneProcessHadAloneIsKnownToThoseThatShareItNext) {
  {
    const auto alone = *Checkpoint::Open(folder_.path().string(), "night", {"/lake", ""});
    ASSERT_TRUE(alone->Save(Delivered(1, 40, 3)).ok());
  }
  const auto shared = Join();
  const auto learnt = shared->Learn(UnitsOf(1));
  ASSERT_TRUE(learnt.ok());
  ASSERT_EQ(learnt->files.size(), 1U);
  EXPECT_EQ(learnt->files[0].rows.num_rows(), 40);
}

TEST_F(SharedCheckpointTest, IsSharedByAllOrHadByOne) {
  {
    const auto first = Join();
    const auto alone = Checkpoint::Open(folder_.path().string(), "night", {"/lake", ""});
    EXPECT_THAT(alone.status().message(), HasSubstr("other processes share this checkpoint: "));
    EXPECT_TRUE(Checkpoint::OpenToRead(folder_.path().string(), "night").ok());
    const auto other = TryJoin({"/other", ""}, "all");
    EXPECT_THAT(other.status().message(), HasSubstr("it is of '/lake', not of '/other'"));
    const auto logs = TryJoin({"/lake", ""}, "logs");
    EXPECT_THAT(logs.status().message(), HasSubstr("sends all; this one sends logs"));
  }
  const auto alone = Checkpoint::Open(folder_.path().string(), "night", {"/lake", ""});
  ASSERT_TRUE(alone.ok()) << alone.status().ToString();
  const auto second = TryJoin({"/lake", ""}, "all");
  EXPECT_THAT(second.status().message(), HasSubstr("has this checkpoint, and does not share it"));
}

TEST(HeldLeasesTest, ALeaseThatWasLostIsNotTheOneThatComesAfterIt) {
  HeldLeases held;
  bool is_in_term = true;
  const LeasePtr before = held.Add("a", [&is_in_term] { return is_in_term; });
  EXPECT_TRUE(before->MaySend());
  is_in_term = false;
  EXPECT_FALSE(before->MaySend());
  is_in_term = true;
  held.Lose("a");
  EXPECT_FALSE(before->MaySend());
  const LeasePtr after = held.Add("a", [] { return true; });
  EXPECT_TRUE(after->MaySend());
  EXPECT_NE(before, after);
}

}  // namespace
}  // namespace df::lake
