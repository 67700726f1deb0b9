#include "lake/read/assemble.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <arrow/array/array_dict.h>
#include <arrow/array/array_nested.h>
#include <arrow/array/array_primitive.h>
#include <arrow/array/concatenate.h>
#include <arrow/array/util.h>
#include <arrow/compute/api.h>
#include <arrow/scalar.h>
#include <arrow/util/bitmap_ops.h>
#include <fmt/format.h>

#include "lake/read/boolean_values.h"

namespace df::lake {
namespace {

using ArrayPtr = std::shared_ptr<arrow::Array>;

/// Native or 16-bit dictionary of the type of a leaf.
Result<ArrayPtr> ToNative(const ArrayPtr& array) {
  if (array->type_id() != arrow::Type::DICTIONARY) {
    return array;
  }
  const auto& dictionary = static_cast<const arrow::DictionaryArray&>(*array);
  return arrow::compute::Take(*dictionary.dictionary(), *dictionary.indices(),
                              arrow::compute::TakeOptions::NoBoundsCheck());
}

Result<ArrayPtr> TakePiece(const Piece& piece, const ArrayPtr& array) {
  if (array == nullptr) {
    return nullptr;
  }
  if (piece.selection == nullptr) {
    return array->Slice(piece.offset, piece.length);
  }
  return arrow::compute::Take(*array, *piece.selection,
                              arrow::compute::TakeOptions::NoBoundsCheck());
}

/// Joins the parts of a leaf; a null part stands for rows that are all null.
Result<ArrayPtr> Join(std::span<const Piece> pieces, std::vector<ArrayPtr> parts,
                      const otap::Column& column) {
  const auto first = std::find_if(parts.begin(), parts.end(),
                                  [](const ArrayPtr& part) { return part != nullptr; });
  if (first == parts.end()) {
    return nullptr;
  }
  if (parts.size() == 1) {
    return parts.front();
  }
  // Dictionaries are merged while that is cheaper than writing the values out; peers accept at most
  // 65,535 entries.
  const arrow::ArrayData* shared = (*first)->data()->dictionary.get();
  bool keep_dictionary = shared != nullptr;
  int64_t num_entries = 0;
  const arrow::ArrayData* last = nullptr;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == nullptr) {
      continue;
    }
    const arrow::ArrayData* dictionary = parts[i]->data()->dictionary.get();
    keep_dictionary = keep_dictionary && dictionary != nullptr;
    if (keep_dictionary && dictionary != last) {
      num_entries += dictionary->length;
      shared = dictionary == shared ? shared : nullptr;
      last = dictionary;
    }
  }
  int64_t num_rows = 0;
  for (const Piece& piece : pieces) {
    num_rows += piece.length;
  }
  keep_dictionary =
      keep_dictionary &&
      (shared != nullptr || (num_entries <= otap::kMaxDictionary16 && num_entries <= num_rows / 2));
  const auto type = keep_dictionary ? (*first)->type() : otap::NativeType(column);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == nullptr) {
      ARROW_ASSIGN_OR_RAISE(parts[i], arrow::MakeArrayOfNull(type, pieces[i].length));
      if (keep_dictionary) {
        auto data = parts[i]->data()->Copy();
        data->dictionary = (*first)->data()->dictionary;
        parts[i] = arrow::MakeArray(std::move(data));
      }
    } else if (!keep_dictionary) {
      ARROW_ASSIGN_OR_RAISE(parts[i], ToNative(parts[i]));
    }
  }
  return arrow::Concatenate(parts);
}

Result<ArrayPtr> JoinLeaf(std::span<const Piece> pieces, size_t leaf, const otap::Column& column) {
  std::vector<ArrayPtr> parts;
  for (const Piece& piece : pieces) {
    ARROW_ASSIGN_OR_RAISE(ArrayPtr part, TakePiece(piece, piece.slice->leaves[leaf].values));
    parts.push_back(std::move(part));
  }
  return Join(pieces, std::move(parts), column);
}

/// Gives a required column its default where it is missing or null.
Result<ArrayPtr> WithoutNulls(ArrayPtr array, const otap::Column& column, int64_t num_rows) {
  if (array == nullptr) {
    const auto type = otap::NativeType(column);
    if (type->id() == arrow::Type::FIXED_SIZE_BINARY) {
      ARROW_ASSIGN_OR_RAISE(array, arrow::MakeArrayOfNull(type, num_rows));
      auto data = array->data()->Copy();
      ARROW_ASSIGN_OR_RAISE(
          data->buffers[1],
          arrow::AllocateBuffer(
              num_rows * static_cast<const arrow::FixedSizeBinaryType&>(*type).byte_width()));
      std::fill_n(data->buffers[1]->mutable_data(), data->buffers[1]->size(), uint8_t{0});
      array = arrow::MakeArray(std::move(data));
    } else {
      ARROW_ASSIGN_OR_RAISE(array, arrow::MakeArrayOfNull(type, num_rows));
    }
  }
  if (array->null_count() == 0) {
    return array;
  }
  // The values below a null are zero or empty in every array that is made here; only dictionary
  // indices are not.
  ARROW_ASSIGN_OR_RAISE(array, ToNative(array));
  auto data = array->data()->Copy();
  data->buffers[0] = nullptr;
  data->null_count = 0;
  return arrow::MakeArray(std::move(data));
}

