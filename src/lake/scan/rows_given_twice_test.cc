// A file beside the one that replaces it, in tables whose rows join by their parent alone.
#include "lake/scan/rows_given_twice.h"

#include <array>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "lake/catalog/file_summary.h"
#include "lake/format/leaf.h"
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
using otap::TableKind;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSaid[] = "files give the same parents the same rows";

/// Three batches of a writer that is not ours, a file for each in every table.
struct Tree {
  Tree(otap::Signal signal, bool has_ids_of_its_own) {
    df::testing::RandomEngine random(8);
    df::testing::RandomBatchOptions shape;
    shape.root_rows = 60;
    shape.upstream_columns_only = true;
    shape.valueless_exemplars = false;
    shape.missing_column = 0;
    shape.without_attributes = has_ids_of_its_own ? 0 : 1;
    shape.null_ids_for_bare_children = true;
    shape.without_children = 0;
    sent = df::testing::RandomBatches(3, signal, shape, random);
    df::testing::LakeWriterOptions options;
    options.child_rows_per_file = 1;
    options.partition_levels = 0;
    options.dictionary = df::testing::DictionaryForm::kNone;
    written = df::testing::WriteLake(folder.path(), sent, options, 7).ValueOrDie();
  }

  std::vector<fs::path> FilesOf(TableKind table) const {
    std::vector<fs::path> files;
    for (const auto& file : written.files) {
      if (file.table == table) {
        files.push_back(folder.path() / file.path);
      }
    }
    return files;
  }

  std::vector<otap::BatchPtr> sent;
  df::testing::TemporaryFolder folder;
  df::testing::WrittenLake written;
};

/// Puts all rows of a table into its first file; the last file stays, the others go.
void Compact(const std::vector<fs::path>& files) {
  std::vector<std::shared_ptr<arrow::RecordBatch>> rows;
  for (const fs::path& file : files) {
    rows.push_back(df::testing::ReadTable(file.string()).ValueOrDie());
  }
  for (size_t i = 1; i + 1 < files.size(); ++i) {
    fs::remove(files[i]);
  }
  const auto table = arrow::Table::FromRecordBatches(rows).ValueOrDie();
  const auto sink = arrow::io::FileOutputStream::Open(files.front().string()).ValueOrDie();
  EXPECT_TRUE(parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), sink).ok());
  EXPECT_TRUE(sink->Close().ok());
}

TEST(RowsGivenTwice, AFileBesideTheOneThatReplacesItIsNamedInEveryTable) {
  int num_tables = 0;
  for (const otap::TableInfo& table : otap::AllTables()) {
    for (const bool has_attributes : {true, false}) {
      const otap::Signal signal = table.has_signal(otap::Signal::kLogs) ? otap::Signal::kLogs
                                  : table.has_signal(otap::Signal::kTraces)
                                      ? otap::Signal::kTraces
                                      : otap::Signal::kMetrics;
      const Tree tree(signal, has_attributes);
      const std::vector<fs::path> files = tree.FilesOf(table.kind);
      if (table.is_root() || files.size() < 3) {
        continue;
      }
      SCOPED_TRACE(table.directory);
      ASSERT_THAT(Messages(ReplayTree(tree.folder.path(), {})), Not(HasSubstr(kSaid)));
      Compact(files);
      const Replayed replayed = ReplayTree(tree.folder.path(), {});
      EXPECT_GT(replayed.report.num_errors(), 0);
      if (table.kind == TableKind::kResourceAttrs || table.kind == TableKind::kScopeAttrs) {
        continue;  // which rows these are of is told by the batches, and cannot be told here
      }
      // Ids of points are looked at first.
      const bool is_named_before =
          Messages(replayed).find("have an id that other rows") != std::string::npos ||
          Messages(replayed).find("repeat the id of") != std::string::npos;
      if (!is_named_before) {
        ++num_tables;
        EXPECT_THAT(Messages(replayed), HasSubstr(kSaid)) << table.directory;
        EXPECT_THAT(Messages(replayed), HasSubstr(files.back().filename().string()));
      }
    }
  }
  EXPECT_EQ(num_tables, 17);
}

TEST(RowsGivenTwice, ParentsWhoseRowsAreInSeveralFilesAreWhole) {
  for (const otap::Signal signal : otap::kAllSignals) {
    for (const auto order : {df::testing::ChildOrder::kByKey, df::testing::ChildOrder::kByParent,
                             df::testing::ChildOrder::kShuffledInFile}) {
      for (const int64_t rows_per_file : {4, 7, 40}) {
        SCOPED_TRACE(::testing::Message() << static_cast<int>(signal) << " "
                                          << static_cast<int>(order) << " " << rows_per_file);
        df::testing::RandomEngine random(9);
        df::testing::RandomBatchOptions shape;
        shape.root_rows = 60;
        const auto sent = df::testing::RandomBatches(2, signal, shape, random);
        const df::testing::TemporaryFolder folder;
        df::testing::LakeWriterOptions options;
        options.layout = df::testing::LakeLayout::kOwn;
        options.child_rows_per_file = rows_per_file;
        options.split_batches = true;
        options.child_order = order;
        ASSERT_TRUE(df::testing::WriteLake(folder.path(), sent, options, 7).ok());
        const Replayed replayed = ReplayTree(folder.path(), {});
        EXPECT_EQ(replayed.report.num_errors(), 0) << Messages(replayed);
        df::testing::ExpectSameRecords(sent, replayed);
      }
    }
  }
}

