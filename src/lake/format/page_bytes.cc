#include "lake/format/page_bytes.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <arrow/buffer.h>
#include <arrow/io/compressed.h>
#include <arrow/util/compression.h>
#include <fmt/format.h>

namespace df::lake {
namespace {

using arrow::Result;
using arrow::Status;
using parquet::Compression;

constexpr int64_t kInputBytes = 64 << 10;

/// Compressors of Snappy work on blocks of so many bytes, and LZ4 cannot point further back.
constexpr size_t kWindowBytes = 64 << 10;

Status EndsEarly() { return Status::Invalid("the page ends early"); }

/// What needs no inflating, or what Arrow inflates as it goes.
class StreamBytes final : public PageBytes {
 public:
  StreamBytes(std::unique_ptr<arrow::util::Codec> codec,
              std::shared_ptr<arrow::io::InputStream> stream)
      : codec_(std::move(codec)), stream_(std::move(stream)) {}

  Status Read(int64_t size_bytes, uint8_t* out) override {
    while (size_bytes > 0) {
      ARROW_ASSIGN_OR_RAISE(const int64_t count, stream_->Read(size_bytes, out));
      if (count == 0) {
        return EndsEarly();
      }
      size_bytes -= count;
      out += count;
    }
    return Status::OK();
  }

 private:
  std::unique_ptr<arrow::util::Codec> codec_;  ///< the stream uses it
  std::shared_ptr<arrow::io::InputStream> stream_;
};

/// Codecs whose output is literals and copies of earlier output.
class CopyingBytes : public PageBytes {
 public:
  explicit CopyingBytes(std::shared_ptr<arrow::io::InputStream> stream)
      : stream_(std::move(stream)) {}

  Status Read(int64_t size_bytes, uint8_t* out) final {
    while (size_bytes > 0) {
      if (taken_ == out_.size()) {
        DropOld();
        ARROW_RETURN_NOT_OK(Produce());
      }
      const size_t count = std::min(static_cast<size_t>(size_bytes), out_.size() - taken_);
      std::memcpy(out, out_.data() + taken_, count);
      taken_ += count;
      out += count;
      size_bytes -= static_cast<int64_t>(count);
    }
    return Status::OK();
  }

 protected:
  /// Appends at least one byte of output.
  virtual Status Produce() = 0;

  Result<uint8_t> Byte() {
    if (at_ == input_.size()) {
      ARROW_RETURN_NOT_OK(Refill());
    }
    return static_cast<uint8_t>(input_[at_++]);
  }

  Result<uint32_t> LittleEndian(int num_bytes) {
    uint32_t value = 0;
    for (int i = 0; i < num_bytes; ++i) {
      ARROW_ASSIGN_OR_RAISE(const uint8_t byte, Byte());
      value |= static_cast<uint32_t>(byte) << (8 * i);
    }
    return value;
  }

  /// Appends as much of a literal as the input holds at once. Returns how much that is.
  Result<size_t> AppendLiteral(size_t size) {
    if (at_ == input_.size()) {
      ARROW_RETURN_NOT_OK(Refill());
    }
    const size_t count = std::min(size, input_.size() - at_);
    out_.insert(out_.end(), input_.begin() + static_cast<int64_t>(at_),
                input_.begin() + static_cast<int64_t>(at_ + count));
    at_ += count;
    return count;
  }

  Status AppendCopy(size_t distance, size_t size) {
    if (distance == 0 || distance > out_.size()) {
      return Status::Invalid(fmt::format("the page copies from {} bytes back, expected at most {}",
                                         distance, std::min(out_.size(), kWindowBytes)));
    }
    const size_t end = out_.size();
    out_.resize(end + size);
    uint8_t* const to = out_.data() + end;
    const uint8_t* const from = to - distance;
    if (distance >= size) {
      std::memcpy(to, from, size);
    } else {  // it repeats what it has just written
      for (size_t i = 0; i < size; ++i) {
        to[i] = from[i];
      }
    }
    return Status::OK();
  }

 private:
  Status Refill() {
    ARROW_ASSIGN_OR_RAISE(buffer_, stream_->Read(kInputBytes));
    input_ = std::string_view(*buffer_);
    at_ = 0;
    return input_.empty() ? EndsEarly() : Status::OK();
  }

  /// Keeps what copies may point to.
  void DropOld() {
    if (out_.size() > 4 * kWindowBytes) {
      out_.erase(out_.begin(), out_.end() - static_cast<int64_t>(kWindowBytes));
      taken_ = out_.size();
    }
  }

  std::shared_ptr<arrow::io::InputStream> stream_;
  std::shared_ptr<arrow::Buffer> buffer_;
  std::string_view input_;  ///< of the buffer
  size_t at_ = 0;           ///< in the input
  std::vector<uint8_t> out_;
  size_t taken_ = 0;  ///< of the output
};

class SnappyBytes final : public CopyingBytes {
 public:
  using CopyingBytes::CopyingBytes;