/// Returns which rows have the struct that the leaves [begin, end) stand in; null when all have.
Result<std::shared_ptr<arrow::Buffer>> JoinStructValidity(std::span<const Piece> pieces,
                                                          size_t begin, size_t end,
                                                          int64_t num_rows) {
  std::shared_ptr<arrow::Buffer> joined;
  int64_t row = 0;
  for (const Piece& piece : pieces) {
    bool is_present = false;
    const arrow::Buffer* validity = nullptr;
    for (size_t leaf = begin; leaf < end; ++leaf) {
      const LeafSlice& slice = piece.slice->leaves[leaf];
      is_present = is_present || slice.is_present;
      validity = validity == nullptr ? slice.struct_validity.get() : validity;
    }
    if (validity != nullptr || !is_present) {
      if (joined == nullptr) {
        ARROW_ASSIGN_OR_RAISE(joined, arrow::AllocateBitmap(num_rows));
        arrow::bit_util::SetBitsTo(joined->mutable_data(), 0, num_rows, true);
      }
      uint8_t* bits = joined->mutable_data();
      if (!is_present) {
        arrow::bit_util::SetBitsTo(bits, row, piece.length, false);
      } else if (piece.selection == nullptr) {
        arrow::internal::CopyBitmap(validity->data(), piece.offset, piece.length, bits, row);
      } else {
        const auto& selection = static_cast<const arrow::Int32Array&>(*piece.selection);
        for (int64_t i = 0; i < piece.length; ++i) {
          arrow::bit_util::SetBitTo(bits, row + i,
                                    arrow::bit_util::GetBit(validity->data(), selection.Value(i)));
        }
      }
    }
    row += piece.length;
  }
  return joined;
}

/// Collects the columns of one record batch.
class TableBuilder {
 public:
  TableBuilder(otap::TableKind kind, std::span<const Piece> pieces, const NewIds& ids)
      : table_(otap::GetTable(kind)), leaves_(LeavesOf(kind)), pieces_(pieces), ids_(ids) {
    for (const Piece& piece : pieces) {
      num_rows_ += piece.length;
    }
  }

  Result<std::shared_ptr<arrow::RecordBatch>> Build() {
    for (size_t leaf = 0; leaf < leaves_.size();) {
      if (leaves_[leaf].parent == nullptr) {
        ARROW_RETURN_NOT_OK(AddPlain(leaf));
        ++leaf;
        continue;
      }
      size_t end = leaf;
      while (end < leaves_.size() && leaves_[end].top_index == leaves_[leaf].top_index) {
        ++end;
      }
      ARROW_RETURN_NOT_OK(AddStruct(leaf, end));
      leaf = end;
    }
    return arrow::RecordBatch::Make(arrow::schema(std::move(fields_)), num_rows_,
                                    std::move(columns_));
  }

 private:
  void Add(const otap::Column& column, ArrayPtr array) {
    fields_.push_back(arrow::field(std::string(column.name), array->type(), !column.required));
    columns_.push_back(std::move(array));
  }

  Status AddPlain(size_t leaf) {
    const otap::Column& column = *leaves_[leaf].column;
    if (column.role != otap::ColumnRole::kData) {
      const ArrayPtr& id = column.role == otap::ColumnRole::kId ? ids_.id : ids_.parent_id;
      if (id != nullptr) {
        Add(column, id);
      }
      return Status::OK();
    }
    ARROW_ASSIGN_OR_RAISE(ArrayPtr array, JoinLeaf(pieces_, leaf, column));
    if (column.required) {
      ARROW_ASSIGN_OR_RAISE(array, WithoutNulls(std::move(array), column, num_rows_));
    }
    if (IsBooleanValue(column)) {
      ARROW_ASSIGN_OR_RAISE(
          array, BooleansOf(pieces_, leaf, std::move(array), TypesAmong(fields_, columns_)));
      if (array != nullptr) {
        Add(column, std::move(array));
      }
    } else if (array != nullptr && array->null_count() < num_rows_) {
      Add(column, std::move(array));
    }
    return Status::OK();
  }

