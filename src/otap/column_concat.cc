#include "otap/column_concat.h"

#include <string>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/array/concatenate.h>
#include <arrow/compute/api_vector.h>
#include <arrow/util/bitmap_ops.h>
#include <arrow/util/checked_cast.h>

#include "base/error.h"
#include "otap/explicit_booleans.h"

namespace df::otap {
namespace {

using arrow::internal::checked_cast;
using ArrayPtr = std::shared_ptr<arrow::Array>;

/// One column of all tables; null where a table lacks it.
struct Parts {
  const Column& column;
  std::vector<ArrayPtr> arrays;
  const std::vector<int64_t>& lengths;
};

/// What stands for a column that a table lacks.
Result<ArrayPtr> MakeFiller(const Column& column, const std::shared_ptr<arrow::DataType>& type,
                            int64_t length) {
  ARROW_ASSIGN_OR_RAISE(ArrayPtr nulls, arrow::MakeArrayOfNull(type, length));
  if (!column.required) {
    return nulls;
  }
  auto data = nulls->data()->Copy();  // Arrow fills the values of a null array with zeros.
  data->buffers[0] = nullptr;
  data->null_count = 0;
  return arrow::MakeArray(data);
}

Result<ArrayPtr> ConcatPlain(const Parts& parts) {
  const auto type = NativeType(parts.column);
  arrow::ArrayVector plain;
  for (size_t i = 0; i < parts.arrays.size(); ++i) {
    ArrayPtr array = parts.arrays[i];
    if (array == nullptr) {
      ARROW_ASSIGN_OR_RAISE(array, MakeFiller(parts.column, type, parts.lengths[i]));
    } else {
      ARROW_ASSIGN_OR_RAISE(array, DecodeDictionary(array));
    }
    plain.push_back(WithType(array, type));
  }
  return arrow::Concatenate(plain);
}

template <typename From, typename To>
void CopyKeys(const arrow::Array& keys, const int32_t* transpose, To* out) {
  const From* in = keys.data()->GetValues<From>(1);
  const bool has_nulls = keys.null_count() != 0;
  for (int64_t row = 0; row < keys.length(); ++row) {
    // A key below a null may be any number, also one that the dictionary lacks.
    const bool is_valid = !has_nulls || keys.IsValid(row);
    const int32_t key = is_valid ? static_cast<int32_t>(in[row]) : 0;
    out[row] = static_cast<To>(is_valid && transpose != nullptr ? transpose[key] : key);
  }
}

template <typename To>
Result<ArrayPtr> JoinKeys(const Parts& parts, const std::vector<const int32_t*>& transposes,
                          const std::shared_ptr<arrow::DataType>& key_type) {
  arrow::ArrayVector joined;
  for (size_t i = 0; i < parts.arrays.size(); ++i) {
    if (parts.arrays[i] == nullptr) {
      ARROW_ASSIGN_OR_RAISE(ArrayPtr filler, arrow::MakeArrayOfNull(key_type, parts.lengths[i]));
      joined.push_back(std::move(filler));
      continue;
    }
    const arrow::Array& keys =
        *checked_cast<const arrow::DictionaryArray&>(*parts.arrays[i]).indices();
    ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> values,
                          arrow::AllocateBuffer(keys.length() * static_cast<int64_t>(sizeof(To))));
    To* out = reinterpret_cast<To*>(values->mutable_data());
    if (keys.type_id() == arrow::Type::UINT8) {
      CopyKeys<uint8_t>(keys, transposes[i], out);
    } else {
      CopyKeys<uint16_t>(keys, transposes[i], out);
    }
    ARROW_ASSIGN_OR_RAISE(auto validity, CopyValidity(keys));
    joined.push_back(arrow::MakeArray(
        arrow::ArrayData::Make(key_type, keys.length(), {std::move(validity), std::move(values)})));
  }
  return arrow::Concatenate(joined);
}

/// Entries of all dictionaries in one, and where the keys of each part went.
struct Unified {
  ArrayPtr entries;
  std::vector<std::shared_ptr<arrow::Buffer>> owned;
  std::vector<const int32_t*> transposes;  ///< null: as they were
};

Result<Unified> Unify(const Parts& parts) {
  Unified unified;
  unified.transposes.resize(parts.arrays.size());
  bool is_shared = true;
  for (const ArrayPtr& array : parts.arrays) {
    if (array == nullptr) {
      continue;
    }
    const auto& dictionary = checked_cast<const arrow::DictionaryArray&>(*array).dictionary();
    if (unified.entries == nullptr) {
      unified.entries = dictionary;
    }
    is_shared = is_shared && (dictionary == unified.entries || dictionary->Equals(unified.entries));
  }
  if (is_shared) {
    return unified;
  }
  ARROW_ASSIGN_OR_RAISE(auto unifier, arrow::DictionaryUnifier::Make(unified.entries->type()));
  for (size_t i = 0; i < parts.arrays.size(); ++i) {
    if (parts.arrays[i] != nullptr) {
      const auto& coded = checked_cast<const arrow::DictionaryArray&>(*parts.arrays[i]);
      std::shared_ptr<arrow::Buffer> transpose;
      ARROW_RETURN_NOT_OK(unifier->Unify(*coded.dictionary(), &transpose));
      unified.transposes[i] = reinterpret_cast<const int32_t*>(transpose->data());
      unified.owned.push_back(std::move(transpose));
    }
  }
  std::shared_ptr<arrow::DataType> type;
  ARROW_RETURN_NOT_OK(unifier->GetResult(&type, &unified.entries));
  return unified;
}

Result<ArrayPtr> ConcatDictionaries(const Parts& parts) {
  ARROW_ASSIGN_OR_RAISE(Unified unified, Unify(parts));
  const int64_t count = unified.entries->length();
  if (count > kMaxDictionary16) {
    return ConcatPlain(parts);
  }
  const bool is_narrow =
      parts.column.dictionary == DictionaryRule::kAny && count <= kMaxDictionary8;
  const auto key_type = is_narrow ? arrow::uint8() : arrow::uint16();
  ARROW_ASSIGN_OR_RAISE(ArrayPtr keys,
                        is_narrow ? JoinKeys<uint8_t>(parts, unified.transposes, key_type)
                                  : JoinKeys<uint16_t>(parts, unified.transposes, key_type));
  return std::make_shared<arrow::DictionaryArray>(
      arrow::dictionary(key_type, unified.entries->type()), std::move(keys), unified.entries);
}

Result<ArrayPtr> ConcatLeaf(const Parts& parts) {
  for (const ArrayPtr& array : parts.arrays) {
    if (array == nullptr) {
      if (parts.column.required) {
        return ConcatPlain(parts);
      }
      continue;
    }
    // Arrow does not unify dictionaries that hold a null.
    if (array->type_id() != arrow::Type::DICTIONARY ||
        checked_cast<const arrow::DictionaryArray&>(*array).dictionary()->null_count() != 0) {
      return ConcatPlain(parts);
    }
  }
  return ConcatDictionaries(parts);
}

struct Columns {
  arrow::FieldVector fields;
  arrow::ArrayVector arrays;
};

/// Returns a child of a struct by name, or null.
ArrayPtr Child(const ArrayPtr& group, const std::string& name) {
  return group == nullptr ? nullptr
                          : checked_cast<const arrow::StructArray&>(*group).GetFieldByName(name);
}

Result<ArrayPtr> ConcatColumn(const Parts& parts);

/// Joins the columns of one level; `find(i, name)` gives the column of a part, or null.
template <typename Find>
Result<Columns> ConcatLevel(std::span<const Column> columns, const std::vector<int64_t>& lengths,
                            const Find& find) {
  Columns joined;
  for (const Column& column : columns) {
    const std::string name(column.name);
    Parts parts{column, {}, lengths};
    bool is_present = false;
    for (size_t i = 0; i < lengths.size(); ++i) {
      parts.arrays.push_back(find(i, name));
      is_present = is_present || parts.arrays.back() != nullptr;
    }
    if (is_present) {
      ARROW_ASSIGN_OR_RAISE(ArrayPtr array, ConcatColumn(parts));
      joined.fields.push_back(arrow::field(name, array->type(), !column.required));
      joined.arrays.push_back(std::move(array));
    }
  }
  return joined;
}

Result<ArrayPtr> ConcatStructs(const Parts& parts) {
  ARROW_ASSIGN_OR_RAISE(Columns children, ConcatLevel(parts.column.children, parts.lengths,
                                                      [&](size_t i, const std::string& name) {
                                                        return Child(parts.arrays[i], name);
                                                      }));
  arrow::TypedBufferBuilder<bool> validity;
  for (size_t i = 0; i < parts.arrays.size(); ++i) {
    const ArrayPtr& array = parts.arrays[i];
    if (array == nullptr || array->null_bitmap_data() == nullptr) {
      ARROW_RETURN_NOT_OK(validity.Append(parts.lengths[i], array != nullptr));
    } else {
      ARROW_RETURN_NOT_OK(validity.Reserve(array->length()));
      validity.UnsafeAppend(array->null_bitmap_data(), array->offset(), array->length());
    }
  }
  const int64_t length = validity.length();
  const int64_t null_count = validity.false_count();
  ARROW_ASSIGN_OR_RAISE(auto bits, validity.Finish());
  return std::make_shared<arrow::StructArray>(arrow::struct_(std::move(children.fields)), length,
                                              std::move(children.arrays),
                                              null_count == 0 ? nullptr : bits, null_count);
}

Result<ArrayPtr> ConcatColumn(const Parts& parts) {
  return parts.column.type == ColumnType::kStruct ? ConcatStructs(parts) : ConcatLeaf(parts);
}

}  // namespace

