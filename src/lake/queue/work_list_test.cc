#include "lake/queue/work_list.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include <arrow/filesystem/localfs.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/catalog/readiness.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using std::chrono::system_clock;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// A lake that files arrive in, and a clock that the test turns. Files are made in a staging folder
/// first.
class WorkListTest : public ::testing::Test {
 protected:
  WorkListTest() {
    std::string pattern = (fs::temp_directory_path() / "work-list-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
    fs::create_directories(base());
    df::testing::RandomEngine random(1);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 20;
    shape.without_attributes = 0;
    shape.max_attributes = 2;
    const auto batches = df::testing::RandomBatches(3, otap::Signal::kLogs, shape, random);
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.root_rows_per_file = 1;  // one batch a file, in every table
    layout.child_rows_per_file = 1;
    const auto written = df::testing::WriteLake(root_ / "staging", batches, layout, 1).ValueOrDie();
    for (const auto& file : written.files) {
      if (file.table == otap::TableKind::kLogs) {
        logs_.push_back(file.path);
      } else if (file.table == otap::TableKind::kLogAttrs) {
        attributes_.push_back(file.path);
      }
    }
  }
  ~WorkListTest() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  fs::path base() const { return root_ / "lake"; }

  /// Makes a staged file visible, `age` before now.
  void Arrive(const std::string& path, system_clock::duration age = seconds(0)) {
    fs::create_directories((base() / path).parent_path());
    fs::copy_file(root_ / "staging" / path, base() / path, fs::copy_options::overwrite_existing);
    Touch(path, age);
  }
  void Touch(const std::string& path, system_clock::duration age) {
    const auto when = std::chrono::file_clock::from_sys(now_ - age);
    fs::last_write_time(base() / path, when);
  }

  std::unique_ptr<WorkList> Following(ReadOptions read = {},
                                      std::chrono::nanoseconds grace = seconds(0)) {
    return std::make_unique<WorkList>(
        storage::Store::Local(), base().string(), read,
        FollowOptions{.polling_interval = seconds(5), .completeness_grace = grace},
        [this] { return now_; });
  }

  /// Lets the next poll come and takes everything; returns the paths of the root files.
  std::vector<std::string> Poll(WorkList* list) {
    now_ += seconds(5);
    return TakeAll(list);
  }
  /// With a ledger everything that is taken arrives.
  std::vector<std::string> TakeAll(WorkList* list, FileLedger* ledger = nullptr) {
    std::vector<std::string> paths;
    while (true) {
      auto taken = list->Take();
      EXPECT_TRUE(taken.ok()) << taken.status();
      if (!taken.ok() || !taken->work.has_value()) {
        return paths;
      }
      std::vector<RootOutcome> outcomes;
      for (const PartitionTask& task : taken->work->tasks) {
        for (const size_t index : task.root_files) {
          const FileSummaryPtr& file = task.files->of(otap::RootTable(task.signal))[index];
          paths.push_back(file->entry.path);
          if (ledger != nullptr) {
            for (const auto& claim : task.claims) {
              ledger->MarkDelivered(claim->record());
            }
          }
          outcomes.push_back({.file = file, .status = next_status_, .rows_emitted = 0});
        }
      }
      list->Done(outcomes, {});
    }
  }

  fs::path root_;
  system_clock::time_point now_ = system_clock::time_point(seconds(1'800'000'000));
  std::vector<std::string> logs_;
  std::vector<std::string> attributes_;
  Status next_status_;
};

TEST_F(WorkListTest, OnceGivesEverythingAndEnds) {
  Arrive(logs_[0]);
  Arrive(logs_[1]);
  WorkList list(storage::Store::Local(), base().string(), {}, {}, [this] { return now_; });
  EXPECT_THAT(TakeAll(&list), ElementsAre(logs_[0], logs_[1]));
  const auto end = list.Take().ValueOrDie();
  EXPECT_FALSE(end.work.has_value());
  EXPECT_FALSE(end.wait_until.has_value());
}

/// A pattern that was written wrongly must not look like an empty archive.
TEST_F(WorkListTest, OnceNamesPatternsThatWantNoPartition) {
  Arrive(logs_[0]);
  ReadOptions read;
  read.wants_partition = [](const std::string&) { return false; };
  WorkList list(storage::Store::Local(), base().string(), read, {}, [this] { return now_; });
  EXPECT_THAT(TakeAll(&list), IsEmpty());
  EXPECT_EQ(list.num_unwanted(), 1);
  ASSERT_EQ(list.Report().problems.size(), 1U);
  EXPECT_EQ(list.Report().problems[0].message, "select.partitions wants none of 1 partitions");
  const auto following = Following(read);
  EXPECT_THAT(TakeAll(following.get()), IsEmpty());
  EXPECT_EQ(following->Report().num_errors(), 0) << "a partition may still come";
}

TEST_F(WorkListTest, OnceRefusesABaseThatIsNotThere) {
  WorkList list(storage::Store::Local(), (root_ / "nowhere").string(), {}, {},
                [this] { return now_; });
  const auto taken = list.Take();
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(KindOf(taken.status()), ErrorKind::kFileDiscovery);
  EXPECT_TRUE(IsPermanent(taken.status()));
  EXPECT_FALSE(list.Take().ok()) << "an empty list would look as if everything had been replayed";
}

TEST_F(WorkListTest, AClockThatIsSetBackDoesNotKeepThePollAway) {
  Arrive(logs_[0]);
  const auto list = Following();
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(logs_[0]));
  now_ -= std::chrono::hours(1);
  Arrive(logs_[1]);
  EXPECT_THAT(TakeAll(list.get()), ElementsAre(logs_[1]));
}

/// Lists only when it is let.
class HeldFileSystem final : public arrow::fs::LocalFileSystem {
 public:
  using arrow::fs::LocalFileSystem::GetFileInfo;
  arrow::Result<arrow::fs::FileInfoVector> GetFileInfo(
      const arrow::fs::FileSelector& selector) override {
    if (!has_begun_.try_wait()) {
      has_begun_.count_down();
    }
    may_go_on_.wait();
    return arrow::fs::LocalFileSystem::GetFileInfo(selector);
  }
  void AwaitBegin() { has_begun_.wait(); }
  void LetGoOn() { may_go_on_.count_down(); }

 private:
  std::latch has_begun_{1};
  std::latch may_go_on_{1};
};

TEST_F(WorkListTest, NobodyWaitsForAListing) {
  Arrive(logs_[0]);
  const auto slow = std::make_shared<HeldFileSystem>();
  WorkList list(storage::Store::Over({.kind = storage::StoreKind::kS3}, {}, slow), base().string(),
                {}, {}, [this] { return now_; });
  std::vector<std::string> taken;
  std::thread taker([&] { taken = TakeAll(&list); });
  slow->AwaitBegin();
  auto report = std::async(std::launch::async, [&] { return list.Report(); });
  EXPECT_EQ(report.wait_for(seconds(20)), std::future_status::ready);
  slow->LetGoOn();
  taker.join();
  EXPECT_THAT(taken, ElementsAre(logs_[0]));
}

TEST_F(WorkListTest, WhatIsGivenBackComesOnceMore) {
  Arrive(logs_[0]);
  WorkList list(storage::Store::Local(), base().string(), {}, {}, [this] { return now_; });
  const auto first = list.Take().ValueOrDie();
  ASSERT_TRUE(first.work.has_value());
  EXPECT_FALSE(list.Take().ValueOrDie().work.has_value());
  list.GiveBack(*first.work, true);
  EXPECT_EQ(list.num_lost(), 1);
  const auto again = list.Take().ValueOrDie();
  ASSERT_TRUE(again.work.has_value());
  EXPECT_EQ(again.work->files, first.work->files);
  EXPECT_EQ(again.work->tasks.size(), first.work->tasks.size());
  EXPECT_EQ(list.num_lost(), 0);
  EXPECT_FALSE(list.Take().ValueOrDie().work.has_value());
  list.GiveBack(*first.work, false);
  EXPECT_EQ(list.num_lost(), 0);
}

TEST_F(WorkListTest, FollowingWaitsForABaseThatIsNotThere) {
  fs::remove_all(base());
  const auto list = Following();
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  EXPECT_EQ(list->Report().num_errors(), 1);
  Arrive(logs_[0], seconds(60));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
  EXPECT_EQ(list->Report().num_errors(), 1);
}

TEST_F(WorkListTest, ListsOnlyWhenTheIntervalIsOver) {
  const auto list = Following();
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  Arrive(logs_[0], seconds(60));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty()) << "before its time";
  EXPECT_EQ(*list->Take()->wait_until, now_ + seconds(5));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
}

TEST_F(WorkListTest, EveryFileComesOnceOverManyPolls) {
  const auto list = Following();
  for (size_t i = 0; i < 3; ++i) {
    Arrive(attributes_[i], seconds(60));
    Arrive(logs_[i], seconds(60));
    EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[i]));
    EXPECT_THAT(Poll(list.get()), IsEmpty());
  }
}

