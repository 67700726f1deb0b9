// What is left of a set of files when the file system fails at some point.
#include "lake/write/file_set.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/compute/api_vector.h>
#include <arrow/compute/initialize.h>
#include <arrow/filesystem/localfs.h>
#include <arrow/filesystem/mockfs.h>
#include <arrow/io/interfaces.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/file_reader.h>
#include <parquet/page_index.h>

#include "lake/catalog/file_summary.h"
#include "lake/catalog/readiness.h"
#include "lake/format/leaf.h"
#include "lake/format/table_file.h"
#include "lake/queue/work_list.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::ExpectSameRecords;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using ::testing::IsEmpty;

/// Counts calls to the file system, and lets one of them fail.
struct Fault {
  int64_t calls_before = INT64_MAX;
  int64_t num_calls = 0;

  Status Next() {
    return num_calls++ == calls_before
               ? MakeError(ErrorKind::kIo, "injected", {}, /*retryable=*/true)
               : Status::OK();
  }
};

class FaultyStream final : public arrow::io::OutputStream {
 public:
  FaultyStream(std::shared_ptr<arrow::io::OutputStream> stream, Fault* fault)
      : stream_(std::move(stream)), fault_(fault) {}

  Status Write(const void* data, int64_t size) override {
    ARROW_RETURN_NOT_OK(fault_->Next());
    return stream_->Write(data, size);
  }
  Status Close() override { return stream_->Close(); }
  Result<int64_t> Tell() const override { return stream_->Tell(); }
  bool closed() const override { return stream_->closed(); }

 private:
  std::shared_ptr<arrow::io::OutputStream> stream_;
  Fault* fault_;
};

class FaultyFile final : public StagedFile {
 public:
  FaultyFile(std::unique_ptr<StagedFile> file, Fault* fault)
      : file_(std::move(file)),
        fault_(fault),
        stream_(std::make_shared<FaultyStream>(file_->stream(), fault)) {}

  const std::shared_ptr<arrow::io::OutputStream>& stream() override { return stream_; }
  Status Sync() override {
    ARROW_RETURN_NOT_OK(fault_->Next());
    return file_->Sync();
  }
  Status Publish() override {
    ARROW_RETURN_NOT_OK(fault_->Next());
    ARROW_RETURN_NOT_OK(file_->Publish());
    return fault_->Next();  // the folder could not be fsynced
  }
  void Remove() override { file_->Remove(); }

 private:
  std::unique_ptr<StagedFile> file_;
  Fault* fault_;
  std::shared_ptr<arrow::io::OutputStream> stream_;
};

class FaultyStore final : public FileStore {
 public:
  FaultyStore(const std::string& base, Fault* fault)
      : store_(MakeLocalStore(base)), fault_(fault) {}

  Result<std::unique_ptr<StagedFile>> Create(const std::string& directory,
                                             const std::string& name) override {
    ARROW_RETURN_NOT_OK(fault_->Next());
    ARROW_ASSIGN_OR_RAISE(auto file, store_->Create(directory, name));
    return std::make_unique<FaultyFile>(std::move(file), fault_);
  }
  Result<int64_t> RemoveStale() override { return store_->RemoveStale(); }

 private:
  std::unique_ptr<FileStore> store_;
  Fault* fault_;
};

std::vector<std::string> FilesBelow(const std::filesystem::path& folder) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) {
      files.push_back(entry.path().string());
    }
  }
  return files;
}

Status WriteSet(FileStore* store, const std::vector<otap::BatchPtr>& batches) {
  FileSet set(store, {}, batches.front()->signal(), "_part_id=a", 1);
  uint32_t first_id = 0;
  for (const otap::BatchPtr& batch : batches) {
    ARROW_RETURN_NOT_OK(set.Add(*batch, first_id));
    first_id += LargestId(*batch) + 1;
    ARROW_RETURN_NOT_OK(set.Encode());
  }
  return set.Publish();
}

class FileSetSignals : public ::testing::TestWithParam<otap::Signal> {};

