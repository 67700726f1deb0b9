#include "lake/lists/ducklake_list.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <arrow/array/builder_binary.h>
#include <arrow/io/file.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <parquet/arrow/writer.h>

#include "lake/catalog/database.h"
#include "testing/listed_files.h"
#include "testing/tree_replay.h"

namespace df::lake {
namespace {

namespace fs = std::filesystem;
using df::testing::ListedFileNames;
using df::testing::StatusMessages;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// The tables of a DuckLake catalog of version 1.0, as far as they are read, with two tables of one
/// file each: logs by _part_id, and log_attrs.
constexpr const char* kCatalog = R"(
CREATE TABLE ducklake_metadata(key, value, scope, scope_id);
INSERT INTO ducklake_metadata VALUES ('version', '1.0', NULL, NULL), ('encrypted', 'false', NULL, NULL),
  ('data_path', '/elsewhere/', NULL, NULL);
CREATE TABLE ducklake_snapshot(snapshot_id INTEGER PRIMARY KEY);
INSERT INTO ducklake_snapshot VALUES (1), (2), (5);
CREATE TABLE ducklake_schema(schema_id, begin_snapshot, end_snapshot, schema_name, path, path_is_relative);
INSERT INTO ducklake_schema VALUES (0, 0, NULL, 'main', 'main/', 1);
CREATE TABLE ducklake_table(table_id, begin_snapshot, end_snapshot, schema_id, table_name, path, path_is_relative);
INSERT INTO ducklake_table VALUES (1, 1, NULL, 0, 'LOGS', 'logs/', 1), (2, 1, NULL, 0, 'log_attrs', 'log_attrs/', 1),
  (3, 1, NULL, 0, 'customers', 'customers/', 1), (4, 1, 2, 0, 'resource_attrs', 'gone/', 1);
CREATE TABLE ducklake_column(column_id, begin_snapshot, end_snapshot, table_id, column_name, initial_default, parent_column,
  column_type DEFAULT NULL);
INSERT INTO ducklake_column(column_id, begin_snapshot, end_snapshot, table_id, column_name, initial_default, parent_column) VALUES (1, 1, NULL, 1, 'id', NULL, NULL), (2, 1, NULL, 1, '_part_id', NULL, NULL),
  (3, 1, NULL, 1, 'body', NULL, NULL), (1, 1, NULL, 2, 'parent_id', NULL, NULL), (2, 1, NULL, 2, '_part_id', NULL, NULL);
CREATE TABLE ducklake_data_file(data_file_id INTEGER PRIMARY KEY, table_id, begin_snapshot, end_snapshot, path,
  path_is_relative, file_format, record_count, file_size_bytes, partition_id, encryption_key, mapping_id, partial_max);
INSERT INTO ducklake_data_file VALUES
  (10, 1, 2, NULL, 'a.parquet', 1, 'parquet', 7, 4, 9, NULL, NULL, NULL),
  (11, 1, 1, 2, 'old.parquet', 1, 'parquet', 3, 4, 9, NULL, NULL, NULL),
  (12, 2, 2, NULL, 'b.parquet', 1, 'parquet', 9, 4, 8, NULL, NULL, NULL);
CREATE TABLE ducklake_partition_column(partition_id, table_id, partition_key_index, column_id, transform);
INSERT INTO ducklake_partition_column VALUES (9, 1, 0, 2, 'identity'), (8, 2, 0, 2, 'identity');
CREATE TABLE ducklake_file_partition_value(data_file_id, table_id, partition_key_index, partition_value);
INSERT INTO ducklake_file_partition_value VALUES (10, 1, 0, 'x'), (11, 1, 0, 'x'), (12, 2, 0, 'x');
CREATE TABLE ducklake_delete_file(table_id, begin_snapshot, end_snapshot);
CREATE TABLE ducklake_inlined_data_tables(table_id, table_name, schema_version);
CREATE TABLE ducklake_column_mapping(mapping_id, table_id, type);
CREATE TABLE ducklake_name_mapping(mapping_id, column_id, source_name, target_field_id, parent_column, is_partition);
)";

class DuckLakeListTest : public ::testing::Test {
 protected:
  DuckLakeListTest() {
    Run(kCatalog);
    for (const char* file :
         {"main/logs/a.parquet", "main/logs/old.parquet", "main/log_attrs/b.parquet"}) {
      fs::create_directories((base() / file).parent_path());
      std::ofstream(base() / file) << "PAR1";
    }
  }

