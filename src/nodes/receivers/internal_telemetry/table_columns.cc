#include "nodes/receivers/internal_telemetry/table_columns.h"

#include <arrow/util/logging.h>

namespace df::nodes::receivers::internal_telemetry {

TableColumns::Entry TableColumns::MakeEntry(std::span<const otap::Column> columns,
                                            std::string_view name) {
  Entry entry;
  entry.column = otap::FindColumn(columns, name);
  ARROW_CHECK(entry.column != nullptr) << "no column " << name << " in the model";
  if (entry.column->type != otap::ColumnType::kStruct) {
    ARROW_CHECK_OK(arrow::MakeBuilder(arrow::default_memory_pool(), otap::NativeType(*entry.column),
                                      &entry.builder));
  }
  return entry;
}

arrow::ArrayBuilder* TableColumns::AddBuilder(std::string_view name) {
  entries_.push_back(MakeEntry(otap::GetTable(kind_).columns, name));
  return entries_.back().builder.get();
}

TableColumns::Group TableColumns::AddGroup(std::string_view name) {
  Entry group = MakeEntry(otap::GetTable(kind_).columns, name);
  group.children.push_back(MakeEntry(group.column->children, "id"));
  Group builders = {static_cast<arrow::UInt16Builder*>(group.children[0].builder.get()), nullptr};
  if (name == "scope") {
    group.children.push_back(MakeEntry(group.column->children, "name"));
    builders.name = static_cast<arrow::StringBuilder*>(group.children[1].builder.get());
  }
  entries_.push_back(std::move(group));
  return builders;
}

arrow::Result<std::shared_ptr<arrow::Array>> TableColumns::FinishEntry(Entry* entry) {
  if (entry->builder != nullptr) {
    return entry->builder->Finish();
  }
  arrow::ArrayVector children;
  arrow::FieldVector fields;
  for (Entry& child : entry->children) {
    ARROW_ASSIGN_OR_RAISE(auto array, FinishEntry(&child));
    fields.push_back(arrow::field(std::string(child.column->name), array->type()));
    children.push_back(std::move(array));
  }
  return arrow::StructArray::Make(children, fields);
}

arrow::Result<std::shared_ptr<arrow::RecordBatch>> TableColumns::Finish() {
  arrow::ArrayVector arrays;
  arrow::FieldVector fields;
  for (Entry& entry : entries_) {
    ARROW_ASSIGN_OR_RAISE(auto array, FinishEntry(&entry));
    fields.push_back(
        arrow::field(std::string(entry.column->name), array->type(), !entry.column->required));
    arrays.push_back(std::move(array));
  }
  const int64_t num_rows = arrays.front()->length();
  return arrow::RecordBatch::Make(arrow::schema(std::move(fields)), num_rows, std::move(arrays));
}

}  // namespace df::nodes::receivers::internal_telemetry
