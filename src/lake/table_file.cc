#include "lake/table_file.h"

#include <limits>
#include <utility>

#include <arrow/buffer_builder.h>
#include <arrow/io/buffered.h>
#include <arrow/io/memory.h>
#include <fmt/format.h>
#include <parquet/properties.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#include "base/units.h"
#include "lake/exemplar_values.h"
#include "lake/list_reader.h"
#include "lake/parquet_exceptions.h"

namespace df::lake {
namespace {

/// A column chunk up to this size is fetched with one read; larger ones stream through a buffer of
/// this size.
constexpr int64_t kWholeChunkBytes = 1_MiB;

/// Ids of a row group are kept whole, so a row group must be of a size that somebody meant.
constexpr int64_t kMaxRowGroupRows = 100'000'000;
constexpr int64_t kIdPieceRows = 256 << 10;

/// No codec and no encoding of real telemetry makes more of a byte: larger claims would only cut
/// slices too small.
constexpr int64_t kMostExpansion = 256;

constexpr otap::Column kWideId = {"id", otap::ColumnType::kUInt32};

parquet::ReaderProperties MakeReaderProperties() {
  parquet::ReaderProperties properties;
  properties.set_page_checksum_verification(true);
  return properties;
}

const parquet::ReaderProperties& Properties() {
  static const parquet::ReaderProperties kProperties = MakeReaderProperties();
  return kProperties;
}

/// The leaves of one row group behind one call.
class LeafStream final : public RowGroupStream {
 public:
  LeafStream(std::vector<std::unique_ptr<LeafDecoder>> decoders, std::unique_ptr<ListReader> lists,
             ExemplarValues exemplar_values)
      : decoders_(std::move(decoders)),
        lists_(std::move(lists)),
        exemplar_values_(exemplar_values) {}

  Result<std::vector<LeafSlice>> Next(int64_t num_rows) override {
    std::vector<LeafSlice> slices(decoders_.size());
    for (size_t leaf = 0; leaf < decoders_.size(); ++leaf) {
      if (decoders_[leaf] != nullptr) {
        ARROW_ASSIGN_OR_RAISE(slices[leaf], decoders_[leaf]->Next(num_rows));
      }
    }
    if (lists_ != nullptr) {
      ARROW_RETURN_NOT_OK(lists_->Next(num_rows, &slices));
    }
    ARROW_RETURN_NOT_OK(exemplar_values_.Apply(&slices));
    return slices;
  }

 private:
  std::vector<std::unique_ptr<LeafDecoder>> decoders_;
  std::unique_ptr<ListReader> lists_;
  ExemplarValues exemplar_values_;
};

}  // namespace

Result<std::shared_ptr<TableFile>> TableFile::Open(arrow::fs::FileSystem& file_system,
                                                   const std::string& path, otap::TableKind kind,
                                                   const Location& location) {
  std::shared_ptr<TableFile> table(new TableFile);
  table->kind_ = kind;
  table->location_ = location;
  auto file = file_system.OpenInputFile(path);
  ARROW_RETURN_NOT_OK(WithContext(file.status(), ErrorKind::kIo, location, true));
  table->file_ = std::move(*file);
  ARROW_ASSIGN_OR_RAISE(table->footer_, ReadFooter(table->file_.get(), location));
  ARROW_RETURN_NOT_OK(CatchParquet(location, [&] { return table->MapColumns(); }));
  ARROW_RETURN_NOT_OK(CatchParquet(location, [&] { return table->CheckRowGroups(); }));
  return table;
}

Status TableFile::MapColumns() {
  const parquet::FileMetaData& metadata = *footer_.metadata;
  is_parquet_rs_ = metadata.created_by().rfind("parquet-rs", 0) == 0;
  if (const auto& keys = metadata.key_value_metadata(); keys != nullptr) {
    has_partition_scope_ids_ = keys->Get("otap.id_scope").ValueOr("") == "partition";
    const std::string version = keys->Get("otap.format_version").ValueOr("1");
    if (version != "1") {
      return MakeError(ErrorKind::kSchemaReconstruction,
                       fmt::format("otap.format_version: found '{}', expected '1'", version),
                       location_);
    }
  }
  const std::span<const Leaf> leaves = LeavesOf(kind_);
  columns_.assign(leaves.size(), -1);
  const parquet::SchemaDescriptor& schema = *metadata.schema();
  for (int column = 0; column < schema.num_columns(); ++column) {
    const std::vector<std::string> path = schema.Column(column)->path()->ToDotVector();
    for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
      const size_t depth = leaves[leaf].parent == nullptr ? 1 : 2;
      const bool matches = (depth == 1 ? path[0] == leaves[leaf].column->name
                                       : path.size() >= 2 && path[0] == leaves[leaf].parent->name &&
                                             path[1] == leaves[leaf].column->name) &&
                           (leaves[leaf].is_list() ? path.size() > depth : path.size() == depth);
      if (!matches) {
        continue;
      }
      // A list of structs has several Parquet columns; the first stands for all.
      if (columns_[leaf] >= 0) {
        if (leaves[leaf].is_list()) {
          continue;
        }
        return MakeError(ErrorKind::kSchemaReconstruction,
                         fmt::format("column {} stands twice in the schema", leaves[leaf].path()),
                         location_);
      }
      columns_[leaf] = column;
    }
  }
  // The template of upstream exporters types the exemplars' double_value as an integer and fills it
  // with zeros.
  if (const int leaf = LeafIndex(kind_, "double_value");
      leaf >= 0 && has_leaf(leaf) && physical_type(leaf) == parquet::Type::INT64) {
    columns_[static_cast<size_t>(leaf)] = -1;
  }
  for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    if (columns_[leaf] < 0 || leaves[leaf].is_list()) {
      continue;
    }
    const bool is_id = leaves[leaf].column->role != otap::ColumnRole::kData;
    ARROW_RETURN_NOT_OK(CheckLeafType(*schema.Column(columns_[leaf]),
                                      is_id ? kWideId : *leaves[leaf].column, location_));
  }
  const otap::TableInfo& table = otap::GetTable(kind_);
  for (const std::string_view required :
       {std::string_view("parent_id"), std::string_view("key"), std::string_view("type")}) {
    const int leaf = LeafIndex(kind_, required);
    if (leaf >= 0 && !has_leaf(leaf) && metadata.num_rows() > 0 &&
        (required == "parent_id" || table.is_attributes)) {
      return MakeError(
          ErrorKind::kSchemaReconstruction,
          fmt::format("column {}: found none, expected {}", required,
                      otap::NativeType(*leaves[static_cast<size_t>(leaf)].column)->ToString()),
          location_);
    }
  }
  return Status::OK();
}

