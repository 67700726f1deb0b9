#include "lake/read/leaf_scan.h"

#include <algorithm>
#include <span>
#include <utility>

#include "lake/format/table_slice.h"
#include "lake/read/assemble.h"
#include "lake/scan/reservation.h"

namespace df::lake {

Status VisitRows(TableFile* file, int row_group, const std::vector<bool>& leaves,
                 ReadContext* context,
                 const std::function<Status(int64_t first_row, DecodedRows rows)>& visit) {
  const int64_t num_rows = file->num_rows(row_group);
  ARROW_ASSIGN_OR_RAISE(const auto stream, file->OpenRowGroup(row_group, leaves, context->limits));
  const int64_t slice_rows = SliceRows(*file, row_group, leaves, context->slice_bytes);
  Reservation held(context->budget);
  for (int64_t row = 0; row < num_rows;) {
    if (!context->budget->Fits(context->slice_bytes)) {
      context->make_room();
    }
    ARROW_ASSIGN_OR_RAISE(DecodedRows decoded, stream->Next(std::min(slice_rows, num_rows - row)));
    const int64_t count = decoded.num_rows;
    held.Set(SliceBytes(decoded.leaves) + stream->large_bytes());
    ARROW_RETURN_NOT_OK(visit(row, std::move(decoded)));
    row += count;
  }
  return Status::OK();
}

Result<std::shared_ptr<arrow::RecordBatch>> AssembleRows(otap::TableKind kind, DecodedRows rows) {
  const auto slice = std::make_shared<TableSlice>();
  slice->num_rows = rows.num_rows;
  slice->leaves = std::move(rows.leaves);
  const Piece piece{.slice = slice, .offset = 0, .length = slice->num_rows, .selection = nullptr};
  return AssembleTable(kind, std::span(&piece, 1), NewIds{});
}

}  // namespace df::lake
