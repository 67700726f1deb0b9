#include "lake/format/table_file.h"

#include <limits>
#include <utility>

#include <arrow/buffer_builder.h>
#include <arrow/io/buffered.h>
#include <arrow/io/memory.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>
#include <parquet/properties.h>
#include <parquet/schema.h>
#include <parquet/statistics.h>

#include "base/units.h"
#include "lake/format/bloom_filter.h"
#include "lake/format/column_levels.h"
#include "lake/format/dictionary.h"
#include "lake/format/far_pages.h"
#include "lake/format/leaf_stream.h"
#include "lake/format/own_keys.h"
#include "lake/format/parquet_exceptions.h"
#include "storage/ahead_stream.h"

namespace df::lake {
namespace {

/// Ids of a row group are kept whole, so a row group must be of a size that somebody meant.
constexpr int64_t kMaxRowGroupRows = 100'000'000;
constexpr int64_t kIdPieceRows = 256 << 10;

/// No codec and no encoding of real telemetry makes more of a byte: larger claims would only cut
/// slices too small.
constexpr int64_t kMostExpansion = 256;

/// Of ids, and of columns that must be empty: none of their pages is passed over.
constexpr PageLimits kIdPages = {.piece_bytes = 4_MiB, .page_bytes = 1_GiB};

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

}  // namespace

Result<std::shared_ptr<TableFile>> TableFile::Open(storage::Store& store, const std::string& path,
                                                   otap::TableKind kind, const Location& location) {
  std::shared_ptr<TableFile> table(new TableFile);
  table->kind_ = kind;
  table->location_ = location;
  auto file = store.OpenFile(path);
  ARROW_RETURN_NOT_OK(WithContext(file.status(), ErrorKind::kIo, location, true));
  table->file_ = std::move(*file);
  table->is_remote_ = !store.is_local();
  table->remote_ = std::dynamic_pointer_cast<storage::RemoteFile>(table->file_);
  if (table->remote_ != nullptr) {
    const storage::FileFacts& facts = table->remote_->facts();
    table->version_ = std::hash<std::string>()(
        fmt::format("{}\n{}\n{}", facts.size_bytes, facts.etag, facts.modified));
  }
  ARROW_ASSIGN_OR_RAISE(table->footer_, ReadFooter(table->file_.get(), location));
  ARROW_RETURN_NOT_OK(CatchParquet(location, [&] { return table->MapColumns(); }));
  ARROW_RETURN_NOT_OK(CatchParquet(location, [&] { return table->CheckRowGroups(); }));
  return table;
}

Status TableFile::MapColumns() {
  const parquet::FileMetaData& metadata = *footer_.metadata;
  is_parquet_rs_ = metadata.created_by().rfind("parquet-rs", 0) == 0;
  if (const auto& keys = metadata.key_value_metadata(); keys != nullptr) {
    has_partition_scope_ids_ = keys->Get(kIdScopeKey).ValueOr("") == kIdScope;
    ARROW_RETURN_NOT_OK(CheckOwnKeys(*keys, location_));
  }
  ARROW_ASSIGN_OR_RAISE(layout_, ProbeLayout(kind_, footer_, location_));
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
             ->Column(layout_.columns[static_cast<size_t>(leaf)])
             ->max_definition_level() == 0;
}

int64_t TableFile::stored_bytes(int row_group) const {
  return std::clamp<int64_t>(footer_.metadata->RowGroup(row_group)->total_compressed_size(), 0,
                             footer_.file_size_bytes);
}

int64_t TableFile::stored_bytes(int row_group, const std::vector<bool>& leaves) const {
  int64_t sum = 0;
  const auto group = footer_.metadata->RowGroup(row_group);
  for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    if (const int column = layout_.columns[leaf]; leaves[leaf] && column >= 0) {
      sum += group->ColumnChunk(column)->total_compressed_size();
    }
  }
  return std::clamp<int64_t>(sum, 0, footer_.file_size_bytes);
}

