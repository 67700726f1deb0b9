#include "lake/format/bloom_filter.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <arrow/util/endian.h>
#include <parquet/xxhasher.h>

#include "lake/format/thrift_compact.h"

namespace df::lake {
namespace {

constexpr int64_t kBlockBytes = 32;
constexpr int64_t kHeaderBytes = 64;  ///< at most; most have 15 or so
constexpr int64_t kMaxFilterBytes = 128 << 20;

/// Single blocks of larger filters are read of stores that are far away, for so many values at
/// most: all of it costs more than the requests.
constexpr int64_t kLeastSparseBytes = 16 << 10;
constexpr size_t kMostLookups = 8;

/// A bit in each of the eight words of a block.
constexpr std::array<uint32_t, 8> kSalts = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                            0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};

struct BloomHeader {
  int64_t header_bytes = 0;
  int64_t num_bytes = 0;
};

/// Reads a union of which the first member is the only one that is known.
arrow::Status ReadFirstMember(ThriftWalker* walker) {
  ARROW_ASSIGN_OR_RAISE(const ThriftField member, walker->NextField(0));
  if (member.id != 1 || member.type != ThriftType::kStruct) {
    return arrow::Status::Invalid("not of the kind that is known");
  }
  ARROW_RETURN_NOT_OK(walker->Skip(member.type));
  ARROW_ASSIGN_OR_RAISE(const ThriftField end, walker->NextField(member.id));
  return end.type == ThriftType::kStop ? arrow::Status::OK()
                                       : arrow::Status::Invalid("a union of two");
}

arrow::Result<BloomHeader> ReadHeader(std::string_view bytes) {
  BloomHeader header;
  ThriftWalker walker(bytes);
  int num_unions = 0;
  for (int16_t id = 0;;) {
    ARROW_ASSIGN_OR_RAISE(const ThriftField field, walker.NextField(id));
    if (field.type == ThriftType::kStop) {
      break;
    }
    id = field.id;
    if (id == 1 && field.type == ThriftType::kI32) {
      ARROW_ASSIGN_OR_RAISE(header.num_bytes, walker.ZigZag());
    } else if (id >= 2 && id <= 4 && field.type == ThriftType::kStruct) {
      // Blocks, xxHash, and no compression.
      ARROW_RETURN_NOT_OK(ReadFirstMember(&walker));
      ++num_unions;
    } else {
      return arrow::Status::Invalid("has a field that is not known");
    }
  }
  header.header_bytes = walker.offset();
  if (num_unions != 3 || header.num_bytes < kBlockBytes || header.num_bytes > kMaxFilterBytes ||
      header.num_bytes % kBlockBytes != 0) {
    return arrow::Status::Invalid("has no whole blocks");
  }
  return header;
}

/// Returns the header that a filter seems to have by its size: the filters of all writers that are
/// known take a power of two. Nothing where the filter is small, or of another size.
std::optional<BloomHeader> GuessHeader(const BloomLocation& location) {
  const int64_t size_bytes = location.size_bytes.value_or(0);
  if (size_bytes < kLeastSparseBytes || size_bytes > kMaxFilterBytes) {
    return std::nullopt;
  }
  BloomHeader header;
  header.num_bytes = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(size_bytes - 1)));
  header.header_bytes = size_bytes - header.num_bytes;
  return header.header_bytes <= kHeaderBytes ? std::optional(header) : std::nullopt;
}

/// Returns where the block of a value stands in the filter.
int64_t OffsetOf(uint64_t hash, int64_t num_filter_bytes) {
  const auto num_blocks = static_cast<uint64_t>(num_filter_bytes / kBlockBytes);
  return static_cast<int64_t>(((hash >> 32U) * num_blocks) >> 32U) * kBlockBytes;
}

