#include "app/commands/compactor.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/commands/item_source.h"
#include "lake/write/sealer.h"
#include "select/selector.h"
#include "testing/levelled_lake.h"
#include "testing/naive_join.h"
#include "testing/tree_replay.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;
using otap::Signal;
using testing::CanonicalRecords;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::kHour;
using testing::kMidnight;
using testing::ReplayTree;
using testing::TemporaryFolder;

int64_t RealNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// A lake of several small partitions in folders of hours, some records without a time.
class CompactorTest : public ::testing::TestWithParam<int> {
 protected:
  CompactorTest() : random_(static_cast<uint64_t>(GetParam())) {
    RecordProperty("seed", GetParam());
    EXPECT_TRUE(arrow::compute::Initialize().ok());
    const auto draw = [this]() -> std::optional<int64_t> {
      return random_() % 20 == 0
                 ? std::nullopt
                 : std::optional(kMidnight + static_cast<int64_t>(random_() % 3) * kHour +
                                 static_cast<int64_t>(random_() % 1000));
    };
    const auto store = lake::MakeLocalStore(base());
    for (int round = 0; round < 3; ++round) {
      for (const Signal signal : otap::kAllSignals) {
        const auto batches = testing::BatchesWithTimes(2, signal, draw, random_);
        batches_.insert(batches_.end(), batches.begin(), batches.end());
        testing::WriteHours(store.get(), batches, 1);
      }
    }
  }

  std::string base() const { return folder_.path().string(); }

  std::unique_ptr<Archive> Open() const {
    ArchivePath path;
    path.base = base();
    auto archive = Archive::Open({.path = std::move(path),
                                  .signals = {otap::kAllSignals.begin(), otap::kAllSignals.end()},
                                  .wishes = {},
                                  .cache = "",
                                  .holds_base = false});  // as who compacts opens it
    EXPECT_TRUE(archive.ok()) << archive.status();
    return *std::move(archive);
  }

  /// The sums of all items, by signal.
  std::vector<otlp::ItemSum> Sums() const {
    const auto archive = Open();
    const auto source = MakeArchiveSource(archive.get());
    std::vector<otlp::ItemSum> sums;
    for (const otlp::ItemDigest& digest :
         DigestItems(source.get(), archive->options().signals).ValueOrDie()) {
      sums.push_back(digest.Sum());
    }
    EXPECT_THAT(archive->Report().problems, IsEmpty());
    return sums;
  }

  /// Compacts everything. Returns how many groups there were.
  size_t Compact(std::optional<lake::TimeLevels> by) {
    const auto archive = Open();
    const auto store = lake::MakeLocalStore(base());
    const auto journal = lake::CompactionJournal::Open(base()).ValueOrDie();
    Compactor compactor(archive.get(), journal.get(), store.get(),
                        {.base = base(), .now_nanos = RealNow});
    CompactionWishes wishes;
    wishes.older_than = std::chrono::nanoseconds(0);
    wishes.by = by;
    const CompactionPlan plan = PlanCompaction(archive->partitions(), wishes, RealNow() + kHour);
    EXPECT_THAT(plan.left, IsEmpty());
    std::vector<PartitionLeft> left;
    for (const CompactionGroup& group : plan.groups) {
      const auto done = compactor.Run(group, &left);
      EXPECT_TRUE(done.ok() && done->has_value()) << done.status();
    }
    for (const PartitionLeft& one : left) {
      ADD_FAILURE() << one.partition << " stays: " << one.reason;
    }
    return plan.groups.size();
  }

  /// What a reader says of the tree once its seals are compared.
  std::vector<std::string> Problems() const {
    const auto archive = Open();
    std::vector<std::string> problems;
    for (const lake::Problem& problem : archive->Report().problems) {
      problems.push_back(problem.message);
    }
    return problems;
  }

  std::vector<fs::path> Seals() const {
    std::vector<fs::path> seals;
    for (const auto& entry : fs::recursive_directory_iterator(folder_.path())) {
      if (entry.path().filename().string().starts_with("_sealed")) {
        seals.push_back(entry.path());
      }
    }
    return seals;
  }

  TemporaryFolder folder_;
  testing::RandomEngine random_;
  std::vector<otap::BatchPtr> batches_;
};

TEST_P(CompactorTest, WhateverFoldersItMakesTheItemsAreTheSame) {
  const std::vector<otlp::ItemSum> before = Sums();
  for (const std::optional<lake::TimeLevels> by :
       {std::optional<lake::TimeLevels>(), std::optional(lake::TimeLevels::kDay),
        std::optional(lake::TimeLevels::kHour), std::optional(lake::TimeLevels::kNone)}) {
    SCOPED_TRACE(by.has_value() ? static_cast<int>(*by) : -1);
    EXPECT_GT(Compact(by), 0U);
    EXPECT_EQ(Sums(), before);
    EXPECT_EQ(Compact(by), 0U) << "again";
  }
  // The last ones stand in one partition, in the order of time.
  const testing::Replayed replayed = ReplayTree(folder_.path(), {});
  std::array<std::vector<int64_t>, otap::kAllSignals.size()> times;
  for (const otap::BatchPtr& batch : replayed.batches) {
    if (batch->signal() != Signal::kMetrics) {
      const auto more = select::EventTimes(*batch->root(), otap::RootTable(batch->signal()));
      auto& all = times[static_cast<size_t>(batch->signal())];
      all.insert(all.end(), more.begin(), more.end());
    }
  }
  for (const std::vector<int64_t>& all : times) {
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  }
  // By another way than digests: metrics have the row of their names in each hour.
  const auto without_metrics = [](std::vector<otap::BatchPtr> batches) {
    std::erase_if(batches,
                  [](const otap::BatchPtr& batch) { return batch->signal() == Signal::kMetrics; });
    return batches;
  };
  EXPECT_EQ(CanonicalRecords(without_metrics(replayed.batches)),
            CanonicalRecords(without_metrics(batches_)));
}

