#include "otap/reorder.h"

#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/compute/api_vector.h>
#include <fmt/format.h>

#include "otap/id_remap.h"
#include "otap/rows.h"

namespace df::otap {
namespace {

using TablePtr = std::shared_ptr<arrow::RecordBatch>;

arrow::Result<TablePtr> TakeRows(const TablePtr& table, std::span<const int64_t> order) {
  const arrow::Int64Array indices(
      static_cast<int64_t>(order.size()),
      arrow::Buffer::FromVector(std::vector<int64_t>(order.begin(), order.end())));
  arrow::ArrayVector columns;
  for (const auto& column : table->columns()) {
    ARROW_ASSIGN_OR_RAISE(
        auto taken,
        arrow::compute::Take(*column, indices, arrow::compute::TakeOptions::NoBoundsCheck()));
    columns.push_back(std::move(taken));
  }
  return arrow::RecordBatch::Make(table->schema(), table->num_rows(), std::move(columns));
}

arrow::Status CheckOrder(std::span<const int64_t> order, int64_t num_rows) {
  RowSet seen(num_rows);
  for (const int64_t row : order) {
    if (row < 0 || row >= num_rows || seen.Has(row)) {
      return arrow::Status::Invalid(
          fmt::format("an order of {} rows: found row {} out of place", num_rows, row));
    }
    seen.Set(row);
  }
  return std::ssize(order) == num_rows ? arrow::Status::OK()
                                       : arrow::Status::Invalid(fmt::format(
                                             "an order of {} rows has {}", num_rows, order.size()));
}

}  // namespace

arrow::Result<BatchPtr> ReorderRoots(const BatchPtr& batch, std::span<const int64_t> order) {
  const TableKind kind = RootTable(batch->signal());
  ARROW_RETURN_NOT_OK(CheckOrder(order, batch->num_root_rows()));
  BatchBuilder builder(batch->signal());
  if (batch->root() == nullptr) {
    return builder.Build();
  }
  ARROW_ASSIGN_OR_RAISE(TablePtr root, TakeRows(batch->root(), order));
  const auto ids = FindArray(root, "id");
  const IdRemap remap = ids == nullptr ? IdRemap() : IdRemap::Renumber(*ids, 0);
  for (const TableInfo& info : AllTables()) {
    TablePtr table = info.kind == kind ? root : batch->table(info.kind);
    if (table == nullptr) {
      continue;
    }
    const bool is_child = info.parent == kind;
    if (ids == nullptr || (info.kind != kind && !is_child)) {
      ARROW_RETURN_NOT_OK(builder.Set(info.kind, std::move(table)));
      continue;
    }
    const std::string_view name = is_child ? "parent_id" : "id";
    if (const auto column = FindArray(table, name); column != nullptr) {
      ARROW_ASSIGN_OR_RAISE(auto mapped, remap.Apply(column, GetTable(kind).id_bits));
      ARROW_ASSIGN_OR_RAISE(table, WithColumn(info.kind, table, name, std::move(mapped)));
    }
    ARROW_RETURN_NOT_OK(builder.Set(info.kind, std::move(table)));
  }
  return builder.Build();
}

}  // namespace df::otap