  /// The types of values stand before them.
  static ArrayPtr TypesAmong(const arrow::FieldVector& fields, const arrow::ArrayVector& columns) {
    for (size_t i = 0; i < fields.size(); ++i) {
      if (fields[i]->name() == "type") {
        return columns[i];
      }
    }
    return nullptr;
  }

  Status AddStruct(size_t begin, size_t end) {
    const otap::Column& parent = *leaves_[begin].parent;
    ARROW_ASSIGN_OR_RAISE(const auto validity, JoinStructValidity(pieces_, begin, end, num_rows_));
    const bool has_struct =
        validity == nullptr || arrow::internal::CountSetBits(validity->data(), 0, num_rows_) > 0;
    arrow::FieldVector fields;
    arrow::ArrayVector children;
    for (size_t leaf = begin; leaf < end; ++leaf) {
      const otap::Column& column = *leaves_[leaf].column;
      ArrayPtr array;
      if (column.role == otap::ColumnRole::kId) {
        array = parent.name == "resource" ? ids_.resource_id : ids_.scope_id;
      } else {
        ARROW_ASSIGN_OR_RAISE(array, JoinLeaf(pieces_, leaf, column));
        if (column.required && has_struct) {
          ARROW_ASSIGN_OR_RAISE(array, WithoutNulls(std::move(array), column, num_rows_));
        }
      }
      const bool is_boolean = IsBooleanValue(column);
      if (is_boolean) {
        ARROW_ASSIGN_OR_RAISE(
            array, BooleansOf(pieces_, leaf, std::move(array), TypesAmong(fields, children)));
      }
      if (array != nullptr && (is_boolean || array->null_count() < num_rows_)) {
        fields.push_back(arrow::field(std::string(column.name), array->type(), !column.required));
        children.push_back(std::move(array));
      }
    }
    if (!has_struct || children.empty()) {
      return Status::OK();
    }
    Add(parent, std::make_shared<arrow::StructArray>(arrow::struct_(std::move(fields)), num_rows_,
                                                     std::move(children), validity));
    return Status::OK();
  }

  const otap::TableInfo& table_;
  std::span<const Leaf> leaves_;
  std::span<const Piece> pieces_;
  const NewIds& ids_;
  int64_t num_rows_ = 0;
  arrow::FieldVector fields_;
  arrow::ArrayVector columns_;
};

template <typename Out, typename In>
Result<ArrayPtr> NarrowIds(std::span<const In> ids, std::shared_ptr<arrow::DataType> type) {
  const auto count = static_cast<int64_t>(ids.size());
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values,
                        arrow::AllocateBuffer(count * static_cast<int64_t>(sizeof(Out))));
  Out* out = reinterpret_cast<Out*>(values->mutable_data());
  int64_t num_null = 0;
  In largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const In id = ids[static_cast<size_t>(i)];
    largest = std::max(largest, id);
    if constexpr (std::is_signed_v<In>) {
      num_null += id < 0 ? 1 : 0;
      out[i] = id < 0 ? Out{0} : static_cast<Out>(id);
    } else {
      out[i] = static_cast<Out>(id);
    }
  }
  if (static_cast<uint64_t>(largest) > std::numeric_limits<Out>::max()) {
    return Status::CapacityError(fmt::format("id {} does not fit {}", largest, type->ToString()));
  }
  std::shared_ptr<arrow::Buffer> validity;
  if (num_null == count) {
    return nullptr;
  }
  if (num_null > 0) {
    ARROW_ASSIGN_OR_RAISE(validity, arrow::AllocateEmptyBitmap(count));
    for (int64_t i = 0; i < count; ++i) {
      if constexpr (std::is_signed_v<In>) {
        arrow::bit_util::SetBitTo(validity->mutable_data(), i, ids[static_cast<size_t>(i)] >= 0);
      }
    }
  }
  return arrow::MakeArray(arrow::ArrayData::Make(
      std::move(type), count, {std::move(validity), std::move(values)}, num_null));
}

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> AssembleTable(otap::TableKind kind,
                                                          std::span<const Piece> pieces,
                                                          const NewIds& ids) {
  return TableBuilder(kind, pieces, ids).Build();
}

Result<ArrayPtr> MakeIdArray(std::span<const int32_t> ids, int bits) {
  return bits == 16 ? NarrowIds<uint16_t>(ids, arrow::uint16())
                    : NarrowIds<uint32_t>(ids, arrow::uint32());
}

Result<ArrayPtr> MakeIdArray(std::span<const uint32_t> ids, int bits) {
  return bits == 16 ? NarrowIds<uint16_t>(ids, arrow::uint16())
                    : NarrowIds<uint32_t>(ids, arrow::uint32());
}

}  // namespace df::lake
