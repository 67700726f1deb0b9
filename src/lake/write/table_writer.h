// Writes the Parquet file of one table.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <arrow/io/interfaces.h>
#include <arrow/record_batch.h>

#include "base/error.h"
#include "lake/write/write_options.h"

namespace df::lake {

class TableWriter {
 public:
  virtual ~TableWriter() = default;

  /// `row_group_rows` is how many rows to expect in a row group; `location` is for messages. Owner:
  /// shares the sink, and leaves it open.
  static Result<std::unique_ptr<TableWriter>> Make(otap::TableKind kind,
                                                   const WriteOptions& options,
                                                   int64_t row_group_rows,
                                                   std::shared_ptr<arrow::io::OutputStream> sink,
                                                   const Location& location);

  /// Writes rows as one row group, or as several where they are more than a row group may have.
  /// Shape: as PutTogether returns them. Errors: kinds io and parquet; the file is lost then.
  virtual Status Write(const std::shared_ptr<arrow::RecordBatch>& rows) = 0;

  /// Adds a key to the footer, before Close.
  virtual Status AddKey(const std::string& key, const std::string& value) = 0;

  /// Writes the footer.
  virtual Status Close() = 0;

  /// Bytes handed to the sink so far.
  virtual int64_t size_bytes() const = 0;
  virtual int64_t num_rows() const = 0;
};

}  // namespace df::lake
