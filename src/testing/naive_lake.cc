// Draws options for the lake writer and reads its trees back in the plainest way.
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

#include <arrow/api.h>
#include <arrow/io/memory.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "otap/schema.h"
#include "testing/cell.h"
#include "testing/lake_writer.h"
#include "testing/malformed_ids.h"

namespace df::testing {
namespace {

using otap::TableInfo;
using otap::TableKind;

template <typename T>
T OneOf(RandomEngine& rng, std::initializer_list<T> values) {
  return *(values.begin() + Between(rng, 0, static_cast<int64_t>(values.size()) - 1));
}

/// Undoes the padding of exemplar values in one file (format reference 2.11).
void UnpadExemplars(CellTable& table) {
  CellColumn* ints = FindCells(table.columns, "int_value");
  CellColumn* doubles = FindCells(table.columns, "double_value");
  if (doubles != nullptr && doubles->type->id() == arrow::Type::INT64) {
    doubles->cells.assign(doubles->cells.size(), Cell());
    doubles->type = arrow::float64();
  }
  if (ints != nullptr && doubles != nullptr) {
    for (size_t row = 0; row < ints->cells.size(); ++row) {
      if (!IsNull(doubles->cells[row]) && ints->cells[row] == Cell(int64_t{0})) {
        ints->cells[row] = Cell();
      }
    }
  }
}

/// Tells whether Arrow refuses a column for having the size statistics of a byte array.
bool HasMalformedIds(const std::string& bytes) {
  const auto reader = parquet::ParquetFileReader::Open(
      std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(bytes)));
  const auto metadata = reader->metadata();
  try {
    for (int group = 0; group < metadata->num_row_groups(); ++group) {
      for (int column = 0; column < metadata->num_columns(); ++column) {
        metadata->RowGroup(group)->ColumnChunk(column);
      }
    }
  } catch (const parquet::ParquetException&) {
    return true;
  }
  return false;
}

/// Reads a file without its stored Arrow schema, whose dictionary widths may be too narrow for the
/// file: the key is made unknown in memory.
arrow::Result<CellTable> ReadFile(const std::filesystem::path& path) {
  constexpr std::string_view kKey = "ARROW:schema";
  constexpr std::string_view kUnknownKey = "unknown:key.";
  static_assert(kKey.size() == kUnknownKey.size());
  std::ifstream stream(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(stream), {});
  if (const size_t place = bytes.rfind(kKey); place != std::string::npos) {
    bytes.replace(place, kKey.size(), kUnknownKey);
  }
  if (HasMalformedIds(bytes)) {
    ARROW_RETURN_NOT_OK(DeclareIdsBinary(bytes));
  }
  parquet::arrow::FileReaderBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Open(
      std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(std::move(bytes)))));
  ARROW_ASSIGN_OR_RAISE(auto reader, builder.Build());
  ARROW_ASSIGN_OR_RAISE(const auto table, reader->ReadTable());
  ARROW_ASSIGN_OR_RAISE(const auto batch, table->CombineChunksToBatch());
  return ReadCells(*batch);
}

void AppendColumns(std::vector<CellColumn>& head, size_t head_rows,
                   const std::vector<CellColumn>& tail, size_t tail_rows) {
  for (const CellColumn& column : tail) {
    if (FindCells(head, column.name) == nullptr) {
      CellColumn added{column.name, column.type, {}, {}};
      added.cells.resize(head_rows);
      head.push_back(std::move(added));
    }
  }
  for (CellColumn& column : head) {
    const CellColumn* more = FindCells(tail, column.name);
    static const std::vector<CellColumn> kNone;
    AppendColumns(column.children, head_rows, more == nullptr ? kNone : more->children, tail_rows);
    if (more == nullptr) {
      column.cells.resize(head_rows + tail_rows);
    } else {
      column.cells.insert(column.cells.end(), more->cells.begin(), more->cells.end());
    }
  }
}

/// Puts `tail` behind `head`; columns that one of them lacks are null there.
void AppendRows(CellTable& head, const CellTable& tail) {
  AppendColumns(head.columns, static_cast<size_t>(head.num_rows), tail.columns,
                static_cast<size_t>(tail.num_rows));
  head.num_rows += tail.num_rows;
}

/// Makes the types of known columns from different files one: the model's, with 32 bits for ids.
void UnifyTypes(std::vector<CellColumn>& columns, std::span<const otap::Column> infos) {
  for (CellColumn& column : columns) {
    if (const otap::Column* info = otap::FindColumn(infos, column.name)) {
      column.type = info->role == otap::ColumnRole::kData ? NativeType(*info) : arrow::uint32();
      UnifyTypes(column.children, info->children);
    }
  }
}

}  // namespace

