#include "lake/format/list_shape.h"

namespace df::lake {
namespace {

using otap::ColumnType;
using parquet::schema::GroupNode;
using parquet::schema::Node;
using parquet::schema::PrimitiveNode;

bool IsAnnotatedList(const Node& node) {
  return node.converted_type() == parquet::ConvertedType::LIST ||
         (node.logical_type() != nullptr && node.logical_type()->is_list());
}

/// Returns the node of the items, or null when the node is no list. Follows the rules of the
/// format for lists of two levels.
const Node* ItemOf(const Node& node) {
  if (node.is_repeated()) {
    return IsAnnotatedList(node) ? nullptr : &node;
  }
  if (!node.is_group() || !IsAnnotatedList(node)) {
    return nullptr;
  }
  const auto& list = static_cast<const GroupNode&>(node);
  if (list.field_count() != 1 || !list.field(0)->is_repeated()) {
    return nullptr;
  }
  const Node& repeated = *list.field(0);
  if (repeated.is_primitive()) {
    return &repeated;
  }
  const auto& group = static_cast<const GroupNode&>(repeated);
  const bool is_item =
      group.field_count() != 1 || group.name() == "array" || group.name() == list.name() + "_tuple";
  return is_item ? &repeated : group.field(0).get();
}

bool IsNumber(const Node& node, bool is_real) {
  if (!node.is_primitive()) {
    return false;
  }
  const parquet::Type::type physical = static_cast<const PrimitiveNode&>(node).physical_type();
  const auto& logical = node.logical_type();
  const bool is_plain = logical == nullptr || logical->is_none();
  if (is_real) {
    return is_plain && (physical == parquet::Type::DOUBLE || physical == parquet::Type::FLOAT);
  }
  const bool is_whole = !is_plain && logical->is_decimal() &&
                        static_cast<const parquet::DecimalLogicalType&>(*logical).scale() == 0;
  return ((is_plain || logical->is_int() || is_whole) &&
          (physical == parquet::Type::INT32 || physical == parquet::Type::INT64)) ||
         (is_whole && physical == parquet::Type::FIXED_LEN_BYTE_ARRAY);
}

}  // namespace

int NumLeaves(const Node& node) {
  if (node.is_primitive()) {
    return 1;
  }
  const auto& group = static_cast<const parquet::schema::GroupNode&>(node);
  int sum = 0;
  for (int i = 0; i < group.field_count(); ++i) {
    sum += NumLeaves(*group.field(i));
  }
  return sum;
}

bool IsStruct(const Node& node) {
  return node.is_group() && !node.is_repeated() &&
         (node.logical_type() == nullptr || node.logical_type()->is_none()) &&
         node.converted_type() == parquet::ConvertedType::NONE;
}

bool IsListOf(const Node& node, ColumnType type) {
  const Node* item = ItemOf(node);
  if (item == nullptr) {
    return false;
  }
  if (type != ColumnType::kListQuantile) {
    return IsNumber(*item, type == ColumnType::kListFloat64);
  }
  if (!item->is_group()) {
    return false;
  }
  const auto& pair = static_cast<const GroupNode&>(*item);
  const int quantile = pair.FieldIndex("quantile");
  const int value = pair.FieldIndex("value");
  return pair.field_count() == 2 && quantile >= 0 && value >= 0 &&
         !pair.field(quantile)->is_repeated() && !pair.field(value)->is_repeated() &&
         IsNumber(*pair.field(quantile), true) && IsNumber(*pair.field(value), true);
}

}  // namespace df::lake
