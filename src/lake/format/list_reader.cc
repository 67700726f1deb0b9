#include "lake/format/list_reader.h"

#include <algorithm>
#include <utility>

#include <arrow/array/array_nested.h>
#include <arrow/array/concatenate.h>
#include <arrow/compute/api.h>
#include <arrow/util/bitmap_ops.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <parquet/file_reader.h>
#include <parquet/metadata.h>

#include "lake/format/parquet_exceptions.h"

namespace df::lake {
namespace {

constexpr int64_t kBatchRows = 8192;

/// Tells whether a Parquet column belongs to a list leaf.
bool BelongsTo(const std::vector<std::string>& path, const Leaf& leaf) {
  if (leaf.parent == nullptr) {
    return path[0] == leaf.column->name;
  }
  return path.size() > 1 && path[0] == leaf.parent->name && path[1] == leaf.column->name;
}

/// Returns how many rows are expected to have items of `batch_bytes`.
int64_t BatchRows(const parquet::FileMetaData& metadata, int row_group,
                  const std::vector<int>& columns, int64_t batch_bytes) {
  const auto group = metadata.RowGroup(row_group);
  int64_t num_items = 0;
  for (const int column : columns) {
    num_items += std::max<int64_t>(group->ColumnChunk(column)->num_values(), 0);
  }
  const int64_t row_bytes =
      num_items / std::max<int64_t>(group->num_rows(), 1) * int64_t{sizeof(double)};
  return std::clamp<int64_t>(batch_bytes / std::max<int64_t>(row_bytes, 1), 1, kBatchRows);
}

/// Puts the two numbers of quantiles in the model's order.
Result<std::shared_ptr<arrow::Array>> OrderPairs(const arrow::ListArray& list) {
  const auto& pairs = static_cast<const arrow::StructArray&>(*list.values());
  arrow::ArrayVector children;
  for (const char* name : {"quantile", "value"}) {
    auto child = pairs.GetFieldByName(name);
    if (child == nullptr || child->null_count() > 0) {
      return Status::Invalid("a quantile has no ", name);
    }
    children.push_back(std::move(child));
  }
  ARROW_ASSIGN_OR_RAISE(
      std::shared_ptr<arrow::Array> ordered,
      arrow::StructArray::Make(children, std::vector<std::string>{"quantile", "value"},
                               pairs.null_bitmap(), arrow::kUnknownNullCount, pairs.offset()));
  return std::make_shared<arrow::ListArray>(
      arrow::list(arrow::field("item", ordered->type())), list.length(), list.value_offsets(),
      std::move(ordered), list.null_bitmap(), arrow::kUnknownNullCount, list.offset());
}

}  // namespace

Result<std::unique_ptr<ListReader>> ListReader::Make(
    std::shared_ptr<arrow::io::RandomAccessFile> file,
    std::shared_ptr<parquet::FileMetaData> metadata, otap::TableKind kind, int row_group,
    const std::vector<int>& leaves, const Location& location, int64_t batch_bytes) {
  std::unique_ptr<ListReader> reader(new ListReader(kind, location));
  reader->leaves_ = leaves;
  ARROW_RETURN_NOT_OK(CatchParquet(location, [&]() -> Status {
    std::vector<int> columns;
    const std::span<const Leaf> all = LeavesOf(kind);
    for (int column = 0; column < metadata->schema()->num_columns(); ++column) {
      const std::vector<std::string> path =
          metadata->schema()->Column(column)->path()->ToDotVector();
      for (const int leaf : leaves) {
        if (BelongsTo(path, all[static_cast<size_t>(leaf)])) {
          columns.push_back(column);
        }
      }
    }
    parquet::ArrowReaderProperties properties(/*use_threads=*/false);
    properties.set_batch_size(BatchRows(*metadata, row_group, columns, batch_bytes));
    properties.set_pre_buffer(false);
    parquet::ReaderProperties file_properties;
    file_properties.enable_buffered_stream();
    file_properties.set_buffer_size(256 << 10);
    file_properties.set_page_checksum_verification(true);
    auto raw =
        parquet::ParquetFileReader::Open(std::move(file), file_properties, std::move(metadata));
    ARROW_ASSIGN_OR_RAISE(
        reader->reader_,
        parquet::arrow::FileReader::Make(arrow::default_memory_pool(), std::move(raw), properties));
    ARROW_ASSIGN_OR_RAISE(reader->batches_,
                          reader->reader_->GetRecordBatchReader({row_group}, columns));
    return Status::OK();
  }));
  return reader;
}

std::vector<std::string> ListReader::Names() const {
  std::vector<std::string> names;
  for (const int leaf : leaves_) {
    names.push_back(LeavesOf(kind_)[static_cast<size_t>(leaf)].path());
  }
  return names;
}

Result<std::shared_ptr<arrow::RecordBatch>> ListReader::Take(int64_t num_rows) {
  std::vector<std::shared_ptr<arrow::RecordBatch>> parts;
  int64_t taken = 0;
  while (taken < num_rows) {
    if (pending_ == nullptr || pending_->num_rows() == 0) {
      ARROW_RETURN_NOT_OK(CatchParquet(location_, [&]() -> Status {
        const Status status = batches_->ReadNext(&pending_);
        return status.ok()
                   ? status
                   : WithContext(status.WithMessage(fmt::format(
                                     "columns {}: {}", fmt::join(Names(), ", "), status.message())),
                                 ErrorKind::kParquet, location_);
      }));
      if (pending_ == nullptr) {
        return MakeError(ErrorKind::kParquet, "a list column has fewer rows than the row group",
                         location_);
      }
    }
    const int64_t count = std::min(pending_->num_rows(), num_rows - taken);
    parts.push_back(pending_->Slice(0, count));
    pending_ = pending_->Slice(count);
    taken += count;
  }
  return parts.size() == 1 ? parts[0] : arrow::ConcatenateRecordBatches(parts);
}

Result<std::shared_ptr<arrow::Array>> ListReader::Normalise(std::shared_ptr<arrow::Array> array,
                                                            const Leaf& leaf) const {
  const auto wanted = otap::NativeType(*leaf.column);
  if (array->type()->Equals(*wanted, /*check_metadata=*/true)) {
    return array;
  }
  auto mismatch = [&] {
    return MakeError(ErrorKind::kSchemaReconstruction,
                     fmt::format("column {}: found {}, expected {}", leaf.path(),
                                 array->type()->ToString(), wanted->ToString()),
                     location_);
  };
  if (array->type_id() != arrow::Type::LIST) {
    return mismatch();
  }
  const auto& list = static_cast<const arrow::ListArray&>(*array);
  ARROW_ASSIGN_OR_RAISE(const auto items, list.Flatten());
  if (items->null_count() > 0) {
    return MakeError(ErrorKind::kSchemaReconstruction,
                     fmt::format("column {}: found a list with a null in it", leaf.path()),
                     location_);
  }
  if (items->type_id() == arrow::Type::STRUCT) {
    ARROW_ASSIGN_OR_RAISE(array, OrderPairs(list));
  }
  auto cast = arrow::compute::Cast(*array, wanted, arrow::compute::CastOptions::Safe());
  return cast.ok() ? cast : mismatch();
}

Status ListReader::Next(int64_t num_rows, std::vector<LeafSlice>* slices) {
  ARROW_ASSIGN_OR_RAISE(const auto batch, Take(num_rows));
  const std::span<const Leaf> all = LeavesOf(kind_);
  for (const int index : leaves_) {
    const Leaf& leaf = all[static_cast<size_t>(index)];
    LeafSlice& slice = (*slices)[static_cast<size_t>(index)];
    slice.is_present = true;
    const std::string top(leaf.parent == nullptr ? leaf.column->name : leaf.parent->name);
    std::shared_ptr<arrow::Array> array = batch->GetColumnByName(top);
    if (array != nullptr && leaf.parent != nullptr) {
      if (array->type_id() != arrow::Type::STRUCT) {
        array = nullptr;
      } else {
        const auto& parent = static_cast<const arrow::StructArray&>(*array);
        if (parent.null_count() > 0) {
          ARROW_ASSIGN_OR_RAISE(
              slice.struct_validity,
              arrow::internal::CopyBitmap(arrow::default_memory_pool(), parent.null_bitmap_data(),
                                          parent.offset(), num_rows));
        }
        array = parent.GetFieldByName(std::string(leaf.column->name));
      }
    }
    if (array == nullptr) {
      return MakeError(ErrorKind::kSchemaReconstruction,
                       fmt::format("column {} cannot be read as a list", leaf.path()), location_);
    }
    ARROW_ASSIGN_OR_RAISE(slice.values, Normalise(std::move(array), leaf));
  }
  return Status::OK();
}

}  // namespace df::lake
