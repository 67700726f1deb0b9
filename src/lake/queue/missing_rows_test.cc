// What is missing is named, counted, and never a guess of statistics.
#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "lake/catalog/absent_tables.h"
#include "lake/queue/work_list.h"
#include "lake/read/partition_reader.h"
#include "testing/footer_rewrites.h"
#include "testing/lake_writer.h"
#include "testing/random_batch.h"
#include "testing/table_rewrites.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::CanonicalRecords;
using df::testing::ExpectSameRecords;
using df::testing::ReplaceInFooter;
using df::testing::Replayed;
using df::testing::ReplayTree;
using df::testing::TemporaryFolder;
using otap::TableKind;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

df::testing::RandomBatchOptions EveryResourceHasAttributes() {
  df::testing::RandomBatchOptions shape;
  shape.missing_column = 0;
  shape.null_struct = 0;
  shape.without_attributes = 0;
  return shape;
}

/// Batches of one signal in a tree of several files a table.
struct Tree {
  explicit Tree(otap::Signal signal, df::testing::LakeWriterOptions layout = {},
                df::testing::RandomBatchOptions shape = {}) {
    df::testing::RandomEngine random(42);
    shape.valueless_exemplars = false;
    sent = df::testing::RandomBatches(4, signal, shape, random);
    layout.layout = df::testing::LakeLayout::kOwn;
    layout.root_rows_per_file = 1;  // one batch a file
    layout.child_rows_per_file = 1;
    written = df::testing::WriteLake(folder.path(), sent, layout, 7).ValueOrDie();
  }
  std::vector<fs::path> Files(TableKind kind) const {
    std::vector<fs::path> found;
    for (const auto& file : written.files) {
      if (file.table == kind) {
        found.push_back(folder.path() / file.path);
      }
    }
    return found;
  }
  TemporaryFolder folder;
  std::vector<otap::BatchPtr> sent;
  df::testing::WrittenLake written;
};

int64_t Dropped(const ReadReport& report, TableKind table, DropReason reason) {
  return report.table(table).dropped(reason);
}

/// The statistics of the first row group of a file.
RowGroupSummary StatisticsOf(const fs::path& path, TableKind kind) {
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  const auto summary =
      Summarise(local, path.parent_path().string(), {.path = path.filename().string()}, kind, "");
  return summary.ValueOrDie()->row_groups.at(0);
}

/// Writes a file of our own exporter with another content.
void WriteAgain(const fs::path& path, const arrow::RecordBatch& content) {
  const auto table = arrow::Table::FromRecordBatches({content.Slice(0)}).ValueOrDie();
  const auto sink = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
  auto writer = parquet::arrow::FileWriter::Open(*table->schema(), arrow::default_memory_pool(),
                                                 sink, parquet::default_writer_properties())
                    .ValueOrDie();
  ASSERT_TRUE(writer->WriteTable(*table).ok());
  ASSERT_TRUE(writer
                  ->AddKeyValueMetadata(arrow::key_value_metadata(
                      {"otap.format_version", "otap.id_scope"}, {"1", "partition"}))
                  .ok());
  ASSERT_TRUE(writer->Close().ok());
  ASSERT_TRUE(sink->Close().ok());
}

/// Writes a root file again with nulls for its resource and scope ids, or those of the resource
/// that the first row has.
void RewriteWithoutResource(const fs::path& path, bool only_first = false) {
  auto table = df::testing::ReadTable(path.string()).ValueOrDie();
  for (const std::string column : {"resource.id", "scope.id"}) {
    const auto ids = df::testing::ColumnAt(*table, column).ValueOrDie();
    auto nulls = arrow::MakeArrayOfNull(ids->type(), ids->length()).ValueOrDie();
    if (only_first) {
      const auto& values = static_cast<const arrow::UInt32Array&>(*ids);
      arrow::UInt32Builder kept;
      for (int64_t row = 0; row < ids->length(); ++row) {
        ASSERT_TRUE((values.IsNull(row) || values.Value(row) == values.Value(0)
                         ? kept.AppendNull()
                         : kept.Append(values.Value(row)))
                        .ok());
      }
      nulls = kept.Finish().ValueOrDie();
    }
    table = df::testing::ReplaceColumn(*table, column, "id", nulls).ValueOrDie();
  }
  WriteAgain(path, *table);
}