TEST_F(WorkListTest, ARenamedFileIsNotNewARewrittenOneIs) {
  const auto list = Following();
  Arrive(logs_[0], seconds(60));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
  const std::string renamed = logs_[0].substr(0, logs_[0].size() - 8) + "-b.parquet";
  fs::rename(base() / logs_[0], base() / renamed);
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  fs::copy_file(root_ / "staging" / logs_[1], base() / renamed,
                fs::copy_options::overwrite_existing);
  Touch(renamed, seconds(60));
  EXPECT_THAT(Poll(list.get()), ElementsAre(renamed));
  EXPECT_THAT(Poll(list.get()), IsEmpty());
}

TEST_F(WorkListTest, ACopyBesideItsOriginalIsOneMore) {
  const auto list = Following();
  Arrive(logs_[0], seconds(60));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
  const std::string copy = logs_[0].substr(0, logs_[0].size() - 8) + "-copy.parquet";
  fs::copy_file(base() / logs_[0], base() / copy);
  Touch(copy, seconds(60));
  EXPECT_THAT(Poll(list.get()).size(), 1U);
  EXPECT_THAT(Poll(list.get()), IsEmpty());
}

TEST_F(WorkListTest, AHalfWrittenFileIsWaitedForAndThenSentOnce) {
  const auto list = Following({}, seconds(10));
  Arrive(logs_[0]);
  fs::resize_file(base() / logs_[0], 100);
  Touch(logs_[0], seconds(0));
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_EQ(list->Report().num_errors(), 0) << "it may still be being written";
  Arrive(logs_[0]);
  Arrive(attributes_[0]);
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
  EXPECT_EQ(list->Report().num_errors(), 0);
}

