#include "lake/write/file_schema.h"

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <arrow/type.h>
#include <parquet/types.h>

#include "lake/format/leaf.h"
#include "lake/format/own_writer.h"

namespace df::lake {
namespace {

using otap::ColumnRole;
using otap::ColumnType;

constexpr int64_t kPageBytes = 1_MiB;

/// A selection of few rows reads whole pages. Smaller pages make reading everything slower.
constexpr int64_t kPageRows = 32 << 10;
constexpr int64_t kDictionaryBytes = 4_MiB;

/// Of a hundred traces that are not there, one is looked for in vain.
constexpr double kBloomFalsePositives = 0.01;

std::shared_ptr<arrow::DataType> FileType(const otap::Column& column) {
  if (column.role != otap::ColumnRole::kData) {
    return arrow::uint32();
  }
  if (column.type != ColumnType::kStruct) {
    return otap::NativeType(column);
  }
  arrow::FieldVector fields;
  for (const otap::Column& child : column.children) {
    fields.push_back(arrow::field(std::string(child.name), FileType(child)));
  }
  return arrow::struct_(std::move(fields));
}

std::shared_ptr<arrow::Schema> MakeSchema(const otap::TableInfo& table) {
  arrow::FieldVector fields;
  for (const otap::Column& column : table.columns) {
    fields.push_back(arrow::field(std::string(column.name), FileType(column), !column.required));
  }
  return arrow::schema(std::move(fields));
}

/// How the values of a column are encoded where not as a dictionary.
std::optional<parquet::Encoding::type> EncodingOf(const otap::Column& column) {
  switch (column.type) {
    case ColumnType::kUInt16:
    case ColumnType::kUInt32:
    case ColumnType::kUInt64:
    case ColumnType::kInt64:
    case ColumnType::kTimestamp:
    case ColumnType::kDuration:
    case ColumnType::kListUInt64:
      return parquet::Encoding::DELTA_BINARY_PACKED;
    case ColumnType::kFloat64:
    case ColumnType::kListFloat64:
    case ColumnType::kListQuantile:
      return parquet::Encoding::BYTE_STREAM_SPLIT;
    case ColumnType::kFixedBinary8:
    case ColumnType::kFixedBinary16:
      return parquet::Encoding::PLAIN;  // as good as random
    default:
      return std::nullopt;
  }
}

/// The smallest and largest of values that stand in no order, and that nobody selects by, help
/// nobody.
bool HasStatistics(const otap::TableInfo& table, const Leaf& leaf) {
  if (leaf.is_list() || leaf.column->type == ColumnType::kBool ||
      (leaf.parent != nullptr && leaf.parent->name == "body")) {
    return false;
  }
  return !table.is_attributes || leaf.column->role != ColumnRole::kData ||
         leaf.column->name == "key";
}

/// Returns the paths of a leaf's columns in Parquet.
std::vector<std::string> PathsOf(const Leaf& leaf) {
  if (leaf.column->type == ColumnType::kListQuantile) {
    return {leaf.path() + ".list.item.quantile", leaf.path() + ".list.item.value"};
  }
  return {leaf.is_list() ? leaf.path() + ".list.item" : leaf.path()};
}

void SetEncoding(const otap::TableInfo& table, const Leaf& leaf, const std::string& path,
                 const Compression& compression, parquet::WriterProperties::Builder* builder) {
  if (const auto encoding = EncodingOf(*leaf.column)) {
    builder->disable_dictionary(path)->encoding(path, *encoding);
  }
  if (!HasStatistics(table, leaf)) {
    builder->disable_statistics(path);
  }
  if (leaf.column->type == ColumnType::kFixedBinary8) {
    builder->compression(path, arrow::Compression::UNCOMPRESSED);  // it would gain nothing
    return;
  }
  builder->compression(path, compression.codec);
  if (compression.level.has_value()) {
    builder->compression_level(path, *compression.level);
  }
}

}  // namespace

const std::shared_ptr<arrow::Schema>& FileSchema(otap::TableKind kind) {
  static const std::array<std::shared_ptr<arrow::Schema>, otap::kTableCount> kSchemas = [] {
    std::array<std::shared_ptr<arrow::Schema>, otap::kTableCount> schemas;
    for (const otap::TableInfo& table : otap::AllTables()) {
      schemas[otap::TableIndex(table.kind)] = MakeSchema(table);
    }
    return schemas;
  }();
  return kSchemas[otap::TableIndex(kind)];
}

std::shared_ptr<parquet::WriterProperties> FileProperties(otap::TableKind kind,
                                                          const WriteOptions& options,
                                                          int64_t row_group_rows) {
  parquet::WriterProperties::Builder builder;
  const Compression& compression = options.compression_of(kind);
  builder.created_by(kOwnWriter)
      ->max_row_group_length(options.row_group_rows)
      ->data_pagesize(kPageBytes)
      ->max_rows_per_page(kPageRows)
      ->dictionary_pagesize_limit(kDictionaryBytes)
      ->enable_page_checksum()
      ->set_size_statistics_level(parquet::SizeStatisticsLevel::None);
  int column_index = 0;
  for (const Leaf& leaf : LeavesOf(kind)) {
    for (const std::string& path : PathsOf(leaf)) {
      SetEncoding(otap::GetTable(kind), leaf, path, compression, &builder);
    }
    const std::string path = leaf.path();
    if (leaf.column->name == "trace_id") {
      parquet::BloomFilterOptions bloom;
      bloom.fpp = kBloomFalsePositives;
      bloom.ndv = row_group_rows;
      builder.enable_bloom_filter(path, bloom);
    }
    if (leaf.column->role == otap::ColumnRole::kParentId) {
      builder.set_sorting_columns({{column_index, /*descending=*/false, /*nulls_first=*/false}});
    }
    ++column_index;
  }
  return builder.build();
}

}  // namespace df::lake
