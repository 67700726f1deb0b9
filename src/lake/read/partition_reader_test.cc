#include "lake/read/partition_reader.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include <arrow/compute/initialize.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "lake/catalog/catalog.h"
#include "otap/validate.h"
#include "testing/faulty_file_system.h"
#include "testing/lake_writer.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

using df::testing::ExpectSameRecords;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;

namespace fs = std::filesystem;
using ::testing::HasSubstr;

void ExpectConservation(const ReadReport& report) {
  const Status holds = report.CheckConservation();
  EXPECT_TRUE(holds.ok()) << holds;
}

int64_t RandomBatchSize(df::testing::RandomEngine& random) {
  constexpr int64_t kSizes[] = {1, 7, 100, 1000, 8192, 65'535};
  return kSizes[random() % 6];
}

class PartitionReaderSeeds : public ::testing::TestWithParam<uint64_t> {};

TEST_P(PartitionReaderSeeds, OwnLayoutComesBackWhateverTheFilesLookLike) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  df::testing::RandomEngine random(GetParam());
  df::testing::RandomBatchOptions shape;
  shape.valueless_exemplars = false;
  const auto sent = df::testing::RandomBatches(8, std::nullopt, shape, random);
  auto layout = df::testing::RandomLakeOptions(df::testing::LakeLayout::kOwn, random);
  TemporaryFolder folder;
  const auto written = df::testing::WriteLake(folder.path(), sent, layout, random());
  ASSERT_TRUE(written.ok()) << written.status();
  ReadOptions options;
  options.batch_size = RandomBatchSize(random);
  options.memory_limit_bytes = random() % 2 == 0 ? 256_MiB : 256_KiB;
  const Replayed replayed = ReplayTree(folder.path(), options);
  EXPECT_EQ(replayed.report.num_errors(), 0)
      << (replayed.report.problems.empty() ? "" : replayed.report.problems[0].message);
  ExpectSameRecords(sent, replayed);
  ExpectConservation(replayed.report);
}

TEST_P(PartitionReaderSeeds, UpstreamLayoutWithOneBatchAFileComesBack) {
  SCOPED_TRACE(::testing::Message() << "seed " << GetParam());
  df::testing::RandomEngine random(GetParam() + 1'000'000);
  auto shape = df::testing::JoinableUpstreamShape();
  shape.root_rows = 60;
  const auto sent = df::testing::RandomBatches(6, std::nullopt, shape, random);
  const auto layout = df::testing::JoinableUpstreamOptions(random);
  TemporaryFolder folder;
  const auto written = df::testing::WriteLake(folder.path(), sent, layout, random());
  ASSERT_TRUE(written.ok()) << written.status();
  ReadOptions options;
  options.batch_size = RandomBatchSize(random);
  const Replayed replayed = ReplayTree(folder.path(), options);
  EXPECT_EQ(replayed.report.num_errors(), 0)
      << (replayed.report.problems.empty() ? "" : replayed.report.problems[0].message);
  ExpectSameRecords(sent, replayed);
  ExpectConservation(replayed.report);
}

INSTANTIATE_TEST_SUITE_P(Random, PartitionReaderSeeds, ::testing::Range<uint64_t>(0, 16));

TEST(PartitionReader, AnIdOfZeroBesideNullsIsAnId) {
  df::testing::RandomEngine random(7);
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 1;
  shape.null_ids_for_bare_children = true;
  for (int i = 0; i < 60; ++i) {
    SCOPED_TRACE(::testing::Message() << "seed 7, tree " << i);
    const auto sent = df::testing::RandomBatches(1, std::nullopt, shape, random);
    TemporaryFolder folder;
    ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent,
                                       {.layout = df::testing::LakeLayout::kOwn}, random())
                    .ok());
    const Replayed replayed = ReplayTree(folder.path(), {});
    EXPECT_EQ(replayed.report.num_errors(), 0);
    ExpectSameRecords(sent, replayed);
  }
}

