// The bloom filter of a column chunk, asked about single values.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <arrow/io/interfaces.h>

namespace df::lake {

/// Where the bloom filter of a column chunk stands.
struct BloomLocation {
  int64_t offset = 0;
  std::optional<int64_t> size_bytes;  ///< with its header, where the footer says so
  int64_t file_bytes = 0;
};

/// Tells whether a column chunk may have one of some values of a fixed length, by their bytes. A
/// filter that cannot be read, or is of a kind that is not known, says that it may.
/// Cost: reads the header and 32 bytes a value, or all of the filter where that is less, or
/// `is_remote` and BloomRanges tells no ranges: each read is a request then. Source: BloomFilter.md
/// of the Parquet format.
bool MayHaveAny(arrow::io::RandomAccessFile* file, const BloomLocation& location,
                const std::vector<std::string_view>& values, bool is_remote);

/// Returns what MayHaveAny reads for some values, of a filter that is far away; nothing where that
/// is all of it.
std::vector<arrow::io::ReadRange> BloomRanges(const BloomLocation& location,
                                              const std::vector<std::string_view>& values);

}  // namespace df::lake