LakeWriterOptions RandomLakeOptions(LakeLayout layout, RandomEngine& rng) {
  LakeWriterOptions options;
  options.layout = layout;
  options.first_id = static_cast<uint64_t>(OneOf<int64_t>(rng, {0, 0, 7, 100'000}));
  options.id_step = static_cast<uint64_t>(OneOf<int64_t>(rng, {1, 1, 1, 3, 100}));
  options.id_gaps = OneOf(rng, {0.0, 0.0, 0.1});
  options.partition_levels = static_cast<int>(Between(rng, 0, 2));
  options.batches_per_partition = options.partition_levels == 0 ? 0 : OneOf(rng, {0, 0, 1, 3});
  options.root_rows_per_file = OneOf<int64_t>(rng, {0, 10, 64, 200});
  options.child_rows_per_file = OneOf<int64_t>(rng, {0, 10, 64, 200, 1'000});
  options.split_batches = Chance(rng, 0.3);
  options.row_group_rows = OneOf<int64_t>(rng, {1 << 20, 17, 100});
  options.zero_row_files = Chance(rng, 0.2);
  options.child_order = OneOf(rng, {ChildOrder::kAsGiven, ChildOrder::kByParent, ChildOrder::kByKey,
                                    ChildOrder::kShuffledInBatch, ChildOrder::kShuffledInFile});
  options.omit_empty_columns = Chance(rng, 0.3);
  options.extra_columns = Chance(rng, 0.2);
  options.shuffle_columns = Chance(rng, 0.2);
  options.required_fields = Chance(rng, 0.3);
  options.dictionary =
      OneOf(rng, {DictionaryForm::kAsGiven, DictionaryForm::kNone, DictionaryForm::kInt8,
                  DictionaryForm::kInt16, DictionaryForm::kInt32});
  options.large_lists = Chance(rng, 0.3);
  options.time_zone = Chance(rng, 0.3) ? "UTC" : "";
  options.compression = OneOf(rng, {arrow::Compression::UNCOMPRESSED, arrow::Compression::SNAPPY,
                                    arrow::Compression::ZSTD, arrow::Compression::GZIP});
  options.encoding = OneOf(rng, {ValueEncoding::kDictionary, ValueEncoding::kDictionary,
                                 ValueEncoding::kPlain, ValueEncoding::kDelta});
  options.statistics = Chance(rng, 0.8);
  options.data_page_v2 = Chance(rng, 0.3);
  options.rows_per_page = OneOf<int64_t>(rng, {20'000, 11, 100});
  options.store_arrow_schema = Chance(rng, 0.8);
  options.malformed_ids = layout == LakeLayout::kUpstream &&
                          options.encoding != ValueEncoding::kDelta && Chance(rng, 0.5);
  return options;
}

LakeWriterOptions JoinableUpstreamOptions(RandomEngine& rng) {
  LakeWriterOptions options = RandomLakeOptions(LakeLayout::kUpstream, rng);
  options.root_rows_per_file = 1;
  options.split_batches = false;
  options.id_step = 1;
  options.id_gaps = 0;
  return options;
}

arrow::Result<std::vector<otap::BatchPtr>> ReadLakeNaively(const std::filesystem::path& base) {
  std::map<std::string, std::map<TableKind, CellTable>> partitions;
  std::set<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(base)) {
    if (entry.path().extension() == ".parquet") {
      paths.insert(entry.path());
    }
  }
  for (const auto& path : paths) {
    const auto relative = std::filesystem::relative(path.parent_path(), base);
    const TableInfo* info = otap::FindTable(relative.begin()->string());
    if (info == nullptr) {
      return arrow::Status::Invalid("not a table: ", relative.string());
    }
    ARROW_ASSIGN_OR_RAISE(CellTable table, ReadFile(path));
    if (info->kind != TableKind::kNumberDataPoints) {
      UnpadExemplars(table);
    }
    UnifyTypes(table.columns, info->columns);
    const std::string partition =
        std::filesystem::relative(path.parent_path(), base / info->directory).string();
    AppendRows(partitions[partition][info->kind], table);
  }
  std::vector<otap::BatchPtr> batches;
  for (const auto& [partition, tables] : partitions) {
    for (const otap::Signal signal : otap::kAllSignals) {
      otap::BatchBuilder builder(signal);
      for (const auto& [kind, table] : tables) {
        if (otap::GetTable(kind).has_signal(signal)) {
          ARROW_ASSIGN_OR_RAISE(auto records, BuildRecords(table));
          ARROW_RETURN_NOT_OK(builder.Set(kind, std::move(records)));
        }
      }
      batches.push_back(builder.Build());
    }
  }
  return batches;
}

}  // namespace df::testing
