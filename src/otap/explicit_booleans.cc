#include "otap/explicit_booleans.h"

#include <cstring>
#include <string>
#include <utility>

#include <arrow/api.h>
#include <arrow/util/bit_util.h>
#include <arrow/util/checked_cast.h>

#include "otap/any_value.h"
#include "otap/column_concat.h"

namespace df::otap {
namespace {

using arrow::internal::checked_cast;
using ArrayPtr = std::shared_ptr<arrow::Array>;

constexpr const char* kBooleans = "bool";
constexpr const char* kTypes = "type";

/// Returns false where the type is that of booleans, null elsewhere; null when it is nowhere.
arrow::Result<ArrayPtr> FalseOfType(const ArrayPtr& types) {
  constexpr auto kBool = static_cast<uint8_t>(ValueType::kBool);
  if (types == nullptr || types->type_id() != arrow::Type::UINT8) {
    return nullptr;
  }
  const uint8_t* values = checked_cast<const arrow::UInt8Array&>(*types).raw_values();
  const int64_t num_rows = types->length();
  if (num_rows == 0 || std::memchr(values, kBool, static_cast<size_t>(num_rows)) == nullptr) {
    return nullptr;
  }
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> falses,
                        arrow::AllocateEmptyBitmap(num_rows));
  ARROW_ASSIGN_OR_RAISE(std::shared_ptr<arrow::Buffer> validity,
                        arrow::AllocateEmptyBitmap(num_rows));
  for (int64_t row = 0; row < num_rows; ++row) {
    arrow::bit_util::SetBitTo(validity->mutable_data(), row, values[row] == kBool);
  }
  return std::make_shared<arrow::BooleanArray>(num_rows, std::move(falses), std::move(validity));
}

}  // namespace

arrow::Result<std::shared_ptr<arrow::RecordBatch>> WithExplicitBooleans(
    TableKind kind, const std::shared_ptr<arrow::RecordBatch>& table) {
  const auto field = arrow::field(kBooleans, arrow::boolean());
  if (GetTable(kind).is_attributes) {
    if (table->schema()->GetFieldIndex(kBooleans) >= 0) {
      return table;
    }
    ARROW_ASSIGN_OR_RAISE(ArrayPtr falses, FalseOfType(table->GetColumnByName(kTypes)));
    return falses == nullptr ? table
                             : table->AddColumn(table->num_columns(), field, std::move(falses));
  }
  const int place = kind == TableKind::kLogs ? table->schema()->GetFieldIndex("body") : -1;
  if (place < 0 || table->column(place)->type_id() != arrow::Type::STRUCT) {
    return table;
  }
  const auto& bodies = checked_cast<const arrow::StructArray&>(*table->column(place));
  if (bodies.GetFieldByName(kBooleans) != nullptr) {
    return table;
  }
  ARROW_ASSIGN_OR_RAISE(ArrayPtr falses, FalseOfType(bodies.GetFieldByName(kTypes)));
  if (falses == nullptr) {
    return table;
  }
  arrow::FieldVector fields = bodies.type()->fields();
  arrow::ArrayVector children = bodies.fields();
  fields.push_back(field);
  children.push_back(std::move(falses));
  ARROW_ASSIGN_OR_RAISE(auto validity, CopyValidity(bodies));
  const auto with = std::make_shared<arrow::StructArray>(
      arrow::struct_(std::move(fields)), bodies.length(), std::move(children), std::move(validity));
  return table->SetColumn(place, arrow::field("body", with->type()), with);
}

}  // namespace df::otap