  fs::path base() const { return folder_.path() / "data"; }
  fs::path catalog() const { return folder_.path() / "catalog.sqlite"; }

  void Run(const char* statements) {
    bool is_damaged = false;
    const auto database = Database::Open(catalog().string(), false, &is_damaged).ValueOrDie();
    const Status status = database->Run(statements);
    ASSERT_TRUE(status.ok()) << status;
  }

  Result<LakeListing> TryList(int64_t snapshot = -1, bool single_partition = false) {
    DuckLakeList list(storage::Store::Local(), base().string(),
                      {.catalog = catalog().string(),
                       .snapshot = snapshot,
                       .single_partition = single_partition});
    return list.List({otap::Signal::kLogs});
  }
  LakeListing List(int64_t snapshot = -1, bool single_partition = false) {
    auto listing = TryList(snapshot, single_partition);
    EXPECT_TRUE(listing.ok()) << listing.status();
    return listing.ok() ? *std::move(listing) : LakeListing();
  }

  /// Writes a file of logs in which the column _part_id has these values.
  void WriteLogs(const std::vector<std::string>& parts) {
    arrow::StringBuilder builder;
    ASSERT_TRUE(builder.AppendValues(parts).ok());
    const auto table = arrow::Table::Make(arrow::schema({arrow::field("_part_id", arrow::utf8())}),
                                          {builder.Finish().ValueOrDie()});
    const fs::path path = base() / "main/logs/a.parquet";
    auto out = arrow::io::FileOutputStream::Open(path.string()).ValueOrDie();
    ASSERT_TRUE(
        parquet::arrow::WriteTable(*table, arrow::default_memory_pool(), out, /*chunk_size=*/2)
            .ok());
    ASSERT_TRUE(out->Close().ok());
    Run(fmt::format("DELETE FROM ducklake_file_partition_value WHERE data_file_id = 10; UPDATE "
                    "ducklake_data_file SET file_size_bytes = {} WHERE data_file_id = 10",
                    fs::file_size(path))
            .c_str());
  }

