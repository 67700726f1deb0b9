// Puts the pieces of a table together to one record batch in canonical form.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "lake/format/leaf.h"
#include "lake/format/table_slice.h"

namespace df::lake {

/// Arrays that take the place of what the file holds; null ones are absent.
struct NewIds {
  std::shared_ptr<arrow::Array> id;
  std::shared_ptr<arrow::Array> parent_id;
  std::shared_ptr<arrow::Array> resource_id;  ///< roots only
  std::shared_ptr<arrow::Array> scope_id;     ///< roots only
};

/// Builds the record batch of a table.
/// Shape: columns in registry order; those that are null in every row are left out unless required;
/// required ones have no nulls (missing values become the type's default); text is
/// dictionary<uint16> where all pieces share one dictionary, else native; structs have no child
/// that is null throughout. Stretches of one slice are not copied. Errors: Invalid or CapacityError
/// from Arrow, when one array cannot hold the rows.
Result<std::shared_ptr<arrow::RecordBatch>> AssembleTable(otap::TableKind kind,
                                                          std::span<const Piece> pieces,
                                                          const NewIds& ids);

/// AssembleTable, or what stands in for it.
using TableAssembler = std::function<Result<std::shared_ptr<arrow::RecordBatch>>(
    otap::TableKind kind, std::span<const Piece> pieces, const NewIds& ids)>;

/// Builds an id array of 16 or 32 bits from new ids, -1 meaning null; null when every row is null.
/// Errors: CapacityError when an id does not fit 16 bits.
Result<std::shared_ptr<arrow::Array>> MakeIdArray(std::span<const int32_t> ids, int bits);

/// The same for ids without nulls.
Result<std::shared_ptr<arrow::Array>> MakeIdArray(std::span<const uint32_t> ids, int bits);

}  // namespace df::lake
