// Files in the place of others: at any moment a reader sees either, and after a crash, too.
#include "lake/write/compaction_journal.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lake/catalog/catalog.h"
#include "lake/write/signal_writer.h"
#include "testing/crash_files.h"
#include "testing/levelled_lake.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::CanonicalRecords;
using df::testing::Crash;
using df::testing::CrashFiles;
using df::testing::DescribeDifference;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using ::testing::HasSubstr;

const char* const kBase = "/tmp/data/lake";
const char* const kId = "1756000000000-01234567-89ab-cdef-0123-456789abcdef";

/// Writes batches, a set of files and a partition each.
void WriteTree(FileCalls* calls, const std::string& base,
               const std::vector<otap::BatchPtr>& batches, bool is_one) {
  const auto store = MakeLocalStore(base, calls);
  df::testing::WriteOutcomes outcomes;
  std::unique_ptr<SignalWriter> writer;
  for (size_t i = 0; i < batches.size(); ++i) {
    if (writer == nullptr || !is_one) {
      SignalWriter::Settings settings;
      settings.unix_millis = [] { return int64_t{1'756'000'000'000}; };
      writer = std::make_unique<SignalWriter>(store.get(), batches[i]->signal(),
                                              std::move(settings), &outcomes);
    }
    writer->Add(batches[i], i);
    if (!is_one) {
      writer->Close(CloseReason::kRows);
    }
  }
  writer->Close(CloseReason::kEnd);
  EXPECT_EQ(outcomes.num_failed, 0);
}

/// The files of a tree, those of records at the end or at the beginning.
std::vector<std::string> FilesOf(const fs::path& base, bool roots_first) {
  std::vector<std::string> roots;
  std::vector<std::string> children;
  const auto local = storage::Store::Local();
  const auto listing =
      ListLake(*local, base.string(), {otap::kAllSignals.begin(), otap::kAllSignals.end()})
          .ValueOrDie();
  for (const PartitionListing& partition : listing.partitions) {
    for (const otap::TableInfo& table : otap::AllTables()) {
      for (const FileEntry& entry : partition.tables[otap::TableIndex(table.kind)]) {
        (table.is_root() ? roots : children).push_back(entry.path);
      }
    }
  }
  std::vector<std::string>& first = roots_first ? roots : children;
  const std::vector<std::string>& second = roots_first ? children : roots;
  first.insert(first.end(), second.begin(), second.end());
  return std::move(first);
}

/// A tree of small partitions in memory, and one partition of the same records, staged.
class Journal : public ::testing::Test {
 protected:
  void SetUp() override {
    df::testing::RandomEngine random(41);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 4;
    shape.without_attributes = 0.1;
    shape.without_children = 0.1;
    batches_ = df::testing::RandomBatches(2, otap::Signal::kTraces, shape, random);
    expected_ = CanonicalRecords(batches_);
  }

  /// Writes both and returns what is to be done.
  Compaction Prepare(FileCalls* calls, const std::string& base, bool keeps_old) const {
    WriteTree(calls, base, batches_, /*is_one=*/false);
    const std::string staging = base + "/_compactions/" + kId;
    WriteTree(calls, staging, batches_, /*is_one=*/true);
    return {.id = kId,
            .reason = "compact",
            .begun_nanos = 1,
            .keeps_old = keeps_old,
            .old_files = {},
            .new_files = {}};
  }

  std::string Wrong(const fs::path& base) const {
    const Replayed replayed = ReplayTree(base, {});
    const auto found = CanonicalRecords(replayed.batches);
    return found == expected_ && replayed.report.num_errors() == 0
               ? ""
               : DescribeDifference(expected_, found) + df::testing::Messages(replayed);
  }

  /// Tells what is wrong when a crash leaves files, before and after it is mended; "" for nothing.
  std::string WrongAfter(const CrashFiles& files, Crash crash) const {
    const TemporaryFolder left;
    files.LeaveAfter(crash, kBase, left.path());
    if (const std::string wrong = Wrong(left.path()); !wrong.empty()) {
      return "before it is mended: " + wrong;
    }
    const auto journal = CompactionJournal::Open(left.path()).ValueOrDie();
    if (const auto recovered = journal->Recover(); !recovered.ok()) {
      return recovered.status().ToString();
    }
    for (const auto& entry : fs::directory_iterator(left.path() / kCompactionsFolder)) {
      const std::string name = entry.path().filename().string();
      if (name != "lock" && !name.ends_with(".done.json") && !name.ends_with(".old")) {
        return "left behind: " + name;
      }
    }
    const std::string wrong = Wrong(left.path());
    return wrong.empty() ? "" : "after it was mended: " + wrong;
  }

  /// `every` so many steps are looked at.
  void ExpectNoCrashHurts(bool keeps_old, int64_t every) {
    CrashFiles files;
    Compaction compaction = Prepare(&files, kBase, keeps_old);
    {
      const TemporaryFolder now;
      files.LeaveAfter(Crash::kNamesWereEarly, kBase, now.path());
      compaction.old_files = FilesOf(now.path(), true);
      compaction.new_files = FilesOf(now.path() / kCompactionsFolder / kId, false);
    }
    ASSERT_GT(compaction.old_files.size(), compaction.new_files.size());
    const auto journal = CompactionJournal::Open(kBase, &files).ValueOrDie();
    int64_t num_moments = 0;
    files.OnStep([&] {
      if (++num_moments % every != 0) {
        return;
      }
      for (const Crash crash :
           {Crash::kOnlyWhatWasSynced, Crash::kNamesWereEarly, Crash::kBytesWereTorn}) {
        ASSERT_EQ(WrongAfter(files, crash), "")
            << "crash " << static_cast<int>(crash) << " at step " << num_moments;
      }
    });
    const Status status = journal->Run(std::move(compaction));
    files.OnStep({});
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_GT(num_moments, 50);
  }

