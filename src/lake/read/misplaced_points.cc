#include "lake/read/misplaced_points.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <arrow/api.h>
#include <arrow/util/checked_cast.h>
#include <fmt/format.h>

#include "otap/filter.h"
#include "otap/rows.h"

namespace df::lake {
namespace {

using arrow::internal::checked_cast;
using otap::TableKind;

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

Status MisplacedPoints::Take(Payload* payload) {
  num_left_out_ = {};
  if (payload->batch->signal() != otap::Signal::kMetrics || payload->batch->root() == nullptr) {
    return Status::OK();
  }
  const std::vector<uint8_t> types = TypesById(*payload->batch->root());
  otap::Selection kept;
  bool is_any_misplaced = false;
  for (const TableKind table : kPointTables) {
    const auto& points = payload->batch->table(table);
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
    otap::RowSet rows(points->num_rows());
    for (int64_t row = 0; row < points->num_rows(); ++row) {
      if (belongs[type_of(row)]) {
        rows.Set(row);
      } else {
        ++misplaced_[{table, type_of(row)}];
      }
    }
    kept.Set(table, std::move(rows));
  }
  if (!is_any_misplaced) {
    return Status::OK();
  }
  const otap::BatchPtr whole = payload->batch;
  ARROW_ASSIGN_OR_RAISE(payload->batch, otap::Filter(whole, kept));
  for (const otap::TableInfo& table : otap::AllTables()) {
    const auto& before = whole->table(table.kind);
    const auto& after = payload->batch->table(table.kind);
    if (before != nullptr && table.parent.has_value()) {
      num_left_out_[otap::TableIndex(table.kind)] =
          before->num_rows() - (after == nullptr ? 0 : after->num_rows());
    }
  }
  return Status::OK();
}

void MisplacedPoints::Commit(ReadReport* report) {
  for (const otap::TableInfo& table : otap::AllTables()) {
    report->table(table.kind)
        .MoveToDropped(DropReason::kMisplaced,
                       std::exchange(num_left_out_[otap::TableIndex(table.kind)], 0));
  }
}

void MisplacedPoints::Name(const std::string& partition, ReadReport* report) const {
  for (const auto& [where, num_rows] : misplaced_) {
    const auto& [table, type] = where;
    const auto expected = PointsOfType(type);
    report->Add(MakeError(
        ErrorKind::kReconstruction,
        fmt::format("left out {} rows whose metrics have the metric_type {}, {}", num_rows, type,
                    type == kEmptyType ? "which is no data"
                    : expected.has_value()
                        ? fmt::format("which has its data points in {}",
                                      otap::GetTable(*expected).directory)
                        : fmt::format("expected {} to {}", kEmptyType, kLastType)),
        {.partition = partition,
         .table = std::string(otap::GetTable(table).directory),
         .file = ""}));
  }
}

}  // namespace df::lake