std::optional<BloomLocation> TableFile::BloomOf(int row_group, int leaf) const {
  const int column = layout_.columns[static_cast<size_t>(leaf)];
  // Text and bytes may stand for the value in several ways.
  if (column < 0 || physical_type(leaf) != parquet::Type::FIXED_LEN_BYTE_ARRAY) {
    return std::nullopt;
  }
  const auto chunk = footer_.metadata->RowGroup(row_group)->ColumnChunk(column);
  const auto offset = chunk->bloom_filter_offset();
  return offset.has_value()
             ? std::optional(BloomLocation{.offset = *offset,
                                           .size_bytes = chunk->bloom_filter_length(),
                                           .file_bytes = footer_.file_size_bytes})
             : std::nullopt;
}

bool TableFile::MayHaveAny(int row_group, int leaf, const std::vector<std::string_view>& values) {
  try {
    const auto location = BloomOf(row_group, leaf);
    if (!location.has_value()) {
      return true;
    }
    std::shared_ptr<void> fetched;
    if (remote_ != nullptr) {
      auto ranges = BloomRanges(*location, values);
      std::erase_if(ranges, [this](const auto& range) { return remote_->IsAnnounced(range); });
      fetched = remote_->Announce(std::move(ranges), 1);
    }
    return lake::MayHaveAny(file_.get(), *location, values, is_remote_);
  } catch (const std::exception&) {
    return true;
  }
}

bool TableFile::MayHaveText(int row_group, int leaf, std::string_view text) {
  const int column = layout_.columns[static_cast<size_t>(leaf)];
  if (column < 0) {
    return false;  // all null
  }
  if (physical_type(leaf) != parquet::Type::BYTE_ARRAY) {
    return true;
  }
  try {
    const auto chunk = footer_.metadata->RowGroup(row_group)->ColumnChunk(column);
    return DictionaryMayHave(file_.get(), *chunk, *footer_.metadata->schema()->Column(column),
                             footer_.file_size_bytes, text);
  } catch (const std::exception&) {
    return true;
  }
}

int64_t TableFile::num_items(int row_group, int leaf) const {
  const int column = layout_.columns[static_cast<size_t>(leaf)];
  return std::max<int64_t>(footer_.metadata->RowGroup(row_group)->ColumnChunk(column)->num_values(),
                           0);
}

parquet::Type::type TableFile::physical_type(int leaf) const {
  return footer_.metadata->schema()
      ->Column(layout_.columns[static_cast<size_t>(leaf)])
      ->physical_type();
}

std::optional<TimeStatistics> TableFile::Times(int row_group, int leaf) const {
  const auto index = static_cast<size_t>(leaf);
  const int column = layout_.columns[index];
  // Coarser times are read with a companion or multiplied: their statistics are not of what is
  // read.
  if (column < 0 || layout_.companions[index] >= 0 || layout_.nanos_per_unit[index] != 1) {
    return std::nullopt;
  }
  try {
    const auto chunk = footer_.metadata->RowGroup(row_group)->ColumnChunk(column);
    const auto statistics = chunk->statistics();
    if (statistics == nullptr || statistics->physical_type() != parquet::Type::INT64) {
      return std::nullopt;
    }
    const bool has_no_nulls =
        is_required(leaf) || (statistics->HasNullCount() && statistics->null_count() == 0);
    if (!statistics->HasMinMax()) {
      const bool is_all_null = num_rows(row_group) > 0 && statistics->HasNullCount() &&
                               statistics->null_count() == num_rows(row_group);
      return is_all_null ? std::optional(TimeStatistics{.may_be_unset = true, .is_all_unset = true})
                         : std::nullopt;
    }
    const auto& typed = static_cast<const parquet::Int64Statistics&>(*statistics);
    if (typed.min() > typed.max()) {
      return std::nullopt;
    }
    return TimeStatistics{.least = typed.min(),
                          .most = typed.max(),
                          .may_be_unset = !has_no_nulls || typed.min() <= 0,
                          .is_all_unset = false};
  } catch (const std::exception&) {
    return std::nullopt;  // statistics only ever save work
  }
}

