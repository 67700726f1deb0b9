#include "otap_wire/dictionaries.h"

#include <algorithm>
#include <utility>

#include <arrow/api.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/checked_cast.h>

#include "otap/column_concat.h"

namespace df::otap_wire {
namespace {

using arrow::internal::checked_cast;

int64_t LargestKey(const arrow::Buffer& keys, int64_t num_keys) {
  const auto* first = reinterpret_cast<const int32_t*>(keys.data());
  return num_keys == 0 ? -1 : *std::max_element(first, first + num_keys);
}

}  // namespace

void Dictionaries::ColumnState::Forget() {
  unifier = nullptr;
  entries = nullptr;
}

void Dictionaries::ColumnState::BecomeNative() {
  Forget();
  is_native = true;
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> Dictionaries::Collect(
    otap::TableKind kind, const std::shared_ptr<arrow::RecordBatch>& table) {
  const otap::TableInfo& info = otap::GetTable(kind);
  arrow::FieldVector fields = table->schema()->fields();
  arrow::ArrayVector arrays = table->columns();
  for (size_t i = 0; i < fields.size(); ++i) {
    const otap::Column* column = otap::FindColumn(info.columns, fields[i]->name());
    if (column == nullptr) {
      return arrow::Status::Invalid("found column ", fields[i]->name(), ", which the model lacks");
    }
    ARROW_ASSIGN_OR_RAISE(arrays[i], CollectColumn(fields[i]->name(), *column, arrays[i]));
    fields[i] = fields[i]->WithType(arrays[i]->type());
  }
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), table->num_rows(),
                                  std::move(arrays));
}

void Dictionaries::Forget() {
  for (auto& [path, state] : columns_) {
    state.Forget();
  }
}

int64_t Dictionaries::size_bytes() const {
  int64_t size = 0;
  for (const auto& [path, state] : columns_) {
    size +=
        state.entries == nullptr ? 0 : arrow::util::ReferencedBufferSize(*state.entries).ValueOr(0);
  }
  return size;
}

arrow::Result<Dictionaries::ArrayPtr> Dictionaries::CollectColumn(const std::string& path,
                                                                  const otap::Column& column,
                                                                  const ArrayPtr& array) {
  if (column.type == otap::ColumnType::kStruct) {
    return CollectStruct(path, column, array);
  }
  if (column.dictionary == otap::DictionaryRule::kNone ||
      column.role == otap::ColumnRole::kParentId) {
    return array;
  }
  ColumnState& state = columns_[path];
  if (array->type_id() == arrow::Type::DICTIONARY && !state.is_native) {
    return Unify(array, column.dictionary == otap::DictionaryRule::kAny, &state);
  }
  state.BecomeNative();
  return otap::DecodeDictionary(array);
}

arrow::Result<Dictionaries::ArrayPtr> Dictionaries::CollectStruct(const std::string& path,
                                                                  const otap::Column& column,
                                                                  const ArrayPtr& array) {
  const auto& group = checked_cast<const arrow::StructArray&>(*array);
  arrow::FieldVector fields = group.type()->fields();
  arrow::ArrayVector children;
  for (int i = 0; i < group.num_fields(); ++i) {
    auto& field = fields[static_cast<size_t>(i)];
    const otap::Column* child = otap::FindColumn(column.children, field->name());
    if (child == nullptr) {
      return arrow::Status::Invalid("found column ", path, ".", field->name(),
                                    ", which the model lacks");
    }
    ARROW_ASSIGN_OR_RAISE(children.emplace_back(),
                          CollectColumn(path + "." + field->name(), *child, group.field(i)));
    field = field->WithType(children.back()->type());
  }
  ARROW_ASSIGN_OR_RAISE(auto validity, otap::CopyValidity(group));
  return std::make_shared<arrow::StructArray>(arrow::struct_(std::move(fields)), group.length(),
                                              std::move(children), std::move(validity));
}

arrow::Result<Dictionaries::ArrayPtr> Dictionaries::Unify(const ArrayPtr& array, bool may_be_narrow,
                                                          ColumnState* state) {
  const auto& coded = checked_cast<const arrow::DictionaryArray&>(*array);
  if (coded.dictionary()->null_count() > 0) {
    // A null entry is a null of the row (format reference P26); as a column it says so itself.
    state->BecomeNative();
    return otap::DecodeDictionary(array);
  }
  const bool is_first = state->unifier == nullptr;
  if (is_first) {
    ARROW_ASSIGN_OR_RAISE(state->unifier,
                          arrow::DictionaryUnifier::Make(coded.dictionary()->type()));
  }
  std::shared_ptr<arrow::Buffer> keys;
  ARROW_RETURN_NOT_OK(state->unifier->Unify(*coded.dictionary(), &keys));
  const int64_t num_before = state->entries == nullptr ? 0 : state->entries->length();
  if (state->entries == nullptr || LargestKey(*keys, coded.dictionary()->length()) >= num_before) {
    std::shared_ptr<arrow::DataType> type;
    ARROW_RETURN_NOT_OK(state->unifier->GetResult(&type, &state->entries));
  }
  if (state->entries->length() > otap::kMaxDictionary16) {
    if (is_first) {
      state->BecomeNative();
      return otap::DecodeDictionary(array);
    }
    // What was collected does not leave room; what this batch has may.
    state->Forget();
    return Unify(array, may_be_narrow, state);
  }
  state->is_wide |= !may_be_narrow || state->entries->length() > otap::kMaxDictionary8 ||
                    coded.indices()->type_id() == arrow::Type::UINT16;
  const auto type =
      arrow::dictionary(state->is_wide ? arrow::uint16() : arrow::uint8(), state->entries->type());
  return coded.Transpose(type, state->entries, reinterpret_cast<const int32_t*>(keys->data()));
}

}  // namespace df::otap_wire