/// Leaves the attribute rows that the root rows of a signal refer to.
void KeepRowsOf(otap::Signal signal, const fs::path& base, const fs::path& path, TableKind kind) {
  const std::string column = kind == TableKind::kResourceAttrs ? "resource.id" : "scope.id";
  std::set<uint32_t> referred;
  for (const auto& entry :
       fs::recursive_directory_iterator(base / otap::GetTable(otap::RootTable(signal)).directory)) {
    if (entry.path().extension() == ".parquet") {
      const auto table = df::testing::ReadTable(entry.path().string()).ValueOrDie();
      const auto ids = df::testing::ColumnAt(*table, column).ValueOrDie();
      for (int64_t row = 0; row < ids->length(); ++row) {
        if (ids->IsValid(row)) {
          referred.insert(static_cast<const arrow::UInt32Array&>(*ids).Value(row));
        }
      }
    }
  }
  const auto table = df::testing::ReadTable(path.string()).ValueOrDie();
  const auto parents =
      std::static_pointer_cast<arrow::UInt32Array>(table->GetColumnByName("parent_id"));
  std::vector<std::shared_ptr<arrow::RecordBatch>> kept;
  for (int64_t row = 0; row < table->num_rows(); ++row) {
    if (referred.contains(parents->Value(row))) {
      kept.push_back(table->Slice(row, 1));
    }
  }
  ASSERT_LT(static_cast<int64_t>(kept.size()), table->num_rows());
  WriteAgain(path, *arrow::Table::FromRecordBatches(table->schema(), kept)
                        .ValueOrDie()
                        ->CombineChunksToBatch()
                        .ValueOrDie());
}

TEST(MissingRows, ValuesAreReadThoughStatisticsSayAllAreNull) {
  const Replayed replayed =
      ReplayTree(fs::path(OTAP_SOURCE_DIR) / "tests/cases/null_count_lies", {});
  const ReadReport& report = replayed.report;
  EXPECT_EQ(report.table(TableKind::kLogs).rows_emitted, 4);
  EXPECT_EQ(report.table(TableKind::kLogAttrs).rows_emitted, 12);
  EXPECT_EQ(report.num_errors(), 0);
  ASSERT_EQ(report.notices.size(), 1U);
  EXPECT_THAT(report.notices[0].message,
              AllOf(HasSubstr("found ids 0 to 3 in the pages, expected nulls only"),
                    HasSubstr("table=log_attrs"), HasSubstr("row_group=0")));
}

TEST(MissingRows, AttributesOfAMissingLogFileAreCountedAndNamed) {
  df::testing::RandomBatchOptions shape;
  shape.missing_column = 0;  // a file without resource ids would have a line of its own
  shape.null_struct = 0;
  for (const bool has_statistics : {true, false}) {
    Tree tree(otap::Signal::kLogs, {.statistics = has_statistics}, shape);
    const Replayed whole = ReplayTree(tree.folder.path(), {});
    ExpectSameRecords(tree.sent, whole);
    fs::remove(tree.Files(TableKind::kLogs)[1]);
    const Replayed replayed = ReplayTree(tree.folder.path(), {});
    const int64_t orphans = tree.written.rows.at(TableKind::kLogAttrs) -
                            replayed.report.table(TableKind::kLogAttrs).rows_emitted;
    EXPECT_GT(orphans, 0);
    EXPECT_EQ(Dropped(replayed.report, TableKind::kLogAttrs, DropReason::kOrphan), orphans);
    EXPECT_EQ(replayed.report.table(TableKind::kLogAttrs).rows_left, 0);
    ASSERT_EQ(replayed.report.problems.size(), 1U);
    EXPECT_EQ(replayed.report.problems[0].kind, ErrorKind::kMissingFile);
    EXPECT_THAT(replayed.report.problems[0].message,
                AllOf(HasSubstr("found " + std::to_string(orphans) +
                                " rows of log_attrs whose parent_id names no row of logs (ids "),
                      HasSubstr("partition=_part_id="), HasSubstr("table=log_attrs"),
                      HasSubstr("file=log_attrs/")));
  }
}

