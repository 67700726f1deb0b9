#include "otlp/child_table.h"

#include <utility>

namespace df::otlp {
namespace {

template <typename T>
ChildIndex IndexByParent(const ColumnSource& source, int64_t num_rows) {
  NumberColumn<T> parent_id;
  source.Bind("parent_id", &parent_id);
  return ChildIndex::FromColumn(parent_id, num_rows);
}

}  // namespace

ChildTable::ChildTable(const WalkContext& context, otap::TableKind kind)
    : source(context.Source(kind)) {
  const auto& table = context.batch.table(kind);
  if (table == nullptr) {
    return;
  }
  rows = otap::GetTable(kind).parent_id_bits == 16
             ? IndexByParent<uint16_t>(source, table->num_rows())
             : IndexByParent<uint32_t>(source, table->num_rows());
}

ValueColumns::ValueColumns(const ColumnSource& source) {
  source.Bind("type", &type);
  source.Bind("str", &text);
  source.Bind("int", &integer);
  source.Bind("double", &real);
  source.Bind("bool", &boolean);
  source.Bind("bytes", &bytes);
  source.Bind("ser", &cbor);
}

AttributeTable::AttributeTable(ChildTable table, int level)
    : rows(std::move(table.rows)), values(table.source), value_level(level) {
  table.source.Bind("key", &key);
}

}  // namespace df::otlp
