#include "lake/read/misplaced_points.h"

#include <utility>

#include <fmt/format.h>

namespace df::lake {

Status MisplacedPoints::Take(Payload* payload) {
  num_left_out_ = {};
  const otap::BatchPtr whole = payload->batch;
  ARROW_ASSIGN_OR_RAISE(payload->batch, otap::DropMisplacedPoints(whole, &misplaced_));
  for (const otap::TableInfo& table : otap::AllTables()) {
    const auto& before = whole->table(table.kind);
    if (payload->batch == whole || before == nullptr || !table.parent.has_value()) {
      continue;
    }
    const auto& after = payload->batch->table(table.kind);
    num_left_out_[otap::TableIndex(table.kind)] =
        before->num_rows() - (after == nullptr ? 0 : after->num_rows());
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
    const auto expected = otap::PointsOfType(type);
    report->Add(MakeError(
        ErrorKind::kReconstruction,
        fmt::format("left out {} rows whose metrics have the metric_type {}, {}", num_rows, type,
                    type == 0              ? "which is no data"
                    : expected.has_value() ? fmt::format("which has its data points in {}",
                                                         otap::GetTable(*expected).directory)
                                           : std::string("expected 0 to 5")),
        {.partition = partition,
         .table = std::string(otap::GetTable(table).directory),
         .file = ""}));
  }
}

}  // namespace df::lake
