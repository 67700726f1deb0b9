#include "base/compression.h"

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

#include <arrow/util/compression.h>
#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include "base/snappy.h"
#include "base/text.h"

namespace df {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"identity", "gzip",   "zstd",
                                                    "deflate",  "snappy", "lz4"};

struct Alias {
  std::string_view name;
  Compression compression;
};
// What RFC 9110 and Collectors say besides.
constexpr std::array<Alias, 4> kAliases = {{{"none", Compression::kNone},
                                            {"x-gzip", Compression::kGzip},
                                            {"zlib", Compression::kDeflate},
                                            {"x-snappy-framed", Compression::kSnappy}}};

// What zlib adds to the size of the window to choose gzip's header.
constexpr int kGzipWindow = MAX_WBITS + 16;
// Of telemetry, level 3 leaves 4 % more bytes than zlib's own level 6, in half the time.
constexpr int kDeflateLevel = 3;
constexpr int kMemoryLevel = 8;
constexpr size_t kChunkBytes = 64 << 10;
// RFC 8878 asks decoders for 8 MiB; a frame that asks for more only costs memory.
constexpr int kMaxWindowLog = 23;

using Chunk = std::vector<uint8_t>;

/// Room for one step; kept, as every message would fill fresh memory otherwise.
Chunk& Room() {
  thread_local Chunk chunk(kChunkBytes);
  return chunk;
}

/// Appends a piece; false when that is more than allowed.
bool Append(size_t size, int64_t max_bytes, std::string* out) {
  if (static_cast<int64_t>(out->size() + size) > max_bytes) {
    return false;
  }
  out->append(reinterpret_cast<const char*>(Room().data()), size);
  return true;
}

Status TooLarge(Compression compression, int64_t max_bytes) {
  return Status::CapacityError(
      fmt::format("{}: inflates to more than the {} bytes allowed", Name(compression), max_bytes));
}

Status Broken(Compression compression, std::string_view reason) {
  return Status::Invalid(fmt::format("{}: {}", Name(compression), reason));
}

Result<std::string> Deflate(Compression compression, std::string_view bytes) {
  z_stream stream{};
  const int window = compression == Compression::kGzip ? kGzipWindow : MAX_WBITS;
  if (deflateInit2(&stream, kDeflateLevel, Z_DEFLATED, window, kMemoryLevel, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    return Broken(compression, "no memory");
  }
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) {
    return Broken(compression, "the bytes cannot be compressed");
  }
  return out;
}

Result<std::string> Inflate(Compression compression, std::string_view bytes, int64_t max_bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, compression == Compression::kGzip ? kGzipWindow : MAX_WBITS) != Z_OK) {
    return Broken(compression, "no memory");
  }
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> end(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  while (true) {
    stream.next_out = Room().data();
    stream.avail_out = static_cast<uInt>(kChunkBytes);
    const int result = inflate(&stream, Z_NO_FLUSH);
    const size_t size = kChunkBytes - stream.avail_out;
    if (result != Z_OK && result != Z_STREAM_END) {
      return Broken(compression, result == Z_BUF_ERROR   ? "the bytes are cut off"
                                 : stream.msg != nullptr ? stream.msg
                                                         : "the bytes are broken");
    }
    if (!Append(size, max_bytes, &out)) {
      return TooLarge(compression, max_bytes);
    }
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) {
        return out;
      }
      if (compression != Compression::kGzip) {
        return Broken(compression, fmt::format("{} bytes behind the end", stream.avail_in));
      }
      inflateReset(&stream);
    }
  }
}

Result<std::string> CompressZstd(std::string_view bytes) {
  thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                                  ZSTD_freeCCtx);
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size = ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(),
                                        bytes.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size) != 0) {
    return Broken(Compression::kZstd, ZSTD_getErrorName(size));
  }
  out.resize(size);
  return out;
}

Result<std::string> DecompressZstd(std::string_view bytes, int64_t max_bytes) {
  thread_local const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                                  ZSTD_freeDCtx);
  ZSTD_DCtx_reset(context.get(), ZSTD_reset_session_and_parameters);
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kMaxWindowLog);
  std::string out;
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  while (true) {
    ZSTD_outBuffer room{Room().data(), kChunkBytes, 0};
    const size_t left = ZSTD_decompressStream(context.get(), &room, &in);
    if (ZSTD_isError(left) != 0) {
      return Broken(Compression::kZstd, ZSTD_getErrorName(left));
    }
    if (!Append(room.pos, max_bytes, &out)) {
      return TooLarge(Compression::kZstd, max_bytes);
    }
    if (in.pos == in.size && (left == 0 || room.pos < room.size)) {
      return left == 0 ? Result<std::string>(std::move(out))
                       : Broken(Compression::kZstd, "the bytes are cut off");
    }
  }
}

