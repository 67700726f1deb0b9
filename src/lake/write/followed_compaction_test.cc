// A tree is followed while its files are compacted: records that were delivered are not new.
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/compute/initialize.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/catalog/set_aside.h"
#include "lake/queue/work_list.h"
#include "lake/write/compaction_journal.h"
#include "lake/write/signal_writer.h"
#include "testing/levelled_lake.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::CanonicalRecords;
using df::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::chrono::seconds kPoll(4);
constexpr int64_t kBegunNanos = 1'000'000;  ///< of all compactions, by their names

class FollowedCompaction : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(arrow::compute::Initialize().ok());
    df::testing::RandomEngine random(51);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 6;
    batches_ = df::testing::RandomBatches(4, otap::Signal::kLogs, shape, random);
    for (size_t i = 0; i < 3; ++i) {
      Write(base(), {batches_[i]});
    }
    options_.signals = {otap::Signal::kLogs};
    list_ = std::make_unique<WorkList>(
        store_, base().string(), options_,
        FollowOptions{.polling_interval = kPoll, .completeness_grace = std::chrono::seconds(1)},
        [this] { return now_; });
  }

  fs::path base() const { return folder_.path() / "lake"; }

  static void Write(const fs::path& base, const std::vector<otap::BatchPtr>& batches) {
    const auto store = MakeLocalStore(base.string());
    df::testing::WriteOutcomes outcomes;
    SignalWriter::Settings settings;
    settings.unix_millis = [] { return int64_t{1'756'000'000'000}; };
    SignalWriter writer(store.get(), otap::Signal::kLogs, std::move(settings), &outcomes);
    for (size_t i = 0; i < batches.size(); ++i) {
      writer.Add(batches[i], i);
    }
    writer.Close(CloseReason::kEnd);
    ASSERT_EQ(outcomes.num_failed, 0);
  }

  static std::vector<std::string> FilesBelow(const fs::path& base) {
    std::vector<std::string> files;
    const auto local = storage::Store::Local();
    const auto listing = ListLake(*local, base.string(), {otap::Signal::kLogs}).ValueOrDie();
    for (const PartitionListing& partition : listing.partitions) {
      for (const auto& table : partition.tables) {
        for (const FileEntry& entry : table) {
          files.push_back(entry.path);
        }
      }
    }
    return files;
  }

  /// Puts one partition in the place of all that are there.
  void Compact(const std::vector<otap::BatchPtr>& batches) {
    Compaction compaction{.id = fmt::format("1-00000000-0000-0000-0000-{:012}", num_compactions_++),
                          .reason = "compact",
                          .old_files = FilesBelow(base())};
    const auto journal = CompactionJournal::Open(base()).ValueOrDie();
    Write(journal->StagingOf(compaction.id), batches);
    compaction.new_files = FilesBelow(journal->StagingOf(compaction.id));
    const Status status = journal->Run(std::move(compaction));
    ASSERT_TRUE(status.ok()) << status;
  }

  /// Takes the work of some polls, and says of so many partitions that they were delivered.
  std::vector<otap::BatchPtr> Take(int num_acked) {
    std::vector<otap::BatchPtr> batches;
    for (int poll = 0; poll < 3; ++poll, now_ += kPoll) {
      while (true) {
        auto taken = list_->Take().ValueOrDie();
        if (!taken.work.has_value()) {
          break;
        }
        const bool is_acked = num_acked-- > 0;
        ReadReport report;
        MemoryBudget budget(options_.memory_limit_bytes);
        for (const PartitionTask& task : taken.work->tasks) {
          auto reader =
              PartitionReader::Make(store_.get(), base().string(), task, options_, &budget, &report)
                  .ValueOrDie();
          while (const auto payload = reader->Next().ValueOrDie()) {
            const Origin& from = payload->origin;
            batches.push_back(payload->batch);
            Delivery delivery =
                task.claims.front()->Send(from.row_group, from.first_row, from.num_rows);
            if (is_acked) {
              delivery.Ack();
            } else {
              delivery.Refuse();
            }
          }
        }
      }
    }
    return batches;
  }

  std::string Problems() const {
    std::string text;
    for (const Problem& problem : list_->Report().problems) {
      text += problem.message + "\n";
    }
    return text;
  }

  TemporaryFolder folder_;
  std::shared_ptr<storage::Store> store_ = storage::Store::Local();
  std::chrono::system_clock::time_point now_ = std::chrono::system_clock::now();
  ReadOptions options_;
  std::vector<otap::BatchPtr> batches_;
  int num_compactions_ = 0;
  std::unique_ptr<WorkList> list_;
};