/// Logs with four attributes each, one resource, written with knobs.
struct LogTree {
  explicit LogTree(df::testing::LakeWriterOptions layout, int batches = 4, int rows = 300) {
    df::testing::RandomEngine random(42);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = rows;
    shape.without_attributes = 0.2;
    sent = df::testing::RandomBatches(batches, otap::Signal::kLogs, shape, random);
    layout.layout = df::testing::LakeLayout::kOwn;
    written = df::testing::WriteLake(folder.path(), sent, layout, 7).ValueOrDie();
  }
  fs::path File(otap::TableKind kind, size_t index) const {
    for (const auto& file : written.files) {
      if (file.table == kind && index-- == 0) {
        return folder.path() / file.path;
      }
    }
    ADD_FAILURE() << "no such file";
    return {};
  }
  TemporaryFolder folder;
  std::vector<otap::BatchPtr> sent;
  df::testing::WrittenLake written;
};

TEST(PartitionReader, IdsInStepsOf100AndDescendingAreFine) {
  for (const bool descending : {false, true}) {
    LogTree tree({.id_step = 100, .descending_ids = descending});
    for (const int64_t batch_size : {1, 7, 1000}) {
      ReadOptions options;
      options.batch_size = batch_size;
      ExpectSameRecords(tree.sent, ReplayTree(tree.folder.path(), options));
    }
  }
}

TEST(PartitionReader, ChildrenOfManyFilesAndOneFileOfManyChildren) {
  for (const int64_t child_rows : {int64_t{5}, int64_t{1} << 40}) {
    for (const int64_t root_rows : {int64_t{10}, int64_t{1} << 40}) {
      LogTree tree({.root_rows_per_file = root_rows,
                    .child_rows_per_file = child_rows,
                    .split_batches = true});
      ReadOptions options;
      options.batch_size = 64;
      ExpectSameRecords(tree.sent, ReplayTree(tree.folder.path(), options));
    }
  }
}

TEST(PartitionReader, ShuffledChildrenStayInsideASmallBudget) {
  LogTree tree({.row_group_rows = 200, .child_order = df::testing::ChildOrder::kShuffledInFile}, 2,
               500);
  ReadOptions options;
  options.batch_size = 50;
  options.memory_limit_bytes = 64_KiB;
  const Replayed replayed = ReplayTree(tree.folder.path(), options);
  ExpectSameRecords(tree.sent, replayed);
  EXPECT_GT(replayed.report.slices_decoded_again, 0) << "the tree was meant not to fit";
}

TEST(PartitionReader, OrphansAreCountedAndDropped) {
  LogTree tree({.orphan_rows = 9});
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  ExpectSameRecords(tree.sent, replayed);
  EXPECT_EQ(replayed.report.table(otap::TableKind::kLogAttrs)
                .rows_dropped[static_cast<size_t>(DropReason::kOrphan)],
            tree.written.orphans.at(otap::TableKind::kLogAttrs));
}

TEST(PartitionReader, RowsWithARepeatedIdAreNamedAndGoOut) {
  LogTree tree({.duplicate_ids = 3}, 1);
  ReadOptions options;
  options.batch_size = 65'535;
  const Replayed replayed = ReplayTree(tree.folder.path(), options);
  EXPECT_EQ(replayed.report.table(otap::TableKind::kLogs).rows_emitted, 300);
  ASSERT_EQ(tree.written.duplicate_ids, 3);
  EXPECT_EQ(replayed.report.table(otap::TableKind::kLogs).duplicate_ids, 5) << "of two ids";
  EXPECT_EQ(replayed.report.errors[static_cast<size_t>(ErrorKind::kReconstruction)], 1);
}

/// Rows of a table in the batches whose root rows stand in one of the files.
int64_t RowsFrom(const Replayed& replayed, otap::TableKind kind, const std::string& name) {
  int64_t rows = 0;
  for (size_t i = 0; i < replayed.batches.size(); ++i) {
    if (replayed.origins[i].file.ends_with(name)) {
      const auto table = replayed.batches[i]->table(kind);
      rows += table == nullptr ? 0 : table->num_rows();
    }
  }
  return rows;
}

