#include "otap/time_shift.h"

#include <memory>
#include <string>
#include <utility>

#include <arrow/api.h>
#include <arrow/util/bitmap_ops.h>
#include <arrow/util/checked_cast.h>

namespace df::otap {
namespace {

using arrow::internal::checked_cast;

/// Returns the sum, or the time itself where the sum has no place: 0 says "not set".
uint64_t Shift(uint64_t time, int64_t nanos, int64_t* num_kept) {
  const uint64_t sum = time + static_cast<uint64_t>(nanos);  // modulo 2^64
  const bool fits = nanos < 0 ? sum < time && sum != 0 : sum >= time;
  *num_kept += fits ? 0 : 1;
  return fits ? sum : time;
}

arrow::Result<std::shared_ptr<arrow::Array>> ShiftColumn(const arrow::Array& column, int64_t nanos,
                                                         int64_t* num_kept) {
  const auto& times = checked_cast<const arrow::TimestampArray&>(column);
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values,
                        arrow::AllocateBuffer(times.length() * 8));
  auto* shifted = reinterpret_cast<uint64_t*>(values->mutable_data());
  for (int64_t row = 0; row < times.length(); ++row) {
    const auto time = times.IsNull(row) ? uint64_t{0} : static_cast<uint64_t>(times.Value(row));
    shifted[row] = time == 0 ? 0 : Shift(time, nanos, num_kept);
  }
  std::shared_ptr<arrow::Buffer> valid;
  if (times.null_count() > 0) {
    ARROW_ASSIGN_OR_RAISE(
        valid, arrow::internal::CopyBitmap(arrow::default_memory_pool(), times.null_bitmap_data(),
                                           times.offset(), times.length()));
  }
  return arrow::MakeArray(arrow::ArrayData::Make(
      times.type(), times.length(), {std::move(valid), std::move(values)}, times.null_count()));
}

}  // namespace

arrow::Result<ShiftedTimes> ShiftTimes(const BatchPtr& batch, int64_t nanos) {
  ShiftedTimes shifted{.batch = batch, .num_kept = 0};
  if (nanos == 0) {
    return shifted;
  }
  BatchBuilder builder(batch->signal(), batch->id_encoding());
  for (const TableInfo& info : AllTables()) {
    std::shared_ptr<arrow::RecordBatch> table = batch->table(info.kind);
    if (table == nullptr) {
      continue;
    }
    for (const Column& column : info.columns) {
      const int index = column.type == ColumnType::kTimestamp
                            ? table->schema()->GetFieldIndex(std::string(column.name))
                            : -1;
      if (index >= 0) {
        ARROW_ASSIGN_OR_RAISE(auto times,
                              ShiftColumn(*table->column(index), nanos, &shifted.num_kept));
        ARROW_ASSIGN_OR_RAISE(table, table->SetColumn(index, table->schema()->field(index), times));
      }
    }
    ARROW_RETURN_NOT_OK(builder.Set(info.kind, std::move(table)));
  }
  shifted.batch = builder.Build();
  return shifted;
}

}  // namespace df::otap
