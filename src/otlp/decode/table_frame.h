// Puts finished columns together: a table, or the children of a struct.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/type.h>
#include <arrow/util/bit_util.h>

namespace df::otlp {

using ArrayDataPtr = std::shared_ptr<arrow::ArrayData>;

/// Which rows of a column have a value; no bitmap when all have.
struct Validity {
  std::shared_ptr<arrow::Buffer> bitmap;
  int64_t null_count = 0;
};

/// Returns the rows for which `is_valid(row)` holds. Errors: OutOfMemory.
template <typename IsValid>
arrow::Result<Validity> MakeValidity(int64_t num_rows, const IsValid& is_valid) {
  Validity validity;
  ARROW_ASSIGN_OR_RAISE(validity.bitmap,
                        arrow::AllocateBuffer(arrow::bit_util::BytesForBits(num_rows)));
  uint8_t* bytes = validity.bitmap->mutable_data();
  int64_t num_valid = 0;
  for (int64_t row = 0; row < num_rows;) {
    uint32_t byte = 0;
    const int64_t end = std::min<int64_t>(row + 8, num_rows);
    for (uint32_t bit = 0; row < end; ++row, ++bit) {
      const uint32_t valid = is_valid(row) ? 1 : 0;
      byte |= valid << bit;
      num_valid += valid;
    }
    *bytes++ = static_cast<uint8_t>(byte);
  }
  validity.null_count = num_rows - num_valid;
  if (validity.null_count == 0) {
    validity.bitmap = nullptr;
  }
  return validity;
}

/// Copies values into a buffer of their exact size. Errors: OutOfMemory.
template <typename T>
arrow::Result<std::shared_ptr<arrow::Buffer>> CopyToBuffer(const T* values, size_t count) {
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> buffer,
                        arrow::AllocateBuffer(static_cast<int64_t>(count * sizeof(T))));
  if (count != 0) {
    std::memcpy(buffer->mutable_data(), values, count * sizeof(T));
  }
  return buffer;
}

/// Keeps the first error of its columns until it is built.
class TableFrame {
 public:
  explicit TableFrame(int64_t num_rows) : num_rows_(num_rows) {}

  int64_t num_rows() const { return num_rows_; }

  /// Adds a column; null leaves it out.
  void Add(std::string_view name, arrow::Result<ArrayDataPtr> column);

  /// Errors: those of the columns. Null when there are no rows.
  arrow::Result<std::shared_ptr<arrow::RecordBatch>> Build();

  /// Returns the columns as one struct column; null when there are none. Errors: as Build.
  arrow::Result<ArrayDataPtr> BuildStruct(Validity validity);

 private:
  int64_t num_rows_;
  arrow::Status status_;
  arrow::FieldVector fields_;
  std::vector<ArrayDataPtr> columns_;
};

}  // namespace df::otlp