TEST(PartitionReader, ACopyOfARootFileIsNamedAndJoinsNoChildren) {
  LogTree tree({.root_rows_per_file = 300});
  const fs::path original = tree.File(otap::TableKind::kLogs, 1);
  fs::copy_file(original, original.parent_path() / "part-9-copy.parquet");
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  ExpectConservation(replayed.report);
  EXPECT_EQ(replayed.report.table(otap::TableKind::kLogs).rows_emitted, 1500);
  for (const std::string& name : {original.filename().string(), std::string("copy.parquet")}) {
    EXPECT_EQ(RowsFrom(replayed, otap::TableKind::kLogs, name), 300) << name;
    EXPECT_EQ(RowsFrom(replayed, otap::TableKind::kLogAttrs, name), 0) << name;
  }
  const fs::path other = tree.File(otap::TableKind::kLogs, 0);
  EXPECT_GT(RowsFrom(replayed, otap::TableKind::kLogAttrs, other.filename().string()), 0);
  EXPECT_GT(replayed.report.table(otap::TableKind::kLogs).duplicate_ids, 300);
  std::string messages;
  for (const auto& problem : replayed.report.problems) {
    messages += problem.message + "\n";
  }
  EXPECT_THAT(messages, HasSubstr("rows have an id that other rows of the table have too"));
}

TEST(PartitionReader, ACopyOfAChildFileIsReadOnce) {
  df::testing::RandomEngine random(42);
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 200;
  const auto sent = df::testing::RandomBatches(2, otap::Signal::kTraces, shape, random);
  for (const auto kind : {otap::TableKind::kSpanEvents, otap::TableKind::kSpanAttrs,
                          otap::TableKind::kSpanEventAttrs, otap::TableKind::kResourceAttrs}) {
    SCOPED_TRACE(otap::GetTable(kind).directory);
    TemporaryFolder folder;
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    const auto written = df::testing::WriteLake(folder.path(), sent, layout, 7).ValueOrDie();
    for (const auto& file : written.files) {
      if (file.table == kind) {
        const fs::path path = folder.path() / file.path;
        fs::copy_file(path, path.parent_path() / ("copy-" + path.filename().string()));
      }
    }
    const Replayed replayed = ReplayTree(folder.path(), {});
    ExpectConservation(replayed.report);
    EXPECT_EQ(replayed.report.num_errors(), 0);
    ASSERT_FALSE(replayed.report.notices.empty());
    EXPECT_THAT(replayed.report.notices[0].message, HasSubstr("has the bytes of"));
    ExpectSameRecords(sent, replayed);
  }
}

TEST(PartitionReader, AFileOfManyRowGroupsIsOpenedOnce) {
  df::testing::RandomEngine random(45);
  df::testing::RandomBatchOptions shape;
  shape.root_rows = 100;
  const auto sent = df::testing::RandomBatches(1, otap::Signal::kTraces, shape, random);
  TemporaryFolder folder;
  df::testing::LakeWriterOptions layout;
  layout.layout = df::testing::LakeLayout::kOwn;
  layout.row_group_rows = 1;
  layout.child_order = df::testing::ChildOrder::kByParent;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent, layout, 7).ok());
  const Replayed replayed = ReplayTree(folder.path(), {});
  ExpectSameRecords(sent, replayed);
  for (const auto kind : {otap::TableKind::kSpans, otap::TableKind::kSpanAttrs,
                          otap::TableKind::kSpanEvents, otap::TableKind::kSpanEventAttrs}) {
    EXPECT_EQ(replayed.report.table(kind).files_opened, 1) << otap::GetTable(kind).directory;
  }
}