Status TableFile::CheckRowGroups() {
  const parquet::FileMetaData& metadata = *footer_.metadata;
  for (int i = 0; i < metadata.num_row_groups(); ++i) {
    const auto row_group = metadata.RowGroup(i);
    if (row_group->num_rows() < 0 || row_group->num_rows() > kMaxRowGroupRows ||
        row_group->num_columns() != metadata.num_columns()) {
      Location where = location_;
      where.row_group = i;
      return MakeError(ErrorKind::kParquet,
                       fmt::format("found {} rows and {} columns, expected 0 to {} and exactly {}",
                                   row_group->num_rows(), row_group->num_columns(),
                                   kMaxRowGroupRows, metadata.num_columns()),
                       where);
    }
    num_rows_.push_back(row_group->num_rows());
    bytes_.push_back(std::clamp<int64_t>(row_group->total_byte_size(), 0,
                                         footer_.file_size_bytes * kMostExpansion));
  }
  return Status::OK();
}

bool TableFile::is_required(int leaf) const {
  return footer_.metadata->schema()
             ->Column(columns_[static_cast<size_t>(leaf)])
             ->max_definition_level() == 0;
}

parquet::Type::type TableFile::physical_type(int leaf) const {
  return footer_.metadata->schema()->Column(columns_[static_cast<size_t>(leaf)])->physical_type();
}

std::optional<IdRange> TableFile::Statistics(int row_group, int leaf) const {
  const int column = columns_[static_cast<size_t>(leaf)];
  if (column < 0) {
    return std::nullopt;
  }
  try {
    const auto statistics =
        footer_.metadata->RowGroup(row_group)->ColumnChunk(column)->statistics();
    if (statistics == nullptr) {
      return std::nullopt;
    }
    if (!statistics->HasMinMax()) {
      const bool is_all_null =
          statistics->HasNullCount() && statistics->null_count() == num_rows(row_group);
      return is_all_null ? std::optional(kEmptyIdRange) : std::nullopt;
    }
    int64_t min = 0;
    int64_t max = 0;
    if (statistics->physical_type() == parquet::Type::INT32) {
      const auto& typed = static_cast<const parquet::Int32Statistics&>(*statistics);
      min = static_cast<uint32_t>(typed.min());
      max = static_cast<uint32_t>(typed.max());
    } else if (statistics->physical_type() == parquet::Type::INT64) {
      const auto& typed = static_cast<const parquet::Int64Statistics&>(*statistics);
      min = typed.min();
      max = typed.max();
    } else {
      return std::nullopt;
    }
    if (min < 0 || max > std::numeric_limits<uint32_t>::max() || min > max) {
      return std::nullopt;
    }
    return IdRange{static_cast<uint32_t>(min), static_cast<uint32_t>(max)};
  } catch (const std::exception&) {
    return std::nullopt;  // statistics only ever save work
  }
}