TEST(MissingRows, ChildrenOfAPartitionWithoutRootsAreNamed) {
  Tree tree(otap::Signal::kTraces);
  fs::remove_all(tree.folder.path() / "spans");
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  EXPECT_TRUE(replayed.batches.empty());
  for (const TableKind table :
       {TableKind::kSpanAttrs, TableKind::kSpanEvents, TableKind::kSpanLinks}) {
    EXPECT_EQ(Dropped(replayed.report, table, DropReason::kOrphan), tree.written.rows.at(table));
  }
  // What belongs to orphans is lost with them and needs no line of its own.
  EXPECT_EQ(Dropped(replayed.report, TableKind::kSpanEventAttrs, DropReason::kLostParent),
            tree.written.rows.at(TableKind::kSpanEventAttrs));
  ASSERT_EQ(replayed.report.problems.size(), 3U);
  EXPECT_THAT(replayed.report.problems[0].message, HasSubstr("the partition has no file of spans"));
}

TEST(MissingRows, ChildrenOfAnUnreadableRootAreLostWithIt) {
  Tree tree(otap::Signal::kLogs);
  const fs::path victim = tree.Files(TableKind::kLogs)[2];
  fs::resize_file(victim, fs::file_size(victim) / 2);
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  const TableCounts& attributes = replayed.report.table(TableKind::kLogAttrs);
  EXPECT_GT(attributes.dropped(DropReason::kLostParent), 0);
  EXPECT_EQ(attributes.dropped(DropReason::kLostParent) + attributes.rows_emitted,
            tree.written.rows.at(TableKind::kLogAttrs));
  EXPECT_EQ(replayed.report.problems.size(), 1U) << "the file itself";
}

TEST(MissingRows, AttributesThatNobodyRefersToAreNamedWhereIdsAreGone) {
  for (const otap::Signal signal : otap::kAllSignals) {
    const otap::TableInfo& root = otap::GetTable(otap::RootTable(signal));
    Tree tree(signal, {}, EveryResourceHasAttributes());
    const fs::path victim = tree.Files(root.kind)[1];
    RewriteWithoutResource(victim);
    const Replayed replayed = ReplayTree(tree.folder.path(), {});
    ASSERT_EQ(replayed.report.problems.size(), 2U) << root.directory;
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_EQ(replayed.report.problems[i].kind, ErrorKind::kReconstruction);
      EXPECT_THAT(
          replayed.report.problems[i].message,
          AllOf(HasSubstr(i == 0 ? "column resource.id: found no value, and "
                                 : "column scope.id: found no value, and "),
                HasSubstr(i == 0 ? " rows of resource_attrs (id" : " rows of scope_attrs (id"),
                HasSubstr(") that no row refers to"), HasSubstr("partition=_part_id="),
                HasSubstr("table=" + std::string(root.directory)),
                HasSubstr("file=" + fs::relative(victim, tree.folder.path()).string())));
    }
    fs::remove_all(tree.folder.path() / "resource_attrs");
    fs::remove_all(tree.folder.path() / "scope_attrs");
    EXPECT_TRUE(ReplayTree(tree.folder.path(), {}).report.problems.empty());
  }
}

