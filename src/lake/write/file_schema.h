// The one shape that files of a table have.
#pragma once

#include <memory>

#include <arrow/type_fwd.h>
#include <parquet/properties.h>

#include "lake/write/write_options.h"
#include "otap/schema.h"

namespace df::lake {

/// Returns the schema of a table's files: every column of the model in its order, with native types
/// and ids of 32 bits, also inside resource and scope. What the model requires is not nullable, but
/// inside structs everything is.
const std::shared_ptr<arrow::Schema>& FileSchema(otap::TableKind kind);

/// Returns how a table's files are encoded; `row_group_rows` is how many rows to expect in a row
/// group.
std::shared_ptr<parquet::WriterProperties> FileProperties(otap::TableKind kind,
                                                          const WriteOptions& options,
                                                          int64_t row_group_rows);

}  // namespace df::lake
