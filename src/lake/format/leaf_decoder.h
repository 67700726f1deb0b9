// Decodes one column chunk of a Parquet row group, a slice of rows at a time, into Arrow arrays of
// the model's types.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include <arrow/array.h>
#include <arrow/buffer.h>
#include <arrow/result.h>
#include <parquet/column_reader.h>
#include <parquet/schema.h>

#include "base/error.h"
#include "otap/schema.h"

namespace df::lake {

/// Rows of a slice that cannot be read because the page that they stand in is larger than a reader
/// may hold.
struct RefusedRows {
  int64_t first_row = 0;  ///< in the slice
  int64_t num_rows = 0;
  Status why;  ///< without location
};

/// A slice of one leaf.
struct LeafSlice {
  int64_t num_rows = 0;
  /// The file has the leaf.
  bool is_present = false;
  /// The file has a column of its name in a shape that is not read, as the type Null, and every row
  /// of it is null.
  bool is_empty_column = false;
  /// Native type of the column, or dictionary<uint16> for text and binary. Null when every row is
  /// null.
  std::shared_ptr<arrow::Array> values;
  /// For a child of a struct: which rows have a struct; null when all have.
  std::shared_ptr<arrow::Buffer> struct_validity;
  /// Rows whose text was not UTF-8; it has U+FFFD in place of the bytes that were not.
  int64_t num_replaced = 0;
  /// Rows whose value is not known; they are null here.
  std::vector<RefusedRows> refused;

  int64_t num_refused() const {
    int64_t sum = 0;
    for (const RefusedRows& rows : refused) {
      sum += rows.num_rows;
    }
    return sum;
  }
};

/// Returns `num_rows` rows of a slice from `first_row` on. Cost: values are shared.
Result<LeafSlice> CutSlice(const LeafSlice& slice, int64_t first_row, int64_t num_rows);

/// Reads the pages of one flat leaf (no lists). Text keeps the dictionary of the file as
/// dictionary<uint16> as long as the file has one of at most 65,535 entries, whatever width the
/// stored Arrow schema promises; it is UTF-8 whatever the file holds. Errors: kind parquet for
/// broken pages, schema_reconstruction for a type that cannot become the model's, arrow for a value
/// that does not fit it. Cost: O(1) per row without allocation or virtual call per row.
class LeafDecoder {
 public:
  virtual ~LeafDecoder() = default;

  /// `pages` are those of the chunk; `descriptor` is the repaired schema's; `nanos_per_unit` is
  /// that of times and durations, nothing = what the Parquet type says.
  static Result<std::unique_ptr<LeafDecoder>> Make(
      std::unique_ptr<parquet::PageReader> pages, const parquet::ColumnDescriptor& descriptor,
      const otap::Column& target, const Location& location,
      std::optional<int64_t> nanos_per_unit = std::nullopt);

  /// Decodes the next rows: at least one, and fewer than `num_rows` where the values of more would
  /// take more than `max_bytes`. Errors as above; also when the chunk has fewer rows.
  virtual Result<LeafSlice> Next(int64_t num_rows,
                                 int64_t max_bytes = std::numeric_limits<int64_t>::max()) = 0;

  /// Bytes that it holds between two calls: a page and a dictionary.
  virtual int64_t held_bytes() const = 0;
};

/// Returns the nanoseconds in a unit of a Parquet timestamp; 1 for other types.
int64_t NanosPerUnit(const parquet::ColumnDescriptor& descriptor);

/// Tells whether LeafDecoder can turn a Parquet leaf into a column of the model. Values that the
/// model's type cannot hold are found when they are decoded.
/// Errors: schema_reconstruction naming the column, found and expected.
Status CheckLeafType(const parquet::ColumnDescriptor& descriptor, const otap::Column& target,
                     const Location& location);

}  // namespace df::lake
