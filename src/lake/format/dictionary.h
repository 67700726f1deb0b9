// The dictionary of a column chunk of text, read for itself.
#pragma once

#include <cstdint>
#include <string_view>

#include <arrow/io/interfaces.h>
#include <parquet/metadata.h>
#include <parquet/schema.h>

namespace df::lake {

/// Tells whether a value of a chunk of byte arrays may be `text`, by its dictionary. Returns true
/// for a chunk without a dictionary, for one whose pages may hold other values, and when the
/// dictionary is too large or cannot be read; the reader of the column names what is wrong with it.
/// Throws what Parquet throws. Cost: one read of at most kMostDictionaryBytes.
bool DictionaryMayHave(arrow::io::RandomAccessFile* file, const parquet::ColumnChunkMetaData& chunk,
                       const parquet::ColumnDescriptor& column, int64_t file_bytes,
                       std::string_view text);

inline constexpr int64_t kMostDictionaryBytes = 4 << 20;

}  // namespace df::lake