TEST(MissingRows, IdsThatAreGoneAreAProblemWhileFollowingOnceTheGraceIsOver) {
  Tree tree(otap::Signal::kLogs, {}, EveryResourceHasAttributes());
  const fs::path victim = tree.Files(TableKind::kLogs)[1];
  RewriteWithoutResource(victim);
  auto now = std::chrono::system_clock::now();
  ReadOptions read;
  read.signals = {otap::Signal::kLogs};
  WorkList list(
      storage::Store::Local(), tree.folder.path().string(), read,
      {.polling_interval = std::chrono::seconds(5), .completeness_grace = std::chrono::seconds(10)},
      [&now] { return now; });
  size_t num_sent = 0;
  const auto poll = [&] {
    now += std::chrono::seconds(5);
    for (auto taken = list.Take(); taken.ValueOrDie().work.has_value(); taken = list.Take()) {
      std::vector<RootOutcome> outcomes;
      for (const PartitionTask& task : taken->work->tasks) {
        for (const size_t index : task.root_files) {
          outcomes.push_back({.file = task.files->of(TableKind::kLogs)[index],
                              .status = Status::OK(),
                              .rows_emitted = 0});
        }
      }
      num_sent += outcomes.size();
      list.Done(outcomes, {});
    }
  };
  poll();
  EXPECT_TRUE(list.Report().problems.empty()) << "the grace is not over";
  for (int i = 0; i < 12; ++i) {
    poll();
  }
  EXPECT_EQ(num_sent, 4U);
  const ReadReport report = list.Report();
  ASSERT_EQ(report.problems.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(report.problems[i].count, 1) << "named once, however often it is looked at";
    EXPECT_THAT(report.problems[i].message,
                AllOf(HasSubstr(i == 0 ? "column resource.id: found no value, and "
                                       : "column scope.id: found no value, and "),
                      HasSubstr("file=" + fs::relative(victim, tree.folder.path()).string())));
  }
}

TEST(MissingRows, AttributesThatNobodyRefersToAreNamedWhereSomeIdsAreGone) {
  for (const otap::Signal signal : otap::kAllSignals) {
    const otap::TableInfo& root = otap::GetTable(otap::RootTable(signal));
    Tree tree(signal, {}, EveryResourceHasAttributes());
    EXPECT_TRUE(ReplayTree(tree.folder.path(), {}).report.problems.empty());
    const fs::path victim = tree.Files(root.kind)[1];
    RewriteWithoutResource(victim, true);
    const Replayed replayed = ReplayTree(tree.folder.path(), {});
    ASSERT_EQ(replayed.report.problems.size(), 2U) << root.directory;
    for (size_t i = 0; i < 2; ++i) {
      EXPECT_THAT(replayed.report.problems[i].message,
                  AllOf(HasSubstr(i == 0 ? "column resource.id: found no value in "
                                         : "column scope.id: found no value in "),
                        HasSubstr(" rows, and "), HasSubstr(") that no row refers to"),
                        HasSubstr("file=" + fs::relative(victim, tree.folder.path()).string())));
    }
  }
}

TEST(MissingRows, AttributesOfAnotherSignalAreNotThoseOfRowsWithoutResources) {
  df::testing::RandomBatchOptions shape;
  shape.missing_column = 0;
  shape.null_struct = 0;
  shape.without_attributes = 0;
  df::testing::RandomEngine random(43);
  TemporaryFolder folder;
  df::testing::LakeWriterOptions layout;
  layout.layout = df::testing::LakeLayout::kOwn;
  const auto written =
      df::testing::WriteLake(folder.path(),
                             {df::testing::RandomBatch(otap::Signal::kTraces, shape, random),
                              df::testing::RandomBatch(otap::Signal::kLogs, shape, random)},
                             layout, 7)
          .ValueOrDie();
  for (const auto& file : written.files) {
    if (file.table == TableKind::kLogs) {
      RewriteWithoutResource(folder.path() / file.path);
    }
  }
  ReadOptions logs_only;
  logs_only.signals = {otap::Signal::kLogs};
  EXPECT_EQ(ReplayTree(folder.path(), logs_only).report.problems.size(), 2U);
  // Without the attributes of the logs, all that is left is of the spans.
  for (const auto& file : written.files) {
    if (file.table == TableKind::kResourceAttrs || file.table == TableKind::kScopeAttrs) {
      KeepRowsOf(otap::Signal::kTraces, folder.path(), folder.path() / file.path, file.table);
    }
  }
  EXPECT_TRUE(ReplayTree(folder.path(), logs_only).report.problems.empty());
  EXPECT_TRUE(ReplayTree(folder.path(), {}).report.problems.empty());
}

