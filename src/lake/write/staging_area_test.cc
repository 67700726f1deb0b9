// Small sets of files wait where no reader looks, and become one: each row once, whatever happens.
#include "lake/write/staging_area.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/catalog/folder_list.h"
#include "lake/write/signal_writer.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::ExpectSameRecords;
using df::testing::RandomEngine;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

namespace fs = std::filesystem;

constexpr const char* kProducer = "11111111-2222-4333-8444-555555555555";

std::vector<std::string> FilesBelow(const fs::path& folder) {
  std::vector<std::string> files;
  if (fs::exists(folder)) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (entry.is_regular_file()) {
        files.push_back(entry.path().lexically_relative(folder).string());
      }
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

class Outcomes final : public WriteListener {
 public:
  void OnEncoded(std::span<const uint64_t>) override {}
  void OnClosed(std::span<const uint64_t> batches, CloseReason, const FileCounts& counts,
                const Status& status) override {
    EXPECT_TRUE(status.ok()) << status;
    num_acked += std::ssize(batches);
    num_files += counts.files;
  }
  void OnRefused(uint64_t, const Status& status) override { ADD_FAILURE() << status; }
  int64_t num_acked = 0;
  int64_t num_files = 0;
};

/// Calls `at_publish` before and after a file gets its name.
class WatchedStore final : public FileStore {
 public:
  using Watch = std::function<Status()>;
  WatchedStore(const std::string& base, Watch watch)
      : store_(MakeLocalStore(base)), watch_(std::move(watch)) {}
  Result<std::unique_ptr<StagedFile>> Create(const std::string& directory,
                                             const std::string& name) override {
    class Watched final : public StagedFile {
     public:
      Watched(std::unique_ptr<StagedFile> file, const Watch* watch)
          : file_(std::move(file)), watch_(watch) {}
      const std::shared_ptr<arrow::io::OutputStream>& stream() override { return file_->stream(); }
      Status Sync() override { return file_->Sync(); }
      Result<std::shared_ptr<arrow::io::RandomAccessFile>> ReadBack() override {
        return file_->ReadBack();
      }
      Status Publish() override {
        ARROW_RETURN_NOT_OK((*watch_)());
        ARROW_RETURN_NOT_OK(file_->Publish());
        return (*watch_)();
      }
      void Remove() override { file_->Remove(); }

     private:
      std::unique_ptr<StagedFile> file_;
      const Watch* watch_;
    };
    ARROW_ASSIGN_OR_RAISE(auto file, store_->Create(directory, name));
    return std::make_unique<Watched>(std::move(file), &watch_);
  }
  Status MarkTimeLevels(const std::string& table) override { return store_->MarkTimeLevels(table); }
  Result<int64_t> RemoveStale() override { return store_->RemoveStale(); }

 private:
  std::unique_ptr<FileStore> store_;
  Watch watch_;
};

class Staged : public ::testing::TestWithParam<otap::Signal> {
 protected:
  fs::path base() const { return folder_.path() / "lake"; }
  fs::path staging() const { return base() / kStagingFolder / kProducer; }

  /// Stages a set for each batch.
  void Stage(FileStore* store, StagingArea* area, int count,
             TimeLevels levels = TimeLevels::kNone) {
    sent_ = df::testing::RandomBatches(count, GetParam(), shape_, random_);
    SignalWriter::Settings settings;
    settings.options.producer = kProducer;
    settings.options.time_levels = levels;
    settings.unix_millis = [] { return int64_t{1'756'000'000'000}; };
    SignalWriter writer(store, GetParam(), settings, &outcomes_, area);
    for (size_t i = 0; i < sent_.size(); ++i) {
      writer.Add(sent_[i], i);
      writer.Close(CloseReason::kAge);
    }
    EXPECT_EQ(outcomes_.num_acked, count);
  }

  /// Merges everything; the files of the sets are removed where that works.
  Status Merge(FileStore* store, StagingArea* area) {
    for (auto& merge : area->TakeMerges(GetParam(), store, options_)) {
      Result<bool> done = false;
      while (done.ok() && !*done) {
        done = merge->Step();
      }
      if (!done.ok()) {
        area->Return(merge->sets());
        return done.status();
      }
      area->Remove(merge->sets());
    }
    return Status::OK();
  }

  /// Does what the next start does with a copy of the tree, which nobody has locked: what a process
  /// leaves that is killed now. Everything that was acknowledged is there once.
  void ExpectRecovered(const std::string& when) {
    SCOPED_TRACE(when);
    const fs::path copy = folder_.path() / fmt::format("copy-{}", num_copies_++);
    fs::copy(base(), copy, fs::copy_options::recursive);
    // The first start may be killed as well.
    for (int start = 0; start < 2; ++start) {
      const auto store = MakeLocalStore(copy.string());
      ASSERT_TRUE(store->RemoveStale().ok());
      const auto recovered = RecoverStagedSets(copy.string(), store.get(), options_);
      ASSERT_TRUE(recovered.ok()) << recovered.status();
      EXPECT_THAT(recovered->problems, IsEmpty());
      const Replayed replayed = ReplayTree(copy, {});
      EXPECT_EQ(replayed.report.num_errors(), 0) << df::testing::Messages(replayed);
      ExpectSameRecords(sent_, replayed);
      EXPECT_FALSE(fs::exists(copy / kStagingFolder));
    }
    fs::remove_all(copy);
  }

  TemporaryFolder folder_;
  RandomEngine random_{41};
  df::testing::RandomBatchOptions shape_{.root_rows = 8, .valueless_exemplars = false};
  WriteOptions options_;
  Outcomes outcomes_;
  std::vector<otap::BatchPtr> sent_;
  int num_copies_ = 0;
};

TEST_P(Staged, SetsAreNotVisibleUntilTheyAreOne) {
  const auto store = MakeLocalStore(base().string());
  {
    StagingArea area(base().string(), kProducer);
    Stage(store.get(), &area, 20);
    EXPECT_EQ(area.num_sets(), 20);
    EXPECT_EQ(outcomes_.num_files, 0);
    EXPECT_THAT(ReplayTree(base(), {}).batches, IsEmpty());
    const Status merged = Merge(store.get(), &area);
    ASSERT_TRUE(merged.ok()) << merged;
    EXPECT_EQ(area.num_sets(), 0);
    EXPECT_THAT(FilesBelow(staging()), ::testing::ElementsAre("lock"));
  }
  EXPECT_FALSE(fs::exists(base() / kStagingFolder));
  const Replayed replayed = ReplayTree(base(), {});
  EXPECT_THAT(replayed.report.problems, IsEmpty());
  ExpectSameRecords(sent_, replayed);
  for (const auto& table : fs::directory_iterator(base())) {
    EXPECT_THAT(FilesBelow(table.path()), SizeIs(1)) << table.path();
  }
}

TEST_P(Staged, SetsOfSeveralHoursBecomeOneForEach) {
  const auto store = MakeLocalStore(base().string());
  StagingArea area(base().string(), kProducer);
  Stage(store.get(), &area, 6, TimeLevels::kHour);
  ASSERT_TRUE(Merge(store.get(), &area).ok());
  const fs::path table = base() / otap::GetTable(otap::RootTable(GetParam())).directory;
  EXPECT_TRUE(fs::exists(table / kTimeLevelsMarker));
  int64_t num_items = 0;
  int64_t num_sent = 0;
  for (const otap::BatchPtr& batch : ReplayTree(base(), {}).batches) {
    num_items += batch->num_items();
  }
  for (const otap::BatchPtr& batch : sent_) {
    num_sent += batch->num_items();
  }
  EXPECT_EQ(num_items, num_sent);
  for (const auto& entry : fs::recursive_directory_iterator(table)) {
    if (entry.path().filename().string().starts_with("_part_id=")) {
      EXPECT_THAT(FilesBelow(entry.path()), SizeIs(1));
    }
  }
}

TEST_P(Staged, AKillAtAnyPointOfAMergeLosesAndDoublesNothing) {
  options_.row_group_rows = 10;
  StagingArea area(base().string(), kProducer);
  int point = 0;
  // Metrics have many tables, and each takes its time.
  const int every = GetParam() == otap::Signal::kMetrics ? 4 : 1;
  WatchedStore store(base().string(), [&] {
    if (point++ % every == 0) {
      ExpectRecovered(fmt::format("at the name {}", point));
    }
    return Status::OK();
  });
  Stage(&store, &area, 3);
  ExpectRecovered("staged");
  for (auto& merge : area.TakeMerges(GetParam(), &store, options_)) {
    Result<bool> done = false;
    int step = 0;
    while (done.ok() && !*done) {
      done = merge->Step();
      ExpectRecovered(fmt::format("step {}", step++));
    }
    ASSERT_TRUE(done.ok()) << done.status();
    // The sets go one after the other, each with its roots first.
    for (const StagedSet& set : merge->sets()) {
      fs::remove(staging() / set.files[otap::TableIndex(otap::RootTable(GetParam()))]);
      ExpectRecovered("without its roots");
      area.Remove({set});
      ExpectRecovered("without a set");
    }
  }
  EXPECT_GE(point, 6);
}

TEST_P(Staged, AFailureAtAnyNameLeavesTheSetsToTheNextTry) {
  for (int failing = 0;; ++failing) {
    fs::remove_all(base());
    outcomes_ = {};
    int left = failing;
    WatchedStore store(base().string(), [&] {
      return left-- == 0 ? MakeError(ErrorKind::kIo, "injected", {}, true) : Status::OK();
    });
    StagingArea area(base().string(), kProducer);
    Stage(&store, &area, 3);
    const Status merged = Merge(&store, &area);
    if (merged.ok()) {
      EXPECT_GE(failing, 6);
      break;
    }
    EXPECT_THAT(ReplayTree(base(), {}).batches, IsEmpty()) << failing;
    EXPECT_EQ(area.num_sets(), 3);
    ASSERT_TRUE(Merge(&store, &area).ok());
    ExpectSameRecords(sent_, ReplayTree(base(), {}));
  }
}

TEST_P(Staged, SetsOfAWriterThatLivesAreLeftAlone) {
  const auto store = MakeLocalStore(base().string());
  StagingArea area(base().string(), kProducer);
  Stage(store.get(), &area, 2);
  const auto before = FilesBelow(base());
  const auto recovered = RecoverStagedSets(base().string(), store.get(), {}).ValueOrDie();
  EXPECT_EQ(recovered.sets, 0);
  EXPECT_THAT(recovered.problems, IsEmpty());
  EXPECT_EQ(FilesBelow(base()), before);
}

TEST_P(Staged, WhatAWriterHasLeftIsNamedOnceItHasEnded) {
  const auto store = MakeLocalStore(base().string());
  const auto other =
      GetParam() == otap::Signal::kLogs ? otap::Signal::kTraces : otap::Signal::kLogs;
  {
    StagingArea area(base().string(), kProducer);
    Stage(store.get(), &area, 2);
    EXPECT_THAT(FindStaged(base().string(), {GetParam()}), IsEmpty()) << "it publishes them itself";
  }
  FolderList folders(storage::Store::Local(), base().string(), {});
  const LakeListing listing = folders.List({GetParam()}).ValueOrDie();
  ASSERT_THAT(listing.problems, SizeIs(1));
  EXPECT_THAT(listing.problems[0].message(),
              HasSubstr("2 files of records are staged by a writer that does not"));
  EXPECT_THAT(FindStaged(base().string(), {other}), IsEmpty());
  fs::remove(staging() / "lock");
  EXPECT_THAT(FindStaged(base().string(), {GetParam()}), SizeIs(1));
  ASSERT_TRUE(RecoverStagedSets(base().string(), store.get(), {}).ok());
  EXPECT_THAT(FindStaged(base().string(), {GetParam()}), IsEmpty());
}

TEST_P(Staged, AFolderThatLostItsLockAndOneThatIsNoneHarmNobody) {
  const auto store = MakeLocalStore(base().string());
  {
    StagingArea area(base().string(), kProducer);
    Stage(store.get(), &area, 2);
  }
  fs::remove(staging() / "lock");
  std::ofstream(base() / kStagingFolder / "a note") << "x";
  fs::create_directories(base() / kStagingFolder / "just-made");
  const auto recovered = RecoverStagedSets(base().string(), store.get(), {}).ValueOrDie();
  EXPECT_EQ(recovered.sets, 2);
  EXPECT_THAT(recovered.problems, IsEmpty());
  EXPECT_TRUE(fs::exists(base() / kStagingFolder / "just-made"));
  ExpectSameRecords(sent_, ReplayTree(base(), {}));
}

TEST_P(Staged, ASetWithAFileMissingStaysAndIsNamed) {
  const auto store = MakeLocalStore(base().string());
  {
    StagingArea area(base().string(), kProducer);
    shape_.without_attributes = 0;
    Stage(store.get(), &area, 2);
  }
  const auto files = FilesBelow(staging() / "resource_attrs");
  ASSERT_THAT(files, SizeIs(2));
  fs::remove(staging() / "resource_attrs" / files[0]);
  const auto recovered = RecoverStagedSets(base().string(), store.get(), {}).ValueOrDie();
  ASSERT_THAT(recovered.problems, SizeIs(1));
  EXPECT_THAT(recovered.problems[0].message(), HasSubstr("the staged set is not whole"));
  EXPECT_EQ(recovered.sets, 1);
  EXPECT_TRUE(fs::exists(staging() / otap::GetTable(otap::RootTable(GetParam())).directory));
}

TEST_P(Staged, ADamagedFileIsNeverMerged) {
  const auto store = MakeLocalStore(base().string());
  {
    StagingArea area(base().string(), kProducer);
    shape_.without_attributes = 0;
    Stage(store.get(), &area, 1);
  }
  const fs::path path =
      staging() / "resource_attrs" / FilesBelow(staging() / "resource_attrs").at(0);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(40);
  file.put('\xa5').put('\x5a').put('\xa5');
  file.close();
  const auto recovered = RecoverStagedSets(base().string(), store.get(), {}).ValueOrDie();
  EXPECT_THAT(recovered.problems, SizeIs(1));
  EXPECT_EQ(recovered.sets, 0);
  EXPECT_THAT(ReplayTree(base(), {}).batches, IsEmpty());
}

TEST_P(Staged, ASetThatFillsARowGroupIsVisibleAtOnce) {
  const auto store = MakeLocalStore(base().string());
  StagingArea area(base().string(), kProducer);
  sent_ = df::testing::RandomBatches(2, GetParam(), shape_, random_);
  SignalWriter::Settings settings;
  settings.options.row_group_rows = 1;
  settings.unix_millis = [] { return int64_t{1}; };
  SignalWriter writer(store.get(), GetParam(), settings, &outcomes_, &area);
  for (size_t i = 0; i < sent_.size(); ++i) {
    writer.Add(sent_[i], i);
  }
  writer.Close(CloseReason::kAge);
  EXPECT_EQ(area.num_sets(), 0);
  ExpectSameRecords(sent_, ReplayTree(base(), {}));
}

INSTANTIATE_TEST_SUITE_P(, Staged, ::testing::ValuesIn(otap::kAllSignals),
                         [](const auto& signal) { return std::string(otap::Name(signal.param)); });

}  // namespace
}  // namespace df::lake
