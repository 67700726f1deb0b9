// The rows of one table of a batch as they go into a file.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include <arrow/array/array_base.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>

#include "otap/batch.h"

namespace df::lake {

/// The id columns that a table may have.
enum class IdPlace : uint8_t { kId, kParentId, kResourceId, kScopeId };
inline constexpr size_t kNumIdPlaces = 4;

/// Rows of one table: the data as the batch has it, and the ids apart, since they have another
/// width in files. Children stand in the order of their parents.
struct BatchRows {
  std::shared_ptr<arrow::RecordBatch> data;                     ///< without any id column
  std::array<std::shared_ptr<arrow::Array>, kNumIdPlaces> ids;  ///< UInt32; null where absent
};

/// Checks that every column is one of the model, in a form that it allows, and that what it
/// requires is there. Errors: Invalid, saying which is not.
arrow::Status CheckShape(const otap::Batch& batch);

/// Takes a table of a batch apart that passes CheckShape. `first_id` is added to every id; the sums
/// must not leave 32 bits. Errors: those of Arrow.
arrow::Result<BatchRows> TakeApart(otap::TableKind kind,
                                   const std::shared_ptr<arrow::RecordBatch>& table,
                                   uint32_t first_id);

/// Takes the id of log records that no row of `attributes` (null: there are none) points to: in
/// files an id promises attributes. `first_id` as in TakeApart. Errors: those of Arrow.
arrow::Status NullBareIds(const std::shared_ptr<arrow::RecordBatch>& attributes, uint32_t first_id,
                          BatchRows* logs);

/// Returns the rows of all pieces, in order, as the file has them. Shape: FileSchema, but text and
/// bytes may be dictionaries.
arrow::Result<std::shared_ptr<arrow::RecordBatch>> PutTogether(
    otap::TableKind kind, const std::vector<BatchRows>& pieces);

/// Returns the largest id of a batch that passes CheckShape, of whatever column; 0 when there is
/// none.
uint32_t LargestId(const otap::Batch& batch);

}  // namespace df::lake