TEST(MissingRows, RowsWithoutAParentIdAreNamed) {
  Tree tree(otap::Signal::kLogs);
  const fs::path victim = tree.Files(TableKind::kLogAttrs)[0];
  const auto table = df::testing::ReadTable(victim.string()).ValueOrDie();
  const auto nulls =
      arrow::MakeArrayOfNull(table->GetColumnByName("parent_id")->type(), table->num_rows())
          .ValueOrDie();
  WriteAgain(victim,
             *df::testing::ReplaceColumn(*table, "parent_id", "parent_id", nulls).ValueOrDie());
  const Replayed replayed = ReplayTree(tree.folder.path(), {});
  EXPECT_EQ(Dropped(replayed.report, TableKind::kLogAttrs, DropReason::kNullParent),
            table->num_rows());
  EXPECT_THAT(replayed.report.problems,
              Contains(Field(&Problem::message,
                             AllOf(HasSubstr("found " + std::to_string(table->num_rows()) +
                                             " rows of log_attrs whose parent_id is null"),
                                   HasSubstr("table=log_attrs"), HasSubstr("file=log_attrs/")))));
}

TEST(MissingRows, LogsThatHaveAnIdMustHaveAttributes) {
  Tree tree(otap::Signal::kLogs);
  fs::remove(tree.Files(TableKind::kLogAttrs)[1]);
  const Replayed one = ReplayTree(tree.folder.path(), {});
  ASSERT_EQ(one.report.problems.size(), 1U);
  EXPECT_EQ(one.report.problems[0].kind, ErrorKind::kMissingFile);
  EXPECT_THAT(one.report.problems[0].message,
              AllOf(HasSubstr("found no row of log_attrs for "),
                    HasSubstr(" rows of logs that have an id (ids "),
                    HasSubstr("expected at least one for each"), HasSubstr("table=log_attrs")));
  EXPECT_EQ(one.report.table(TableKind::kLogs).rows_emitted, 160);
  fs::remove_all(tree.folder.path() / "log_attrs");
  const Replayed all = ReplayTree(tree.folder.path(), {});
  ASSERT_EQ(all.report.problems.size(), 1U);
  EXPECT_EQ(all.report.table(TableKind::kLogs).rows_emitted, 160);
}

TEST(MissingRows, AnUnreadableAttributeFileIsNamedOnce) {
  Tree tree(otap::Signal::kLogs);
  const fs::path victim = tree.Files(TableKind::kLogAttrs)[1];
  fs::resize_file(victim, fs::file_size(victim) / 2);
  EXPECT_EQ(ReplayTree(tree.folder.path(), {}).report.problems.size(), 1U);
}

/// Overwrites everything in front of the footer of a file.
void BreakPages(const fs::path& path) {
  std::ifstream input(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(input), {});
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + bytes.size() - 8, 4);
  std::fill(bytes.begin() + 4, bytes.end() - 8 - length, '\xff');
  std::ofstream(path, std::ios::binary) << bytes;
}

TEST(MissingRows, AFileThatFailsCountsOnceHoweverOftenItFails) {
  Tree tree(otap::Signal::kLogs, {.row_group_rows = 5});
  const fs::path children = tree.Files(TableKind::kLogAttrs)[1];
  ASSERT_GT(StatisticsOf(children, TableKind::kLogAttrs).num_rows, 0);
  BreakPages(children);
  const ReadReport some = ReplayTree(tree.folder.path(), {}).report;
  EXPECT_GT(some.num_errors(), 1) << "one for each row group";
  EXPECT_EQ(some.files_failed, 1);
  BreakPages(tree.Files(TableKind::kLogs)[2]);
  // Every signal reads the attributes of resources.
  BreakPages(tree.Files(TableKind::kResourceAttrs)[0]);
  const ReadReport more = ReplayTree(tree.folder.path(), {}).report;
  EXPECT_EQ(more.files_failed, 3);
  EXPECT_EQ(more.files_unlisted, 0);
  const fs::path cut = tree.Files(TableKind::kScopeAttrs)[0];
  fs::resize_file(cut, fs::file_size(cut) / 2);
  const ReadReport most = ReplayTree(tree.folder.path(), {}).report;
  EXPECT_EQ(most.files_failed, 4);
  EXPECT_EQ(most.files_unlisted, 1);
}

