// Ids that several rows of a table have: named, and never joined across.
#include "lake/scan/repeated_ids.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "lake/scan/own_repeats.h"
#include "lake/scan/unreferred_attributes.h"
#include "testing/faulty_file_system.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/table_rewrites.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::Messages;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Ids of a table by row; nothing where null.
using Ids = std::vector<std::optional<uint32_t>>;

IdColumn ColumnOf(const Ids& ids) {
  IdColumn column;
  arrow::TypedBufferBuilder<bool> validity;
  for (const auto& id : ids) {
    column.values.push_back(id.value_or(0));
    column.num_valid += id.has_value() ? 1 : 0;
    EXPECT_TRUE(validity.Append(id.has_value()).ok());
  }
  if (column.num_valid < std::ssize(ids)) {
    column.validity = validity.Finish().ValueOrDie();
  }
  return column;
}

Ids IdsIn(const IdColumn& column) {
  Ids ids;
  for (size_t row = 0; row < column.values.size(); ++row) {
    ids.push_back(column.is_valid(static_cast<int64_t>(row)) ? std::optional(column.values[row])
                                                             : std::nullopt);
  }
  return ids;
}

TEST(OwnRepeats, FindsWhatComesTwiceWhateverTheOrder) {
  MemoryBudget budget(1_MiB);
  auto find = [&](const Ids& ids) { return FindOwnRepeats(ColumnOf(ids), &budget).ids(); };
  EXPECT_THAT(find({}), IsEmpty());
  EXPECT_THAT(find({1, 2, 3, UINT32_MAX}), IsEmpty());
  EXPECT_THAT(find({3, 1, 2}), IsEmpty());
  EXPECT_THAT(find({std::nullopt, 0, std::nullopt}), IsEmpty());
  EXPECT_THAT(find({1, 2, 1, 3, 1}), ElementsAre(1));
  EXPECT_THAT(find({5, 5}), ElementsAre(5));
  EXPECT_THAT(find({0, std::nullopt, 0}), ElementsAre(0));
  EXPECT_THAT(find({UINT32_MAX, 0, 7, UINT32_MAX, 0}), ElementsAre(0, UINT32_MAX)) << "far apart";
  Ids dense(1000);
  for (size_t i = 0; i < dense.size(); ++i) {
    dense[i] = static_cast<uint32_t>(70 + i % 990);
  }
  EXPECT_THAT(find(dense), ElementsAre(70, 71, 72, 73, 74, 75, 76, 77, 78, 79));
  EXPECT_EQ(budget.used_bytes(), 0);
  EXPECT_GT(budget.peak_bytes(), 0);
  EXPECT_LE(budget.peak_bytes(), 1000 * 4);
}

TEST(OwnRepeats, ZerosThatFillAMissingColumnAreNoIds) {
  constexpr auto kPoints = otap::TableKind::kNumberDataPoints;
  constexpr auto kEvents = otap::TableKind::kSpanEvents;
  auto drop = [](otap::TableKind kind, const Ids& ids) {
    IdColumn column = ColumnOf(ids);
    DropFilledZeros(kind, &column);
    const Ids left = IdsIn(column);
    EXPECT_EQ(column.num_valid,
              std::count_if(left.begin(), left.end(), [](auto id) { return id.has_value(); }));
    return left;
  };
  const std::optional<uint32_t> none;
  EXPECT_EQ(drop(kEvents, {0, 0}), Ids({none, none}));
  EXPECT_EQ(drop(kEvents, {0}), Ids({0}));
  EXPECT_EQ(drop(kEvents, {0, none, 0}), Ids({0, none, 0})) << "nulls are what a batch has none as";
  EXPECT_EQ(drop(kEvents, {0, 1, 0, 0}), Ids({0, 1, 0, 0}));
  EXPECT_EQ(drop(otap::TableKind::kLogs, {0, 0}), Ids({0, 0})) << "roots are never filled";
  EXPECT_EQ(drop(kPoints, {0, 1, 2, 0, 0, 7}), Ids({0, 1, 2, none, none, 7}));
  EXPECT_EQ(drop(kPoints, {5, 6, 0, 0, 7}), Ids({5, 6, none, none, 7}));
  EXPECT_EQ(drop(kPoints, {0, 0, 1, 2}), Ids({0, 0, 1, 2})) << "either may be the first id";
  EXPECT_EQ(drop(kPoints, {0, 1, 0, 1}), Ids({0, 1, 0, 1})) << "two writers";
  EXPECT_EQ(drop(kPoints, {none, 0, 3, 0}), Ids({none, 0, 3, none}));
}

