#include "testing/lake_writer.h"

#include <fstream>

#include <arrow/api.h>
#include <gtest/gtest.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/statistics.h>

#include "otap/schema.h"
#include "testing/cell.h"
#include "testing/naive_join.h"
#include "testing/random_batch.h"

namespace df::testing {
namespace {

using otap::BatchPtr;
using otap::Signal;
using otap::TableKind;

class LakeWriterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "lake_writer_XXXXXX";
    base_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(base_); }

  WrittenLake Write(const std::vector<BatchPtr>& batches, const LakeWriterOptions& options) {
    const auto lake = WriteLake(base_, batches, options, 5);
    EXPECT_TRUE(lake.ok()) << lake.status().ToString();
    return lake.ok() ? *lake : WrittenLake();
  }

  std::unique_ptr<parquet::ParquetFileReader> Open(const WrittenFile& file) {
    return parquet::ParquetFileReader::OpenFile((base_ / file.path).string());
  }

  /// Reads the columns of the only file of a table.
  CellTable Read(const WrittenLake& lake, TableKind kind) {
    for (const WrittenFile& file : lake.files) {
      if (file.table == kind) {
        parquet::arrow::FileReaderBuilder builder;
        EXPECT_TRUE(builder.OpenFile((base_ / file.path).string()).ok());
        const auto table = builder.Build().ValueOrDie()->ReadTable().ValueOrDie();
        return ReadCells(*table->CombineChunksToBatch().ValueOrDie()).ValueOrDie();
      }
    }
    return {};
  }

  std::filesystem::path base_;
};

std::vector<Cell> Numbers(std::initializer_list<int> values) {
  std::vector<Cell> cells;
  for (const int value : values) {
    cells.push_back(value < 0 ? Cell() : Cell(static_cast<uint64_t>(value)));
  }
  return cells;
}

/// Makes log records with the given ids and resource ids (negative = null), and one attribute for
/// every id.
BatchPtr Logs(std::initializer_list<int> ids, std::initializer_list<int> resources) {
  CellTable logs{static_cast<int64_t>(ids.size()), {}};
  logs.columns.push_back({"id", arrow::uint16(), Numbers(ids), {}});
  CellColumn resource{"resource", nullptr, std::vector<Cell>(ids.size(), Cell(true)), {}};
  resource.children.push_back({"id", arrow::uint16(), Numbers(resources), {}});
  logs.columns.push_back(resource);
  CellTable attributes;
  CellTable resource_attributes;
  const auto fill = [](CellTable& table, std::vector<Cell> parents) {
    std::erase_if(parents, IsNull);
    table.num_rows = std::ssize(parents);
    const std::vector<Cell> keys(parents.size(), Cell(std::string("k")));
    const std::vector<Cell> types(parents.size(), Cell(uint64_t{1}));
    table.columns = {{"parent_id", arrow::uint16(), parents, {}},
                     {"key", arrow::utf8(), keys, {}},
                     {"type", arrow::uint8(), types, {}}};
  };
  fill(attributes, Numbers(ids));
  std::vector<Cell> distinct = Numbers(resources);
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  fill(resource_attributes, distinct);
  otap::BatchBuilder builder(Signal::kLogs);
  EXPECT_TRUE(builder.Set(TableKind::kLogs, *BuildRecords(logs)).ok());
  EXPECT_TRUE(builder.Set(TableKind::kLogAttrs, *BuildRecords(attributes)).ok());
  EXPECT_TRUE(builder.Set(TableKind::kResourceAttrs, *BuildRecords(resource_attributes)).ok());
  return builder.Build();
}

