// What booleans of files mean that are not there.
#pragma once

#include <memory>
#include <span>

#include <arrow/array/array_base.h>
#include <arrow/result.h>

#include "lake/read/assemble.h"
#include "otap/schema.h"

namespace df::lake {

/// Tells whether a column holds the booleans of attributes or bodies.
bool IsBooleanValue(const otap::Column& column);

/// Returns the booleans of a payload as a batch has them. A value of the type bool that is null in
/// its file is empty, and one of a file without the column is false: so the column is there where
/// a null has to tell, and holds false where it is not in a file and in others it is. `joined` are
/// the values of all pieces, or null, and `types` those of the values, or null. Null: the batch
/// needs no column. Errors: those of Arrow.
arrow::Result<std::shared_ptr<arrow::Array>> BooleansOf(std::span<const Piece> pieces, size_t leaf,
                                                        std::shared_ptr<arrow::Array> joined,
                                                        const std::shared_ptr<arrow::Array>& types);

}  // namespace df::lake
