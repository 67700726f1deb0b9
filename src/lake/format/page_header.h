// What the header of a page says.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <arrow/result.h>

namespace df::lake {

/// Fields that are not in the header are 0, or as Parquet says.
struct PageHeader {
  int64_t header_bytes = 0;
  int64_t uncompressed_bytes = 0;
  int64_t compressed_bytes = 0;
  std::optional<uint32_t> checksum;  ///< CRC-32 of the compressed bytes
  bool is_dictionary = false;
  bool is_data = false;  ///< of version 1 or 2
  bool is_v2 = false;
  int64_t num_values = 0;  ///< nulls included
  int64_t encoding = 0;    ///< parquet::Encoding of the values, as numbered in files
  int64_t level_encoding = 0;
  // Of version 2, where levels stand uncompressed in front:
  int64_t definition_bytes = 0;
  int64_t repetition_bytes = 0;
  bool is_compressed = true;

  int64_t size_bytes() const {
    return uncompressed_bytes > compressed_bytes ? uncompressed_bytes : compressed_bytes;
  }
};

/// Errors: Invalid when the bytes hold no whole header.
arrow::Result<PageHeader> ReadPageHeader(std::string_view bytes);

}  // namespace df::lake