TEST_P(FileSetSignals, AFailureAtAnyCallLeavesNoFile) {
  testing::RandomEngine random(11);
  testing::RandomBatchOptions options;
  options.root_rows = 12;
  const auto batches = testing::RandomBatches(2, GetParam(), options, random);
  Fault none;
  {
    const TemporaryFolder folder;
    FaultyStore store(folder.path(), &none);
    ASSERT_TRUE(WriteSet(&store, batches).ok());
    ExpectSameRecords(batches, ReplayTree(folder.path(), {}));
  }
  ASSERT_GT(none.num_calls, 20);
  // Parquet files are written in many small pieces: some of them will do, and the last calls, which
  // publish.
  const int64_t step = std::max<int64_t>(1, none.num_calls / 25);
  for (int64_t call = 0; call < none.num_calls;
       call += call < none.num_calls - 20 ? std::min(step, none.num_calls - 20 - call) : 1) {
    const TemporaryFolder folder;
    Fault fault{.calls_before = call};
    FaultyStore store(folder.path(), &fault);
    const Status status = WriteSet(&store, batches);
    EXPECT_FALSE(status.ok()) << "call " << call;
    EXPECT_THAT(FilesBelow(folder.path()), IsEmpty()) << "call " << call;
  }
}

INSTANTIATE_TEST_SUITE_P(All, FileSetSignals, ::testing::ValuesIn(otap::kAllSignals),
                         [](const auto& one) { return std::string(otap::Name(one.param)); });

/// Looks, at every call, whether a parent can be seen whose children cannot.
TEST(FileSet, NoParentIsVisibleBeforeItsChildren) {
  testing::RandomEngine random(12);
  testing::RandomBatchOptions options;
  options.without_attributes = 0;
  options.without_children = 0;
  const auto batches = testing::RandomBatches(2, otap::Signal::kMetrics, options, random);
  const TemporaryFolder folder;
  std::vector<otap::TableKind> order;

  class Recorder final : public FileStore {
   public:
    Recorder(const std::string& base, std::vector<otap::TableKind>* order)
        : store_(MakeLocalStore(base)), order_(order) {}
    Result<std::unique_ptr<StagedFile>> Create(const std::string& directory,
                                               const std::string& name) override {
      class Recorded final : public StagedFile {
       public:
        Recorded(std::unique_ptr<StagedFile> file, otap::TableKind kind,
                 std::vector<otap::TableKind>* order)
            : file_(std::move(file)), kind_(kind), order_(order) {}
        const std::shared_ptr<arrow::io::OutputStream>& stream() override {
          return file_->stream();
        }
        Status Sync() override { return file_->Sync(); }
        Status Publish() override {
          order_->push_back(kind_);
          return file_->Publish();
        }
        void Remove() override { file_->Remove(); }

       private:
        std::unique_ptr<StagedFile> file_;
        otap::TableKind kind_;
        std::vector<otap::TableKind>* order_;
      };
      ARROW_ASSIGN_OR_RAISE(auto file, store_->Create(directory, name));
      const auto* table = otap::FindTable(directory.substr(0, directory.find('/')));
      return std::make_unique<Recorded>(std::move(file), table->kind, order_);
    }
    Result<int64_t> RemoveStale() override { return 0; }

   private:
    std::unique_ptr<FileStore> store_;
    std::vector<otap::TableKind>* order_;
  };

  Recorder store(folder.path(), &order);
  ASSERT_TRUE(WriteSet(&store, batches).ok());
  ASSERT_GT(order.size(), 10U);
  EXPECT_EQ(order.back(), otap::TableKind::kUnivariateMetrics);
  for (size_t i = 0; i < order.size(); ++i) {
    const auto parent = otap::GetTable(order[i]).parent;
    for (size_t earlier = 0; parent.has_value() && earlier < i; ++earlier) {
      EXPECT_NE(order[earlier], *parent) << otap::GetTable(order[i]).directory;
    }
  }
}