TEST_F(FollowedCompaction, WhatWasDeliveredIsNotSentOnceMore) {
  const std::vector<otap::BatchPtr> first(batches_.begin(), batches_.begin() + 3);
  EXPECT_EQ(CanonicalRecords(Take(3)), CanonicalRecords(first));
  Compact(first);
  EXPECT_THAT(Take(9), IsEmpty());
  Write(base(), {batches_[3]});
  EXPECT_EQ(CanonicalRecords(Take(9)), CanonicalRecords({batches_[3]}));
  EXPECT_EQ(Problems(), "");
}

TEST_F(FollowedCompaction, OneAfterTheOtherSendsNothingOnceMore) {
  const std::vector<otap::BatchPtr> first(batches_.begin(), batches_.begin() + 3);
  Take(3);
  Compact(first);
  EXPECT_THAT(Take(9), IsEmpty());
  Compact(first);
  EXPECT_THAT(Take(9), IsEmpty());
  // Two between two looks.
  Compact(first);
  Compact(first);
  EXPECT_THAT(Take(9), IsEmpty());
  EXPECT_EQ(Problems(), "");
  // With one that nobody has seen all of it comes again, which is named.
  Write(base(), {batches_[3]});
  Compact(batches_);
  EXPECT_EQ(CanonicalRecords(Take(9)), CanonicalRecords(batches_));
  EXPECT_THAT(Problems(), HasSubstr("of which 1 were delivered"));
}

TEST_F(FollowedCompaction, WhatWasNotDeliveredIsSentAndWhatComesTwiceIsNamed) {
  const std::vector<otap::BatchPtr> first(batches_.begin(), batches_.begin() + 3);
  Take(2);
  Compact(first);
  EXPECT_EQ(CanonicalRecords(Take(9)), CanonicalRecords(first));
  EXPECT_THAT(Problems(), HasSubstr("a compaction has put 1 files in the place of 3, of which 2 "
                                    "were delivered: records of these are sent once more"));
}

TEST_F(FollowedCompaction, WhatNobodyHasTakenIsSentOnceFromTheNewFiles) {
  const std::vector<otap::BatchPtr> first(batches_.begin(), batches_.begin() + 3);
  Compact(first);
  EXPECT_EQ(CanonicalRecords(Take(9)), CanonicalRecords(first));
  EXPECT_EQ(Problems(), "");
}

TEST_F(FollowedCompaction, WhoHasListedTheOldFilesReadsThemToTheEnd) {
  const auto work_of = [&] {
    list_ = std::make_unique<WorkList>(store_, base().string(), options_, FollowOptions{},
                                       [this] { return now_; });
    std::vector<PartitionWork> works;
    while (auto taken = list_->Take().ValueOrDie().work) {
      works.push_back(*std::move(taken));
    }
    return works;
  };
  const auto read = [&](const std::vector<PartitionWork>& works) {
    std::vector<otap::BatchPtr> batches;
    for (const PartitionWork& work : works) {
      ReadReport report;
      MemoryBudget budget(options_.memory_limit_bytes);
      for (const PartitionTask& task : work.tasks) {
        auto reader =
            PartitionReader::Make(store_.get(), base().string(), task, options_, &budget, &report)
                .ValueOrDie();
        while (const auto payload = reader->Next().ValueOrDie()) {
          batches.push_back(payload->batch);
        }
      }
      EXPECT_EQ(report.num_errors(), 0);
    }
    return CanonicalRecords(batches);
  };
  Write(base(), {batches_[3]});
  const std::vector<std::string> expected = CanonicalRecords(batches_);
  auto hold = std::make_unique<BaseHold>(*store_, base().string());
  const std::vector<PartitionWork> listed = work_of();
  Compact(batches_);
  EXPECT_EQ(read(listed), expected);
  EXPECT_EQ(read(work_of()), expected);  // whoever comes later reads the new ones

  const auto num_aside = [&] {
    int64_t count = 0;
    for (const auto& entry : fs::directory_iterator(base() / kCompactionsFolder)) {
      count += entry.path().string().ends_with(kSetAsideEnding) ? 1 : 0;
    }
    return count;
  };
  auto journal = CompactionJournal::Open(base()).ValueOrDie();
  ASSERT_EQ(num_aside(), 1);
  journal->RemoveSetAside(kBegunNanos);  // not older than that
  EXPECT_EQ(num_aside(), 1);
  EXPECT_EQ(read(listed), expected);
  journal->RemoveSetAside(kBegunNanos + 1'000'000);  // whoever still reads is too late
  EXPECT_EQ(num_aside(), 0);

  journal.reset();
  hold.reset();
  Compact(batches_);
  EXPECT_EQ(num_aside(), 0);  // nobody reads: nothing is set aside
}

}  // namespace
}  // namespace df::lake
