// Reads the list columns of a row group (bucket counts, bounds, quantiles) through Arrow's own
// Parquet reader.
#pragma once

#include <memory>
#include <vector>

#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>
#include <parquet/arrow/reader.h>

#include "lake/format/leaf.h"
#include "lake/format/leaf_decoder.h"

namespace df::lake {

/// Streams the list leaves of one row group. LargeList and other item widths become the model's
/// list types. Errors: schema_reconstruction when a column is not a list of what the model says;
/// parquet for broken pages. Lists are decoded so many at a time as are expected to take
/// `batch_bytes`.
class ListReader {
 public:
  static Result<std::unique_ptr<ListReader>> Make(std::shared_ptr<arrow::io::RandomAccessFile> file,
                                                  std::shared_ptr<parquet::FileMetaData> metadata,
                                                  otap::TableKind kind, int row_group,
                                                  const std::vector<int>& leaves,
                                                  const Location& location, int64_t batch_bytes);

  /// Fills the list leaves of `slices`.
  Status Next(int64_t num_rows, std::vector<LeafSlice>* slices);

 private:
  ListReader(otap::TableKind kind, Location location)
      : kind_(kind), location_(std::move(location)) {}
  /// Returns the paths of the columns that are read.
  std::vector<std::string> Names() const;
  Result<std::shared_ptr<arrow::RecordBatch>> Take(int64_t num_rows);
  Result<std::shared_ptr<arrow::Array>> Normalise(std::shared_ptr<arrow::Array> array,
                                                  const Leaf& leaf) const;

  otap::TableKind kind_;
  Location location_;
  std::vector<int> leaves_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
  std::shared_ptr<arrow::RecordBatch> pending_;
};

}  // namespace df::lake
