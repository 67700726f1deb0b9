// Sets of files of our own exporter in one partition: of one writer, or of several.
#include "lake/read/set_tasks.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <arrow/io/file.h>
#include <arrow/table.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>
#include <parquet/arrow/writer.h>

#include "lake/write/signal_writer.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::CanonicalRecords;
using df::testing::ExpectSameRecords;
using df::testing::Messages;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using ::testing::HasSubstr;

class Deaf final : public WriteListener {
 public:
  void OnEncoded(std::span<const uint64_t>) override {}
  void OnClosed(std::span<const uint64_t>, CloseReason, const FileCounts&,
                const Status& status) override {
    EXPECT_TRUE(status.ok()) << status;
  }
  void OnRefused(uint64_t, const Status& status) override { ADD_FAILURE() << status; }
};

std::vector<otap::BatchPtr> Batches(int count, otap::Signal signal, uint64_t seed) {
  df::testing::RandomEngine random(seed);
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 50;
  return df::testing::RandomBatches(count, signal, shape, random);
}

/// Writes batches below a folder as one writer does, one set for each batch.
void Write(const fs::path& base, const std::vector<otap::BatchPtr>& batches) {
  Deaf listener;
  const auto store = MakeLocalStore(base.string());
  SignalWriter::Settings settings;
  settings.unix_millis = [] { return int64_t{1'756'000'000'000}; };
  settings.limits.rows = 1;
  SignalWriter writer(store.get(), batches.front()->signal(), settings, &listener);
  for (size_t i = 0; i < batches.size(); ++i) {
    writer.Add(batches[i], i);
  }
  writer.Close(CloseReason::kEnd);
}

/// Moves the files of all partitions of a tree into one: of that name, or into the tables
/// themselves.
void Merge(const fs::path& base, const std::string& partition) {
  for (const auto& table : fs::directory_iterator(base)) {
    const fs::path folder = partition.empty() ? table.path() : table.path() / partition;
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(table)) {
      if (entry.is_regular_file()) {
        files.push_back(entry.path());
      }
    }
    fs::create_directories(folder);
    for (const fs::path& file : files) {
      fs::rename(file, folder / file.filename());
    }
  }
}