TEST(MissingRows, MetricsWithoutTheirPointsAndLongStretchesAreNotices) {
  df::testing::RandomBatchOptions shape;
  shape.without_children = 0;
  shape.without_attributes = 0;
  shape.missing_column = 0;
  Tree metrics(otap::Signal::kMetrics, {}, shape);
  ExpectSameRecords(metrics.sent, ReplayTree(metrics.folder.path(), {}));
  fs::remove_all(metrics.folder.path() / "number_data_points");
  fs::remove_all(metrics.folder.path() / "number_dp_attrs");
  fs::remove_all(metrics.folder.path() / "number_dp_exemplars");
  fs::remove_all(metrics.folder.path() / "number_dp_exemplar_attrs");
  const Replayed points = ReplayTree(metrics.folder.path(), {});
  EXPECT_EQ(points.report.num_errors(), 0);
  ASSERT_EQ(points.report.notices.size(), 1U);
  EXPECT_THAT(points.report.notices[0].message,
              HasSubstr("found no data point in number_data_points for "));

  Tree spans(otap::Signal::kTraces, {}, shape);
  EXPECT_TRUE(ReplayTree(spans.folder.path(), {}).report.notices.empty());
  fs::remove(spans.Files(TableKind::kSpanAttrs)[2]);
  const Replayed stretch = ReplayTree(spans.folder.path(), {});
  ASSERT_EQ(stretch.report.notices.size(), 1U);
  EXPECT_THAT(
      stretch.report.notices[0].message,
      AllOf(HasSubstr("found no row of span_attrs for 40 rows of spans in succession (ids "),
            HasSubstr("while 120 of the other 120 have one")));
}

/// Everything that a replay says of a tree.
std::set<std::string> Said(const fs::path& base, const Replayed& replayed) {
  std::set<std::string> lines;
  for (const Problem& problem : replayed.report.problems) {
    lines.insert(problem.message);
  }
  for (const Problem& notice : replayed.report.notices) {
    lines.insert(notice.message);
  }
  const auto local_store = storage::Store::Local();
  storage::Store& local = *local_store;
  const auto listing =
      ListLake(local, base.string(), {otap::kAllSignals.begin(), otap::kAllSignals.end()});
  for (const std::string& line :
       DescribeAbsentTables(*listing, {otap::kAllSignals.begin(), otap::kAllSignals.end()})) {
    lines.insert(line);
  }
  return lines;
}

/// A few rows without children prove nothing.
bool IsUnprovable(const df::testing::WrittenFile& file) {
  return file.rows < 8 && !otap::GetTable(file.table).is_root();
}

/// Whatever is taken away: what comes is the same, or something is said that was not said before.
TEST(MissingRows, NothingGoesWithoutAWord) {
  df::testing::RandomBatchOptions shape;
  shape.without_children = 0;
  shape.without_attributes = 0;
  shape.missing_column = 0;
  shape.max_children = 2;
  shape.max_attributes = 2;
  int num_taken = 0;
  for (const otap::Signal signal : otap::kAllSignals) {
    Tree tree(signal, {}, shape);
    const fs::path& base = tree.folder.path();
    const Replayed whole = ReplayTree(base, {});
    const auto expected = CanonicalRecords(whole.batches);
    const auto said = Said(base, whole);
    std::set<fs::path> victims;
    for (const auto& file : tree.written.files) {
      if (!IsUnprovable(file)) {
        victims.insert(base / file.path);
      }
      victims.insert(base / fs::path(file.path).begin()->string());
    }
    for (const fs::path& victim : victims) {
      SCOPED_TRACE(fs::relative(victim, base).string());
      const fs::path aside = base / "_aside";
      fs::rename(victim, aside);
      const Replayed replayed = ReplayTree(base, {});
      if (CanonicalRecords(replayed.batches) != expected) {
        EXPECT_NE(Said(base, replayed), said) << "missing without a word";
        ++num_taken;
      }
      fs::rename(aside, victim);
    }
  }
  EXPECT_GT(num_taken, 40);
}

