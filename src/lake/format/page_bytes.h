// Inflates the bytes of a page piece by piece.
#pragma once

#include <cstdint>
#include <memory>

#include <arrow/io/interfaces.h>
#include <arrow/result.h>
#include <parquet/types.h>

namespace df::lake {

/// Reads inflated bytes front to back. Cost: holds some 64 KiB, whatever the size of the page.
class PageBytes {
 public:
  virtual ~PageBytes() = default;
  /// Puts exactly `size_bytes` into `out`. Errors: Invalid where the bytes are broken or end early.
  virtual arrow::Status Read(int64_t size_bytes, uint8_t* out) = 0;
};

/// Tells whether pages of a codec can be inflated piece by piece.
bool InflatesInPieces(parquet::Compression::type codec);

/// Inflates what `compressed` holds, all of it. `codec` is one that InflatesInPieces.
arrow::Result<std::unique_ptr<PageBytes>> InflatePage(
    parquet::Compression::type codec, std::shared_ptr<arrow::io::InputStream> compressed);

}  // namespace df::lake