/// How a table is written again.
struct Form {
  int64_t row_group_rows = 1 << 20;
  bool statistics = true;
};

std::shared_ptr<arrow::RecordBatch> ReadTable(const fs::path& path) {
  return df::testing::ReadTable(path.string()).ValueOrDie();
}

void WriteTable(const fs::path& path, const std::shared_ptr<arrow::RecordBatch>& rows,
                const Form& form) {
  parquet::WriterProperties::Builder properties;
  properties.max_row_group_length(form.row_group_rows);
  if (!form.statistics) {
    properties.disable_statistics();
  }
  parquet::ArrowWriterProperties::Builder arrow_properties;
  arrow_properties.store_schema();
  const auto table = arrow::Table::FromRecordBatches({rows}).ValueOrDie();
  EXPECT_TRUE(
      parquet::arrow::WriteTable(*table, arrow::default_memory_pool(),
                                 arrow::io::FileOutputStream::Open(path.string()).ValueOrDie(),
                                 form.row_group_rows, properties.build(), arrow_properties.build())
          .ok());
}

/// Lets a test change the ids of a file, and the shape of its row groups.
void RewriteIds(const fs::path& path, const Form& form, const std::function<void(Ids*)>& change) {
  const auto rows = ReadTable(path);
  const auto old = std::static_pointer_cast<arrow::UInt32Array>(rows->GetColumnByName("id"));
  Ids ids;
  for (int64_t row = 0; row < old->length(); ++row) {
    ids.push_back(old->IsNull(row) ? std::nullopt : std::optional(old->Value(row)));
  }
  change(&ids);
  arrow::UInt32Builder builder;
  for (const auto& id : ids) {
    EXPECT_TRUE((id.has_value() ? builder.Append(*id) : builder.AppendNull()).ok());
  }
  WriteTable(
      path,
      df::testing::ReplaceColumn(*rows, "id", "id", builder.Finish().ValueOrDie()).ValueOrDie(),
      form);
}

/// Rows of a table in all payloads.
int64_t RowsOf(const Replayed& replayed, otap::TableKind kind) {
  int64_t rows = 0;
  for (const otap::BatchPtr& batch : replayed.batches) {
    rows += batch->table(kind) == nullptr ? 0 : batch->table(kind)->num_rows();
  }
  return rows;
}

/// One signal in one partition, with attributes on everything, one file a table.
struct Tree {
  explicit Tree(otap::Signal signal, int batches = 1) {
    df::testing::RandomEngine random(20'261'128);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 60;
    shape.without_attributes = 0;
    shape.without_children = 0;
    shape.missing_column = 0;
    shape.dictionary = 0;
    shape.max_attributes = 2;
    sent = df::testing::RandomBatches(batches, signal, shape, random);
    df::testing::LakeWriterOptions layout;
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.partition_levels = 0;
    layout.dictionary = df::testing::DictionaryForm::kNone;
    written = df::testing::WriteLake(folder.path(), sent, layout, 7).ValueOrDie();
    options.batch_size = 4;
  }
  fs::path File(otap::TableKind kind) const {
    for (const auto& file : written.files) {
      if (file.table == kind) {
        return folder.path() / file.path;
      }
    }
    ADD_FAILURE() << "no file of " << otap::GetTable(kind).directory;
    return {};
  }
  Replayed Replay() const { return ReplayTree(folder.path(), options); }

  TemporaryFolder folder;
  std::vector<otap::BatchPtr> sent;
  df::testing::WrittenLake written;
  ReadOptions options;
};

/// A table with ids, a table that refers to it, and the signal of both.
struct Pair {
  otap::Signal signal;
  otap::TableKind parents;
  otap::TableKind children;
};