/// Rows of attributes as some files have them, by parent and key.
class MadeRows {
 public:
  using Row = std::pair<uint32_t, std::string>;

  explicit MadeRows(TableKind kind = TableKind::kLogAttrs) : kind_(kind) {}

  void Add(size_t file, const std::vector<Row>& rows) {
    arrow::StringBuilder keys;
    for (const auto& [parent, key] : rows) {
      ASSERT_TRUE(keys.Append(key).ok());
      rows_.parents.push_back(parent);
    }
    auto slice = std::make_shared<TableSlice>();
    slice->num_rows = std::ssize(rows);
    slice->leaves.resize(LeavesOf(kind_).size());
    slice->leaves[static_cast<size_t>(LeafIndex(kind_, "key"))].values = keys.Finish().ValueOrDie();
    files_[file].entry.path = std::to_string(file);
    files_[file].row_groups.push_back({.num_rows = std::ssize(rows)});
    rows_.pieces.push_back({.slice = std::move(slice),
                            .offset = 0,
                            .length = std::ssize(rows),
                            .selection = nullptr,
                            .file = &files_[file]});
  }

  std::string Say(int num_payloads = 1) const {
    RowsGivenTwice twice(kind_);
    for (int i = 0; i < num_payloads; ++i) {
      twice.Add(rows_);
    }
    return twice.Describe("").message();
  }

 private:
  TableKind kind_;
  ChildRows rows_;
  std::array<FileSummary, 3> files_;
};

/// What is said of two files with rows of the same 100 parents, so many of which repeat.
std::string SayOfRepeated(uint32_t num_repeated) {
  std::vector<MadeRows::Row> first;
  std::vector<MadeRows::Row> second;
  for (uint32_t parent = 0; parent < 100; ++parent) {
    first.emplace_back(parent, "a");
    second.emplace_back(parent, parent < num_repeated ? "a" : "b");
  }
  MadeRows rows;
  rows.Add(0, first);
  rows.Add(1, second);
  return rows.Say();
}

TEST(RowsGivenTwice, MostSharedParentsHaveToRepeat) {
  EXPECT_EQ(SayOfRepeated(10), "");
  EXPECT_EQ(SayOfRepeated(50), "");
  EXPECT_THAT(SayOfRepeated(60),
              HasSubstr("2 files give the same parents the same rows, 0 has what is in 1: at least "
                        "60 rows go out twice"));
}

TEST(RowsGivenTwice, AFileOfOneParentIsFoundAtTheBorderOfAnother) {
  MadeRows rows;
  rows.Add(0, {{1, "a"}, {2, "a"}, {2, "b"}});
  rows.Add(1, {{2, "a"}, {2, "b"}});
  EXPECT_THAT(rows.Say(), HasSubstr("2 files"));
}

TEST(RowsGivenTwice, ASmallFileIsFoundInsideALargeOneBehindOthers) {
  MadeRows rows;
  rows.Add(0, {{1, "a"}, {2, "a"}, {3, "a"}, {4, "a"}, {9, "a"}});
  rows.Add(1, {{2, "c"}});
  rows.Add(2, {{4, "a"}, {9, "a"}});
  EXPECT_THAT(rows.Say(), HasSubstr("2 files"));
}

TEST(RowsGivenTwice, AKeyThatARecordHasTwiceAtABorderIsNoSign) {
  MadeRows rows;
  rows.Add(0, {{1, "a"}, {2, "a"}, {2, "b"}});
  rows.Add(1, {{2, "b"}, {3, "a"}, {4, "a"}});
  EXPECT_EQ(rows.Say(), "");
}

TEST(RowsGivenTwice, AScopeThatGoesOutWithManyPayloadsCountsOnce) {
  MadeRows border(TableKind::kScopeAttrs);
  border.Add(0, {{1, "a"}, {2, "a"}, {2, "b"}});
  border.Add(1, {{2, "b"}, {3, "a"}, {4, "a"}});
  EXPECT_EQ(border.Say(20), "");
  MadeRows repeated(TableKind::kScopeAttrs);
  std::vector<MadeRows::Row> rows;
  for (uint32_t parent = 0; parent < 20; ++parent) {
    rows.emplace_back(parent, "a");
  }
  repeated.Add(0, rows);
  repeated.Add(1, rows);
  EXPECT_THAT(repeated.Say(20), HasSubstr("at least 20 rows go out twice"));
}

}  // namespace
}  // namespace df::lake