/// Returns the codec of Arrow's, which lacks none of them: Parquet files need both.
Result<std::unique_ptr<arrow::util::Codec>> ArrowCodec(Compression compression) {
  return arrow::util::Codec::Create(compression == Compression::kSnappy
                                        ? arrow::Compression::SNAPPY
                                        : arrow::Compression::LZ4_FRAME);
}

Result<std::string> CompressByArrow(Compression compression, std::string_view bytes) {
  ARROW_ASSIGN_OR_RAISE(const auto codec, ArrowCodec(compression));
  const auto size = static_cast<int64_t>(bytes.size());
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  std::string out(static_cast<size_t>(codec->MaxCompressedLen(size, data)), '\0');
  ARROW_ASSIGN_OR_RAISE(const int64_t used,
                        codec->Compress(size, data, static_cast<int64_t>(out.size()),
                                        reinterpret_cast<uint8_t*>(out.data())));
  out.resize(static_cast<size_t>(used));
  return out;
}

Result<std::string> DecompressLz4(std::string_view bytes, int64_t max_bytes) {
  ARROW_ASSIGN_OR_RAISE(const auto codec, ArrowCodec(Compression::kLz4));
  ARROW_ASSIGN_OR_RAISE(const auto frame, codec->MakeDecompressor());
  std::string out;
  while (true) {
    const auto step = frame->Decompress(static_cast<int64_t>(bytes.size()),
                                        reinterpret_cast<const uint8_t*>(bytes.data()),
                                        static_cast<int64_t>(kChunkBytes), Room().data());
    if (!step.ok()) {
      return Broken(Compression::kLz4, step.status().message());
    }
    bytes.remove_prefix(static_cast<size_t>(step->bytes_read));
    if (!Append(static_cast<size_t>(step->bytes_written), max_bytes, &out)) {
      return TooLarge(Compression::kLz4, max_bytes);
    }
    if (frame->IsFinished()) {
      if (bytes.empty()) {
        return out;
      }
      ARROW_RETURN_NOT_OK(frame->Reset());
    } else if (step->bytes_read == 0 && step->bytes_written == 0) {
      return Broken(Compression::kLz4, "the bytes are cut off");
    }
  }
}

}  // namespace

std::string_view Name(Compression compression) { return kNames[static_cast<size_t>(compression)]; }

std::optional<Compression> ParseCompression(std::string_view name) {
  if (name.empty()) {
    return Compression::kNone;
  }
  for (const Alias& alias : kAliases) {
    if (EqualsIgnoringCase(name, alias.name)) {
      return alias.compression;
    }
  }
  const auto* found = std::find_if(
      kNames.begin(), kNames.end(),
      [name](std::string_view candidate) { return EqualsIgnoringCase(name, candidate); });
  return found == kNames.end() ? std::nullopt
                               : std::optional(static_cast<Compression>(found - kNames.begin()));
}

Result<std::string> Compress(Compression compression, std::string_view bytes) {
  switch (compression) {
    case Compression::kNone:
      return std::string(bytes);
    case Compression::kZstd:
      return CompressZstd(bytes);
    case Compression::kSnappy:
    case Compression::kLz4:
      return CompressByArrow(compression, bytes);
    default:
      return Deflate(compression, bytes);
  }
}

Result<std::string> Decompress(Compression compression, std::string_view bytes, int64_t max_bytes) {
  switch (compression) {
    case Compression::kNone:
      return static_cast<int64_t>(bytes.size()) > max_bytes
                 ? Result<std::string>(TooLarge(compression, max_bytes))
                 : std::string(bytes);
    case Compression::kZstd:
      return DecompressZstd(bytes, max_bytes);
    case Compression::kSnappy:
      return DecompressSnappy(bytes, max_bytes);
    case Compression::kLz4:
      return DecompressLz4(bytes, max_bytes);
    default:
      return Inflate(compression, bytes, max_bytes);
  }
}

}  // namespace df