const Pair kPairs[] = {
    {otap::Signal::kLogs, otap::TableKind::kLogs, otap::TableKind::kLogAttrs},
    {otap::Signal::kTraces, otap::TableKind::kSpans, otap::TableKind::kSpanAttrs},
    {otap::Signal::kTraces, otap::TableKind::kSpanEvents, otap::TableKind::kSpanEventAttrs},
    {otap::Signal::kTraces, otap::TableKind::kSpanLinks, otap::TableKind::kSpanLinkAttrs},
    {otap::Signal::kMetrics, otap::TableKind::kNumberDataPoints, otap::TableKind::kNumberDpAttrs},
    {otap::Signal::kMetrics, otap::TableKind::kNumberDpExemplars,
     otap::TableKind::kNumberDpExemplarAttrs},
};

/// Gives the last row with an id that of the first, and says which it is.
uint32_t RepeatFirst(Ids* ids) {
  auto has_id = [](const std::optional<uint32_t>& id) { return id.has_value() && *id != 0; };
  const auto first = std::find_if(ids->begin(), ids->end(), has_id);
  const auto last = std::find_if(ids->rbegin(), ids->rend(), has_id);
  *last = *first;
  return **first;
}

int64_t ChildrenOf(const fs::path& file, uint32_t parent) {
  const auto rows = ReadTable(file);
  const auto parents =
      std::static_pointer_cast<arrow::UInt32Array>(rows->GetColumnByName("parent_id"));
  int64_t found = 0;
  for (int64_t row = 0; row < parents->length(); ++row) {
    found += parents->Value(row) == parent ? 1 : 0;
  }
  return found;
}

class RepeatedIdsOf : public ::testing::TestWithParam<std::tuple<size_t, bool, int64_t>> {};

