// Compressed bytes of the network, of known and bounded size.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace df {

enum class Compression : uint8_t { kNone, kGzip, kZstd, kDeflate, kSnappy, kLz4 };

/// Returns the name that HTTP and gRPC give it: "identity", "gzip", "zstd", "deflate", "snappy" or
/// "lz4".
std::string_view Name(Compression compression);

/// Returns the compression of a name of HTTP or gRPC, in any case; "" and "none" are none,
/// "x-gzip", "zlib" and "x-snappy-framed" are known too. Nothing for others.
std::optional<Compression> ParseCompression(std::string_view name);

/// Returns the bytes compressed. Deflate is HTTP's: the format of zlib (RFC 1950). Snappy is one
/// block, LZ4 one frame.
Result<std::string> Compress(Compression compression, std::string_view bytes);

/// Returns what was compressed, all members of it. Snappy may be a block or come in frames.
/// Errors: CapacityError when it is more than `max_bytes`, found before more than that is kept;
/// Invalid when the bytes are not of that compression, are cut off, or when zstd needs a window of
/// more than 8 MiB.
Result<std::string> Decompress(Compression compression, std::string_view bytes, int64_t max_bytes);

}  // namespace df