std::vector<fs::path> FilesOf(const fs::path& base, const std::string& table) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(base / table)) {
    if (entry.is_regular_file()) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// Whether every record that came out is one of those sent, or one of these without attributes of
/// its resource and scope, or without its own.
int64_t NumWrong(const std::vector<otap::BatchPtr>& sent, const Replayed& replayed) {
  auto known = CanonicalRecords(sent);
  std::sort(known.begin(), known.end());
  int64_t wrong = 0;
  for (const std::string& record : CanonicalRecords(replayed.batches)) {
    wrong += std::binary_search(known.begin(), known.end(), record) ? 0 : 1;
  }
  return wrong;
}

TEST(FileSets, SetsOfOneWriterAreOneTask) {
  const TemporaryFolder folder;
  const auto sent = Batches(5, otap::Signal::kTraces, 1);
  Write(folder.path(), sent);
  EXPECT_EQ(FilesOf(folder.path(), "spans").size(), 5U);
  for (const char* partition : {"_part_id=one", ""}) {
    Merge(folder.path(), partition);
    const Replayed replayed = ReplayTree(folder.path(), {});
    EXPECT_EQ(replayed.report.num_errors(), 0) << Messages(replayed);
    ExpectSameRecords(sent, replayed);
    const auto local_store = storage::Store::Local();
    storage::Store& local = *local_store;
    ReadReport report;
    const auto listing =
        ListLake(local, folder.path().string(), {otap::Signal::kTraces}).ValueOrDie();
    ASSERT_EQ(listing.partitions.size(), 1U);
    PartitionTask task{.signal = otap::Signal::kTraces, .files = nullptr, .root_files = {0, 1, 2}};
    task.files = std::make_shared<PartitionFiles>(
        LoadPartition(local, folder.path().string(), listing.partitions.at(0), &report));
    EXPECT_EQ(SplitBySets(&local, folder.path().string(), task, &report).size(), 1U);
  }
}

TEST(FileSets, TwoWritersInOnePartitionAreReadApart) {
  for (const otap::Signal signal : otap::kAllSignals) {
    for (const char* partition : {"_part_id=one", ""}) {
      SCOPED_TRACE(::testing::Message() << static_cast<int>(signal) << " '" << partition << "'");
      const TemporaryFolder folder;
      auto sent = Batches(3, signal, 1);
      auto others = Batches(2, signal, 2);
      Write(folder.path(), sent);
      Write(folder.path(), others);
      Merge(folder.path(), partition);
      std::move(others.begin(), others.end(), std::back_inserter(sent));
      const Replayed replayed = ReplayTree(folder.path(), {});
      EXPECT_EQ(replayed.report.num_errors(), 0) << Messages(replayed);
      ExpectSameRecords(sent, replayed);
    }
  }
}

TEST(FileSets, TwoSignalsInOnePartitionAreReadApart) {
  const TemporaryFolder folder;
  auto sent = Batches(2, otap::Signal::kLogs, 1);
  auto others = Batches(2, otap::Signal::kTraces, 2);
  Write(folder.path(), sent);
  Write(folder.path(), others);
  Merge(folder.path(), "_part_id=one");
  std::move(others.begin(), others.end(), std::back_inserter(sent));
  const Replayed replayed = ReplayTree(folder.path(), {});
  EXPECT_EQ(replayed.report.num_errors(), 0) << Messages(replayed);
  ExpectSameRecords(sent, replayed);
}

TEST(FileSets, WhatASetLacksIsNotTakenFromAnother) {
  for (const char* table : {"resource_attrs", "scope_attrs", "log_attrs", "logs"}) {
    SCOPED_TRACE(table);
    const TemporaryFolder folder;
    const auto sent = Batches(1, otap::Signal::kLogs, 1);
    const auto others = Batches(1, otap::Signal::kLogs, 2);
    Write(folder.path(), sent);
    const auto removed = FilesOf(folder.path(), table);
    Write(folder.path(), others);
    Merge(folder.path(), "_part_id=one");
    for (const fs::path& file : removed) {
      fs::remove(folder.path() / table / "_part_id=one" / file.filename());
    }
    const Replayed replayed = ReplayTree(folder.path(), {});
    EXPECT_GT(replayed.report.num_errors(), 0);
    // Those of the other set are whole.
    const auto whole = CanonicalRecords(others);
    const auto found = CanonicalRecords(replayed.batches);
    EXPECT_TRUE(std::includes(found.begin(), found.end(), whole.begin(), whole.end()));
    const TemporaryFolder alone;
    Write(alone.path(), sent);
    for (const fs::path& file : FilesOf(alone.path(), table)) {
      fs::remove(file);
    }
    auto expected = CanonicalRecords(ReplayTree(alone.path(), {}).batches);
    expected.insert(expected.end(), whole.begin(), whole.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(found, expected);
  }
}

/// While a tree is followed the root files of a partition are read at different times.
TEST(FileSets, APartialTaskReadsItsSetsOnly) {
  const TemporaryFolder folder;
  auto sent = Batches(2, otap::Signal::kMetrics, 1);
  auto others = Batches(2, otap::Signal::kMetrics, 2);
  Write(folder.path(), sent);
  Write(folder.path(), others);
  Merge(folder.path(), "_part_id=one");
  std::move(others.begin(), others.end(), std::back_inserter(sent));
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  Replayed replayed;
  const auto listing =
      ListLake(local, folder.path().string(), {otap::Signal::kMetrics}).ValueOrDie();
  const auto files = std::make_shared<PartitionFiles>(
      LoadPartition(local, folder.path().string(), listing.partitions.at(0), &replayed.report));
  MemoryBudget budget(256_MiB);
  for (const std::vector<size_t>& roots : {std::vector<size_t>{2, 0}, {1, 3}}) {
    const PartitionTask task{
        .signal = otap::Signal::kMetrics, .files = files, .root_files = roots, .is_partial = true};
    const auto reader =
        PartitionReader::Make(&local, folder.path().string(), task, {}, &budget, &replayed.report)
            .ValueOrDie();
    while (auto payload = reader->Next().ValueOrDie()) {
      replayed.batches.push_back(payload->batch);
    }
    ASSERT_EQ(reader->outcomes().size(), 2U);
    for (const RootOutcome& outcome : reader->outcomes()) {
      EXPECT_TRUE(outcome.status.ok());
      EXPECT_EQ(outcome.rows_emitted, outcome.file->num_rows());
    }
  }
  EXPECT_EQ(replayed.report.num_errors(), 0) << Messages(replayed);
  EXPECT_TRUE(replayed.report.CheckConservation().ok());
  ExpectSameRecords(sent, replayed);
}

TEST(FileSets, AReaderLeftInTheMiddleCountsTheRowsOfAllSets) {
  const TemporaryFolder folder;
  Write(folder.path(), Batches(2, otap::Signal::kLogs, 1));
  Write(folder.path(), Batches(2, otap::Signal::kLogs, 2));
  Merge(folder.path(), "");
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  ReadReport report;
  const auto listing = ListLake(local, folder.path().string(), {otap::Signal::kLogs}).ValueOrDie();
  PartitionTask task{.signal = otap::Signal::kLogs, .files = nullptr, .root_files = {0, 1, 2, 3}};
  task.files = std::make_shared<PartitionFiles>(
      LoadPartition(local, folder.path().string(), listing.partitions.at(0), &report));
  MemoryBudget budget(256_MiB);
  {
    const auto reader =
        PartitionReader::Make(&local, folder.path().string(), task, {}, &budget, &report)
            .ValueOrDie();
    ASSERT_TRUE(reader->Next().ValueOrDie().has_value());
  }
  EXPECT_TRUE(report.CheckConservation().ok());
  EXPECT_EQ(report.table(otap::TableKind::kLogs).rows_listed, 200);
  EXPECT_EQ(report.table(otap::TableKind::kLogs).rows_emitted, 50);
  EXPECT_EQ(report.table(otap::TableKind::kLogs).rows_left, 150);
  EXPECT_EQ(budget.used_bytes(), 0);
}

/// Files with the key and without a set, as our exporter wrote them before there were sets.
TEST(FileSets, WritersThatNameNoSetsLendEachOtherNothing) {
  df::testing::RandomEngine random(3);
  df::testing::RandomBatchOptions shape;
  shape.max_resources = 1;
  shape.max_scopes_per_resource = 1;
  shape.without_attributes = 0;
  shape.null_struct = 0;
  shape.missing_column = 0;
  const TemporaryFolder folder;
  for (const char* writer : {"a-", "b-"}) {
    const TemporaryFolder own;
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.partition_levels = 0;
    ASSERT_TRUE(df::testing::WriteLake(
                    own.path(), df::testing::RandomBatches(1, otap::Signal::kLogs, shape, random),
                    layout, 7)
                    .ok());
    for (const auto& table : fs::directory_iterator(own.path())) {
      fs::create_directories(folder.path() / table.path().filename());
      for (const auto& file : fs::directory_iterator(table)) {
        fs::copy(file.path(), folder.path() / table.path().filename() /
                                  (writer + file.path().filename().string()));
      }
    }
  }
  const Replayed replayed = ReplayTree(folder.path(), {});
  EXPECT_EQ(replayed.report.rows_without_resource, 80);
  for (const otap::BatchPtr& batch : replayed.batches) {
    EXPECT_EQ(batch->table(otap::TableKind::kLogAttrs), nullptr);
    EXPECT_EQ(batch->table(otap::TableKind::kResourceAttrs), nullptr);
    EXPECT_EQ(batch->table(otap::TableKind::kScopeAttrs), nullptr);
  }
}

/// Writes a file anew as another program does, its keys included.
void WriteAnew(const fs::path& path, const std::vector<fs::path>& from) {
  std::vector<std::shared_ptr<arrow::Table>> tables;
  for (const fs::path& file : from) {
    parquet::arrow::FileReaderBuilder builder;
    ASSERT_TRUE(builder.OpenFile(file.string()).ok());
    tables.push_back(builder.Build().ValueOrDie()->ReadTable().ValueOrDie());
  }
  for (auto& table : tables) {
    table = table->ReplaceSchemaMetadata(tables.front()->schema()->metadata());
  }
  const auto merged = arrow::ConcatenateTables(tables).ValueOrDie();
  parquet::ArrowWriterProperties::Builder arrow_properties;
  arrow_properties.store_schema();
  ASSERT_TRUE(parquet::arrow::WriteTable(
                  *merged, arrow::default_memory_pool(),
                  arrow::io::FileOutputStream::Open(path.string()).ValueOrDie(), 1 << 20,
                  parquet::default_writer_properties(), arrow_properties.build())
                  .ok());
}

/// What was compacted keeps the name of one set and has the rows of several: it is no proof.
TEST(FileSets, ACompactedFileBesideOneThatItReplacesIsNamed) {
  const TemporaryFolder folder;
  const auto sent = Batches(2, otap::Signal::kTraces, 1);
  Write(folder.path(), sent);
  const auto roots = FilesOf(folder.path(), "spans");
  ASSERT_EQ(roots.size(), 2U);
  const fs::path merged = roots[0].parent_path() / "part-1-merged.parquet";
  WriteAnew(merged, roots);
  fs::remove(roots[0]);  // the other one is still there
  const Replayed replayed = ReplayTree(folder.path(), {});
  EXPECT_EQ(replayed.report.table(otap::TableKind::kSpans).rows_emitted, 150);
  EXPECT_EQ(replayed.report.table(otap::TableKind::kSpans).duplicate_ids, 100);
  EXPECT_THAT(Messages(replayed), HasSubstr("100 rows have an id that other rows of the table"));
}

TEST(FileSets, RootFilesThatWereCompactedKeepWhatIsTheirs) {
  const TemporaryFolder folder;
  const auto sent = Batches(3, otap::Signal::kTraces, 1);
  Write(folder.path(), sent);
  const auto roots = FilesOf(folder.path(), "spans");
  WriteAnew(roots[0].parent_path() / "part-1-merged.parquet", roots);
  for (const fs::path& root : roots) {
    fs::remove(root);
  }
  const Replayed replayed = ReplayTree(folder.path(), {});
  EXPECT_EQ(NumWrong(sent, replayed), 0);
  ExpectSameRecords(sent, replayed);
}

TEST(FileSets, RootRowsOfNoSetBesideTwoWritersAreNamed) {
  const TemporaryFolder folder;
  Write(folder.path(), Batches(2, otap::Signal::kTraces, 1));
  const auto roots = FilesOf(folder.path(), "spans");
  WriteAnew(roots[1], {roots[1]});
  const auto others = Batches(1, otap::Signal::kTraces, 2);
  Write(folder.path(), others);
  Merge(folder.path(), "");
  const Replayed replayed = ReplayTree(folder.path(), {});
  EXPECT_THAT(Messages(replayed), HasSubstr("50 rows are in files of no set, or written anew"));
  const auto whole = CanonicalRecords(others);
  const auto found = CanonicalRecords(replayed.batches);
  EXPECT_TRUE(std::includes(found.begin(), found.end(), whole.begin(), whole.end()));
}

}  // namespace
}  // namespace df::lake