TEST_F(WorkListTest, AFileThatStaysBrokenIsNamedOnce) {
  const auto list = Following({}, seconds(10));
  Arrive(logs_[0]);
  fs::resize_file(base() / logs_[0], 100);
  Touch(logs_[0], seconds(0));
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(Poll(list.get()), IsEmpty());
  }
  const ReadReport report = list->Report();
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_EQ(report.problems[0].count, 1);
  EXPECT_THAT(report.problems[0].message, HasSubstr(logs_[0]));
}

TEST_F(WorkListTest, ARootWaitsForItsChildrenOrForTheGrace) {
  const auto list = Following({}, seconds(10));
  Arrive(logs_[0]);
  EXPECT_THAT(TakeAll(list.get()), IsEmpty()) << "its attributes may still come";
  EXPECT_EQ(list->num_held_back(), 1);
  Arrive(attributes_[0]);
  EXPECT_THAT(Poll(list.get()), IsEmpty()) << "nothing says that no more will come";
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0])) << "quiet for the grace";
  EXPECT_EQ(list->num_held_back(), 0);

  Arrive(logs_[1]);
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[1])) << "ten seconds are the grace";
}

TEST_F(WorkListTest, MinFileAgeHoldsRootsAndWhatYoungChildrenBelongTo) {
  ReadOptions read;
  read.min_file_age = seconds(7);
  const auto list = Following(read, seconds(0));
  Arrive(logs_[0], seconds(60));
  Arrive(attributes_[0]);
  EXPECT_THAT(Poll(list.get()), IsEmpty()) << "the child is 5 s old";
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
  Arrive(logs_[1]);
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[1]));
}