/// Makes a file one of a writer that does not say what its nested ids mean.
void DropKey(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  const size_t key = bytes.rfind("otap.id_scope");
  ASSERT_NE(key, std::string::npos);
  bytes.replace(key, 13, "otap.no_scope");
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

TEST(PartitionReader, AttributeFilesWithoutTheKeyAreNotJoinedToRowsThatHaveIt) {
  LogTree tree({.root_rows_per_file = 300});
  const Replayed before = ReplayTree(tree.folder.path(), {});
  for (const auto& file : tree.written.files) {
    if (file.table == otap::TableKind::kResourceAttrs) {
      DropKey(tree.folder.path() / file.path);
    }
  }
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  ExpectConservation(replayed.report);
  EXPECT_EQ(replayed.report.table(otap::TableKind::kLogs).rows_emitted, 1200);
  EXPECT_EQ(replayed.report.table(otap::TableKind::kResourceAttrs).rows_emitted, 0);
  EXPECT_GT(replayed.report.rows_without_resource, 0);
  EXPECT_GT(before.report.table(otap::TableKind::kScopeAttrs).rows_emitted, 0);
  EXPECT_EQ(replayed.report.table(otap::TableKind::kScopeAttrs).rows_emitted,
            before.report.table(otap::TableKind::kScopeAttrs).rows_emitted);
}

TEST(PartitionReader, ARootFileWithoutTheKeyJoinsAsStoredOnlyWhereThatIsProved) {
  LogTree tree({.root_rows_per_file = 300});
  DropKey(tree.File(otap::TableKind::kLogs, 2));
  // All attribute files have the key, and the rows of all root files lead to all their rows.
  const Replayed proved = ReplayTree(tree.folder.path(), {});
  EXPECT_EQ(proved.report.rows_without_resource, 0);
  ExpectSameRecords(tree.sent, proved);
  // Beside attribute files of both kinds nothing is proved: rows without the key join none of
  // those that have it, and the other way round.
  DropKey(tree.File(otap::TableKind::kResourceAttrs, 0));
  const Replayed mixed = ReplayTree(tree.folder.path(), {});
  ExpectConservation(mixed.report);
  EXPECT_EQ(mixed.report.table(otap::TableKind::kLogs).rows_emitted, 1200);
  EXPECT_GT(mixed.report.rows_without_resource, 0);
}

TEST(PartitionReader, ATruncatedChildFileCostsItsRowsOnly) {
  LogTree tree({.root_rows_per_file = 300, .child_rows_per_file = 200});
  const fs::path victim = tree.File(otap::TableKind::kLogAttrs, 1);
  fs::resize_file(victim, fs::file_size(victim) / 2);
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  EXPECT_EQ(replayed.report.table(otap::TableKind::kLogs).rows_emitted, 1200);
  EXPECT_LT(replayed.report.table(otap::TableKind::kLogAttrs).rows_emitted,
            tree.written.rows.at(otap::TableKind::kLogAttrs));
  ASSERT_EQ(replayed.report.problems.size(), 1U);
  EXPECT_EQ(replayed.report.problems[0].kind, ErrorKind::kParquet);
  EXPECT_EQ(replayed.report.problems[0].count, 1);
  EXPECT_THAT(replayed.report.problems[0].message, HasSubstr(victim.filename().string()));
}

TEST(PartitionReader, ABrokenPageCostsItsRowGroupOnly) {
  LogTree tree({.root_rows_per_file = int64_t{1} << 40, .row_group_rows = 300});
  const fs::path victim = tree.File(otap::TableKind::kLogs, 0);
  {
    std::fstream file(victim, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8);  // the first page header of the first row group
    file.write("\xFF\xFF\xFF\xFF", 4);
  }
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  const TableCounts& logs = replayed.report.table(otap::TableKind::kLogs);
  EXPECT_EQ(logs.rows_emitted, 900);
  EXPECT_EQ(logs.rows_dropped[static_cast<size_t>(DropReason::kUnreadable)], 300);
  EXPECT_EQ(replayed.report.num_errors(), 1);
  EXPECT_THAT(replayed.report.problems[0].message, HasSubstr("row_group=0"));
}

TEST(PartitionReader, FlippedBytesNeverCrashAndNeverBreakConservation) {
  LogTree tree({.compression = arrow::Compression::SNAPPY}, 2, 80);
  for (uint32_t seed = 0; seed < 150; ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    std::mt19937 random(seed);
    const fs::path victim =
        tree.folder.path() / tree.written.files[random() % tree.written.files.size()].path;
    const auto size = static_cast<uint32_t>(fs::file_size(victim));
    const auto at = static_cast<std::streamoff>(
        seed % 2 == 0 ? random() % size : size - 1 - random() % std::min(size, 4000U));
    std::fstream file(victim, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char before = static_cast<char>(file.get());
    file.seekp(at);
    file.put(static_cast<char>(before ^ (1 << random() % 8)));
    file.flush();
    const Replayed replayed = ReplayTree(tree.folder.path(), {});
    ExpectConservation(replayed.report);
    EXPECT_EQ(replayed.budget_left_over, 0);
    file.seekp(at);
    file.put(before);
  }
  ExpectSameRecords(tree.sent, ReplayTree(tree.folder.path(), {}));
}

TEST(PartitionReader, MissingChildTablesLeaveTheirParentsWhole) {
  LogTree tree({});
  fs::remove_all(tree.folder.path() / "log_attrs");
  fs::remove_all(tree.folder.path() / "scope_attrs");
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  EXPECT_EQ(replayed.report.table(otap::TableKind::kLogs).rows_emitted, 1200);
  EXPECT_EQ(replayed.report.table(otap::TableKind::kLogAttrs).rows_emitted, 0);
  EXPECT_EQ(replayed.report.num_errors(), 1) << "ids without attributes";
}

TEST(PartitionReader, AFileOfAnImpossibleTypeIsASchemaErrorOfItself) {
  LogTree tree({});
  arrow::StringBuilder ids;
  ASSERT_TRUE(ids.AppendValues({"one", "two"}).ok());
  const auto table = arrow::Table::Make(arrow::schema({arrow::field("id", arrow::utf8())}),
                                        {ids.Finish().ValueOrDie()});
  const fs::path bad = tree.File(otap::TableKind::kLogs, 0).parent_path() / "part-1-x.parquet";
  ASSERT_TRUE(
      parquet::arrow::WriteTable(*table, arrow::default_memory_pool(),
                                 arrow::io::FileOutputStream::Open(bad.string()).ValueOrDie())
          .ok());
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  ExpectSameRecords(tree.sent, replayed);
  ASSERT_EQ(replayed.report.problems.size(), 1U);
  EXPECT_EQ(replayed.report.problems[0].kind, ErrorKind::kSchemaReconstruction);
  EXPECT_THAT(replayed.report.problems[0].message,
              ::testing::AllOf(HasSubstr("column id"), HasSubstr("found BYTE_ARRAY"),
                               HasSubstr("expected uint32")));
}

TEST(PartitionReader, NamesThatAreNotUtf8AreReadAndPrinted) {
  LogTree tree({});
  const fs::path folder = tree.File(otap::TableKind::kLogs, 0).parent_path();
  fs::rename(tree.File(otap::TableKind::kLogs, 0), folder / "part-1756000000000-\xFF\xFE.parquet");
  ExpectSameRecords(tree.sent, ReplayTree(tree.folder.path(), {}));
  std::ofstream(folder / "part-2-\xFF.parquet") << "not parquet at all";
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  ExpectSameRecords(tree.sent, replayed);
  ASSERT_EQ(replayed.report.problems.size(), 1U);
  EXPECT_THAT(replayed.report.problems[0].message, HasSubstr("part-2-\\xff.parquet"));
}

TEST(PartitionReader, OriginsNameEveryRootRowOnce) {
  LogTree tree({.root_rows_per_file = 500, .split_batches = true, .row_group_rows = 170});
  ReadOptions options;
  options.batch_size = 64;
  const Replayed replayed = ReplayTree(tree.folder.path(), options);
  std::map<std::pair<std::string, int>, int64_t> next_row;
  int64_t rows = 0;
  for (size_t i = 0; i < replayed.origins.size(); ++i) {
    const Origin& origin = replayed.origins[i];
    EXPECT_EQ(origin.first_row, (next_row[{origin.file, origin.row_group}]));
    EXPECT_EQ(origin.num_rows, replayed.batches[i]->num_root_rows());
    next_row[{origin.file, origin.row_group}] += origin.num_rows;
    rows += origin.num_rows;
  }
  EXPECT_EQ(rows, 1200);
}

TEST(PartitionReader, AReaderLeftInTheMiddleReportsNoOrphans) {
  LogTree tree({});
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  ReadReport report;
  MemoryBudget budget(256_MiB);
  const std::string base = tree.folder.path().string();
  const auto listing = ListLake(local, base, {otap::Signal::kLogs}).ValueOrDie();
  PartitionTask task{
      .signal = otap::Signal::kLogs, .files = nullptr, .root_files = {0}, .is_partial = false};
  task.files = std::make_shared<PartitionFiles>(
      LoadPartition(local, base, listing.partitions.at(0), &report));
  ReadOptions options;
  options.batch_size = 10;
  {
    const auto reader =
        PartitionReader::Make(&local, base, task, options, &budget, &report).ValueOrDie();
    ASSERT_TRUE(reader->Next().ValueOrDie().has_value());
  }
  EXPECT_EQ(report.table(otap::TableKind::kLogs).rows_emitted, 10);
  ExpectConservation(report);
  EXPECT_EQ(report.table(otap::TableKind::kLogAttrs)
                .rows_dropped[static_cast<size_t>(DropReason::kOrphan)],
            0);
  EXPECT_EQ(budget.used_bytes(), 0);
}

/// Readers of one partition share what they find out about resources, but no failure to read it.
TEST(PartitionReader, AReaderThatFailsCostsTheNextOneNothing) {
  df::testing::RandomEngine random(5);
  TemporaryFolder folder;
  const auto sent = df::testing::RandomBatches(4, otap::Signal::kLogs, {}, random);
  ASSERT_TRUE(
      df::testing::WriteLake(folder.path(), sent, {.layout = df::testing::LakeLayout::kUpstream}, 7)
          .ok());
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  const std::string base = folder.path().string();
  const auto listing = ListLake(local, base, {otap::Signal::kLogs}).ValueOrDie();
  const auto whole = df::testing::CanonicalRecords(ReplayTree(folder.path(), {}).batches);
  for (int64_t call = 0; call < 60; ++call) {
    SCOPED_TRACE(::testing::Message() << "call " << call);
    df::testing::ReadFaults faults{.first = call};
    const auto faulty_store =
        storage::Store::Over({}, {}, std::make_shared<df::testing::FaultyFileSystem>(&faults));
    storage::Store& faulty = *faulty_store;
    PartitionTask task{.signal = otap::Signal::kLogs, .files = nullptr, .root_files = {0}};
    ReadReport report;
    task.files = std::make_shared<PartitionFiles>(
        LoadPartition(local, base, listing.partitions.at(0), &report));
    for (storage::Store* store : {&faulty, &local}) {
      Replayed replayed;
      MemoryBudget budget(256_MiB);
      const auto reader =
          PartitionReader::Make(store, base, task, {}, &budget, &replayed.report).ValueOrDie();
      while (auto payload = reader->Next().ValueOrDie()) {
        replayed.batches.push_back(payload->batch);
      }
      if (store == &local) {
        EXPECT_TRUE(df::testing::CanonicalRecords(replayed.batches) == whole);
      } else if (faults.num_failed > 0) {
        EXPECT_GT(replayed.report.num_errors(), 0);
      }
    }
  }
}

TEST(PartitionReader, LittersOfOtherFilesAreIgnored) {
  LogTree tree({});
  const fs::path folder = tree.File(otap::TableKind::kLogs, 0).parent_path();
  for (const char* name :
       {"_SUCCESS", ".hidden.parquet", "part-1-x.parquet#1", "notes.txt", "_metadata.parquet"}) {
    std::ofstream(folder / name) << "not parquet";
  }
  fs::create_directories(tree.folder.path() / "foo_attrs");
  fs::create_directories(folder / "nested.parquet");
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  ExpectSameRecords(tree.sent, replayed);
  ASSERT_EQ(replayed.report.problems.size(), 1U) << "the unknown table";
  EXPECT_THAT(replayed.report.problems[0].message, HasSubstr("foo_attrs"));
}

TEST(PartitionReader, BadPartitionDirectoriesCostThemselvesOnly) {
  LogTree tree({});
  const fs::path bad = tree.folder.path() / "logs/_part_id=__HIVE_DEFAULT_PARTITION__";
  fs::create_directories(bad);
  fs::copy_file(tree.File(otap::TableKind::kLogs, 0), bad / "part-1-a.parquet");
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  ExpectSameRecords(tree.sent, replayed);
  ASSERT_EQ(replayed.report.problems.size(), 1U);
  EXPECT_EQ(replayed.report.problems[0].kind, ErrorKind::kInvalidPartition);
}

TEST(PartitionReader, AnUnreadableAttributeFileNeverLendsRowsAnotherResource) {
  // Four batches of one resource each in one file: only the attribute files tell where they start.
  df::testing::RandomEngine random(11);
  df::testing::RandomBatchOptions shape;
  shape.upstream_columns_only = true;
  shape.max_resources = 1;
  shape.max_scopes_per_resource = 1;
  shape.without_attributes = 0;
  shape.null_struct = 0;
  shape.missing_column = 0;
  const auto sent = df::testing::RandomBatches(4, otap::Signal::kLogs, shape, random);
  TemporaryFolder folder;
  df::testing::LakeWriterOptions layout;
  layout.child_rows_per_file = 1;  // one file a batch
  const auto written = df::testing::WriteLake(folder.path(), sent, layout, 1).ValueOrDie();
  EXPECT_EQ(ReplayTree(folder.path(), {}).report.rows_without_resource, 0);
  int num_resource_files = 0;
  for (const auto& file : written.files) {
    if (file.table == otap::TableKind::kResourceAttrs && ++num_resource_files == 3) {
      fs::resize_file(folder.path() / file.path, 50);
    }
  }
  const Replayed replayed = ReplayTree(folder.path(), {});
  EXPECT_EQ(replayed.report.rows_without_resource, 160);
  for (const otap::BatchPtr& batch : replayed.batches) {
    EXPECT_EQ(batch->table(otap::TableKind::kResourceAttrs), nullptr);
  }
  ReadOptions strict;
  strict.resource_join = ResourceJoin::kFail;
  const Replayed refused = ReplayTree(folder.path(), strict);
  EXPECT_TRUE(refused.batches.empty());
  EXPECT_EQ(refused.report.table(otap::TableKind::kLogs).dropped(DropReason::kRefused), 160);
}

TEST(PartitionReader, DropPolicySendsUpstreamRowsWithoutResources) {
  df::testing::RandomEngine random(5);
  df::testing::RandomBatchOptions shape;
  shape.upstream_columns_only = true;
  shape.null_struct = 0;
  shape.missing_column = 0;
  const auto sent = df::testing::RandomBatches(3, otap::Signal::kLogs, shape, random);
  TemporaryFolder folder;
  ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent, {}, 1).ok());
  ReadOptions options;
  options.resource_join = ResourceJoin::kDrop;
  const Replayed replayed = ReplayTree(folder.path(), options);
  EXPECT_EQ(replayed.report.rows_without_resource, 120);
  for (const otap::BatchPtr& batch : replayed.batches) {
    EXPECT_EQ(batch->table(otap::TableKind::kResourceAttrs), nullptr);
  }
}

}  // namespace
}  // namespace df::lake