/// Returns a batch whose child tables have their rows in random order, as producers that sort by
/// key and value leave them.
otap::BatchPtr WithShuffledChildren(const otap::Batch& batch, testing::RandomEngine& random) {
  otap::BatchBuilder builder(batch.signal());
  for (const otap::TableInfo& info : otap::AllTables()) {
    auto table = batch.table(info.kind);
    if (table == nullptr) {
      continue;
    }
    if (!info.is_root()) {
      std::vector<int64_t> order(static_cast<size_t>(table->num_rows()));
      std::iota(order.begin(), order.end(), 0);
      std::shuffle(order.begin(), order.end(), random);
      arrow::Int64Builder rows;
      EXPECT_TRUE(rows.AppendValues(order).ok());
      table = arrow::compute::Take(table, rows.Finish().ValueOrDie()).ValueOrDie().record_batch();
    }
    EXPECT_TRUE(builder.Set(info.kind, table).ok());
  }
  return builder.Build();
}

TEST(FileSet, StatisticsProveTheOrderOfParentsWhateverOrderTheyCameIn) {
  ASSERT_TRUE(arrow::compute::Initialize().ok());
  testing::RandomEngine random(13);
  testing::RandomBatchOptions options;
  options.root_rows = 200;
  auto batches = testing::RandomBatches(4, otap::Signal::kTraces, options, random);
  for (otap::BatchPtr& batch : batches) {
    batch = WithShuffledChildren(*batch, random);
  }
  const TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path());
  ASSERT_TRUE(WriteSet(store.get(), batches).ok());
  ExpectSameRecords(batches, ReplayTree(folder.path(), {}));
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  int64_t num_checked = 0;
  for (const std::string& path : FilesBelow(folder.path())) {
    const auto relative = std::filesystem::path(path).lexically_relative(folder.path());
    const otap::TableKind kind = otap::FindTable(relative.begin()->string())->kind;
    const auto file = TableFile::Open(local, path, kind, {}).ValueOrDie();
    EXPECT_TRUE(file->has_partition_scope_ids());
    const int leaf = LeafIndex(kind, "parent_id");
    if (leaf < 0) {
      continue;
    }
    uint32_t last = 0;
    for (int group = 0; group < file->num_row_groups(); ++group) {
      const auto range = file->Statistics(group, leaf);
      ASSERT_TRUE(range.has_value()) << path;
      EXPECT_GE(range->min, last) << path;
      const IdColumn ids = file->ReadIds(group, leaf).ValueOrDie();
      EXPECT_TRUE(std::is_sorted(ids.values.begin(), ids.values.end())) << path;
      EXPECT_EQ(ids.values.front(), range->min);
      EXPECT_EQ(ids.values.back(), range->max);
      last = range->max;
      const auto metadata = file->footer().metadata->RowGroup(group);
      ASSERT_EQ(metadata->sorting_columns().size(), 1U) << path;
      EXPECT_EQ(metadata->schema()->Column(metadata->sorting_columns()[0].column_idx)->name(),
                "parent_id");
      ++num_checked;
    }
  }
  EXPECT_GT(num_checked, 8);
}

/// Whoever looks for a few rows reads a page of each column for them.
TEST(FileSetPages, HaveAnIndexAndFewRows) {
  constexpr int64_t kRows = 50'000;
  std::vector<otap::BatchPtr> batches;
  for (int64_t first = 0; first < 2 * kRows; first += kRows) {
    arrow::TimestampBuilder times(arrow::timestamp(arrow::TimeUnit::NANO),
                                  arrow::default_memory_pool());
    for (int64_t row = first; row < first + kRows; ++row) {
      ASSERT_TRUE(times.Append(row * row).ok());
    }
    const auto column = times.Finish().ValueOrDie();
    otap::BatchBuilder builder(otap::Signal::kLogs);
    ASSERT_TRUE(builder
                    .Set(otap::TableKind::kLogs,
                         arrow::RecordBatch::Make(
                             arrow::schema({arrow::field("time_unix_nano", column->type())}), kRows,
                             {column}))
                    .ok());
    batches.push_back(builder.Build());
  }
  const TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path());
  ASSERT_TRUE(WriteSet(store.get(), batches).ok());
  const auto path = FilesBelow(folder.path() / "logs").front();
  const auto reader = parquet::ParquetFileReader::OpenFile(path);
  for (int i = 0; i < reader->metadata()->num_row_groups(); ++i) {
    const auto group = reader->GetPageIndexReader()->RowGroup(i);
    const int64_t num_rows = reader->metadata()->RowGroup(i)->num_rows();
    EXPECT_GE(num_rows, kRows);
    for (int column = 0; column < reader->metadata()->num_columns(); ++column) {
      const auto index = group->GetOffsetIndex(column);
      ASSERT_NE(index, nullptr);
      int64_t last = 0;
      for (const parquet::PageLocation& page : index->page_locations()) {
        EXPECT_LE(page.first_row_index - last, 32 << 10);
        last = page.first_row_index;
      }
      EXPECT_LE(num_rows - last, 32 << 10) << column;
    }
  }
}

