#include "lake/read/payload_selection.h"

#include <utility>

#include <fmt/format.h>

#include "lake/format/parquet_exceptions.h"

namespace df::lake {

bool PayloadSelection::ReadsGroupAttributes() const {
  if (!is_selecting_) {
    return false;
  }
  const auto& where = selector_->wishes().where[static_cast<size_t>(signal_)];
  return where.has_value() && (where->ReadsAttributes(select::Place::kResource) ||
                               where->ReadsAttributes(select::Place::kScope));
}

bool PayloadSelection::MayWant(const RootRows& rows, const TableAssembler& assemble) const {
  if (!is_selecting_ || rows.is_screened || !selector_->CanScreen(signal_)) {
    return true;
  }
  const otap::TableKind root = otap::RootTable(signal_);
  const Piece piece{
      .slice = rows.slice, .offset = rows.offset, .length = rows.num_rows, .selection = nullptr};
  const auto table =
      CatchParquet({}, [&] { return assemble(root, std::span(&piece, 1), NewIds{}); });
  if (!table.ok()) {
    return true;  // what is wrong is told where the payload is put together
  }
  otap::BatchBuilder builder(signal_);
  return !builder.Set(root, *table).ok() || selector_->Screen(*builder.Build()).Count() > 0;
}

Status PayloadSelection::Take(Payload* payload) {
  if (!is_selecting_) {
    return Status::OK();
  }
  ARROW_ASSIGN_OR_RAISE(select::Selected selected, selector_->Select(payload->batch));
  const otap::BatchPtr whole = std::exchange(payload->batch, std::move(selected.batch));
  payload->origin.num_unanswered = selected.num_roots_failed;
  payload->origin.num_selected_out =
      payload->origin.num_rows - selected.num_roots - selected.num_roots_failed;
  num_without_answer_ += selected.num_failed;
  if (first_failure_.empty()) {
    first_failure_ = std::move(selected.first_failure);
  }
  for (const otap::TableInfo& table : otap::AllTables()) {
    if (!table.parent.has_value() || whole->table(table.kind) == nullptr) {
      continue;
    }
    const auto& kept = payload->batch == nullptr ? nullptr : payload->batch->table(table.kind);
    selected_out_[otap::TableIndex(table.kind)] =
        whole->table(table.kind)->num_rows() - (kept == nullptr ? 0 : kept->num_rows());
  }
  return Status::OK();
}

void PayloadSelection::Commit(ReadReport* report) {
  for (const otap::TableInfo& table : otap::AllTables()) {
    report->table(table.kind)
        .MoveToDropped(DropReason::kSelectedOut,
                       std::exchange(selected_out_[otap::TableIndex(table.kind)], 0));
  }
}

void PayloadSelection::Name(const std::string& partition, ReadReport* report) const {
  if (num_without_answer_ == 0) {
    return;
  }
  report->Add(MakeError(
      ErrorKind::kQuery,
      fmt::format("left out {} items for which the condition of select.where has no answer: {}",
                  num_without_answer_, first_failure_),
      {.partition = partition,
       .table = std::string(otap::GetTable(otap::RootTable(signal_)).directory),
       .file = ""}));
}

}  // namespace df::lake