TEST_F(WorkListTest, YoungChildrenHoldRootsOfATreeThatIsReadOnce) {
  ReadOptions read;
  read.min_file_age = seconds(7);
  WorkList list(storage::Store::Local(), base().string(), read, {}, [this] { return now_; });
  Arrive(logs_[0], seconds(60));
  Arrive(attributes_[0]);
  EXPECT_THAT(TakeAll(&list), IsEmpty());
  EXPECT_EQ(list.num_held_back(), 1);
}

TEST_F(WorkListTest, AWriterThatIsNeverQuietHoldsARootForSixLeastAgesOnly) {
  ReadOptions read;
  read.min_file_age = seconds(7);
  const auto list = Following(read, seconds(0));
  Arrive(logs_[0], seconds(60));
  const fs::path folder = fs::path(attributes_[0]).parent_path();
  fs::create_directories(base() / folder);
  int polls = 0;
  do {
    const fs::path copy = folder / ("part-9-" + std::to_string(polls++) + ".parquet");
    fs::copy_file(root_ / "staging" / attributes_[0], base() / copy);
    Touch(copy.string(), seconds(0));
  } while (Poll(list.get()).empty() && polls < 20);
  EXPECT_EQ(polls, 7 * kMostGraces / 5 + 2) << "a poll is 5 s; held since the first";
}

TEST_F(WorkListTest, ChildrenWithoutAnyRootAreCountedAfterTheGrace) {
  const auto list = Following({}, seconds(10));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  Arrive(attributes_[0]);
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_EQ(list->Report().num_errors(), 0) << "the records may still come";
  for (int i = 0; i < 4; ++i) {
    EXPECT_THAT(Poll(list.get()), IsEmpty());
  }
  const ReadReport report = list->Report();
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_THAT(report.problems[0].message, HasSubstr("no file of the records"));
  EXPECT_GT(report.table(otap::TableKind::kLogAttrs).dropped(DropReason::kOrphan), 0);

  Arrive(logs_[0]);
  std::vector<std::string> sent;
  for (int i = 0; i < 4; ++i) {
    const auto polled = Poll(list.get());
    sent.insert(sent.end(), polled.begin(), polled.end());
  }
  EXPECT_THAT(sent, ElementsAre(logs_[0]));
  EXPECT_EQ(list->Report().num_errors(), 0) << "what was missing has come";
}

TEST_F(WorkListTest, ChildrenWhoseParentsDoNotComeAreCountedAfterTheGrace) {
  const auto list = Following({}, seconds(10));
  Arrive(logs_[0]);
  Arrive(attributes_[0]);
  Arrive(attributes_[1]);
  std::vector<std::string> sent;
  const auto poll = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const auto polled = Poll(list.get());
      sent.insert(sent.end(), polled.begin(), polled.end());
    }
  };
  poll(2);
  EXPECT_EQ(list->Report().num_errors(), 0) << "the records may still come";
  poll(6);
  EXPECT_THAT(sent, ElementsAre(logs_[0]));
  const ReadReport report = list->Report();
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_EQ(report.problems[0].count, 1);
  EXPECT_EQ(report.problems[0].kind, ErrorKind::kMissingFile);
  EXPECT_THAT(report.problems[0].message,
              AllOf(HasSubstr(" rows of log_attrs whose parent_id names no row of logs (ids "),
                    HasSubstr("partition=_part_id="), HasSubstr("file=" + attributes_[1])));
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  EXPECT_EQ(
      report.table(otap::TableKind::kLogAttrs).dropped(DropReason::kOrphan),
      Summarise(local, base().string(), {.path = attributes_[1]}, otap::TableKind::kLogAttrs, "")
          .ValueOrDie()
          ->num_rows());
  EXPECT_TRUE(report.CheckConservation().ok());

  // A name that changes is nothing new.
  const std::string renamed = attributes_[1].substr(0, attributes_[1].size() - 8) + "-b.parquet";
  fs::rename(base() / attributes_[1], base() / renamed);
  poll(6);
  EXPECT_EQ(list->Report().table(otap::TableKind::kLogAttrs).dropped(DropReason::kOrphan),
            report.table(otap::TableKind::kLogAttrs).dropped(DropReason::kOrphan));

  Arrive(logs_[1]);
  poll(8);
  EXPECT_THAT(sent, ElementsAre(logs_[0], logs_[1]));
  EXPECT_EQ(list->Report().num_errors(), 0) << "what was missing has come";
}

