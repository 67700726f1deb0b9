#include "lake/scan/slice_report.h"

#include <span>
#include <string>

#include <arrow/util/bit_util.h>
#include <arrow/util/bitmap_ops.h>
#include <fmt/format.h>

#include "lake/format/leaf.h"

namespace df::lake {
namespace {

/// Counts the rows that have the struct of a leaf and no value in it.
int64_t NumNulls(const Leaf& leaf, const LeafSlice& slice, int64_t num_rows) {
  if (!slice.is_present) {
    // A file without the column would have been refused: what there is holds nothing.
    return leaf.parent == nullptr ? num_rows : 0;
  }
  const int64_t num_null =
      (slice.values == nullptr ? num_rows : slice.values->null_count()) - slice.num_refused();
  if (num_null == 0 || slice.struct_validity == nullptr) {
    return num_null;
  }
  const int64_t with_struct =
      arrow::internal::CountSetBits(slice.struct_validity->data(), 0, num_rows);
  return num_null - (num_rows - with_struct);
}

}  // namespace

void ReportSlice(otap::TableKind kind, const TableSlice& slice, Location where,
                 ReadReport* report) {
  const otap::TableInfo& table = otap::GetTable(kind);
  where.table = table.directory;
  const std::span<const Leaf> leaves = LeavesOf(kind);
  for (size_t i = 0; i < leaves.size(); ++i) {
    const LeafSlice& leaf = slice.leaves[i];
    if (leaf.num_replaced > 0) {
      report->table(kind).replaced_texts += leaf.num_replaced;
      report->Add(MakeError(ErrorKind::kArrow,
                            fmt::format("column {}: text that is not UTF-8 goes out with U+FFFD in "
                                        "place of the bytes that are not",
                                        leaves[i].path()),
                            where),
                  leaf.num_replaced);
    }
    const otap::Column& column = *leaves[i].column;
    if (!column.required || column.role != otap::ColumnRole::kData) {
      continue;
    }
    if (const int64_t num_null = NumNulls(leaves[i], leaf, slice.num_rows); num_null > 0) {
      report->Add(
          MakeError(ErrorKind::kArrow,
                    fmt::format("column {}: nulls, which the model does not have, go out as "
                                "the default",
                                leaves[i].path()),
                    where),
          num_null);
    }
  }
}

}  // namespace df::lake