TEST_P(CompactorTest, SealedHoursStaySealed) {
  const auto store = storage::Store::Make({.kind = storage::StoreKind::kLocal, .path = base()});
  lake::Sealer sealer(*store, std::chrono::minutes(30));
  const auto sealed = sealer.Look(RealNow() + 2 * kHour, [] { return false; });
  ASSERT_GT(sealed.num_sealed, 3);
  ASSERT_THAT(Problems(), IsEmpty());
  const size_t num_seals = Seals().size();
  Compact(std::nullopt);
  EXPECT_EQ(Seals().size(), num_seals);
  EXPECT_THAT(Problems(), IsEmpty());
  // They mean what they say: a file that goes now is missed.
  const std::string hour = fmt::format("{}/logs/date=2024-10-04/hour=01", base());
  ASSERT_TRUE(fs::exists(hour));
  for (const auto& entry : fs::directory_iterator(hour)) {
    if (entry.is_directory()) {
      fs::remove_all(entry.path());
    }
  }
  EXPECT_THAT(Problems(), ::testing::Contains(HasSubstr("sealed")));
}

TEST_P(CompactorTest, APartitionWithLessThanWasSealedStays) {
  const auto store = storage::Store::Make({.kind = storage::StoreKind::kLocal, .path = base()});
  lake::Sealer sealer(*store, std::chrono::minutes(30));
  ASSERT_GT(sealer.Look(RealNow() + 2 * kHour, [] { return false; }).num_sealed, 3);
  // A whole set of a partition goes: nothing but the seal knows of it.
  const std::string hour = "date=2024-10-04/hour=01";
  std::string partition;
  for (const auto& entry : fs::directory_iterator(folder_.path() / "logs" / hour)) {
    std::vector<fs::path> roots;
    for (const auto& file :
         fs::directory_iterator(entry.is_directory() ? entry.path() : folder_.path())) {
      if (file.path().extension() == ".parquet") {
        roots.push_back(file.path());
      }
    }
    if (roots.size() > 1) {
      partition = entry.path().filename().string();
      fs::remove(roots.front());
      break;
    }
  }
  ASSERT_FALSE(partition.empty());
  const size_t num_problems = Problems().size();
  EXPECT_GT(num_problems, 0U);
  const auto archive = Open();
  const auto files = lake::MakeLocalStore(base());
  const auto journal = lake::CompactionJournal::Open(base()).ValueOrDie();
  Compactor compactor(archive.get(), journal.get(), files.get(),
                      {.base = base(), .now_nanos = RealNow});
  CompactionWishes wishes;
  wishes.older_than = std::chrono::nanoseconds(0);
  std::vector<PartitionLeft> left;
  for (const CompactionGroup& group :
       PlanCompaction(archive->partitions(), wishes, RealNow() + kHour).groups) {
    ASSERT_TRUE(compactor.Run(group, &left).ok());
  }
  EXPECT_THAT(left, ::testing::Contains(::testing::AllOf(
                        ::testing::Field(&PartitionLeft::partition, hour + "/" + partition),
                        ::testing::Field(&PartitionLeft::is_fault, true))));
  EXPECT_GT(Problems().size(), 0U);
}

TEST_P(CompactorTest, APartitionThatChangesMeanwhileStays) {
  const std::vector<otlp::ItemSum> before = Sums();
  const auto archive = Open();
  const auto store = lake::MakeLocalStore(base());
  const auto journal = lake::CompactionJournal::Open(base()).ValueOrDie();
  CompactionWishes wishes;
  wishes.older_than = std::chrono::nanoseconds(0);
  const CompactionPlan plan = PlanCompaction(archive->partitions(), wishes, RealNow() + kHour);
  const CompactionGroup& group = plan.groups.front();
  const auto file = FilesOf(archive->partitions()[group.partitions.front()]).front();
  const fs::path path = folder_.path() / file->entry.path;
  const fs::path other = path.parent_path() / "part-1-other.parquet";
  // Before the first look at what is in use, and between it and the last.
  int num_looks = 0;
  Compactor compactor(archive.get(), journal.get(), store.get(), {.base = base(), .now_nanos = [&] {
                                                                    if (++num_looks == 2) {
                                                                      fs::copy_file(path, other);
                                                                    }
                                                                    return RealNow();
                                                                  }});
  std::vector<PartitionLeft> left;
  const auto done = compactor.Run(group, &left);
  ASSERT_FALSE(done.ok());
  EXPECT_THAT(done.status().message(), HasSubstr("it was changed while it was compacted"));
  fs::remove(other);
  EXPECT_EQ(Sums(), before);
  EXPECT_TRUE(fs::is_empty(folder_.path() / "_compactions") ||
              !fs::exists(journal->StagingOf("x")));
}

INSTANTIATE_TEST_SUITE_P(Seeds, CompactorTest, ::testing::Values(61, 62, 63));

}  // namespace
}  // namespace df::app