std::optional<IdRange> TableFile::Statistics(int row_group, int leaf) const {
  const int column = layout_.columns[static_cast<size_t>(leaf)];
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

Result<arrow::io::ReadRange> TableFile::ChunkRange(
    int row_group, const parquet::ColumnChunkMetaData& chunk) const {
  int64_t start = chunk.data_page_offset();
  if (chunk.has_dictionary_page() && chunk.dictionary_page_offset() > 0) {
    start = std::min(start, chunk.dictionary_page_offset());
  }
  const int64_t size = chunk.total_compressed_size();
  if (start < 0 || size < 0 || start > footer_.file_size_bytes ||
      size > footer_.file_size_bytes - start) {
    Location where = location_;
    where.row_group = row_group;
    return MakeError(
        ErrorKind::kParquet,
        fmt::format("column {}: its bytes {}+{} lie outside the file of {}",
                    chunk.path_in_schema()->ToDotString(), start, size, footer_.file_size_bytes),
        where);
  }
  return arrow::io::ReadRange{start, size};
}

Result<std::shared_ptr<arrow::io::InputStream>> TableFile::OpenStream(int row_group,
                                                                      arrow::io::ReadRange range) {
  std::shared_ptr<arrow::io::InputStream> raw;
  if (remote_ != nullptr && !remote_->IsAnnounced(range)) {
    const auto group = footer_.metadata->RowGroup(row_group);
    int64_t num_large = 1;
    for (int column = 0; column < group->num_columns(); ++column) {
      num_large += group->ColumnChunk(column)->total_compressed_size() > kWholeChunkBytes ? 1 : 0;
    }
    const int64_t piece_bytes = std::max(
        kWholeChunkBytes,
        std::min(remote_->options().request_bytes, remote_->options().ahead_bytes / 8 / num_large));
    raw = std::make_shared<storage::AheadStream>(remote_, range.offset, range.length, piece_bytes);
  } else {
    ARROW_ASSIGN_OR_RAISE(
        raw, arrow::io::RandomAccessFile::GetStream(file_, range.offset, range.length));
  }
  return arrow::io::BufferedInputStream::Create(kWholeChunkBytes, arrow::default_memory_pool(), raw,
                                                range.length);
}

Result<std::unique_ptr<parquet::PageReader>> TableFile::OpenPages(
    int row_group, int column, const PageLimits& limits, int64_t* buffer_bytes,
    std::shared_ptr<PassedRows> passed) {
  Location where = location_;
  where.row_group = row_group;
  return CatchParquet(where, [&]() -> Result<std::unique_ptr<parquet::PageReader>> {
    const auto chunk = footer_.metadata->RowGroup(row_group)->ColumnChunk(column);
    if (!parquet::IsCodecSupported(chunk->compression())) {
      return MakeError(
          ErrorKind::kParquet,
          fmt::format(
              "column {}: found codec {}, expected none, snappy, gzip, brotli, lz4, lz4_raw "
              "or zstd",
              chunk->path_in_schema()->ToDotString(),
              arrow::util::Codec::GetCodecAsString(chunk->compression())),
          where);
    }
    ARROW_ASSIGN_OR_RAISE(const auto range, ChunkRange(row_group, *chunk));
    const int64_t start = range.offset;
    const int64_t size = range.length;
    if (passed != nullptr && size > FarPages::kFewBytes) {
      const PageIndex* far = passed->far == nullptr ? nullptr : passed->far->IndexAt(start);
      auto index = passed->far == nullptr
                       ? ReadPageIndex(file_.get(), *chunk, range, num_rows(row_group))
                   : far == nullptr ? std::nullopt
                                    : std::optional(*far);
      if (index.has_value() && index->pages.size() > 1) {
        passed->has_index = true;
        const auto input = std::make_shared<PagedInput>(file_, range, *std::move(index));
        if (buffer_bytes != nullptr) {
          *buffer_bytes += std::min(size, kWholeChunkBytes);
        }
        return OpenGatedPages({.stream = input,
                               .file = file_,
                               .is_far = is_remote_,
                               .position = start,
                               .num_values = chunk->num_values(),
                               .codec = chunk->compression(),
                               .descriptor = footer_.metadata->schema()->Column(column),
                               .input = input,
                               .passed = std::move(passed)},
                              Properties(), limits);
      }
    }
    std::shared_ptr<arrow::io::InputStream> stream;
    if (size <= kWholeChunkBytes) {
      auto bytes = file_->ReadAt(start, size);
      ARROW_RETURN_NOT_OK(WithContext(bytes.status(), ErrorKind::kIo, where, true));
      stream = std::make_shared<arrow::io::BufferReader>(std::move(*bytes));
    } else {
      ARROW_ASSIGN_OR_RAISE(stream, OpenStream(row_group, range));
    }
    if (buffer_bytes != nullptr) {
      *buffer_bytes += std::min(size, kWholeChunkBytes);
    }
    if (chunk->compression() == parquet::Compression::UNCOMPRESSED &&
        size <= std::min({kWholeChunkBytes, limits.piece_bytes, limits.page_bytes})) {
      return parquet::PageReader::Open(std::move(stream), chunk->num_values(), chunk->compression(),
                                       Properties(), *footer_.metadata->schema()->Column(column));
    }
    return OpenGatedPages({.stream = std::move(stream),
                           .file = file_,
                           .is_far = is_remote_,
                           .position = start,
                           .num_values = chunk->num_values(),
                           .codec = chunk->compression(),
                           .descriptor = footer_.metadata->schema()->Column(column)},
                          Properties(), limits);
  });
}

Result<std::unique_ptr<LeafDecoder>> TableFile::OpenLeaf(int row_group, int leaf,
                                                         const otap::Column& target,
                                                         const PageLimits& limits,
                                                         int64_t* buffer_bytes,
                                                         std::shared_ptr<PassedRows> passed) {
  const int column = layout_.columns[static_cast<size_t>(leaf)];
  Location where = location_;
  where.row_group = row_group;
  ARROW_ASSIGN_OR_RAISE(auto pages,
                        OpenPages(row_group, column, limits, buffer_bytes, std::move(passed)));
  return LeafDecoder::Make(std::move(pages), *footer_.metadata->schema()->Column(column), target,
                           where, layout_.nanos_per_unit[static_cast<size_t>(leaf)]);
}

Result<std::unique_ptr<LeafDecoder>> TableFile::OpenCompanion(int row_group, int leaf,
                                                              const PageLimits& limits,
                                                              int64_t* buffer_bytes,
                                                              std::shared_ptr<PassedRows> passed) {
  const int column = layout_.companions[static_cast<size_t>(leaf)];
  Location where = location_;
  where.row_group = row_group;
  ARROW_ASSIGN_OR_RAISE(auto pages,
                        OpenPages(row_group, column, limits, buffer_bytes, std::move(passed)));
  return LeafDecoder::Make(std::move(pages), *footer_.metadata->schema()->Column(column),
                           *LeavesOf(kind_)[static_cast<size_t>(leaf)].column, where, 1);
}

Status TableFile::CheckEmptyColumns(int row_group, int leaf) {
  Location where = location_;
  where.row_group = row_group;
  for (const EmptyColumn& empty : layout_.empty_columns) {
    if (leaf >= 0 && (leaf < empty.first_leaf || leaf >= empty.first_leaf + empty.num_leaves)) {
      continue;
    }
    ARROW_ASSIGN_OR_RAISE(auto pages,
                          OpenPages(row_group, empty.column, kIdPages, nullptr, nullptr));
    ARROW_ASSIGN_OR_RAISE(
        const bool has_values, CatchParquet(where, [&]() -> Result<bool> {
          auto found = HasLevel(std::move(pages), *footer_.metadata->schema()->Column(empty.column),
                                empty.level, num_rows(row_group));
          ARROW_RETURN_NOT_OK(WithContext(found.status(), ErrorKind::kParquet, where));
          return found;
        }));
    if (has_values) {
      return MakeError(ErrorKind::kSchemaReconstruction, empty.refusal, where);
    }
  }
  return Status::OK();
}

Result<IdColumn> TableFile::ReadIds(int row_group, int leaf) {
  IdColumn ids;
  const int64_t rows = num_rows(row_group);
  if (!has_leaf(leaf)) {
    ARROW_RETURN_NOT_OK(CheckEmptyColumns(row_group, leaf));
    ids.values.assign(static_cast<size_t>(rows), 0);
    ARROW_ASSIGN_OR_RAISE(ids.validity, arrow::AllocateEmptyBitmap(rows));
    return ids;
  }
  // In pieces: what the footer claims is only believed as far as pages bear it out.
  ARROW_ASSIGN_OR_RAISE(const auto decoder, OpenLeaf(row_group, leaf, kWideId, kIdPages));
  arrow::TypedBufferBuilder<bool> validity;
  for (int64_t row = 0; row < rows; row += kIdPieceRows) {
    const int64_t count = std::min(kIdPieceRows, rows - row);
    ARROW_ASSIGN_OR_RAISE(const LeafSlice slice, decoder->Next(count));
    if (!slice.refused.empty()) {
      Location where = location_;
      where.row_group = row_group;
      return MakeError(ErrorKind::kParquet, slice.refused.front().why.message(), where);
    }
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
                                                                const std::vector<bool>& wanted,
                                                                const ReadLimits& limits,
                                                                const RowStretches* needed) {
  LeafStream::Parts parts;
  parts.passed = std::make_shared<PassedRows>();
  if (needed != nullptr && is_remote_) {
    ARROW_ASSIGN_OR_RAISE(parts.passed->far, FetchPages(row_group, wanted, *needed));
  }
  if (parts.passed->far == nullptr) {
    parts.fetched = Announce(row_group, wanted);
    if (const auto fetched = fetched_.extract(row_group); !fetched.empty()) {
      parts.fetched = fetched.mapped();
    }
  }
  ARROW_RETURN_NOT_OK(CheckEmptyColumns(row_group));
  const std::span<const Leaf> leaves = LeavesOf(kind_);
  parts.kind = kind_;
  parts.location = location_;
  parts.location.row_group = row_group;
  parts.limits = limits;
  parts.decoders.resize(leaves.size());
  parts.empty_leaves = layout_.empty_leaves;
  const bool by_page = needed != nullptr && (!is_remote_ || parts.passed->far != nullptr);
  const std::shared_ptr<PassedRows> passed = by_page ? parts.passed : nullptr;
  std::vector<int> list_leaves;
  for (size_t leaf = 0; leaf < leaves.size(); ++leaf) {
    if (!wanted[leaf] || layout_.columns[leaf] < 0) {
      continue;
    }
    if (leaves[leaf].is_list()) {
      list_leaves.push_back(static_cast<int>(leaf));
      continue;
    }
    const bool is_id = leaves[leaf].column->role != otap::ColumnRole::kData;
    ARROW_ASSIGN_OR_RAISE(
        parts.decoders[leaf],
        OpenLeaf(row_group, static_cast<int>(leaf), is_id ? kWideId : *leaves[leaf].column,
                 limits.pages, &parts.buffer_bytes, passed));
    if (layout_.companions[leaf] >= 0) {
      ARROW_ASSIGN_OR_RAISE(auto decoder, OpenCompanion(row_group, static_cast<int>(leaf),
                                                        limits.pages, &parts.buffer_bytes, passed));
      parts.companions.push_back({leaf, std::move(decoder), layout_.nanos_per_unit[leaf]});
    }
  }
  if (!list_leaves.empty()) {
    ARROW_ASSIGN_OR_RAISE(parts.lists,
                          ListReader::Make(file_, footer_.metadata, kind_, row_group, list_leaves,
                                           parts.location, limits.slice_bytes));
  }
  parts.exemplar_values = ExemplarValues::Make(*this);
  return std::make_unique<LeafStream>(std::move(parts));
}

}  // namespace df::lake
