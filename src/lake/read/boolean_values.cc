#include "lake/read/boolean_values.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <arrow/api.h>
#include <arrow/array/util.h>
#include <arrow/util/checked_cast.h>

#include "otap/any_value.h"

namespace df::lake {

using arrow::internal::checked_cast;
using ArrayPtr = std::shared_ptr<arrow::Array>;

bool IsBooleanValue(const otap::Column& column) {
  return column.type == otap::ColumnType::kBool && column.name == "bool";
}

Result<ArrayPtr> BooleansOf(std::span<const Piece> pieces, size_t leaf, ArrayPtr joined,
                            const ArrayPtr& types) {
  constexpr auto kBool = static_cast<uint8_t>(otap::ValueType::kBool);
  const bool has_values = joined != nullptr && joined->null_count() < joined->length();
  if (types == nullptr || types->type_id() != arrow::Type::UINT8) {
    return has_values ? joined : nullptr;
  }
  const int64_t num_rows = types->length();
  const uint8_t* type_of = checked_cast<const arrow::UInt8Array&>(*types).raw_values();
  if (num_rows == 0 || std::memchr(type_of, kBool, static_cast<size_t>(num_rows)) == nullptr) {
    return has_values ? joined : nullptr;
  }
  const auto is_in_file = [leaf](const Piece& piece) {
    const LeafSlice& slice = piece.slice->leaves[leaf];
    return slice.is_present || slice.is_empty_column;
  };
  if (std::none_of(pieces.begin(), pieces.end(), is_in_file)) {
    return nullptr;
  }
  if (joined == nullptr) {
    ARROW_ASSIGN_OR_RAISE(joined, arrow::MakeArrayOfNull(arrow::boolean(), num_rows));
  }
  if (std::all_of(pieces.begin(), pieces.end(), is_in_file)) {
    return joined;
  }
  const auto& values = checked_cast<const arrow::BooleanArray&>(*joined);
  arrow::BooleanBuilder builder;
  ARROW_RETURN_NOT_OK(builder.Reserve(num_rows));
  int64_t row = 0;
  for (const Piece& piece : pieces) {
    const bool is_there = is_in_file(piece);
    for (const int64_t end = row + piece.length; row < end; ++row) {
      if (is_there && values.IsValid(row)) {
        builder.UnsafeAppend(values.Value(row));
      } else if (!is_there && type_of[row] == kBool) {
        builder.UnsafeAppend(false);
      } else {
        builder.UnsafeAppendNull();
      }
    }
  }
  return builder.Finish();
}

}  // namespace df::lake
