#include "lake/format/page_splitter.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include <arrow/buffer.h>
#include <arrow/io/buffered.h>
#include <arrow/util/crc32.h>
#include <fmt/format.h>

namespace df::lake {
namespace {

using arrow::Result;
using arrow::Status;
using parquet::Type;

constexpr int64_t kPlain = 0;  // as encodings are numbered in files
constexpr int64_t kRle = 3;
constexpr int64_t kStepBytes = 1 << 18;
constexpr int64_t kFarBytes = 1 << 20;  ///< the same, of a store that is far away
constexpr size_t kLevelBlock = 1024;
constexpr size_t kLargeLevels = 64;  // bytes of levels of a value that stands alone

/// Bytes of each plain value; 0 where each has its length in front, -1 where they are no bytes.
int64_t ValueBytes(const parquet::ColumnDescriptor& descriptor) {
  switch (descriptor.physical_type()) {
    case Type::BYTE_ARRAY:
      return 0;
    case Type::FIXED_LEN_BYTE_ARRAY:
      return descriptor.type_length() > 0 ? descriptor.type_length() : -1;
    case Type::INT32:
    case Type::FLOAT:
      return 4;
    case Type::INT64:
    case Type::DOUBLE:
      return 8;
    case Type::INT96:
      return 12;
    default:
      return -1;
  }
}

/// Encodes levels as RLE with the length in front: one run when all are alike, packed otherwise.
void AppendLevels(const std::vector<uint8_t>& levels, int bit_width, std::vector<uint8_t>* out) {
  const size_t length_at = out->size();
  out->resize(length_at + sizeof(uint32_t));
  auto append_varint = [out](uint64_t value) {
    for (; value >= 0x80; value >>= 7U) {
      out->push_back(static_cast<uint8_t>(value | 0x80U));
    }
    out->push_back(static_cast<uint8_t>(value));
  };
  const bool is_alike = std::all_of(levels.begin(), levels.end(),
                                    [&](uint8_t level) { return level == levels.front(); });
  if (is_alike) {
    append_varint(uint64_t{levels.size()} << 1U);
    out->push_back(levels.front());
  } else {
    const size_t num_groups = (levels.size() + 7) / 8;
    append_varint((uint64_t{num_groups} << 1U) | 1U);
    const size_t begin = out->size();
    out->resize(begin + num_groups * static_cast<size_t>(bit_width), 0);
    size_t bit = 0;
    for (const uint8_t level : levels) {
      for (int i = 0; i < bit_width; ++i, ++bit) {
        (*out)[begin + bit / 8] |= static_cast<uint8_t>(((level >> i) & 1U) << (bit % 8));
      }
    }
  }
  const auto length = static_cast<uint32_t>(out->size() - length_at - sizeof(uint32_t));
  std::memcpy(out->data() + length_at, &length, sizeof(length));
}

}  // namespace

bool PageSplitter::CanSplit(const PageHeader& header, parquet::Compression::type codec,
                            const parquet::ColumnDescriptor& descriptor) {
  const bool has_levels = descriptor.max_definition_level() > 0;
  return header.is_data && header.encoding == kPlain && descriptor.max_repetition_level() == 0 &&
         header.num_values > 0 && (header.is_v2 || !has_levels || header.level_encoding == kRle) &&
         header.repetition_bytes == 0 && header.definition_bytes >= 0 &&
         header.definition_bytes <= std::min(header.compressed_bytes, header.uncompressed_bytes) &&
         InflatesInPieces(codec) && ValueBytes(descriptor) >= 0;
}

Result<std::unique_ptr<PageSplitter>> PageSplitter::Make(StoredPage page, int64_t max_value_bytes) {
  std::unique_ptr<PageSplitter> splitter(new PageSplitter(std::move(page), max_value_bytes));
  ARROW_RETURN_NOT_OK(splitter->Check());
  ARROW_RETURN_NOT_OK(splitter->Begin());
  return splitter;
}

PageSplitter::PageSplitter(StoredPage page, int64_t max_value_bytes)
    : page_(std::move(page)),
      max_value_bytes_(max_value_bytes),
      value_bytes_(ValueBytes(*page_.descriptor)),
      max_level_(static_cast<uint32_t>(page_.descriptor->max_definition_level())),
      rows_left_(page_.header.num_values) {}

/// Values go out before the page has been read to its end, so it is read once before.
Status PageSplitter::Check() {
  const PageHeader& header = page_.header;
  uint32_t checksum = 0;
  for (int64_t at = 0; header.checksum.has_value() && at < header.compressed_bytes;) {
    const int64_t step =
        std::min(page_.is_far ? kFarBytes : kStepBytes, header.compressed_bytes - at);
    ARROW_ASSIGN_OR_RAISE(const auto bytes, page_.file->ReadAt(page_.position + at, step));
    if (bytes->size() < step) {
      return Status::Invalid("the page ends early");
    }
    checksum = arrow::internal::crc32(checksum, bytes->data(), static_cast<size_t>(bytes->size()));
    at += step;
  }
  if (checksum != header.checksum.value_or(checksum)) {
    return Status::Invalid(fmt::format("found a page with checksum {:08x}, expected {:08x}",
                                       checksum, *header.checksum));
  }
  ARROW_ASSIGN_OR_RAISE(bytes_, OpenValues());
  bytes_left_ = header.uncompressed_bytes - header.definition_bytes;
  ARROW_RETURN_NOT_OK(SkipBytes(bytes_left_));
  uint8_t more = 0;
  return bytes_->Read(1, &more).ok() ? Status::Invalid("the page is longer than its header says")
                                     : Status::OK();
}

Result<std::unique_ptr<PageBytes>> PageSplitter::OpenValues() const {
  const PageHeader& header = page_.header;
  ARROW_ASSIGN_OR_RAISE(auto stream, arrow::io::RandomAccessFile::GetStream(
                                         page_.file, page_.position + header.definition_bytes,
                                         header.compressed_bytes - header.definition_bytes));
  if (page_.is_far) {  // values are taken one by one, and each would be a request
    ARROW_ASSIGN_OR_RAISE(stream, arrow::io::BufferedInputStream::Create(
                                      kFarBytes, arrow::default_memory_pool(), std::move(stream),
                                      header.compressed_bytes - header.definition_bytes));
  }
  const bool is_plain = header.is_v2 && !header.is_compressed;
  return InflatePage(is_plain ? parquet::Compression::UNCOMPRESSED : page_.codec,
                     std::move(stream));
}

Status PageSplitter::Begin() {
  ARROW_ASSIGN_OR_RAISE(bytes_, OpenValues());
  bytes_left_ = page_.header.uncompressed_bytes - page_.header.definition_bytes;
  return max_level_ == 0 ? Status::OK() : ReadLevels();
}

Status PageSplitter::ReadLevels() {
  if (page_.header.is_v2) {
    ARROW_ASSIGN_OR_RAISE(const auto bytes,
                          page_.file->ReadAt(page_.position, page_.header.definition_bytes));
    levels_.assign(bytes->data(), bytes->data() + bytes->size());
  } else {
    uint32_t size_bytes = 0;
    if (bytes_left_ < static_cast<int64_t>(sizeof(size_bytes))) {
      return Status::Invalid("the page is cut short before its definition levels");
    }
    ARROW_RETURN_NOT_OK(bytes_->Read(sizeof(size_bytes), reinterpret_cast<uint8_t*>(&size_bytes)));
    bytes_left_ -= sizeof(size_bytes);
    if (size_bytes > bytes_left_) {
      return Status::Invalid("the definition levels are longer than their page");
    }
    levels_.resize(size_bytes);
    ARROW_RETURN_NOT_OK(bytes_->Read(size_bytes, levels_.data()));
    bytes_left_ -= size_bytes;
  }
  level_decoder_ = HybridDecoder(levels_.data(), static_cast<int64_t>(levels_.size()),
                                 std::bit_width(max_level_));
  return Status::OK();
}

Result<uint32_t> PageSplitter::NextLevel() {
  if (max_level_ == 0) {
    return 0;
  }
  if (next_level_ == level_block_.size()) {
    level_block_.resize(kLevelBlock);
    const int64_t count = level_decoder_.Decode(
        std::min<int64_t>(static_cast<int64_t>(kLevelBlock), rows_left_), level_block_.data());
    level_block_.resize(static_cast<size_t>(count));
    next_level_ = 0;
    if (count == 0) {
      return Status::Invalid("the page has fewer definition levels than values");
    }
  }
  const uint32_t level = level_block_[next_level_];
  return level <= max_level_
             ? Result<uint32_t>(level)
             : Result<uint32_t>(Status::Invalid("a definition level is past its maximum"));
}

Result<std::shared_ptr<parquet::Page>> PageSplitter::Next() {
  piece_levels_.clear();
  piece_values_.clear();
  while (rows_left_ > 0) {
    ARROW_ASSIGN_OR_RAISE(const uint32_t level, NextLevel());
    if (level == max_level_) {
      ARROW_ASSIGN_OR_RAISE(const bool is_taken, TakeValue());
      if (!is_taken && !piece_levels_.empty()) {
        break;  // it is looked at again
      }
      if (!is_taken) {
        const int64_t size_bytes = std::exchange(length_, std::nullopt).value_or(0);
        ARROW_RETURN_NOT_OK(SkipBytes(size_bytes));
        ++next_level_;
        --rows_left_;
        return std::make_shared<RefusedPage>(
            RefusedPage::Facts{RefusedPage::Kind::kValue, 1, size_bytes, max_value_bytes_});
      }
    }
    piece_levels_.push_back(static_cast<uint8_t>(level));
    ++next_level_;
    --rows_left_;
    if (static_cast<int64_t>(piece_values_.size()) >= kPieceBytes ||
        static_cast<int64_t>(piece_levels_.size()) >= kPieceBytes) {
      break;
    }
  }
  return piece_levels_.empty() ? nullptr : FinishPiece();
}

/// Appends the next value to the piece. Returns false when it is to begin another one, or too
/// large.
Result<bool> PageSplitter::TakeValue() {
  if (value_bytes_ > 0) {
    ARROW_RETURN_NOT_OK(ReadValue(value_bytes_));
    return true;
  }
  if (!length_.has_value()) {
    uint32_t length = 0;
    if (bytes_left_ < static_cast<int64_t>(sizeof(length))) {
      return Status::Invalid("the page has fewer values than its levels say");
    }
    ARROW_RETURN_NOT_OK(bytes_->Read(sizeof(length), reinterpret_cast<uint8_t*>(&length)));
    bytes_left_ -= sizeof(length);
    if (length > bytes_left_) {
      return Status::Invalid(
          fmt::format("a value has {} bytes in {} bytes of page", length, bytes_left_));
    }
    length_ = length;
  }
  const bool is_large = *length_ > kPieceBytes && !piece_levels_.empty();
  if (is_large || *length_ > max_value_bytes_) {
    return false;
  }
  const uint32_t length = *std::exchange(length_, std::nullopt);
  const auto* prefix = reinterpret_cast<const uint8_t*>(&length);
  piece_values_.insert(piece_values_.end(), prefix, prefix + sizeof(length));
  ARROW_RETURN_NOT_OK(ReadValue(length));
  return true;
}

Status PageSplitter::ReadValue(int64_t size_bytes) {
  if (size_bytes > bytes_left_) {
    return Status::Invalid("the page has fewer values than its levels say");
  }
  const size_t begin = piece_values_.size();
  if (size_bytes > kPieceBytes) {  // levels go in front of it, without another copy
    piece_values_.reserve(begin + static_cast<size_t>(size_bytes) + kLargeLevels);
  }
  piece_values_.resize(begin + static_cast<size_t>(size_bytes));
  bytes_left_ -= size_bytes;
  return bytes_->Read(size_bytes, piece_values_.data() + begin);
}

Status PageSplitter::SkipBytes(int64_t size_bytes) {
  std::vector<uint8_t> scratch(static_cast<size_t>(std::min(size_bytes, kStepBytes)));
  while (size_bytes > 0) {
    const int64_t step = std::min(size_bytes, kStepBytes);
    ARROW_RETURN_NOT_OK(bytes_->Read(step, scratch.data()));
    bytes_left_ -= step;
    size_bytes -= step;
  }
  return Status::OK();
}

std::shared_ptr<parquet::Page> PageSplitter::FinishPiece() {
  if (max_level_ > 0) {
    std::vector<uint8_t> levels;
    AppendLevels(piece_levels_, std::bit_width(max_level_), &levels);
    piece_values_.insert(piece_values_.begin(), levels.begin(), levels.end());
  }
  const auto size_bytes = static_cast<int64_t>(piece_values_.size());
  return std::make_shared<parquet::DataPageV1>(
      arrow::Buffer::FromVector(std::exchange(piece_values_, {})),
      static_cast<int32_t>(piece_levels_.size()), parquet::Encoding::PLAIN, parquet::Encoding::RLE,
      parquet::Encoding::RLE, size_bytes);
}

}  // namespace df::lake