TEST(FileSetNames, EveryFileSaysItsSetAndTheRootsWhatElseThereIs) {
  testing::RandomEngine random(15);
  const auto batches = testing::RandomBatches(2, otap::Signal::kTraces, {}, random);
  const TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path().string());
  ASSERT_TRUE(WriteSet(store.get(), batches).ok());
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  const auto listing =
      ListLake(local, folder.path().string(), {otap::Signal::kTraces}).ValueOrDie();
  ReadReport report;
  ASSERT_EQ(listing.partitions.size(), 1U);
  const PartitionFiles files =
      LoadPartition(local, folder.path().string(), listing.partitions[0], &report);
  ASSERT_EQ(files.of(otap::TableKind::kSpans).size(), 1U);
  const FileSummary& root = *files.of(otap::TableKind::kSpans)[0];
  ASSERT_TRUE(root.rows_of_set.has_value());
  EXPECT_FALSE(root.file_set.empty());
  std::map<otap::TableKind, int64_t> named(root.rows_of_set->begin(), root.rows_of_set->end());
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileSummaryPtr& file : files.of(table.kind)) {
      EXPECT_EQ(file->file_set, root.file_set);
      if (!table.is_root()) {
        EXPECT_EQ(named[table.kind], file->num_rows()) << table.directory;
        named.erase(table.kind);
      }
    }
  }
  EXPECT_TRUE(named.empty()) << "names a table that has no file";
}

TEST(FileSetNames, WhatAKilledWriterPublishedOfASetIsRemoved) {
  testing::RandomEngine random(17);
  testing::RandomBatchOptions options;
  options.root_rows = 20;
  const auto kept = testing::RandomBatches(1, otap::Signal::kTraces, options, random);
  const auto lost = testing::RandomBatches(1, otap::Signal::kTraces, options, random);
  for (int num_staged = 1;; ++num_staged) {
    SCOPED_TRACE(num_staged);
    const TemporaryFolder folder;
    const std::string base = folder.path().string();
    ASSERT_TRUE(WriteSet(MakeLocalStore(base).get(), kept).ok());
    const auto before = FilesBelow(folder.path());
    ASSERT_TRUE(WriteSet(MakeLocalStore(base).get(), lost).ok());
    // The writer was killed in front of the last `num_staged` renames; roots come last.
    std::vector<std::filesystem::path> published;
    for (const std::string& file : FilesBelow(folder.path())) {
      if (std::find(before.begin(), before.end(), file) == before.end()) {
        published.push_back(file);
      }
    }
    std::stable_partition(published.begin(), published.end(), [](const auto& file) {
      return file.parent_path().parent_path().filename() != "spans" &&
             file.parent_path().filename() != "spans";
    });
    if (num_staged > static_cast<int>(published.size())) {
      EXPECT_GT(num_staged, 3);
      break;
    }
    for (int i = 0; i < num_staged; ++i) {
      const auto& file = published[published.size() - 1 - static_cast<size_t>(i)];
      std::filesystem::rename(
          file, file.parent_path() / fmt::format(".{}.tmp", file.filename().string()));
    }
    EXPECT_EQ(MakeLocalStore(base)->RemoveStale().ValueOrDie(), std::ssize(published));
    EXPECT_THAT(FilesBelow(folder.path()), ::testing::UnorderedElementsAreArray(before));
    const Replayed replayed = ReplayTree(folder.path(), {});
    EXPECT_EQ(replayed.report.num_errors(), 0);
    testing::ExpectSameRecords(kept, replayed);
  }
}

