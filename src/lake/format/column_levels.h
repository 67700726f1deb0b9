// Looks at the definition levels of a column that is not read.
#pragma once

#include <cstdint>
#include <memory>

#include <arrow/result.h>
#include <parquet/column_page.h>
#include <parquet/column_reader.h>
#include <parquet/schema.h>

namespace df::lake {

/// Tells whether a column chunk of `num_rows` rows has a definition level of `level` or more; for
/// lists, also of items. Reads the pages up to the first that has. Errors: Invalid when the chunk
/// has fewer rows. Throws what Parquet throws on broken pages.
arrow::Result<bool> HasLevel(std::unique_ptr<parquet::PageReader> pages,
                             const parquet::ColumnDescriptor& descriptor, int16_t level,
                             int64_t num_rows);

}  // namespace df::lake