ArrayPtr WithType(const ArrayPtr& array, const std::shared_ptr<arrow::DataType>& type) {
  if (array->type()->Equals(*type)) {
    return array;
  }
  auto data = array->data()->Copy();
  data->type = type;
  if (type->id() == arrow::Type::LIST) {
    data->child_data[0] = data->child_data[0]->Copy();
    data->child_data[0]->type = checked_cast<const arrow::ListType&>(*type).value_type();
  }
  return arrow::MakeArray(data);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> ConcatTables(
    TableKind kind, std::span<const std::shared_ptr<arrow::RecordBatch>> tables) {
  if (tables.size() == 1) {
    return tables.front();
  }
  std::vector<int64_t> lengths;
  std::vector<std::shared_ptr<arrow::RecordBatch>> explicit_tables;
  int64_t num_rows = 0;
  for (const auto& table : tables) {
    lengths.push_back(table->num_rows());
    num_rows += table->num_rows();
    ARROW_ASSIGN_OR_RAISE(auto with_booleans, WithExplicitBooleans(kind, table));
    explicit_tables.push_back(std::move(with_booleans));
  }
  ARROW_ASSIGN_OR_RAISE(
      Columns joined,
      ConcatLevel(GetTable(kind).columns, lengths, [&](size_t i, const std::string& name) {
        return explicit_tables[i]->GetColumnByName(name);
      }));
  return arrow::RecordBatch::Make(arrow::schema(std::move(joined.fields)), num_rows,
                                  std::move(joined.arrays));
}

arrow::Result<std::shared_ptr<arrow::Array>> DecodeDictionary(const ArrayPtr& array) {
  if (array->type_id() != arrow::Type::DICTIONARY) {
    return array;
  }
  const auto& coded = checked_cast<const arrow::DictionaryArray&>(*array);
  return arrow::compute::Take(*coded.dictionary(), *coded.indices(),
                              arrow::compute::TakeOptions::NoBoundsCheck());
}

arrow::Result<std::shared_ptr<arrow::Buffer>> CopyValidity(const arrow::Array& array) {
  if (array.null_bitmap_data() == nullptr) {
    return nullptr;
  }
  return arrow::internal::CopyBitmap(arrow::default_memory_pool(), array.null_bitmap_data(),
                                     array.offset(), array.length());
}

}  // namespace df::otap