TEST_F(WorkListTest, AFileThatVanishesCostsNothing) {
  const auto list = Following();
  Arrive(logs_[0], seconds(60));
  Arrive(logs_[1], seconds(60));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0], logs_[1]));
  fs::remove(base() / logs_[0]);
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_EQ(list->Report().num_errors(), 0);
}

TEST_F(WorkListTest, AReadThatMayPassIsTriedAgainButNotForEver) {
  const auto list = Following();
  Arrive(logs_[0], seconds(60));
  next_status_ = MakeError(ErrorKind::kIo, "busy", {}, /*retryable=*/true);
  for (int i = 1; i < WorkList::kMaxAttempts; ++i) {
    EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0])) << i;
  }
  EXPECT_THAT(Poll(list.get()), IsEmpty()) << "8 s after the fourth attempt";
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(Poll(list.get()), IsEmpty());
  }
}

TEST_F(WorkListTest, OtherRootsOfThePartitionMakeATaskPartial) {
  const auto list = Following();
  Arrive(logs_[0], seconds(60));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
  Arrive(logs_[1], seconds(60));
  now_ += seconds(5);
  const auto taken = list->Take().ValueOrDie();
  ASSERT_TRUE(taken.work.has_value());
  EXPECT_TRUE(taken.work->tasks.at(0).is_partial);
}

TEST_F(WorkListTest, ATouchedOrRenamedFileIsNotNewHoweverLateItIsTouched) {
  const auto list = Following();
  Arrive(logs_[0], seconds(60));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
  for (int i = 0; i < 150; ++i) {
    EXPECT_THAT(Poll(list.get()), IsEmpty());
  }
  Touch(logs_[0], seconds(1));
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  const std::string renamed = logs_[0].substr(0, logs_[0].size() - 8) + "-b.parquet";
  fs::rename(base() / logs_[0], base() / renamed);
  EXPECT_THAT(Poll(list.get()), IsEmpty());
}

TEST_F(WorkListTest, AFileWithTheFooterOfAnotherAndOtherBytesIsNew) {
  const auto list = Following();
  Arrive(logs_[0], seconds(60));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
  // A byte in the middle: size and footer stay.
  std::fstream file(base() / logs_[0], std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(40);
  const auto byte = static_cast<char>(file.get() ^ 1);
  file.seekp(40);
  file.put(byte);
  file.close();
  Touch(logs_[0], seconds(30));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
  EXPECT_THAT(Poll(list.get()), IsEmpty());
}

TEST_F(WorkListTest, AClockAheadDelaysNothingForLongerThanTheAgeAskedFor) {
  ReadOptions read;
  read.min_file_age = seconds(7);
  const auto list = Following(read, seconds(10));
  Arrive(attributes_[0], -std::chrono::hours(1));
  Arrive(logs_[0], -std::chrono::hours(1));
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  const ReadReport report = list->Report();
  ASSERT_EQ(report.notices.size(), 2U) << "one a table, at once";
  EXPECT_THAT(report.notices[0].message, HasSubstr("ahead of the clock"));
  EXPECT_EQ(report.num_errors(), 0);
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
}

TEST_F(WorkListTest, AFileThatKeepsItsOldTimeIsAsOldAsItsArrival) {
  const auto list = Following({}, seconds(10));
  EXPECT_THAT(TakeAll(list.get()), IsEmpty());
  Arrive(logs_[0], std::chrono::hours(24));  // as cp -p and rsync -t leave it
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  Arrive(attributes_[0], std::chrono::hours(24));
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
}

TEST_F(WorkListTest, APartitionThatNeverRestsHoldsARootForSixGracesOnly) {
  const auto list = Following({}, seconds(10));
  Arrive(logs_[0]);
  int polls = 0;
  std::vector<std::string> taken;
  while (taken.empty() && polls < 100) {
    Arrive(attributes_[static_cast<size_t>(polls++) % 3]);
    taken = Poll(list.get());
  }
  EXPECT_THAT(taken, ElementsAre(logs_[0]));
  EXPECT_EQ(polls, kMostGraces * 10 / 5) << "a poll is 5 s";
}

TEST_F(WorkListTest, ChildrenThatComeAfterTheirParentsWentOutAreCountedAndNamed) {
  const auto list = Following({}, seconds(0));
  Arrive(logs_[0], seconds(60));
  Arrive(logs_[1], seconds(60));
  Arrive(attributes_[1], seconds(60));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0], logs_[1]));
  EXPECT_EQ(list->Report().num_errors(), 0);
  Arrive(attributes_[0], seconds(60));
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  const ReadReport report = list->Report();
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_EQ(report.problems[0].kind, ErrorKind::kMissingFile);
  EXPECT_THAT(report.problems[0].message, HasSubstr(attributes_[0]));
  EXPECT_GT(report.late_rows, 0);
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_EQ(list->Report().problems[0].count, 1);
  // Attributes of records that are still to come are not late.
  Arrive(attributes_[2], seconds(60));
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  Arrive(logs_[2], seconds(60));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[2]));
  EXPECT_EQ(list->Report().num_errors(), 1);
}

