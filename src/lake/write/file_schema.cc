#include "lake/write/file_schema.h"

#include <array>
#include <string>
#include <utility>

#include <arrow/type.h>
#include <parquet/types.h>

#include "lake/leaf.h"

namespace df::lake {
namespace {

using otap::ColumnType;

constexpr int64_t kPageBytes = 1_MiB;
constexpr int64_t kPageRows = 20'000;
constexpr int64_t kDictionaryBytes = 4_MiB;

/// One record in a hundred thousand is looked up in vain.
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
    fields.push_back(arrow::field(std::string(column.name), FileType(column)));
  }
  return arrow::schema(std::move(fields));
}

/// Values of these columns seldom repeat, but lie near each other.
bool IsDelta(const otap::Column& column) {
  return column.role != otap::ColumnRole::kData || column.type == ColumnType::kTimestamp;
}

/// Values of these columns are as good as random.
bool IsPlain(const otap::Column& column) {
  return column.type == ColumnType::kFixedBinary8 || column.type == ColumnType::kFixedBinary16;
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
                                                          const WriteOptions& options) {
  parquet::WriterProperties::Builder builder;
  const Compression& compression = options.compression_of(kind);
  builder.created_by("df_engine")
      ->compression(compression.codec)
      ->max_row_group_length(options.row_group_rows)
      ->data_pagesize(kPageBytes)
      ->max_rows_per_page(kPageRows)
      ->dictionary_pagesize_limit(kDictionaryBytes);
  if (compression.level.has_value()) {
    builder.compression_level(*compression.level);
  }
  int column_index = 0;
  for (const Leaf& leaf : LeavesOf(kind)) {
    const std::string path = leaf.path();
    if (IsDelta(*leaf.column)) {
      builder.disable_dictionary(path)->encoding(path, parquet::Encoding::DELTA_BINARY_PACKED);
    } else if (IsPlain(*leaf.column)) {
      builder.disable_dictionary(path);
    }
    if (leaf.column->name == "trace_id") {
      parquet::BloomFilterOptions bloom;
      bloom.fpp = kBloomFalsePositives;
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