  std::vector<otap::BatchPtr> batches_;
  std::vector<std::string> expected_;
};

TEST_F(Journal, ACrashAtAnyMomentLeavesTheRecordsAsTheyAre) { ExpectNoCrashHurts(false, 2); }

TEST_F(Journal, OldFilesThatAreKeptAreNotRead) { ExpectNoCrashHurts(true, 7); }

/// On the real file system, with a call that fails.
class JournalOnDisk : public Journal {
 protected:
  void SetUp() override {
    Journal::SetUp();
    compaction_ = Prepare(&SystemFileCalls(), base().string(), false);
    compaction_.old_files = FilesOf(base(), true);
    compaction_.new_files = FilesOf(base() / kCompactionsFolder / kId, false);
  }
  const fs::path& base() const { return folder_.path(); }

  /// Puts a file as a compaction that has ended in the middle would have left it.
  void Put(CompactionStage stage, const std::string& text) const {
    std::ofstream(base() / kCompactionsFolder / CompactionName(kId, stage)) << text;
  }

  TemporaryFolder folder_;
  Compaction compaction_;
};

TEST_F(JournalOnDisk, NewFilesAreTakenBackWhenOneCannotBeMoved) {
  compaction_.new_files.push_back("logs/_part_id=x/not-there.parquet");
  const auto journal = CompactionJournal::Open(base()).ValueOrDie();
  const Status status = journal->Run(compaction_);
  EXPECT_THAT(status.message(), HasSubstr("not-there.parquet"));
  EXPECT_EQ(Wrong(base()), "");
  EXPECT_FALSE(fs::exists(base() / kCompactionsFolder / kId));
  EXPECT_EQ(FilesOf(base(), true), compaction_.old_files);
}

TEST_F(JournalOnDisk, OneProcessAtATime) {
  const auto first = CompactionJournal::Open(base());
  ASSERT_TRUE(first.ok()) << first.status();
  const auto second = CompactionJournal::Open(base());
  EXPECT_THAT(second.status().message(), HasSubstr("another process compacts or prunes"));
  EXPECT_TRUE(IsRetryable(second.status()));
}

TEST_F(JournalOnDisk, WhatCannotBeReadIsNamedAndNothingIsGuessed) {
  const std::string good = WriteCompaction(compaction_);
  const auto with = [&](std::string_view from, const std::string& to) {
    std::string text = good;
    return text.replace(text.find(from), from.size(), to);
  };
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "found no JSON object"},
      {good.substr(0, good.size() / 2), "found no JSON object"},
      {with("\"otap_compaction\": 1", "\"otap_compaction\": 2"), "found version 2, expected 1"},
      {with("\"old\"", "\"older\""), "old: found no list of paths"},
      {with("\"spans/", "\"../spans/"), "expected a path below the base"},
      {with("\"reason\"", "\"season\""), "expected the keys reason"},
  };
  for (const auto& [text, message] : cases) {
    SCOPED_TRACE(message);
    Put(CompactionStage::kMoving, text);
    const auto local = storage::Store::Local();
    const auto listing = ListLake(*local, base().string(), {otap::Signal::kTraces});
    EXPECT_THAT(listing.status().message(), HasSubstr(message));
    EXPECT_THAT(listing.status().message(), HasSubstr("_compactions/"));
    EXPECT_EQ(KindOf(listing.status()), ErrorKind::kFileDiscovery);
    const auto journal = CompactionJournal::Open(base()).ValueOrDie();
    EXPECT_FALSE(journal->Recover().ok());
  }
}

TEST_F(JournalOnDisk, SealsThatGoAreNotSeen) {
  // Both halves of a seal's life: an older one counts again where the newest goes.
  const std::string level = "date=2026-11-30/hour=02";
  const fs::path folder = base() / "spans" / level;
  fs::create_directories(folder / "_part_id=a");
  for (const char* name : {"_sealed-1000.json", "_sealed-2000.json"}) {
    std::ofstream(folder / name) << "{}";
  }
  const auto local = storage::Store::Local();
  const auto seals = [&] {
    return ListLake(*local, base().string(), {otap::Signal::kTraces}).ValueOrDie().seals;
  };
  ASSERT_EQ(seals().size(), 1U);
  EXPECT_EQ(seals().front().millis, 2000);
  compaction_.old_files = {"spans/" + level + "/_sealed-2000.json"};
  compaction_.new_files = {};
  Put(CompactionStage::kRemoving, WriteCompaction(compaction_));
  ASSERT_EQ(seals().size(), 1U);
  EXPECT_EQ(seals().front().millis, 1000);
  EXPECT_TRUE(seals().front().older.empty());
  compaction_.old_files.push_back("spans/" + level + "/_sealed-1000.json");
  Put(CompactionStage::kRemoving, WriteCompaction(compaction_));
  EXPECT_TRUE(seals().empty());
}

}  // namespace
}  // namespace df::lake