class NarrowStatistics : public ::testing::Test {
 protected:
  static constexpr uint32_t kStep = 1'000'003;  // every id is a pattern of its own in the footer
};

TEST_F(NarrowStatistics, CostALogNothing) {
  df::testing::RandomBatchOptions shape;
  shape.without_attributes = 0;
  Tree tree(otap::Signal::kLogs, {.id_step = kStep}, shape);
  ExpectSameRecords(tree.sent, ReplayTree(tree.folder.path(), {}));
  const fs::path liar = tree.Files(TableKind::kLogAttrs)[1];
  const IdRange ids = *StatisticsOf(liar, TableKind::kLogAttrs).parent_ids;
  ReplaceInFooter(liar, ids.min, ids.max);  // all ids are said to be the last one
  ReadOptions options;
  options.batch_size = 10;
  const Replayed replayed = ReplayTree(tree.folder.path(), options);
  ExpectSameRecords(tree.sent, replayed);
  EXPECT_EQ(replayed.report.num_errors(), 0);
  ASSERT_EQ(replayed.report.notices.size(), 1U);
  EXPECT_THAT(replayed.report.notices[0].message,
              HasSubstr("the statistics of parent_id are wrong and are not used"));
}

TEST_F(NarrowStatistics, OfASpanTableAreNamedWithTheRowsTheyCost) {
  df::testing::RandomBatchOptions shape;
  shape.without_attributes = 0;
  for (const bool is_opened : {true, false}) {  // too late, and not at all
    Tree tree(otap::Signal::kTraces, {.id_step = kStep}, shape);
    const fs::path liar = tree.Files(TableKind::kSpanAttrs)[1];
    const IdRange ids = *StatisticsOf(liar, TableKind::kSpanAttrs).parent_ids;
    ReplaceInFooter(liar, ids.min, is_opened ? ids.max : 500 * kStep);
    if (!is_opened) {
      ReplaceInFooter(liar, ids.max, 500 * kStep);
    }
    ReadOptions options;
    options.batch_size = 10;
    const Replayed replayed = ReplayTree(tree.folder.path(), options);
    const TableCounts& attributes = replayed.report.table(TableKind::kSpanAttrs);
    const int64_t lost = attributes.dropped(DropReason::kWrongStatistics);
    EXPECT_GT(lost, 0);
    EXPECT_EQ(lost + attributes.rows_emitted, tree.written.rows.at(TableKind::kSpanAttrs));
    ASSERT_EQ(replayed.report.problems.size(), 1U);
    EXPECT_THAT(replayed.report.problems[0].message,
                AllOf(HasSubstr("found " + std::to_string(lost) + " rows of span_attrs (ids "),
                      HasSubstr("outside the statistics of their row group")));
  }
}

TEST_F(NarrowStatistics, OfTheRootCostItsChildrenNothing) {
  df::testing::RandomBatchOptions shape;
  shape.without_attributes = 0;
  Tree tree(otap::Signal::kTraces, {.id_step = kStep}, shape);
  // The last file says that it begins where it ends: what waits for its rows is freed too early.
  const fs::path liar = tree.Files(TableKind::kSpans)[3];
  const IdRange ids = *StatisticsOf(liar, TableKind::kSpans).ids;
  ReplaceInFooter(liar, ids.min, ids.max);
  ReadOptions options;
  options.batch_size = 10;
  const Replayed replayed = ReplayTree(tree.folder.path(), options);
  ExpectSameRecords(tree.sent, replayed);
  EXPECT_EQ(replayed.report.num_errors(), 0);
}

}  // namespace
}  // namespace df::lake