bool BlockHas(const uint8_t* block, uint32_t key) {
  for (size_t i = 0; i < kSalts.size(); ++i) {
    uint32_t word = 0;
    std::memcpy(&word, block + i * sizeof(word), sizeof(word));
    word = arrow::bit_util::FromLittleEndian(word);
    if ((word >> ((key * kSalts[i]) >> 27U) & 1U) == 0) {
      return false;
    }
  }
  return true;
}

/// Errors: when it cannot be told.
arrow::Result<bool> Ask(arrow::io::RandomAccessFile* file, const BloomLocation& location,
                        const std::vector<std::string_view>& values, bool is_remote) {
  const int64_t rest = location.file_bytes - location.offset;
  if (location.offset < 4 || rest <= 0) {
    return arrow::Status::Invalid("lies outside the file");
  }
  const auto guess =
      is_remote && values.size() <= kMostLookups ? GuessHeader(location) : std::nullopt;
  const bool is_whole = is_remote && !guess.has_value() && location.size_bytes.has_value() &&
                        *location.size_bytes <= kMaxFilterBytes;
  const int64_t first_bytes = std::clamp<int64_t>(is_whole            ? *location.size_bytes
                                                  : guess.has_value() ? guess->header_bytes
                                                                      : kHeaderBytes,
                                                  0, rest);
  ARROW_ASSIGN_OR_RAISE(auto first, file->ReadAt(location.offset, first_bytes));
  ARROW_ASSIGN_OR_RAISE(const BloomHeader header, ReadHeader(std::string_view(*first)));
  if (header.num_bytes > rest - header.header_bytes) {
    return arrow::Status::Invalid("lies outside the file");
  }
  const int64_t position = location.offset + header.header_bytes;
  std::shared_ptr<arrow::Buffer> all;
  if (first->size() >= header.header_bytes + header.num_bytes) {
    all = arrow::SliceBuffer(first, header.header_bytes, header.num_bytes);
  } else if ((is_remote && !(guess.has_value() && guess->num_bytes == header.num_bytes &&
                             guess->header_bytes == header.header_bytes)) ||
             static_cast<int64_t>(values.size()) >= header.num_bytes / kBlockBytes / 8) {
    ARROW_ASSIGN_OR_RAISE(all, file->ReadAt(position, header.num_bytes));
    if (all->size() != header.num_bytes) {
      return arrow::Status::Invalid("is cut short");
    }
  }
  const parquet::XxHasher hasher;
  for (const std::string_view value : values) {
    const uint64_t hash = hasher.Hash(value);
    const int64_t offset = OffsetOf(hash, header.num_bytes);
    std::array<uint8_t, kBlockBytes> block{};
    if (all != nullptr) {
      std::memcpy(block.data(), all->data() + offset, block.size());
    } else {
      ARROW_ASSIGN_OR_RAISE(const int64_t got,
                            file->ReadAt(position + offset, kBlockBytes, block.data()));
      if (got != kBlockBytes) {
        return arrow::Status::Invalid("is cut short");
      }
    }
    if (BlockHas(block.data(), static_cast<uint32_t>(hash))) {
      return true;
    }
  }
  return false;
}

}  // namespace

bool MayHaveAny(arrow::io::RandomAccessFile* file, const BloomLocation& location,
                const std::vector<std::string_view>& values, bool is_remote) {
  return Ask(file, location, values, is_remote).ValueOr(true);
}

std::vector<arrow::io::ReadRange> BloomRanges(const BloomLocation& location,
                                              const std::vector<std::string_view>& values) {
  const auto guess = values.size() <= kMostLookups ? GuessHeader(location) : std::nullopt;
  if (!guess.has_value()) {
    return {};
  }
  std::vector<arrow::io::ReadRange> ranges = {{location.offset, guess->header_bytes}};
  const parquet::XxHasher hasher;
  for (const std::string_view value : values) {
    ranges.push_back(
        {location.offset + guess->header_bytes + OffsetOf(hasher.Hash(value), guess->num_bytes),
         kBlockBytes});
  }
  return ranges;
}

}  // namespace df::lake
