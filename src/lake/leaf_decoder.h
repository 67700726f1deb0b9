// Decodes one column chunk of a Parquet row group, a slice of rows at a time, into Arrow arrays of
// the model's types.
#pragma once

#include <cstdint>
#include <memory>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/result.h>
#include <parquet/column_reader.h>
#include <parquet/schema.h>

#include "base/error.h"
#include "otap/schema.h"

namespace df::lake {

/// A slice of one leaf.
struct LeafSlice {
  /// The file has the leaf.
  bool is_present = false;
  /// Native type of the column, or dictionary<uint16> for text and binary. Null when every row is
  /// null.
  std::shared_ptr<arrow::Array> values;
  /// For a child of a struct: which rows have a struct; null when all have.
  std::shared_ptr<arrow::Buffer> struct_validity;
};

/// Reads the pages of one flat leaf (no lists). Text keeps the dictionary of the file as
/// dictionary<uint16> as long as the file has one of at most 65,535 entries, whatever width the
/// stored Arrow schema promises. Errors: kind parquet for broken pages, schema_reconstruction for a
/// type that cannot become the model's, arrow for a value that does not fit it. Cost: O(1) per row
/// without allocation or virtual call per row.
class LeafDecoder {
 public:
  virtual ~LeafDecoder() = default;

  /// `pages` are those of the chunk; `descriptor` is the repaired schema's.
  static Result<std::unique_ptr<LeafDecoder>> Make(std::unique_ptr<parquet::PageReader> pages,
                                                   const parquet::ColumnDescriptor& descriptor,
                                                   const otap::Column& target,
                                                   const Location& location);

  /// Decodes the next rows. Errors as above; also when the chunk has fewer rows.
  virtual Result<LeafSlice> Next(int64_t num_rows) = 0;
};

/// Tells whether LeafDecoder can turn a Parquet leaf into a column of the model.
/// Errors: schema_reconstruction naming the column, found and expected.
Status CheckLeafType(const parquet::ColumnDescriptor& descriptor, const otap::Column& target,
                     const Location& location);

}  // namespace df::lake
