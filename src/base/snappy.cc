#include "base/snappy.h"

#include <memory>
#include <optional>
#include <utility>

#include <arrow/util/compression.h>
#include <boost/crc.hpp>
#include <fmt/format.h>

namespace df {
namespace {

constexpr std::string_view kIdentifier = {"\xff\x06\x00\x00sNaPpY", 10};
constexpr size_t kHeaderBytes = 4;
constexpr size_t kChecksumBytes = 4;
// The types of chunks; from kFirstSkippable on they may be skipped by who does not know them.
constexpr uint8_t kCompressed = 0x00;
constexpr uint8_t kPlain = 0x01;
constexpr uint8_t kFirstSkippable = 0x80;

Status Broken(std::string_view reason) {
  return Status::Invalid(fmt::format("snappy: {}", reason));
}

uint32_t LittleEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  }
  return value;
}

/// CRC-32C, masked as the framing format wants it.
uint32_t MaskedChecksum(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> checksum;
  checksum.process_bytes(bytes.data(), bytes.size());
  const uint32_t plain = checksum.checksum();
  return ((plain >> 15U) | (plain << 17U)) + 0xa282ead8U;
}

/// Returns the length that a block says it inflates to.
std::optional<uint64_t> LengthOf(std::string_view block) {
  uint64_t length = 0;
  for (unsigned i = 0; i < 5 && i < block.size(); ++i) {
    const auto byte = static_cast<uint8_t>(block[i]);
    length |= static_cast<uint64_t>(byte & 0x7fU) << (7 * i);
    if (byte < 0x80) {
      return length;
    }
  }
  return std::nullopt;
}

class Reader {
 public:
  Reader(std::unique_ptr<arrow::util::Codec> codec, int64_t max_bytes)
      : codec_(std::move(codec)), max_bytes_(max_bytes) {}

  Status AppendBlock(std::string_view block) {
    const std::optional<uint64_t> length = LengthOf(block);
    if (!length.has_value()) {
      return Broken("a block without its length");
    }
    ARROW_RETURN_NOT_OK(CheckRoom(*length));
    const size_t before = out_.size();
    out_.resize(before + *length);
    const auto inflated = codec_->Decompress(
        static_cast<int64_t>(block.size()), reinterpret_cast<const uint8_t*>(block.data()),
        static_cast<int64_t>(*length), reinterpret_cast<uint8_t*>(out_.data() + before));
    if (!inflated.ok() || *inflated != static_cast<int64_t>(*length)) {
      return Broken("a block that is broken");
    }
    return Status::OK();
  }

  Status AppendFrames(std::string_view bytes) {
    while (!bytes.empty()) {
      if (bytes.size() < kHeaderBytes) {
        return Broken("the bytes are cut off");
      }
      const auto type = static_cast<uint8_t>(bytes[0]);
      const size_t size = LittleEndian(bytes.substr(1, 3));
      bytes.remove_prefix(kHeaderBytes);
      if (bytes.size() < size) {
        return Broken("the bytes are cut off");
      }
      if (type == kCompressed || type == kPlain) {
        ARROW_RETURN_NOT_OK(AppendChunk(type, bytes.substr(0, size)));
      } else if (type < kFirstSkippable) {
        return Broken(fmt::format("a chunk of type {}, which is unknown", type));
      }
      bytes.remove_prefix(size);
    }
    return Status::OK();
  }

  std::string Take() && { return std::move(out_); }

 private:
  Status CheckRoom(uint64_t more) const {
    return more > static_cast<uint64_t>(max_bytes_) - out_.size()
               ? Status::CapacityError(
                     fmt::format("snappy: inflates to more than the {} bytes allowed", max_bytes_))
               : Status::OK();
  }

  Status AppendChunk(uint8_t type, std::string_view chunk) {
    if (chunk.size() < kChecksumBytes) {
      return Broken("a chunk without its checksum");
    }
    const uint32_t checksum = LittleEndian(chunk.substr(0, kChecksumBytes));
    chunk.remove_prefix(kChecksumBytes);
    const size_t before = out_.size();
    if (type == kCompressed) {
      ARROW_RETURN_NOT_OK(AppendBlock(chunk));
    } else {
      ARROW_RETURN_NOT_OK(CheckRoom(chunk.size()));
      out_ += chunk;
    }
    return MaskedChecksum(std::string_view(out_).substr(before)) == checksum
               ? Status::OK()
               : Broken("a chunk whose checksum is wrong");
  }

  std::unique_ptr<arrow::util::Codec> codec_;
  int64_t max_bytes_;
  std::string out_;
};

}  // namespace

Result<std::string> DecompressSnappy(std::string_view bytes, int64_t max_bytes) {
  ARROW_ASSIGN_OR_RAISE(auto codec, arrow::util::Codec::Create(arrow::Compression::SNAPPY));
  Reader reader(std::move(codec), max_bytes);
  ARROW_RETURN_NOT_OK(bytes.starts_with(kIdentifier) ? reader.AppendFrames(bytes)
                                                     : reader.AppendBlock(bytes));
  return std::move(reader).Take();
}

}  // namespace df