TEST_F(LakeWriterTest, UpstreamLayoutShiftsIdsAsTheTableInTheReferenceShows) {
  const auto lake = Write({Logs({0, 1, 2}, {0, 0, 1}), Logs({0, -1, 1}, {0, 0, 0})}, {});
  const CellTable logs = Read(lake, TableKind::kLogs);
  EXPECT_EQ(FindCells(logs.columns, "id")->cells, Numbers({0, 1, 2, 3, -1, 4}));
  EXPECT_EQ(FindCells(logs.columns, "id")->type->id(), arrow::Type::UINT32);
  const CellColumn* resource = FindCells(logs.columns, "resource");
  EXPECT_EQ(FindCells(resource->children, "id")->cells, Numbers({0, 0, 1, 0, 0, 0}));
  EXPECT_EQ(FindCells(resource->children, "id")->type->id(), arrow::Type::UINT16);
  EXPECT_EQ(FindCells(Read(lake, TableKind::kResourceAttrs).columns, "parent_id")->cells,
            Numbers({0, 1, 3}));
  EXPECT_EQ(FindCells(Read(lake, TableKind::kLogAttrs).columns, "parent_id")->cells,
            Numbers({0, 1, 2, 3, 4}));
  // What the batches lack is filled as upstream fills it.
  EXPECT_EQ(FindCells(logs.columns, "flags")->cells, Numbers({0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(FindCells(logs.columns, "event_name")->cells, std::vector<Cell>(6));
}

TEST_F(LakeWriterTest, OwnLayoutShiftsNestedIdsToo) {
  LakeWriterOptions options;
  options.layout = LakeLayout::kOwn;
  const auto lake = Write({Logs({0, 1, 2}, {0, 0, 1}), Logs({0, -1, 1}, {0, 0, 0})}, options);
  const CellColumn resource = *FindCells(Read(lake, TableKind::kLogs).columns, "resource");
  EXPECT_EQ(FindCells(resource.children, "id")->cells, Numbers({0, 0, 1, 3, 3, 3}));
  EXPECT_EQ(FindCells(resource.children, "id")->type->id(), arrow::Type::UINT32);
  EXPECT_EQ(FindCells(Read(lake, TableKind::kResourceAttrs).columns, "parent_id")->cells,
            Numbers({0, 1, 3}));
  const auto metadata = Open(lake.files.front())->metadata()->key_value_metadata();
  EXPECT_EQ(metadata->Get("otap.format_version").ValueOrDie(), "1");
  EXPECT_EQ(metadata->Get("otap.id_scope").ValueOrDie(), "partition");
}

TEST_F(LakeWriterTest, FilesStandWhereUpstreamPutsThem) {
  const auto lake = Write({Logs({0}, {0})}, {});
  ASSERT_EQ(lake.files.size(), 3U);
  for (const WrittenFile& file : lake.files) {
    EXPECT_TRUE(std::filesystem::exists(base_ / file.path));
    const std::string expected = std::string(otap::GetTable(file.table).directory) + "/" +
                                 file.partition + "/part-17560000000";
    EXPECT_EQ(file.path.substr(0, expected.size()), expected);
    EXPECT_EQ(file.partition.substr(0, 9), "_part_id=");
    EXPECT_EQ(Open(file)->metadata()->created_by(), "parquet-rs version 58.4.0");
    EXPECT_EQ(Open(file)->metadata()->num_rows(), file.rows);
  }
}

TEST_F(LakeWriterTest, StepsGapsAndDescendingIdsKeepTheJoin) {
  LakeWriterOptions options;
  options.id_step = 100;
  options.descending_ids = true;
  const auto lake = Write({Logs({0, 1, 2}, {0, 0, 0}), Logs({0, 1}, {0, 0})}, options);
  EXPECT_EQ(FindCells(Read(lake, TableKind::kLogs).columns, "id")->cells,
            Numbers({200, 100, 0, 301, 201}));
  EXPECT_EQ(FindCells(Read(lake, TableKind::kLogAttrs).columns, "parent_id")->cells,
            Numbers({200, 100, 0, 301, 201}));
}

TEST_F(LakeWriterTest, OrphansAndRepeatedIdsAreCounted) {
  LakeWriterOptions options;
  options.id_step = 10;
  options.orphan_rows = 2;
  options.duplicate_ids = 1;
  const auto lake = Write({Logs({0, 1, 2}, {0, 0, 0})}, options);
  EXPECT_EQ(lake.duplicate_ids, 1);
  EXPECT_EQ(lake.orphans.at(TableKind::kLogAttrs), 2);
  EXPECT_EQ(lake.rows.at(TableKind::kLogAttrs), 5);
  EXPECT_EQ(FindCells(Read(lake, TableKind::kLogs).columns, "id")->cells, Numbers({0, 0, 20}));
  const CellTable attributes = Read(lake, TableKind::kLogAttrs);
  const auto& parents = FindCells(attributes.columns, "parent_id")->cells;
  EXPECT_EQ(std::count(parents.begin(), parents.end(), Cell(uint64_t{1})), 1);
  EXPECT_EQ(std::count(parents.begin(), parents.end(), Cell(uint64_t{1'021})), 1);
}

TEST_F(LakeWriterTest, FilesAndRowGroupsAreCutWhereAsked) {
  LakeWriterOptions options;
  options.root_rows_per_file = 4;
  options.child_rows_per_file = 3;
  options.split_batches = true;
  options.row_group_rows = 2;
  options.zero_row_files = true;
  const auto lake = Write({Logs({0, 1, 2, 3, 4}, {0, 0, 0, 0, 0})}, options);
  std::map<TableKind, std::vector<int64_t>> rows;
  for (const WrittenFile& file : lake.files) {
    rows[file.table].push_back(file.rows);
  }
  EXPECT_EQ(rows[TableKind::kLogs], (std::vector<int64_t>{4, 1, 0}));
  EXPECT_EQ(rows[TableKind::kLogAttrs], (std::vector<int64_t>{3, 2, 0}));
  for (const WrittenFile& file : lake.files) {
    EXPECT_EQ(Open(file)->metadata()->num_row_groups(), (file.rows + 1) / 2) << file.path;
  }
}

TEST_F(LakeWriterTest, ADictionaryHintMayBeNarrowerThanTheFileNeeds) {
  RandomEngine rng(9);
  RandomBatchOptions shape;
  shape.root_rows = 3'000;
  shape.values.distinct_texts = 2'000;
  shape.missing_column = 0;
  LakeWriterOptions options;
  options.layout = LakeLayout::kOwn;
  options.dictionary = DictionaryForm::kInt8;
  const BatchPtr batch = RandomBatch(Signal::kLogs, shape, rng);
  const auto lake = Write({batch}, options);
  EXPECT_EQ(
      DescribeDifference(CanonicalRecords({batch}), CanonicalRecords(*ReadLakeNaively(base_))), "");
  const auto logs = std::find_if(lake.files.begin(), lake.files.end(),
                                 [](const auto& file) { return file.table == TableKind::kLogs; });
  parquet::arrow::FileReaderBuilder builder;
  ASSERT_TRUE(builder.OpenFile((base_ / logs->path).string()).ok());
  const auto reader = builder.Build().ValueOrDie();
  EXPECT_FALSE(reader->ReadTable().ok()) << "Arrow trusts the stored width";
}

TEST_F(LakeWriterTest, UpstreamExemplarsWithoutDoublesHaveAnIntegerColumnOfZeros) {
  RandomEngine rng(3);
  RandomBatchOptions shape;
  shape.valueless_exemplars = false;
  shape.missing_column = 0;
  shape.without_children = 0;
  shape.upstream_columns_only = true;
  BatchPtr batch = RandomBatch(Signal::kMetrics, shape, rng);
  otap::BatchBuilder builder(Signal::kMetrics);
  for (const otap::TableInfo& info : otap::AllTables()) {
    if (batch->table(info.kind) == nullptr) {
      continue;
    }
    CellTable table = ReadCells(*batch->table(info.kind)).ValueOrDie();
    if (info.kind == TableKind::kNumberDpExemplars) {
      std::erase_if(table.columns,
                    [](const CellColumn& column) { return column.name == "double_value"; });
    }
    ASSERT_TRUE(builder.Set(info.kind, *BuildRecords(table)).ok());
  }
  batch = builder.Build();
  const auto lake = Write({batch}, {});
  const CellTable exemplars = Read(lake, TableKind::kNumberDpExemplars);
  const CellColumn* doubles = FindCells(exemplars.columns, "double_value");
  EXPECT_EQ(doubles->type->id(), arrow::Type::INT64);
  EXPECT_EQ(doubles->cells,
            std::vector<Cell>(static_cast<size_t>(exemplars.num_rows), Cell(int64_t{0})));
  EXPECT_EQ(
      DescribeDifference(CanonicalRecords({batch}), CanonicalRecords(*ReadLakeNaively(base_))), "");
}

TEST_F(LakeWriterTest, MalformedIdsAreWhatArrowRefusesAndTheRepairMends) {
  for (const Signal signal : otap::kAllSignals) {
    SCOPED_TRACE(std::string(Name(signal)));
    RandomEngine rng(11);
    RandomBatchOptions shape;
    shape.missing_column = 0;
    shape.without_children = 0;
    shape.upstream_columns_only = true;
    shape.valueless_exemplars = false;
    const BatchPtr batch = RandomBatch(signal, shape, rng);
    LakeWriterOptions options;
    options.malformed_ids = true;
    options.row_group_rows = 9;
    int malformed = 0;
    for (const WrittenFile& file : Write({batch}, options).files) {
      const auto metadata = Open(file)->metadata();
      for (int column = 0; column < metadata->num_columns(); ++column) {
        const auto& leaf = *metadata->schema()->Column(column);
        if (leaf.physical_type() != parquet::Type::FIXED_LEN_BYTE_ARRAY) {
          continue;
        }
        EXPECT_EQ(leaf.type_length(), leaf.name() == "trace_id" ? 16 : 8);
        // The native ids of spans are the only sound ones.
        const bool is_sound = file.table == TableKind::kSpans;
        for (int group = 0; group < metadata->num_row_groups(); ++group) {
          const auto ask = [&] { metadata->RowGroup(group)->ColumnChunk(column); };
          if (is_sound) {
            EXPECT_NO_THROW(ask());
          } else {
            EXPECT_THROW(ask(), parquet::ParquetException);
          }
        }
        malformed += is_sound ? 0 : 1;
      }
    }
    EXPECT_EQ(malformed, signal == Signal::kMetrics ? 6 : 2);
    EXPECT_EQ(
        DescribeDifference(CanonicalRecords({batch}), CanonicalRecords(*ReadLakeNaively(base_))),
        "");
    std::filesystem::remove_all(base_);
  }
}

TEST_F(LakeWriterTest, ViewsAndMillisecondsAndNarrowIdsAreWritten) {
  RandomEngine rng(4);
  RandomBatchOptions shape;
  shape.values.whole_milliseconds = true;
  LakeWriterOptions options;
  options.layout = LakeLayout::kOwn;
  options.dictionary = DictionaryForm::kNone;
  options.views = true;
  options.time_unit = arrow::TimeUnit::MILLI;
  options.narrow_root_ids = true;
  const auto batches = RandomBatches(3, std::nullopt, shape, rng);
  Write(batches, options);
  EXPECT_EQ(
      DescribeDifference(CanonicalRecords(batches), CanonicalRecords(*ReadLakeNaively(base_))), "");
}

TEST_F(LakeWriterTest, IdsThatDoNotFitAreRefused) {
  LakeWriterOptions options;
  options.first_id = 65'534;
  options.narrow_root_ids = true;
  EXPECT_FALSE(WriteLake(base_, {Logs({0, 1, 2}, {0, 0, 0})}, options, 1).ok());
  options.narrow_root_ids = false;
  options.first_id = 0xffff'fffd;
  EXPECT_TRUE(WriteLake(base_, {Logs({0, 1, 2}, {0, 0, 0})}, options, 1).ok());
  options.first_id = 0xffff'fffe;
  EXPECT_FALSE(WriteLake(base_, {Logs({0, 1, 2}, {0, 0, 0})}, options, 1).ok());
  options.first_id = 0;
  options.partition_levels = 0;
  options.batches_per_partition = 1;
  EXPECT_FALSE(WriteLake(base_, {Logs({0}, {0})}, options, 1).ok());
}

TEST_F(LakeWriterTest, EqualSeedsGiveEqualBytes) {
  RandomEngine rng(6);
  const auto batches = RandomBatches(2, std::nullopt, {}, rng);
  const auto options = RandomLakeOptions(LakeLayout::kUpstream, rng);
  const auto read = [&](const std::string& folder) {
    std::string all;
    const WrittenLake lake = WriteLake(base_ / folder, batches, options, 8).ValueOrDie();
    for (const WrittenFile& file : lake.files) {
      std::ifstream stream(base_ / folder / file.path, std::ios::binary);
      all += file.path + std::string(std::istreambuf_iterator<char>(stream), {});
    }
    return all;
  };
  EXPECT_EQ(read("a"), read("b"));
}

class LakeRoundTrip : public LakeWriterTest, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Seeds, LakeRoundTrip, ::testing::Range(1, 13));

TEST_P(LakeRoundTrip, OwnLayoutKeepsEveryRecord) {
  RandomEngine rng(static_cast<uint64_t>(GetParam()));
  const auto batches = RandomBatches(5, std::nullopt, {}, rng);
  Write(batches, RandomLakeOptions(LakeLayout::kOwn, rng));
  EXPECT_EQ(
      DescribeDifference(CanonicalRecords(batches), CanonicalRecords(*ReadLakeNaively(base_))), "");
}

TEST_P(LakeRoundTrip, UpstreamLayoutKeepsEveryRecordOfOneBatchPerPartition) {
  RandomEngine rng(static_cast<uint64_t>(GetParam()));
  RandomBatchOptions shape;
  shape.upstream_columns_only = true;
  shape.valueless_exemplars = false;
  const auto batches = RandomBatches(5, std::nullopt, shape, rng);
  LakeWriterOptions options = RandomLakeOptions(LakeLayout::kUpstream, rng);
  options.first_id = 0;
  options.partition_levels = 1;
  options.batches_per_partition = 1;
  options.zero_point_ids = true;
  Write(batches, options);
  EXPECT_EQ(
      DescribeDifference(CanonicalRecords(batches), CanonicalRecords(*ReadLakeNaively(base_))), "");
}

TEST_P(LakeRoundTrip, UpstreamLayoutKeepsEveryRecordOfManyBatchesButForGroupAttributes) {
  RandomEngine rng(static_cast<uint64_t>(GetParam()));
  RandomBatchOptions shape;
  shape.upstream_columns_only = true;
  shape.valueless_exemplars = false;
  shape.group_attributes = false;
  const auto batches = RandomBatches(5, std::nullopt, shape, rng);
  Write(batches, RandomLakeOptions(LakeLayout::kUpstream, rng));
  EXPECT_EQ(
      DescribeDifference(CanonicalRecords(batches), CanonicalRecords(*ReadLakeNaively(base_))), "");
}

}  // namespace
}  // namespace df::testing
