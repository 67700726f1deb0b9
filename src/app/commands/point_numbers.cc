#include "app/commands/point_numbers.h"

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>

#include "app/commands/value_json.h"
#include "otap/rows.h"

namespace df::app {

using arrow::internal::checked_cast;
using select::Value;

Value NumberAt(const std::shared_ptr<arrow::RecordBatch>& rows, std::string_view name,
               int64_t row) {
  const auto column = otap::FindArray(rows, name);
  if (column == nullptr || column->IsNull(row)) {
    return {};
  }
  switch (column->type_id()) {
    case arrow::Type::DOUBLE:
      return {checked_cast<const arrow::DoubleArray&>(*column).Value(row)};
    case arrow::Type::INT64:
      return {checked_cast<const arrow::Int64Array&>(*column).Value(row)};
    default:
      return {};
  }
}

std::string QuantilesAt(const std::shared_ptr<arrow::RecordBatch>& rows, int64_t row) {
  const auto column = otap::FindArray(rows, "quantile");
  if (column == nullptr || column->type_id() != arrow::Type::LIST || column->IsNull(row)) {
    return "";
  }
  const auto& list = checked_cast<const arrow::ListArray&>(*column);
  if (list.value_length(row) == 0) {
    return "";
  }
  const auto& items = checked_cast<const arrow::StructArray&>(*list.values());
  const auto quantiles = items.GetFieldByName("quantile");
  const auto values = items.GetFieldByName("value");
  const auto number = [](const std::shared_ptr<arrow::Array>& array, int64_t at) {
    return array == nullptr || array->IsNull(at)
               ? Value{0.0}
               : Value{checked_cast<const arrow::DoubleArray&>(*array).Value(at)};
  };
  std::string json = "[";
  for (int64_t at = list.value_offset(row); at < list.value_offset(row + 1); ++at) {
    json += at == list.value_offset(row) ? "[" : ",[";
    AppendJson(number(quantiles, at), &json);
    json += ',';
    AppendJson(number(values, at), &json);
    json += ']';
  }
  return json + ']';
}

}  // namespace df::app