Result<std::unique_ptr<parquet::PageReader>> TableFile::OpenPages(int row_group, int column) {
  Location where = location_;
  where.row_group = row_group;
  return CatchParquet(where, [&]() -> Result<std::unique_ptr<parquet::PageReader>> {
    const auto chunk = footer_.metadata->RowGroup(row_group)->ColumnChunk(column);
    int64_t start = chunk->data_page_offset();
    if (chunk->has_dictionary_page() && chunk->dictionary_page_offset() > 0) {
      start = std::min(start, chunk->dictionary_page_offset());
    }
    const int64_t size = chunk->total_compressed_size();
    if (start < 0 || size < 0 || start > footer_.file_size_bytes ||
        size > footer_.file_size_bytes - start) {
      return MakeError(
          ErrorKind::kParquet,
          fmt::format("column {}: its bytes {}+{} lie outside the file of {}",
                      chunk->path_in_schema()->ToDotString(), start, size, footer_.file_size_bytes),
          where);
    }
    std::shared_ptr<arrow::io::InputStream> stream;
    if (size <= kWholeChunkBytes) {
      auto bytes = file_->ReadAt(start, size);
      ARROW_RETURN_NOT_OK(WithContext(bytes.status(), ErrorKind::kIo, where, true));
      stream = std::make_shared<arrow::io::BufferReader>(std::move(*bytes));
    } else {
      ARROW_ASSIGN_OR_RAISE(auto raw, arrow::io::RandomAccessFile::GetStream(file_, start, size));
      ARROW_ASSIGN_OR_RAISE(stream, arrow::io::BufferedInputStream::Create(
                                        kWholeChunkBytes, arrow::default_memory_pool(), raw, size));
    }
    return parquet::PageReader::Open(std::move(stream), chunk->num_values(), chunk->compression(),
                                     Properties(), *footer_.metadata->schema()->Column(column));
  });
}

Result<std::unique_ptr<LeafDecoder>> TableFile::OpenLeaf(int row_group, int leaf,
                                                         const otap::Column& target) {
  const int column = columns_[static_cast<size_t>(leaf)];
  Location where = location_;
  where.row_group = row_group;
  ARROW_ASSIGN_OR_RAISE(auto pages, OpenPages(row_group, column));
  return LeafDecoder::Make(std::move(pages), *footer_.metadata->schema()->Column(column), target,
                           where);
}

Result<IdColumn> TableFile::ReadIds(int row_group, int leaf) {
  IdColumn ids;
  const int64_t rows = num_rows(row_group);
  if (!has_leaf(leaf)) {
    ids.values.assign(static_cast<size_t>(rows), 0);
    ARROW_ASSIGN_OR_RAISE(ids.validity, arrow::AllocateEmptyBitmap(rows));
    return ids;
  }
  // In pieces: what the footer claims is only believed as far as pages bear it out.
  ARROW_ASSIGN_OR_RAISE(const auto decoder, OpenLeaf(row_group, leaf, kWideId));
  arrow::TypedBufferBuilder<bool> validity;
  for (int64_t row = 0; row < rows; row += kIdPieceRows) {
    const int64_t count = std::min(kIdPieceRows, rows - row);
    ARROW_ASSIGN_OR_RAISE(const LeafSlice slice, decoder->Next(count));
    const size_t begin = ids.values.size();
    ids.values.resize(begin + static_cast<size_t>(count), 0);
    ARROW_RETURN_NOT_OK(validity.Reserve(count));
    if (slice.values == nullptr) {
      validity.UnsafeAppend(count, false);
      continue;
    }
    const auto& values = static_cast<const arrow::UInt32Array&>(*slice.values);
    std::copy_n(values.raw_values(), count, ids.values.data() + begin);
    ids.num_valid += count - values.null_count();
    if (values.null_count() == 0) {
      validity.UnsafeAppend(count, true);
    } else {
      validity.UnsafeAppend(values.null_bitmap_data(), values.offset(), count);
    }
  }
  if (ids.num_valid < rows) {
    ARROW_ASSIGN_OR_RAISE(ids.validity, validity.Finish());
  }
  return ids;
}

Result<std::unique_ptr<RowGroupStream>> TableFile::OpenRowGroup(int row_group,
                                                                const std::vector<bool>& wanted) {
  const std::span<const Leaf> leaves = LeavesOf(kind_);
  std::vector<std::unique_ptr<LeafDecoder>> decoders(leaves.size());
  std::vector<int> list_leaves;
  for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    if (!wanted[leaf] || columns_[leaf] < 0) {
      continue;
    }
    if (leaves[leaf].is_list()) {
      list_leaves.push_back(static_cast<int>(leaf));
      continue;
    }
    const bool is_id = leaves[leaf].column->role != otap::ColumnRole::kData;
    ARROW_ASSIGN_OR_RAISE(decoders[leaf], OpenLeaf(row_group, static_cast<int>(leaf),
                                                   is_id ? kWideId : *leaves[leaf].column));
  }
  std::unique_ptr<ListReader> lists;
  if (!list_leaves.empty()) {
    Location where = location_;
    where.row_group = row_group;
    ARROW_ASSIGN_OR_RAISE(
        lists, ListReader::Make(file_, footer_.metadata, kind_, row_group, list_leaves, where));
  }
  return std::make_unique<LeafStream>(std::move(decoders), std::move(lists),
                                      ExemplarValues::Make(*this));
}

}  // namespace df::lake
