#include "lake/format/exemplar_values.h"

#include <algorithm>
#include <utility>

#include <arrow/array/array_primitive.h>
#include <arrow/array/data.h>
#include <arrow/util/bit_util.h>

#include "lake/format/table_file.h"

namespace df::lake {
namespace {

/// Returns the array with a new validity; null when no row is valid.
std::shared_ptr<arrow::Array> WithValidity(const arrow::Array& array,
                                           std::shared_ptr<arrow::Buffer> validity) {
  auto data = array.data()->Copy();
  data->buffers[0] = std::move(validity);
  data->null_count = arrow::kUnknownNullCount;
  auto masked = arrow::MakeArray(std::move(data));
  return masked->null_count() == masked->length() ? nullptr : masked;
}

Status DropZeros(LeafSlice* doubles) {
  if (doubles->values == nullptr) {
    return Status::OK();
  }
  const auto& values = static_cast<const arrow::DoubleArray&>(*doubles->values);
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> validity,
                        arrow::AllocateEmptyBitmap(values.length()));
  for (int64_t row = 0; row < values.length(); ++row) {
    arrow::bit_util::SetBitTo(validity->mutable_data(), row,
                              values.IsValid(row) && values.Value(row) != 0);
  }
  doubles->values = WithValidity(values, std::move(validity));
  return Status::OK();
}

}  // namespace

ExemplarValues ExemplarValues::Make(const TableFile& file) {
  ExemplarValues values;
  const otap::TableInfo& table = otap::GetTable(file.kind());
  const int int_leaf = LeafIndex(file.kind(), "int_value");
  const int double_leaf = LeafIndex(file.kind(), "double_value");
  const bool is_exemplars = table.parent_id_bits == 32 && int_leaf >= 0;
  if (is_exemplars && file.has_leaf(double_leaf)) {
    values.double_leaf_ = double_leaf;
    values.is_double_padding_ = file.physical_type(double_leaf) == parquet::Type::INT64;
  }
  if (is_exemplars && file.has_leaf(int_leaf) && file.has_leaf(double_leaf)) {
    values.int_leaf_ = int_leaf;
    values.is_int_padding_ = file.is_required(int_leaf) && !file.is_required(double_leaf);
  }
  return values;
}

Status ExemplarValues::Apply(std::vector<LeafSlice>* slices) const {
  if (is_double_padding_) {
    ARROW_RETURN_NOT_OK(DropZeros(&(*slices)[static_cast<size_t>(double_leaf_)]));
  }
  if (int_leaf_ < 0) {
    return Status::OK();
  }
  LeafSlice& ints = (*slices)[static_cast<size_t>(int_leaf_)];
  LeafSlice& doubles = (*slices)[static_cast<size_t>(double_leaf_)];
  if (ints.values == nullptr || doubles.values == nullptr) {
    return Status::OK();
  }
  const auto& int_values = static_cast<const arrow::Int64Array&>(*ints.values);
  const auto& double_values = static_cast<const arrow::DoubleArray&>(*doubles.values);
  const int64_t rows = int_values.length();
  if (is_int_padding_ && std::all_of(int_values.raw_values(), int_values.raw_values() + rows,
                                     [](int64_t value) { return value == 0; })) {
    ints.values = nullptr;
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> int_validity,
                        arrow::AllocateEmptyBitmap(rows));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> double_validity,
                        arrow::AllocateEmptyBitmap(rows));
  for (int64_t row = 0; row < rows; ++row) {
    bool has_int = int_values.IsValid(row);
    bool has_double = double_values.IsValid(row);
    if (has_int && has_double) {
      has_double = is_int_padding_ || double_values.Value(row) != 0;
      has_int = !has_double;
    }
    arrow::bit_util::SetBitTo(int_validity->mutable_data(), row, has_int);
    arrow::bit_util::SetBitTo(double_validity->mutable_data(), row, has_double);
  }
  ints.values = WithValidity(int_values, std::move(int_validity));
  doubles.values = WithValidity(double_values, std::move(double_validity));
  return Status::OK();
}

}  // namespace df::lake