TEST_P(RepeatedIdsOf, AnIdThatComesTwiceInATableIsNamedAndJoinsNothing) {
  const auto& [number, has_statistics, row_group_rows] = GetParam();
  const Pair& pair = kPairs[number];
  SCOPED_TRACE(otap::GetTable(pair.parents).directory);
  const Tree tree(pair.signal);
  uint32_t repeated = 0;
  uint32_t lost = 0;
  RewriteIds(tree.File(pair.parents),
             {.row_group_rows = row_group_rows, .statistics = has_statistics}, [&](Ids* ids) {
               const Ids before = *ids;
               repeated = RepeatFirst(ids);
               for (size_t row = 0; row < ids->size(); ++row) {
                 lost = before[row] != (*ids)[row] ? *before[row] : lost;
               }
             });
  const int64_t untold = ChildrenOf(tree.File(pair.children), repeated);
  const int64_t orphans = ChildrenOf(tree.File(pair.children), lost);
  ASSERT_GT(untold, 0);
  for (const int64_t batch_size : {4, 1000}) {
    SCOPED_TRACE(batch_size);
    ReadOptions options = tree.options;
    options.batch_size = batch_size;
    const Replayed replayed = ReplayTree(tree.folder.path(), options);
    EXPECT_EQ(RowsOf(replayed, pair.children),
              ReadTable(tree.File(pair.children))->num_rows() - untold - orphans);
    EXPECT_EQ(replayed.report.table(pair.parents).duplicate_ids, 2);
    EXPECT_EQ(RowsOf(replayed, pair.parents), ReadTable(tree.File(pair.parents))->num_rows());
    EXPECT_THAT(Messages(replayed), HasSubstr("2 rows have an id that other rows of the table"));
    EXPECT_THAT(Messages(replayed), HasSubstr("(id " + std::to_string(repeated) + ")"));
    EXPECT_EQ(replayed.budget_left_over, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, RepeatedIdsOf,
                         ::testing::Combine(::testing::Range<size_t>(0, std::size(kPairs)),
                                            ::testing::Bool(), ::testing::Values(1 << 20, 10)));

TEST(RepeatedIds, IdsWithoutStatisticsThatDoNotRepeatAreJoined) {
  for (const Pair& pair : kPairs) {
    SCOPED_TRACE(otap::GetTable(pair.parents).directory);
    const Tree tree(pair.signal, 2);
    RewriteIds(tree.File(pair.parents), {.row_group_rows = 10, .statistics = false}, [](Ids*) {});
    const Replayed replayed = tree.Replay();
    EXPECT_EQ(replayed.report.num_errors(), 0) << Messages(replayed);
    df::testing::ExpectSameRecords(tree.sent, replayed);
  }
}

TEST(RepeatedIds, ZeroTwiceBesideNullsIsNamedAndJoinsNothing) {
  for (const otap::TableKind kind : {otap::TableKind::kSpanEvents, otap::TableKind::kSpanLinks}) {
    SCOPED_TRACE(otap::GetTable(kind).directory);
    const Tree tree(otap::Signal::kTraces);
    const auto children = kind == otap::TableKind::kSpanEvents ? otap::TableKind::kSpanEventAttrs
                                                               : otap::TableKind::kSpanLinkAttrs;
    RewriteIds(tree.File(kind), {}, [](Ids* ids) {
      for (size_t row = 0; row < ids->size(); ++row) {
        (*ids)[row] = row == 0 || row + 1 == ids->size() ? std::optional(0U) : std::nullopt;
      }
    });
    const int64_t untold = ChildrenOf(tree.File(children), 0);
    ASSERT_GT(untold, 0);
    for (const int64_t batch_size : {4, 1000}) {
      SCOPED_TRACE(batch_size);
      ReadOptions options = tree.options;
      options.batch_size = batch_size;
      const Replayed replayed = ReplayTree(tree.folder.path(), options);
      EXPECT_EQ(RowsOf(replayed, children), 0);
      EXPECT_EQ(replayed.report.table(kind).duplicate_ids, 2);
      EXPECT_THAT(Messages(replayed), HasSubstr("2 rows have an id that other rows of the table"));
    }
  }
}

TEST(RepeatedIds, ZerosThatFillThePointsOfOneBatchCostTheOtherNothing) {
  const Tree tree(otap::Signal::kMetrics);
  const fs::path points = tree.File(otap::TableKind::kNumberDataPoints);
  RewriteIds(points, {},
             [](Ids* ids) { std::fill(ids->end() - 5, ids->end(), std::optional(0U)); });
  int64_t lost = 0;
  const auto last = static_cast<uint32_t>(ReadTable(points)->num_rows());
  for (uint32_t id = last - 5; id < last; ++id) {
    lost += ChildrenOf(tree.File(otap::TableKind::kNumberDpAttrs), id);
  }
  const int64_t rows = ReadTable(tree.File(otap::TableKind::kNumberDpAttrs))->num_rows();
  for (const int64_t batch_size : {4, 1000}) {
    SCOPED_TRACE(batch_size);
    ReadOptions options = tree.options;
    options.batch_size = batch_size;
    const Replayed replayed = ReplayTree(tree.folder.path(), options);
    EXPECT_EQ(RowsOf(replayed, otap::TableKind::kNumberDpAttrs), rows - lost);
    EXPECT_EQ(replayed.report.table(otap::TableKind::kNumberDataPoints).duplicate_ids, 0);
  }
}

/// A file that was compacted, and one of those that it replaces: as a whole, or by row groups.
TEST(RepeatedIds, AFileBesideTheOneThatReplacesItIsNamed) {
  for (const auto layout : {df::testing::LakeLayout::kOwn, df::testing::LakeLayout::kUpstream}) {
    for (const int64_t row_group_rows : {60, 1000}) {
      SCOPED_TRACE(::testing::Message() << static_cast<int>(layout) << " " << row_group_rows);
      df::testing::RandomEngine random(7);
      df::testing::RandomBatchOptions shape;
      shape.root_rows = 60;
      shape.upstream_columns_only = true;
      shape.null_struct = 0;
      shape.missing_column = 0;
      shape.without_attributes = 0;
      const auto sent = df::testing::RandomBatches(3, otap::Signal::kTraces, shape, random);
      const TemporaryFolder folder;
      df::testing::LakeWriterOptions options;
      options.layout = layout;
      options.root_rows_per_file = 1;
      options.partition_levels = 0;
      options.dictionary = df::testing::DictionaryForm::kNone;
      std::vector<fs::path> roots;
      std::vector<std::shared_ptr<arrow::RecordBatch>> rows;
      const auto written = df::testing::WriteLake(folder.path(), sent, options, 7).ValueOrDie();
      for (const auto& file : written.files) {
        if (file.table == otap::TableKind::kSpans) {
          roots.push_back(folder.path() / file.path);
          rows.push_back(ReadTable(roots.back()));
        }
      }
      ASSERT_EQ(roots.size(), 3U);
      fs::remove(roots[0]);
      fs::remove(roots[1]);
      WriteTable(
          roots[0],
          arrow::Table::FromRecordBatches(rows).ValueOrDie()->CombineChunksToBatch().ValueOrDie(),
          {.row_group_rows = row_group_rows});
      const Replayed replayed = ReplayTree(folder.path(), {});
      EXPECT_EQ(replayed.report.table(otap::TableKind::kSpans).rows_emitted, 240);
      EXPECT_EQ(replayed.report.table(otap::TableKind::kSpans).duplicate_ids, 120);
      EXPECT_THAT(Messages(replayed), HasSubstr("120 rows have an id that other rows of the"));
      // The children of the last batch went to none of its rows, those of the others to theirs.
      EXPECT_EQ(RowsOf(replayed, otap::TableKind::kSpanEvents),
                sent[0]->table(otap::TableKind::kSpanEvents)->num_rows() +
                    sent[1]->table(otap::TableKind::kSpanEvents)->num_rows());
      if (layout == df::testing::LakeLayout::kOwn) {
        const auto whole = df::testing::CanonicalRecords({sent[0], sent[1]});
        const auto found = df::testing::CanonicalRecords(replayed.batches);
        EXPECT_TRUE(std::includes(found.begin(), found.end(), whole.begin(), whole.end()));
      }
    }
  }
}

/// Two files of one table whose ids are the same.
struct Copied : Tree {
  Copied() : Tree(otap::Signal::kLogs, 4) {
    const fs::path file = File(otap::TableKind::kLogs);
    copy = file.parent_path() / "part-9-copy.parquet";
    fs::copy_file(file, copy);
  }
  fs::path copy;
};

std::shared_ptr<const PartitionFiles> LoadLogs(const Tree& tree, ReadReport* report) {
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  const std::string base = tree.folder.path().string();
  const auto listing = ListLake(local, base, {otap::Signal::kLogs}).ValueOrDie();
  return std::make_shared<PartitionFiles>(
      LoadPartition(local, base, listing.partitions.at(0), report));
}

/// What a search over the files of the logs of a tree needs.
struct Search {
  Search(const Tree& tree, int64_t memory_limit_bytes) : budget(memory_limit_bytes) {
    context.store = local.get();
    context.base = tree.folder.path().string();
    context.budget = &budget;
    context.report = &report;
    files = LoadLogs(tree, &report);
  }
  const std::vector<FileSummaryPtr>& logs() const { return files->of(otap::TableKind::kLogs); }

  std::shared_ptr<storage::Store> local = storage::Store::Local();
  ReadReport report;
  MemoryBudget budget;
  ReadContext context;
  std::shared_ptr<const PartitionFiles> files;
};

TEST(RepeatedIds, AFileThatCannotBeReadAtFirstIsNamedAndLendsNoChildren) {
  Copied tree;
  int num_seen = 0;
  // Each call fails once: those of the search among them.
  for (int64_t call = 0, num_failed = 1; num_failed > 0; ++call) {
    SCOPED_TRACE(::testing::Message() << "call " << call);
    df::testing::ReadFaults faults{.first = call};
    const auto faulty_store =
        storage::Store::Over({}, {}, std::make_shared<df::testing::FaultyFileSystem>(&faults));
    storage::Store& faulty = *faulty_store;
    Replayed replayed;
    MemoryBudget budget(256_MiB);
    PartitionTask task{.signal = otap::Signal::kLogs,
                       .files = LoadLogs(tree, &replayed.report),
                       .root_files = {0, 1}};
    const auto reader = PartitionReader::Make(&faulty, tree.folder.path().string(), task, {},
                                              &budget, &replayed.report)
                            .ValueOrDie();
    while (auto payload = reader->Next().ValueOrDie()) {
      replayed.batches.push_back(payload->batch);
    }
    EXPECT_EQ(RowsOf(replayed, otap::TableKind::kLogAttrs), 0);
    num_failed = faults.num_failed;
    if (num_failed > 0) {
      EXPECT_GT(replayed.report.num_errors(), 0);
      num_seen += Messages(replayed).find("whether other rows have the ids") != std::string::npos;
    }
  }
  EXPECT_GT(num_seen, 0);
}

TEST(RepeatedIds, WhatTheSearchHoldsIsChargedToTheBudget) {
  const Copied tree;
  const int64_t num_ids = tree.written.rows.at(otap::TableKind::kLogs);
  Search search(tree, 256_MiB);
  {
    const RepeatedIds repeated(otap::TableKind::kLogs, search.logs(), &search.context);
    EXPECT_TRUE(repeated.Has(0));
    EXPECT_FALSE(repeated.Has(static_cast<uint32_t>(num_ids) + 1'000'000));
    EXPECT_EQ(search.budget.used_bytes(), num_ids * 4) << "each id is held";
    EXPECT_GT(search.budget.peak_bytes(), search.budget.used_bytes());
  }
  EXPECT_EQ(search.budget.used_bytes(), 0);
}

/// Ids far apart would need a gigabyte at once: the search goes over them as often as it takes.
TEST(RepeatedIds, ASmallBudgetIsKeptWhateverTheIds) {
  const Tree tree(otap::Signal::kLogs, 1);
  const fs::path file = tree.File(otap::TableKind::kLogs);
  const auto one = ReadTable(file);
  std::vector<std::shared_ptr<arrow::RecordBatch>> many(5'000, one);
  const auto rows =
      arrow::Table::FromRecordBatches(many).ValueOrDie()->CombineChunksToBatch().ValueOrDie();
  const int64_t num_rows = rows->num_rows();
  for (const bool is_dense : {true, false}) {
    SCOPED_TRACE(is_dense);
    arrow::UInt32Builder ids;
    std::vector<uint32_t> expected;
    for (int64_t row = 0; row < num_rows; ++row) {
      const auto number = static_cast<uint32_t>(row);
      const uint32_t id = is_dense ? number : number * 2'654'435'761U;  // each once
      const bool is_again = row + 3 >= num_rows;
      ASSERT_TRUE(
          ids.Append(is_again ? (is_dense ? number - 200'000 : (number - 200'000) * 2'654'435'761U)
                              : id)
              .ok());
      if (is_again) {
        expected.push_back(is_dense ? number - 200'000 : (number - 200'000) * 2'654'435'761U);
      }
    }
    // Large row groups are held while they are read.
    WriteTable(
        file, df::testing::ReplaceColumn(*rows, "id", "id", ids.Finish().ValueOrDie()).ValueOrDie(),
        {.row_group_rows = 20'000, .statistics = is_dense});
    Search search(tree, 1_MiB);
    const RepeatedIds repeated(otap::TableKind::kLogs, search.logs(), &search.context);
    for (const uint32_t id : expected) {
      EXPECT_TRUE(repeated.Has(id)) << id;
    }
    EXPECT_FALSE(repeated.Has(expected.front() - 1));
    EXPECT_FALSE(repeated.Has(expected.back() + 1));
    EXPECT_LE(search.budget.peak_bytes(), 1_MiB + 200_KiB);
    EXPECT_EQ(search.report.num_errors(), 0);
  }
}

TEST(UnreferredAttributes, WhatIsHeldIsChargedToTheBudget) {
  const Tree tree(otap::Signal::kLogs, 3);
  Search search(tree, 1_MiB);
  const std::vector<otap::Signal> signals = {otap::Signal::kLogs};
  const auto unreferred = FindUnreferredAttributes(*search.files, otap::TableKind::kResourceAttrs,
                                                   signals, search.context);
  ASSERT_TRUE(unreferred.ok()) << unreferred.status();
  EXPECT_EQ(unreferred->num_rows, 0);
  EXPECT_EQ(search.budget.used_bytes(), 0);
  EXPECT_GT(search.budget.peak_bytes(), tree.written.rows.at(otap::TableKind::kLogs) * 4)
      << "an id column, and the ids that it has";
}

}  // namespace
}  // namespace df::lake
