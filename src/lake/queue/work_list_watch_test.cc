// What a followed tree costs and gives when changes are told.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/catalog/compactions.h"
#include "lake/ledger/file_leases.h"
#include "lake/ledger/file_ledger.h"
#include "lake/queue/work_list.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/scripted_watch.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::system_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

/// Four log files and those of their attributes, staged, each for a partition of the test's own.
class WorkListWatchTest : public ::testing::Test {
 protected:
  WorkListWatchTest()
      : root_(fs::path(::testing::TempDir()) /
              ("work_list_watch_" +
               std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()))) {
    fs::remove_all(root_);
    df::testing::RandomEngine random(1);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 20;
    shape.without_attributes = 0;
    shape.max_attributes = 2;
    const auto batches = df::testing::RandomBatches(4, otap::Signal::kLogs, shape, random);
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.root_rows_per_file = 1;  // one batch a file, in every table
    layout.child_rows_per_file = 1;
    const auto written = df::testing::WriteLake(root_ / "staging", batches, layout, 1).ValueOrDie();
    for (const auto& file : written.files) {
      if (file.table == otap::TableKind::kLogs) {
        logs_.push_back(root_ / "staging" / file.path);
      } else if (file.table == otap::TableKind::kLogAttrs) {
        attributes_.push_back(root_ / "staging" / file.path);
      }
    }
    fs::create_directories(base() / "logs");
    fs::create_directories(base() / "log_attrs");
  }
  ~WorkListWatchTest() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  fs::path base() const { return root_ / "lake"; }
  std::string Folder(const std::string& folder) const { return (base() / folder).string(); }

  /// Makes a staged file visible at a path below the base, which it returns.
  std::string Arrive(const fs::path& staged, const std::string& path) {
    fs::create_directories((base() / path).parent_path());
    fs::copy_file(staged, base() / path, fs::copy_options::overwrite_existing);
    fs::last_write_time(base() / path, std::chrono::file_clock::from_sys(now_));
    return path;
  }

  /// A list that polls once an hour.
  std::unique_ptr<WorkList> Watching(std::chrono::nanoseconds grace = seconds(0)) {
    auto list = std::make_unique<WorkList>(
        storage::Store::Local(), base().string(), ReadOptions(),
        FollowOptions{.polling_interval = hours(1), .completeness_grace = grace},
        [this] { return now_; });
    watch_ = std::make_shared<df::testing::ScriptedWatch>();
    list->UseWatch(watch_);
    return list;
  }

  /// Takes everything; returns the paths of the root files.
  std::vector<std::string> TakeAll(WorkList* list) {
    std::vector<std::string> paths;
    while (true) {
      auto taken = list->Take();
      EXPECT_TRUE(taken.ok()) << taken.status();
      if (!taken.ok() || !taken->work.has_value()) {
        wait_until_ = taken.ok() ? *taken->wait_until : system_clock::time_point();
        return paths;
      }
      std::vector<RootOutcome> outcomes;
      for (const PartitionTask& task : taken->work->tasks) {
        for (const size_t index : task.root_files) {
          const FileSummaryPtr& file = task.files->of(otap::RootTable(task.signal))[index];
          paths.push_back(file->entry.path);
          outcomes.push_back({.file = file, .status = Status::OK(), .rows_emitted = 0});
        }
      }
      list->Done(outcomes, {});
    }
  }

  fs::path root_;
  system_clock::time_point now_ = system_clock::time_point(seconds(1'800'000'000));
  system_clock::time_point wait_until_;
  std::vector<fs::path> logs_;
  std::vector<fs::path> attributes_;
  std::shared_ptr<df::testing::ScriptedWatch> watch_;
};

TEST_F(WorkListWatchTest, AFileThatIsToldOfIsTakenBeforeThePoll) {
  const std::string first = Arrive(logs_[0], "logs/p=1/a.parquet");
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(first));
  EXPECT_EQ(wait_until_, now_ + hours(1));
  const std::string second = Arrive(logs_[1], "logs/p=1/b.parquet");
  EXPECT_THAT(TakeAll(list.get()), IsEmpty()) << "nobody has told";
  watch_->TellFile(Folder("logs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(second));
  EXPECT_EQ(list->looks().trees, 1);
  EXPECT_EQ(list->looks().partitions, 1);
  watch_->TellFile(Folder("logs/p=1"));  // the same once more
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  now_ += hours(1);
  EXPECT_THAT(TakeAll(list.get()), IsEmpty()) << "the poll has seen it, too";
  EXPECT_EQ(list->looks().trees, 2);
}

TEST_F(WorkListWatchTest, WhatNobodyTellsOfIsFoundByThePoll) {
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  const std::string lost = Arrive(logs_[0], "logs/p=1/a.parquet");
  now_ += hours(1);
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(lost));
  watch_->TellFolder(Folder("logs/p=1"));  // late
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
}

TEST_F(WorkListWatchTest, FoldersThatComeAreWatchedAndWhatTheyHoldIsTaken) {
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  const std::string outer = Arrive(logs_[0], "logs/p=1/a.parquet");
  const std::string inner = Arrive(logs_[1], "logs/p=1/q=2/b.parquet");
  watch_->TellFolder(Folder("logs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), UnorderedElementsAre(outer, inner));
  EXPECT_TRUE(watch_->IsAdded(Folder("logs/p=1")));
  EXPECT_TRUE(watch_->IsAdded(Folder("logs/p=1/q=2")));
  EXPECT_EQ(list->looks().trees, 1);
}

TEST_F(WorkListWatchTest, ATableThatComesHasEverythingListed) {
  fs::remove(base() / "log_attrs");
  const std::string file = Arrive(logs_[0], "logs/p=1/a.parquet");
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(file));
  Arrive(attributes_[0], "log_attrs/p=1/a.parquet");
  watch_->TellFolder(Folder("log_attrs"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  EXPECT_EQ(list->looks().trees, 2);
  EXPECT_TRUE(watch_->IsAdded(Folder("log_attrs/p=1")));
}

TEST_F(WorkListWatchTest, AfterAnOverflowEverythingIsListed) {
  const std::string first = Arrive(logs_[0], "logs/p=1/a.parquet");
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(first));
  const std::string second = Arrive(logs_[1], "logs/p=1/b.parquet");
  const std::string third = Arrive(logs_[2], "logs/p=2/c.parquet");
  watch_->Overflow();
  EXPECT_THAT(TakeAll(list.get()), UnorderedElementsAre(second, third));
  EXPECT_EQ(list->looks().trees, 2);
  watch_->Overflow();
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  ASSERT_EQ(list->Report().notices.size(), 1U) << "it is named once";
  EXPECT_THAT(list->Report().notices[0].message, HasSubstr("more has changed at once"));
}

/// Directories that one change has listed, in a tree of so many other partitions.
int64_t DirectoriesPerChange(WorkList* list, df::testing::ScriptedWatch* watch,
                             const std::string& folder,
                             const std::function<std::vector<std::string>()>& take_all) {
  const int64_t before = watch->num_adds();
  watch->TellFile(folder);
  EXPECT_EQ(take_all().size(), 1U);
  EXPECT_EQ(list->looks().trees, 1);
  return watch->num_adds() - before;
}

TEST_F(WorkListWatchTest, AChangeCostsTheSameInTreesOfAnySize) {
  std::vector<int64_t> costs;
  for (const int num_partitions : {1, 50}) {
    fs::remove_all(base());
    for (int i = 0; i < num_partitions; ++i) {
      Arrive(logs_[0], fmt::format("logs/p={}/a.parquet", i));
      Arrive(attributes_[0], fmt::format("log_attrs/p={}/a.parquet", i));
    }
    const auto list = Watching();
    EXPECT_EQ(TakeAll(list.get()).size(), static_cast<size_t>(num_partitions));
    Arrive(logs_[1], "logs/p=0/b.parquet");
    costs.push_back(DirectoriesPerChange(list.get(), watch_.get(), Folder("logs/p=0"),
                                         [&] { return TakeAll(list.get()); }));
  }
  EXPECT_EQ(costs[0], costs[1]);
  EXPECT_GT(costs[0], 0);
}

TEST_F(WorkListWatchTest, WhatIsHeldBackIsTakenWhenItMayBeReadNotAtTheNextPoll) {
  const auto list = Watching(seconds(10));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  const std::string file = Arrive(logs_[0], "logs/p=1/a.parquet");
  watch_->TellFolder(Folder("logs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty()) << "its attributes may still come";
  EXPECT_EQ(list->num_held_back(), 1);
  EXPECT_EQ(wait_until_, now_ + seconds(10));
  now_ += seconds(6);
  Arrive(attributes_[3], "log_attrs/p=1/d.parquet");  // the partition is not quiet yet
  watch_->TellFolder(Folder("log_attrs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  now_ += seconds(9);
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  now_ += seconds(1);
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(file));
  EXPECT_EQ(list->num_held_back(), 0);
  EXPECT_EQ(list->looks().trees, 1);
}

TEST_F(WorkListWatchTest, FilesThatGetAnotherNameOrAreMovedByACopyAreNotTakenAgain) {
  const std::string file = Arrive(logs_[0], "logs/p=1/a.parquet");
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(file));
  fs::rename(base() / file, base() / "logs/p=1/renamed.parquet");
  watch_->TellFile(Folder("logs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  fs::copy_file(base() / "logs/p=1/renamed.parquet", base() / "logs/p=1/.copy");
  fs::remove(base() / "logs/p=1/renamed.parquet");
  fs::rename(base() / "logs/p=1/.copy", base() / "logs/p=1/moved.parquet");
  watch_->TellFile(Folder("logs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  now_ += hours(1);
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  EXPECT_EQ(list->num_delivered_before(), 0);
  EXPECT_EQ(list->Report().num_errors(), 0);
}

TEST_F(WorkListWatchTest, AFileThatIsWrittenAnewIsTakenAgain) {
  const std::string file = Arrive(logs_[0], "logs/p=1/a.parquet");
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(file));
  now_ += seconds(3);
  Arrive(logs_[1], "logs/p=1/a.parquet");
  watch_->TellFile(Folder("logs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(file));
}

TEST_F(WorkListWatchTest, ChildrenThatComeTooLateAreNamedWhenTheyAreToldOf) {
  const std::string file = Arrive(logs_[0], "logs/p=1/a.parquet");
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(file));
  Arrive(attributes_[0], "log_attrs/p=1/a.parquet");
  watch_->TellFolder(Folder("log_attrs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  ASSERT_EQ(list->Report().problems.size(), 1U);
  EXPECT_THAT(list->Report().problems[0].message, HasSubstr("the file came after records"));
  EXPECT_GT(list->Report().late_rows, 0);
}

/// Looks at other partitions lie between the two names of the file.
TEST_F(WorkListWatchTest, AChildThatIsRenamedIsNotLate) {
  Arrive(attributes_[0], "log_attrs/p=1/a.parquet");
  const std::string file = Arrive(logs_[0], "logs/p=1/a.parquet");
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(file));
  for (int i = 0; i < 3; ++i) {
    const std::string other = Arrive(logs_[i + 1], fmt::format("logs/p=2/{}.parquet", i));
    watch_->TellFolder(Folder("logs/p=2"));
    EXPECT_THAT(TakeAll(list.get()), ElementsAre(other));
  }
  fs::rename(base() / "log_attrs/p=1/a.parquet", base() / "log_attrs/p=1/b.parquet");
  watch_->TellFile(Folder("log_attrs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  EXPECT_EQ(list->Report().late_rows, 0);
  EXPECT_EQ(list->Report().num_errors(), 0);
}

TEST_F(WorkListWatchTest, TreesWithLinksAreLeftToThePollAndNamed) {
  const std::string file = Arrive(logs_[0], "logs/p=1/a.parquet");
  fs::create_directories(root_ / "elsewhere");
  fs::create_directory_symlink(root_ / "elsewhere", base() / "logs/p=2");
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(file));
  const std::string second = Arrive(logs_[1], "logs/p=1/b.parquet");
  watch_->TellFile(Folder("logs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  now_ += hours(1);
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(second));
  ASSERT_EQ(list->Report().notices.size(), 1U);
  EXPECT_THAT(list->Report().notices[0].message, HasSubstr("found by polling only"));
}

TEST_F(WorkListWatchTest, FoldersThatAreNotWatchedAreNamedOnceAndPolled) {
  const auto list = Watching();
  watch_->Miss(storage::WatchGap::kLimit, "no more may be watched");
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  now_ += hours(1);
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  ASSERT_EQ(list->Report().notices.size(), 1U);
  EXPECT_THAT(list->Report().notices[0].message, HasSubstr("no more may be watched"));
  EXPECT_EQ(list->Report().num_errors(), 0);
}

/// Files that a compaction is moving to their places do not count, no matter who tells of them.
TEST_F(WorkListWatchTest, FilesThatACompactionIsMovingAreNotTaken) {
  const std::string file = Arrive(logs_[0], "logs/p=1/a.parquet");
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(file));
  Compaction compaction;
  compaction.id = "20261130T000000-0001";
  compaction.reason = "compact";
  compaction.old_files = {file};
  compaction.new_files = {"logs/p=1/new.parquet"};
  fs::create_directories(base() / kCompactionsFolder);
  std::ofstream(base() / kCompactionsFolder /
                CompactionName(compaction.id, CompactionStage::kMoving))
      << WriteCompaction(compaction);
  Arrive(logs_[1], "logs/p=1/new.parquet");
  watch_->TellFile(Folder("logs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  EXPECT_EQ(list->looks().trees, 2);
}

TEST_F(WorkListWatchTest, APartitionThatVanishesIsNoProblem) {
  const std::string file = Arrive(logs_[0], "logs/p=1/a.parquet");
  const auto list = Watching();
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(file));
  fs::remove_all(base() / "logs/p=1");
  watch_->TellFile(Folder("logs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  Arrive(logs_[0], "logs/p=1/a.parquet");
  watch_->TellFolder(Folder("logs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty()) << "it was put back";
  EXPECT_EQ(list->Report().num_errors(), 0);
}

/// A look is followed by a pause of nine times as long, so that changes never take all of a thread.
TEST_F(WorkListWatchTest, LooksTakeAShareOfTheTime) {
  Arrive(logs_[0], "logs/p=1/a.parquet");
  const auto list = Watching();
  EXPECT_EQ(TakeAll(list.get()).size(), 1U);
  const int64_t num_adds = watch_->num_adds();
  watch_->DuringAdd([this] { now_ += milliseconds(2); });
  Arrive(logs_[1], "logs/p=1/b.parquet");
  watch_->TellFile(Folder("logs/p=1"));
  EXPECT_EQ(TakeAll(list.get()).size(), 1U);
  const auto pause = 9 * (watch_->num_adds() - num_adds) * milliseconds(2);
  Arrive(logs_[2], "logs/p=1/c.parquet");
  watch_->TellFile(Folder("logs/p=1"));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  EXPECT_EQ(wait_until_, now_ + pause);
  now_ += pause;
  EXPECT_EQ(TakeAll(list.get()).size(), 1U);
}

TEST_F(WorkListWatchTest, AWaitEndsWithAChangeThatCameAfterTheLook) {
  const auto list = Watching();
  auto taken = list->Take().ValueOrDie();
  ASSERT_FALSE(taken.work.has_value());
  watch_->TellFile(Folder("logs/p=1"));
  list->Wait(taken, [] { return false; });  // would take an hour
  taken = list->Take().ValueOrDie();
  list->Wait(taken, [] { return true; });
}

/// Leases that other processes have, until they let go of them.
class LeasesOfOthers final : public LeaseProvider {
 public:
  Status Learn(const std::vector<LeaseUnit>& /*units*/) override { return Status::OK(); }
  Result<std::vector<LeasePtr>> Acquire(const std::vector<LeaseUnit>& units) override {
    std::vector<LeasePtr> leases;
    for (const LeaseUnit& unit : units) {
      if (are_free) {
        leases.push_back(held_.Add(unit.key, [] { return true; }));
      }
    }
    return leases;
  }
  const HeldLeases& held() const override { return held_; }

  bool are_free = false;

 private:
  HeldLeases held_;
};

TEST_F(WorkListWatchTest, WhatAnotherProcessHasIsAskedForAgainBeforeThePoll) {
  LeasesOfOthers leases;
  const auto ledger = std::make_shared<FileLedger>();
  ledger->ShareBy(&leases, 0);
  const std::string path = Arrive(logs_[0], "logs/p=1/a.parquet");
  const auto list = Watching();
  list->UseLedger(ledger);
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  EXPECT_LT(wait_until_, now_ + seconds(1)) << "nothing in the tree tells when it is free";
  now_ += seconds(1);
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  EXPECT_LT(wait_until_, now_ + seconds(1));
  leases.are_free = true;
  now_ += seconds(1);
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(path));
}

}  // namespace
}  // namespace df::lake