TEST_F(WorkListTest, AFileThatMayNotBeReadIsTriedAgainAndTheReportForgetsIt) {
  const auto list = Following({}, seconds(0));
  Arrive(logs_[0], seconds(60));
  const auto cut = fs::file_size(base() / logs_[0]);
  fs::resize_file(base() / logs_[0], cut - 1);  // no footer: as unreadable to root as to others
  EXPECT_THAT(Poll(list.get()), IsEmpty());
  EXPECT_EQ(list->Report().num_errors(), 1);
  EXPECT_EQ(list->Report().files_failed, 1);
  Arrive(logs_[0], seconds(60));
  EXPECT_THAT(Poll(list.get()), ElementsAre(logs_[0]));
  EXPECT_EQ(list->Report().num_errors(), 0);
  EXPECT_EQ(list->Report().files_failed, 0);
}

TEST_F(WorkListTest, ChildrenThatComeBetweenTwoRunsAreNamedOrSentWithTheirRecords) {
  for (const LateChildren late_children : {LateChildren::kName, LateChildren::kResend}) {
    fs::remove_all(base());
    std::ranges::for_each(std::vector{logs_[0], logs_[1], attributes_[1]},
                          [&](const std::string& path) { Arrive(path); });
    const auto ledger = std::make_shared<FileLedger>();
    ReadReport report;
    const auto run = [&] {
      WorkList list(storage::Store::Local(), base().string(), {}, {.late_children = late_children},
                    [this] { return now_; });
      list.UseLedger(ledger);
      return std::pair{TakeAll(&list, ledger.get()), report = list.Report()}.first;
    };
    EXPECT_THAT(run(), ElementsAre(logs_[0], logs_[1]));
    EXPECT_TRUE(run().empty() && report.num_errors() == 0);
    Arrive(attributes_[0]);
    const bool is_resent = late_children == LateChildren::kResend;
    EXPECT_EQ(run(), is_resent ? std::vector{logs_[0]} : std::vector<std::string>());
    const ProblemList& said = is_resent ? report.notices : report.problems;
    EXPECT_EQ(report.num_errors(), is_resent ? 0 : 1);
    ASSERT_EQ(said.size(), 1U);
    EXPECT_THAT(said[0].message, HasSubstr(is_resent ? "20 records of 1 files are sent once more"
                                                     : "the file came after records"));
    EXPECT_TRUE(run().empty()) << "once";
    EXPECT_EQ(report.num_errors(), is_resent ? 0 : 1);
  }
}

}  // namespace
}  // namespace df::lake
