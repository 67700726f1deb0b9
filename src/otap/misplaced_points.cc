#include "otap/misplaced_points.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>

#include "otap/filter.h"
#include "otap/rows.h"

namespace df::otap {
namespace {

using arrow::internal::checked_cast;

constexpr std::array kPointTables = {TableKind::kNumberDataPoints, TableKind::kHistogramDataPoints,
                                     TableKind::kExpHistogramDataPoints,
                                     TableKind::kSummaryDataPoints};
/// Of a metric without data.
constexpr uint8_t kEmptyType = 0;
constexpr uint8_t kLastType = 5;

/// The types of metrics by id; ids of payloads are dense.
std::vector<uint8_t> TypesById(const arrow::RecordBatch& metrics) {
  const auto ids = metrics.GetColumnByName("id");
  const auto types = metrics.GetColumnByName("metric_type");
  if (ids == nullptr || types == nullptr || ids->type_id() != arrow::Type::UINT16 ||
      types->type_id() != arrow::Type::UINT8) {
    return {};
  }
  const auto& id_of = checked_cast<const arrow::UInt16Array&>(*ids);
  const auto& type_of = checked_cast<const arrow::UInt8Array&>(*types);
  std::vector<uint8_t> by_id;
  for (int64_t row = 0; row < metrics.num_rows(); ++row) {
    if (id_of.IsNull(row)) {
      continue;
    }
    const size_t id = id_of.Value(row);
    by_id.resize(std::max(by_id.size(), id + 1), kEmptyType);
    by_id[id] = type_of.IsValid(row) ? type_of.Value(row) : kEmptyType;
  }
  return by_id;
}

int64_t CountAbove(const std::shared_ptr<arrow::Array>& codes, uint8_t largest) {
  if (codes == nullptr || codes->type_id() != arrow::Type::UINT8) {
    return 0;
  }
  const auto& values = checked_cast<const arrow::UInt8Array&>(*codes);
  int64_t count = 0;
  for (int64_t row = 0; row < values.length(); ++row) {
    count += values.IsValid(row) && values.Value(row) > largest ? 1 : 0;
  }
  return count;
}

}  // namespace

std::optional<TableKind> PointsOfType(uint8_t metric_type) {
  switch (metric_type) {
    case 1:
    case 2:
      return TableKind::kNumberDataPoints;
    case 3:
      return TableKind::kHistogramDataPoints;
    case 4:
      return TableKind::kExpHistogramDataPoints;
    case kLastType:
      return TableKind::kSummaryDataPoints;
    default:
      return std::nullopt;
  }
}

arrow::Result<BatchPtr> DropMisplacedPoints(const BatchPtr& batch, MisplacedPoints* misplaced) {
  if (batch->signal() != Signal::kMetrics || batch->root() == nullptr) {
    return batch;
  }
  const std::vector<uint8_t> types = TypesById(*batch->root());
  Selection kept;
  bool is_any_misplaced = false;
  for (const TableKind table : kPointTables) {
    const auto& points = batch->table(table);
    const auto parents = points == nullptr ? nullptr : points->GetColumnByName("parent_id");
    if (parents == nullptr || parents->type_id() != arrow::Type::UINT16 || types.empty()) {
      continue;
    }
    const uint16_t* parent_of = checked_cast<const arrow::UInt16Array&>(*parents).raw_values();
    std::array<bool, 256> belongs{};
    for (size_t type = 0; type < belongs.size(); ++type) {
      belongs[type] = PointsOfType(static_cast<uint8_t>(type)) == table;
    }
    const auto type_of = [&](int64_t row) {
      return parent_of[row] < types.size() ? types[parent_of[row]] : kEmptyType;
    };
    int64_t num_misplaced = 0;
    for (int64_t row = 0; row < points->num_rows(); ++row) {
      num_misplaced += belongs[type_of(row)] ? 0 : 1;
    }
    if (num_misplaced == 0) {
      continue;
    }
    is_any_misplaced = true;
    RowSet rows(points->num_rows());
    for (int64_t row = 0; row < points->num_rows(); ++row) {
      if (belongs[type_of(row)]) {
        rows.Set(row);
      } else {
        ++(*misplaced)[{table, type_of(row)}];
      }
    }
    kept.Set(table, std::move(rows));
  }
  return is_any_misplaced ? Filter(batch, kept) : batch;
}

int64_t CountUnknownCodes(const Batch& batch) {
  constexpr uint8_t kLastValueType = 7;
  int64_t count = 0;
  for (const TableInfo& info : AllTables()) {
    const auto& table = batch.table(info.kind);
    if (table != nullptr && info.is_attributes) {
      count += CountAbove(table->GetColumnByName("type"), kLastValueType);
    }
  }
  if (batch.root() != nullptr && batch.signal() == Signal::kMetrics) {
    count += CountAbove(batch.root()->GetColumnByName("metric_type"), kLastType);
  }
  const auto body = batch.root() != nullptr && batch.signal() == Signal::kLogs
                        ? batch.root()->GetColumnByName("body")
                        : nullptr;
  if (body != nullptr && body->type_id() == arrow::Type::STRUCT) {
    count += CountAbove(checked_cast<const arrow::StructArray&>(*body).GetFieldByName("type"),
                        kLastValueType);
  }
  return count;
}

}  // namespace df::otap