 private:
  Status Produce() override {
    if (!std::exchange(has_begun_, true)) {
      ARROW_RETURN_NOT_OK(PassLength());
    }
    if (literal_left_ == 0) {
      ARROW_ASSIGN_OR_RAISE(const uint8_t tag, Byte());
      switch (tag & 3U) {
        case 0: {
          const uint32_t length = tag >> 2U;
          literal_left_ = length + 1;
          if (length >= 60) {
            ARROW_ASSIGN_OR_RAISE(const uint32_t more, LittleEndian(static_cast<int>(length) - 59));
            literal_left_ = size_t{more} + 1;
          }
          break;
        }
        case 1: {
          ARROW_ASSIGN_OR_RAISE(const uint8_t low, Byte());
          return AppendCopy((static_cast<size_t>(tag & 0xe0U) << 3U) | low, ((tag >> 2U) & 7U) + 4);
        }
        default: {
          ARROW_ASSIGN_OR_RAISE(const uint32_t distance, LittleEndian((tag & 3U) == 2 ? 2 : 4));
          return AppendCopy(distance, (tag >> 2U) + 1);
        }
      }
    }
    ARROW_ASSIGN_OR_RAISE(const size_t count, AppendLiteral(literal_left_));
    literal_left_ -= count;
    return Status::OK();
  }

  /// The length in front; the header of the page says it too.
  Status PassLength() {
    for (int i = 0; i < 5; ++i) {
      ARROW_ASSIGN_OR_RAISE(const uint8_t byte, Byte());
      if (byte < 0x80) {
        return Status::OK();
      }
    }
    return Status::Invalid("the page has no length");
  }

  bool has_begun_ = false;
  size_t literal_left_ = 0;
};

/// One block of LZ4, without a frame.
class Lz4Bytes final : public CopyingBytes {
 public:
  using CopyingBytes::CopyingBytes;

 private:
  Status Produce() override {
    if (copy_left_ > 0) {
      return Copy();
    }
    if (literal_left_ == 0) {
      if (needs_copy_) {
        ARROW_ASSIGN_OR_RAISE(const uint32_t distance, LittleEndian(2));
        distance_ = distance;
        ARROW_ASSIGN_OR_RAISE(const size_t length, Length(token_ & 15U));
        copy_left_ = length + 4;
        needs_copy_ = false;
        return Copy();
      }
      ARROW_ASSIGN_OR_RAISE(token_, Byte());
      ARROW_ASSIGN_OR_RAISE(literal_left_, Length(token_ >> 4U));
      needs_copy_ = true;
      if (literal_left_ == 0) {
        return Produce();
      }
    }
    ARROW_ASSIGN_OR_RAISE(const size_t count, AppendLiteral(literal_left_));
    literal_left_ -= count;
    return Status::OK();
  }

  /// A long copy in steps: the output is kept small.
  Status Copy() {
    const size_t count = std::min(copy_left_, kWindowBytes);
    copy_left_ -= count;
    return AppendCopy(distance_, count);
  }

  Result<size_t> Length(uint32_t nibble) {
    size_t length = nibble;
    for (uint8_t byte = 255; nibble == 15 && byte == 255;) {
      ARROW_ASSIGN_OR_RAISE(byte, Byte());
      length += byte;
    }
    return length;
  }

  uint8_t token_ = 0;
  bool needs_copy_ = false;  ///< behind the literal
  size_t literal_left_ = 0;
  size_t distance_ = 0;
  size_t copy_left_ = 0;
};

}  // namespace

bool InflatesInPieces(Compression::type codec) {
  switch (codec) {
    case Compression::UNCOMPRESSED:
    case Compression::SNAPPY:
    case Compression::GZIP:
    case Compression::BROTLI:
    case Compression::ZSTD:
    case Compression::LZ4:  // one block; frames of Hadoop are another one
      return true;
    default:
      return false;
  }
}

Result<std::unique_ptr<PageBytes>> InflatePage(Compression::type codec,
                                               std::shared_ptr<arrow::io::InputStream> compressed) {
  if (codec == Compression::SNAPPY) {
    return std::make_unique<SnappyBytes>(std::move(compressed));
  }
  if (codec == Compression::LZ4) {
    return std::make_unique<Lz4Bytes>(std::move(compressed));
  }
  if (codec == Compression::UNCOMPRESSED) {
    return std::make_unique<StreamBytes>(nullptr, std::move(compressed));
  }
  ARROW_ASSIGN_OR_RAISE(auto inflater, arrow::util::Codec::Create(codec));
  ARROW_ASSIGN_OR_RAISE(auto stream,
                        arrow::io::CompressedInputStream::Make(inflater.get(), compressed));
  return std::make_unique<StreamBytes>(std::move(inflater), std::move(stream));
}

}  // namespace df::lake