/// Whether a replay names a table as the one whose rows are not those of the set.
bool NamesRowsOfSet(const std::filesystem::path& base, otap::TableKind table,
                    const std::string& why) {
  const auto replayed = ReplayTree(base, {});
  const std::string_view name = otap::GetTable(table).directory;
  return std::any_of(
      replayed.report.problems.begin(), replayed.report.problems.end(),
      [&](const Problem& problem) {
        return problem.kind == ErrorKind::kMissingFile &&
               problem.message.find(fmt::format(" rows of {} in the set of files of ", name)) !=
                   std::string::npos &&
               problem.message.find(": " + why + " [") != std::string::npos &&
               problem.message.find(fmt::format("table={}", name)) != std::string::npos;
      });
}

TEST_P(FileSetSignals, EveryFileThatIsMissingOrThereTwiceIsNamed) {
  testing::RandomEngine random(16);
  testing::RandomBatchOptions options;
  options.root_rows = 12;
  const auto batches = testing::RandomBatches(2, GetParam(), options, random);
  const TemporaryFolder folder;
  ASSERT_TRUE(WriteSet(MakeLocalStore(folder.path().string()).get(), batches).ok());
  ASSERT_EQ(ReplayTree(folder.path(), {}).report.num_errors(), 0);
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  const auto listing = ListLake(local, folder.path().string(), {GetParam()}).ValueOrDie();
  int num_tried = 0;
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const FileEntry& entry : listing.partitions.at(0).tables[otap::TableIndex(table.kind)]) {
      if (table.is_root()) {
        continue;
      }
      SCOPED_TRACE(entry.path);
      ++num_tried;
      const auto file = folder.path() / entry.path;
      const auto copy = file.parent_path() / "part-9999-copy.parquet";
      std::filesystem::copy_file(file, copy);
      const Replayed twice = ReplayTree(folder.path(), {});
      EXPECT_EQ(twice.report.num_errors(), 0) << "the same bytes are read once";
      EXPECT_EQ(std::count_if(twice.report.notices.begin(), twice.report.notices.end(),
                              [](const auto& notice) {
                                return notice.message.find("has the bytes of") != std::string::npos;
                              }),
                1);
      std::filesystem::remove(copy);
      const auto aside = folder.path() / "_aside";
      std::filesystem::rename(file, aside);
      EXPECT_TRUE(NamesRowsOfSet(folder.path(), table.kind, "a file is missing"));
      std::filesystem::rename(aside, file);
    }
  }
  EXPECT_GT(num_tried, 2);
}

TEST(FileSetNames, AWholeSetDoesNotWaitForYoungFilesOfOthers) {
  testing::RandomEngine random(15);
  const TemporaryFolder folder;
  const auto store = MakeLocalStore(folder.path().string());
  ASSERT_TRUE(
      WriteSet(store.get(), testing::RandomBatches(1, otap::Signal::kTraces, {}, random)).ok());
  const auto now = std::chrono::system_clock::now() + std::chrono::hours(1);
  const auto young = folder.path() / "span_attrs/_part_id=a/part-9-young.parquet";
  std::filesystem::create_directories(young.parent_path());
  for (const auto& file : std::filesystem::directory_iterator(young.parent_path())) {
    std::filesystem::copy_file(file.path(), young);
    break;
  }
  ASSERT_TRUE(std::filesystem::exists(young));
  std::filesystem::last_write_time(young, std::chrono::file_clock::from_sys(now));
  ReadOptions read;
  read.signals = {otap::Signal::kTraces};
  read.min_file_age = std::chrono::minutes(1);
  WorkList list(storage::Store::Local(), folder.path().string(), read, {}, [&] { return now; });
  const auto taken = list.Take();
  ASSERT_TRUE(taken.ok()) << taken.status();
  ASSERT_TRUE(taken->work.has_value());
  EXPECT_EQ(taken->work->tasks.at(0).root_files.size(), 1U);
}

