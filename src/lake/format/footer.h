// The footer of a Parquet file: read, bound-checked, repaired.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/interfaces.h>
#include <arrow/result.h>
#include <parquet/type_fwd.h>

#include "base/error.h"

namespace df::lake {

/// One file's footer, ready for reading the columns.
struct Footer {
  std::shared_ptr<parquet::FileMetaData> metadata;
  /// Hash of the raw footer bytes (hex) and the file size: with table and partition it identifies
  /// the content.
  std::string digest;
  int64_t file_size_bytes = 0;
  /// Leaf columns whose declared type was changed from FIXED_LEN_BYTE_ARRAY to BYTE_ARRAY because
  /// the pages hold length-prefixed values.
  int64_t num_repaired_columns = 0;
  /// The value of the key ARROW:schema as it is stored (base64 of an IPC message), "" where there
  /// is none. `metadata` does not have the key: what is read follows from the Parquet schema alone.
  std::string stored_arrow_schema;
  /// Parquet columns that are encrypted in some row group, ascending. `metadata` may throw where it
  /// is asked for the column chunks of these.
  std::vector<int> encrypted_columns;
};

/// Reads and repairs the footer of a file.
/// Errors: kind parquet for bytes that are not a whole Parquet file (retryable: it may still be
/// being written), parquet for a footer of more than 32 MiB, io for read failures. Source: format
/// reference 3.8.
Result<Footer> ReadFooter(arrow::io::RandomAccessFile* file, const Location& location);

/// Rewrites a serialized footer in place: a leaf that is declared FIXED_LEN_BYTE_ARRAY but carries
/// unencoded_byte_array_data_bytes in the size statistics of a column chunk becomes BYTE_ARRAY, in
/// the schema and in all of its column chunks. No byte is added or removed. Where
/// `stored_arrow_schema` is given, it gets the value of the key ARROW:schema, and the key in the
/// footer gets a name that nobody looks for. `encrypted_columns` gets the leaf columns with crypto
/// metadata. Returns: how many leaf columns were changed. Errors: Invalid naming the offset when
/// the bytes are not a footer.
Result<int64_t> RepairFooter(std::string* footer, std::string* stored_arrow_schema = nullptr,
                             std::vector<int>* encrypted_columns = nullptr);

}  // namespace df::lake