  df::testing::TemporaryFolder folder_;
};

TEST_F(DuckLakeListTest, FilesThatWereMergedAreNamed) {
  DuckLakeList list(storage::Store::Local(), base().string(), {.catalog = catalog().string()});
  EXPECT_THAT(list.List({otap::Signal::kLogs}).ValueOrDie().problems, IsEmpty());
  fs::copy_file(base() / "main/logs/a.parquet", base() / "main/logs/merged.parquet");
  // A merged file has the first snapshot of those that it replaces, which go from the catalog.
  Run("UPDATE ducklake_data_file SET data_file_id = 13, path = 'merged.parquet' WHERE data_file_id "
      "= 10;"
      "UPDATE ducklake_file_partition_value SET data_file_id = 13 WHERE data_file_id = 10");
  EXPECT_THAT(StatusMessages(list.List({otap::Signal::kLogs}).ValueOrDie().problems),
              ElementsAre(AllOf(HasSubstr("has replaced 1 files"), HasSubstr("merged.parquet"))));
}

TEST_F(DuckLakeListTest, ListsTheFilesOfTheNewestSnapshot) {
  const LakeListing listing = List();
  EXPECT_THAT(ListedFileNames(listing),
              ElementsAre("logs _part_id=x main/logs/a.parquet",
                          "log_attrs _part_id=x main/log_attrs/b.parquet"));
  EXPECT_THAT(listing.problems, IsEmpty());
  EXPECT_THAT(StatusMessages(listing.notices),
              ElementsAre(HasSubstr("DATA_PATH '/elsewhere/'"),
                          HasSubstr("main.customers is not named as a table")));
  EXPECT_EQ(listing.partitions[0].tables[otap::TableIndex(otap::TableKind::kLogs)][0].num_rows, 7);
}

TEST_F(DuckLakeListTest, ListsAnEarlierSnapshot) {
  EXPECT_THAT(ListedFileNames(List(1)), ElementsAre("logs _part_id=x main/logs/old.parquet"));
}

TEST_F(DuckLakeListTest, AMissingFileCostsItself) {
  fs::remove(base() / "main/log_attrs/b.parquet");
  const LakeListing listing = List();
  EXPECT_THAT(ListedFileNames(listing), ElementsAre("logs _part_id=x main/logs/a.parquet"));
  EXPECT_THAT(StatusMessages(listing.problems),
              ElementsAre(AllOf(HasSubstr("data file 12 of snapshot 5"),
                                HasSubstr("the file is not there"), HasSubstr("log_attrs"))));
}

struct BadCatalog {
  const char* change;
  std::vector<std::string> words;
};

class RefusedTable : public DuckLakeListTest, public ::testing::WithParamInterface<BadCatalog> {};

TEST_P(RefusedTable, IsNamedAndItsSignalIsNotListed) {
  Run(GetParam().change);
  const LakeListing listing = List();
  EXPECT_THAT(ListedFileNames(listing), IsEmpty());
  ASSERT_EQ(listing.problems.size(), 1U);
  EXPECT_THAT(listing.problems[0].message(), HasSubstr("nothing is read of logs"));
  for (const std::string& word : GetParam().words) {
    EXPECT_THAT(listing.problems[0].message(), HasSubstr(word));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, RefusedTable,
    ::testing::Values(
        BadCatalog{"INSERT INTO ducklake_delete_file VALUES (2, 3, NULL)",
                   {"main.log_attrs at snapshot 5", "found 1 delete files",
                    "ducklake_rewrite_data_files"}},
        BadCatalog{
            "CREATE TABLE ducklake_inlined_delete_1(file_id, row_id, begin_snapshot); INSERT "
            "INTO ducklake_inlined_delete_1 VALUES (10, 1, 3)",
            {"main.logs", "1 deleted rows in the catalog"}},
        BadCatalog{"CREATE TABLE \"in\"\"lined\"(begin_snapshot, end_snapshot); INSERT INTO "
                   "\"in\"\"lined\" VALUES (1, NULL), (1, 2); INSERT INTO "
                   "ducklake_inlined_data_tables VALUES (2, 'in\"lined', 1)",
                   {"found 1 rows in the catalog itself", "ducklake_flush_inlined_data"}},
        BadCatalog{"UPDATE ducklake_data_file SET encryption_key = 'k' WHERE data_file_id = 12",
                   {"an encrypted file"}},
        BadCatalog{"UPDATE ducklake_data_file SET file_format = 'csv' WHERE data_file_id = 12",
                   {"file b.parquet", "found csv"}},
        BadCatalog{"UPDATE ducklake_data_file SET partial_max = 6 WHERE data_file_id = 12",
                   {"rows up to snapshot 6"}},
        BadCatalog{"UPDATE ducklake_column SET end_snapshot = 4 WHERE column_name = 'body'; INSERT "
                   "INTO ducklake_column VALUES (3, 4, NULL, 1, 'text', NULL, NULL, NULL)",
                   {"column 'body', now 'text', was renamed"}},
        BadCatalog{"UPDATE ducklake_column SET end_snapshot = 4 WHERE column_name = 'body'",
                   {"column 'body' was dropped"}},
        BadCatalog{"INSERT INTO ducklake_column(column_id, begin_snapshot, end_snapshot, table_id, "
                   "column_name, initial_default, parent_column) VALUES (7, 4, NULL, 1, 'flags', "
                   "'3', NULL)",
                   {"column 'flags' has a default"}},
        BadCatalog{"INSERT INTO ducklake_column_mapping VALUES (6, 1, 'map_by_name'); INSERT INTO "
                   "ducklake_name_mapping VALUES (6, 0, 'message', 3, NULL, 0); UPDATE "
                   "ducklake_data_file SET mapping_id = 6 WHERE data_file_id = 10",
                   {"file a.parquet", "columns have other names"}},
        BadCatalog{"DELETE FROM ducklake_column WHERE column_name = '_part_id' AND table_id = 2",
                   {"found no column _part_id", "single_partition: true"}}));

TEST_F(DuckLakeListTest, ColumnsThatNoFileHasLeadToNoRefusal) {
  Run("INSERT INTO ducklake_column(column_id, begin_snapshot, end_snapshot, table_id, column_name, "
      "initial_default, parent_column) VALUES (7, 1, 2, 1, 'flags', NULL, NULL), (8, 1, 3, 1, "
      "'colour', "
      "NULL, NULL), (9, 2, NULL, 1, 'event_name', '3', NULL)");
  EXPECT_THAT(List().problems, IsEmpty());
}

TEST_F(DuckLakeListTest, NamesOfItemsOfListsMeanNothing) {
  Run("INSERT INTO ducklake_column VALUES (4, 1, NULL, 1, 'list', NULL, NULL, 'list'), (5, 1, "
      "NULL, "
      "1, 'element', NULL, 4, 'float64'); INSERT INTO ducklake_column_mapping VALUES (6, 1, "
      "'map_by_name'); INSERT INTO ducklake_name_mapping VALUES (6, 0, 'item', 5, NULL, 0); UPDATE "
      "ducklake_data_file SET mapping_id = 6 WHERE data_file_id = 10");
  EXPECT_THAT(List().problems, IsEmpty());
}

TEST_F(DuckLakeListTest, SaysWhatIsWrongWithTheCatalog) {
  EXPECT_THAT(TryList(3).status().message(), HasSubstr("found no snapshot 3, there are 1 to 5"));
  Run("UPDATE ducklake_metadata SET value = 'true' WHERE key = 'encrypted'");
  EXPECT_THAT(TryList().status().message(), HasSubstr("with encrypted files"));
  Run("UPDATE ducklake_metadata SET value = '0.3' WHERE key = 'version'");
  EXPECT_THAT(TryList().status().message(), HasSubstr("version '0.3', expected 1.0"));
  Run("DROP TABLE ducklake_metadata");
  EXPECT_THAT(TryList().status().message(), HasSubstr("expected a DuckLake catalog"));
  std::ofstream(catalog()) << "no database at all, and longer than a header of one has to be......"
                              "...............................................................";
  EXPECT_THAT(TryList().status().message(), HasSubstr("expected a DuckLake catalog in SQLite"));
}

TEST_F(DuckLakeListTest, FilesOfAnUnpartitionedTableAreToldByTheirStatistics) {
  Run("DELETE FROM ducklake_file_partition_value WHERE data_file_id = 12; DELETE FROM "
      "ducklake_column WHERE table_id = 2 AND column_name = '_part_id'; UPDATE ducklake_table SET "
      "end_snapshot = 3 WHERE table_id = 2");
  WriteLogs({"x", "x", "x"});
  EXPECT_THAT(ListedFileNames(List()), ElementsAre("logs _part_id=x main/logs/a.parquet"));
  WriteLogs({"x", "x", "y"});
  const LakeListing mixed = List(-1, /*single_partition=*/true);
  EXPECT_THAT(ListedFileNames(mixed), IsEmpty());
  EXPECT_THAT(StatusMessages(mixed.problems),
              ElementsAre(AllOf(HasSubstr("do not say that all rows have one _part_id"),
                                HasSubstr("ALTER TABLE main.logs SET PARTITIONED BY (_part_id)"))));
  WriteLogs({"x", "y"});
  EXPECT_THAT(ListedFileNames(List()), IsEmpty());
}

TEST_F(DuckLakeListTest, TablesWithoutPartitionColumnAreOnePartitionWhereThatIsSaid) {
  Run("DELETE FROM ducklake_file_partition_value; DELETE FROM ducklake_column WHERE column_name = "
      "'_part_id'");
  EXPECT_THAT(ListedFileNames(List(-1, /*single_partition=*/true)),
              ElementsAre("logs  main/logs/a.parquet", "log_attrs  main/log_attrs/b.parquet"));
}

}  // namespace
}  // namespace df::lake