TEST(FileSetNames, RowsMayBeInFilesThatSomebodyWroteAnew) {
  const auto file = [](otap::TableKind kind, std::string set, int64_t rows) {
    auto summary = std::make_shared<FileSummary>();
    summary->kind = kind;
    summary->file_set = std::move(set);
    summary->row_groups.push_back({.num_rows = rows});
    return summary;
  };
  PartitionFiles files;
  const auto root = file(otap::TableKind::kLogs, "one", 10);
  root->rows_of_set = {{otap::TableKind::kLogAttrs, 30}};
  files.of(otap::TableKind::kLogs) = {root};
  files.of(otap::TableKind::kLogAttrs) = {file(otap::TableKind::kLogAttrs, "one", 10)};
  const auto check = [&](size_t problems, size_t notices) {
    ReadReport report;
    CheckSet(*root, files, SetCensus(files), &report);
    EXPECT_EQ(report.problems.size(), problems);
    EXPECT_EQ(report.notices.size(), notices);
  };
  check(1, 0);
  files.of(otap::TableKind::kLogAttrs).push_back(file(otap::TableKind::kLogAttrs, "", 20));
  check(0, 1);
  files.of(otap::TableKind::kLogAttrs)[1] = file(otap::TableKind::kLogAttrs, "merged", 20);
  check(0, 1);
  files.of(otap::TableKind::kLogAttrs)[1] = file(otap::TableKind::kLogAttrs, "one", 20);
  check(0, 0);
  files.of(otap::TableKind::kLogAttrs).pop_back();
  files.has_unreadable[otap::TableIndex(otap::TableKind::kLogAttrs)] = true;
  check(0, 0);
}

/// Has no directories that need to be made, as object stores have none.
class ObjectFileSystem final : public arrow::fs::internal::MockFileSystem {
 public:
  ObjectFileSystem() : MockFileSystem(arrow::fs::TimePoint{}) {}
  arrow::Result<std::shared_ptr<arrow::io::OutputStream>> OpenOutputStream(
      const std::string& path,
      const std::shared_ptr<const arrow::KeyValueMetadata>& metadata) override {
    ARROW_RETURN_NOT_OK(CreateDir(path.substr(0, path.find_last_of('/')), true));
    return MockFileSystem::OpenOutputStream(path, metadata);
  }
};

TEST(ObjectStore, HasNothingBeforeAFileIsPublished) {
  testing::RandomEngine random(14);
  const auto batches = testing::RandomBatches(3, otap::Signal::kTraces, {}, random);
  const auto memory = std::make_shared<ObjectFileSystem>();
  const auto store = MakeObjectStore(
      storage::Store::Over({.kind = storage::StoreKind::kS3, .path = "bucket/lake"}, {}, memory));
  arrow::fs::FileSelector everything;
  everything.base_dir = "bucket";
  everything.recursive = true;
  everything.allow_not_found = true;
  {
    FileSet set(store.get(), {}, otap::Signal::kTraces, "_part_id=a", 1);
    ASSERT_TRUE(set.Add(*batches[0], 0).ok());
    ASSERT_TRUE(set.Encode().ok());
    for (const arrow::fs::FileInfo& info : memory->GetFileInfo(everything).ValueOrDie()) {
      EXPECT_EQ(info.type(), arrow::fs::FileType::Directory) << info.path();
    }
  }
  ASSERT_TRUE(WriteSet(store.get(), batches).ok());
  const TemporaryFolder folder;
  const auto local = std::make_shared<arrow::fs::LocalFileSystem>();
  arrow::fs::FileSelector lake = everything;
  lake.base_dir = "bucket/lake";
  ASSERT_TRUE(arrow::fs::CopyFiles(memory, lake, local, folder.path().string()).ok());
  ExpectSameRecords(batches, ReplayTree(folder.path(), {}));
}

}  // namespace
}  // namespace df::lake
