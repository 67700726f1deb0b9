// A reader of Thrift's compact protocol that only walks: it reports where values stand in the
// bytes, so that single bytes of a Parquet footer can be looked at and replaced without decoding
// and re-encoding the rest.
#pragma once

#include <cstdint>
#include <string_view>

#include <arrow/result.h>

namespace df::lake {

/// Wire types of the compact protocol.
enum class ThriftType : uint8_t {
  kStop = 0,
  kTrue = 1,
  kFalse = 2,
  kByte = 3,
  kI16 = 4,
  kI32 = 5,
  kI64 = 6,
  kDouble = 7,
  kBinary = 8,
  kList = 9,
  kSet = 10,
  kMap = 11,
  kStruct = 12,
};

struct ThriftField {
  int16_t id = 0;
  ThriftType type = ThriftType::kStop;
};

struct ThriftList {
  ThriftType element = ThriftType::kStop;
  int64_t size = 0;
};

/// Walks bytes from front to back. Every call checks bounds.
/// Errors: Invalid naming the offset. Owner: borrows `bytes`.
class ThriftWalker {
 public:
  explicit ThriftWalker(std::string_view bytes) : bytes_(bytes) {}

  int64_t offset() const { return offset_; }

  /// Reads a field header; `previous_id` is the id of the field before it in the same struct (0 at
  /// its start).
  arrow::Result<ThriftField> NextField(int16_t previous_id);

  arrow::Result<ThriftList> ListHeader();
  arrow::Result<int64_t> ZigZag();
  arrow::Result<std::string_view> Binary();

  /// Steps over a value of a type, whatever it contains; nesting deeper than 64 is refused.
  arrow::Status Skip(ThriftType type, int depth = 0);

 private:
  arrow::Result<uint8_t> Byte();
  arrow::Result<uint64_t> Varint() {
    // Most take one byte.
    if (offset_ < static_cast<int64_t>(bytes_.size())) {
      const auto byte = static_cast<uint8_t>(bytes_[static_cast<size_t>(offset_)]);
      if ((byte & 0x80) == 0) {
        ++offset_;
        return uint64_t{byte};
      }
    }
    return LongVarint();
  }
  arrow::Result<uint64_t> LongVarint();
  arrow::Status Fail(std::string_view why) const;

  std::string_view bytes_;
  int64_t offset_ = 0;
};

}  // namespace df::lake
