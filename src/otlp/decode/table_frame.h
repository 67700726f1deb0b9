// Puts finished columns together: a table, or the children of a struct.
#pragma once

#include <bit>
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
  const auto pack = [&](int64_t row, uint32_t num_bits) {
    uint32_t byte = 0;
    for (uint32_t bit = 0; bit < num_bits; ++bit) {
      byte |= (is_valid(row + bit) ? 1U : 0U) << bit;
    }
    num_valid += std::popcount(byte);
    *bytes++ = static_cast<uint8_t>(byte);
  };
  int64_t row = 0;
  for (; row + 8 <= num_rows; row += 8) {
    pack(row, 8);
  }
  if (row < num_rows) {
    pack(row, static_cast<uint32_t>(num_rows - row));
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
