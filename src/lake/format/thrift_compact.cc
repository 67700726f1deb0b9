#include "lake/format/thrift_compact.h"

#include <arrow/status.h>
#include <fmt/format.h>

namespace df::lake {
namespace {

constexpr int kMaxDepth = 64;

}  // namespace

arrow::Status ThriftWalker::Fail(std::string_view why) const {
  return arrow::Status::Invalid(
      fmt::format("footer: {} at byte {} of {}", why, offset_, bytes_.size()));
}

arrow::Result<uint8_t> ThriftWalker::Byte() {
  if (offset_ >= static_cast<int64_t>(bytes_.size())) {
    return Fail("cut short");
  }
  return static_cast<uint8_t>(bytes_[static_cast<size_t>(offset_++)]);
}

arrow::Result<uint64_t> ThriftWalker::LongVarint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 70; shift += 7) {
    ARROW_ASSIGN_OR_RAISE(const uint8_t byte, Byte());
    if (shift == 63 && byte > 1) {
      break;
    }
    value |= static_cast<uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) {
      return value;
    }
  }
  return Fail("varint longer than 64 bits");
}

arrow::Result<int64_t> ThriftWalker::ZigZag() {
  ARROW_ASSIGN_OR_RAISE(const uint64_t raw, Varint());
  return static_cast<int64_t>(raw >> 1) ^ -static_cast<int64_t>(raw & 1);
}

arrow::Result<std::string_view> ThriftWalker::Binary() {
  ARROW_ASSIGN_OR_RAISE(const uint64_t size, Varint());
  if (size > bytes_.size() - static_cast<size_t>(offset_)) {
    return Fail("string past the end");
  }
  const std::string_view value = bytes_.substr(static_cast<size_t>(offset_), size);
  offset_ += static_cast<int64_t>(size);
  return value;
}

arrow::Result<ThriftField> ThriftWalker::NextField(int16_t previous_id) {
  ARROW_ASSIGN_OR_RAISE(const uint8_t header, Byte());
  if (header == 0) {
    return ThriftField{};
  }
  const uint8_t type = header & 0x0F;
  if (type == 0 || type > static_cast<uint8_t>(ThriftType::kStruct)) {
    return Fail(fmt::format("unknown field type {}", type));
  }
  ThriftField field{.id = 0, .type = static_cast<ThriftType>(type)};
  if (const int delta = header >> 4; delta != 0) {
    field.id = static_cast<int16_t>(previous_id + delta);
  } else {
    ARROW_ASSIGN_OR_RAISE(const int64_t id, ZigZag());
    field.id = static_cast<int16_t>(id);
  }
  return field;
}

arrow::Result<ThriftList> ThriftWalker::ListHeader() {
  ARROW_ASSIGN_OR_RAISE(const uint8_t header, Byte());
  const uint8_t type = header & 0x0F;
  uint64_t size = header >> 4;
  if (size == 15) {
    ARROW_ASSIGN_OR_RAISE(size, Varint());
  }
  // Some writers give the elements of a list no type when there are none.
  if (type > static_cast<uint8_t>(ThriftType::kStruct) || (type == 0 && size > 0)) {
    return Fail(fmt::format("unknown element type {}", type));
  }
  // Every element takes at least one byte.
  if (size > bytes_.size() - static_cast<size_t>(offset_)) {
    return Fail("list longer than the footer");
  }
  return ThriftList{.element = static_cast<ThriftType>(type), .size = static_cast<int64_t>(size)};
}

arrow::Status ThriftWalker::Skip(ThriftType type, int depth) {
  if (depth > kMaxDepth) {
    return Fail("nested too deep");
  }
  switch (type) {
    case ThriftType::kStop:
    case ThriftType::kTrue:
    case ThriftType::kFalse:
      return arrow::Status::OK();
    case ThriftType::kByte:
      return Byte().status();
    case ThriftType::kI16:
    case ThriftType::kI32:
    case ThriftType::kI64:
      return Varint().status();
    case ThriftType::kDouble:
      if (bytes_.size() - static_cast<size_t>(offset_) < sizeof(double)) {
        return Fail("cut short");
      }
      offset_ += static_cast<int64_t>(sizeof(double));
      return arrow::Status::OK();
    case ThriftType::kBinary:
      return Binary().status();
    case ThriftType::kList:
    case ThriftType::kSet: {
      ARROW_ASSIGN_OR_RAISE(const ThriftList list, ListHeader());
      const bool is_bool = list.element == ThriftType::kTrue || list.element == ThriftType::kFalse;
      for (int64_t i = 0; i < list.size; ++i) {
        ARROW_RETURN_NOT_OK(is_bool ? Byte().status() : Skip(list.element, depth + 1));
      }
      return arrow::Status::OK();
    }
    case ThriftType::kMap:
      // No structure of a Parquet footer holds a map.
      return Fail("unexpected map");
    case ThriftType::kStruct: {
      int16_t id = 0;
      while (true) {
        ARROW_ASSIGN_OR_RAISE(const ThriftField field, NextField(id));
        if (field.type == ThriftType::kStop) {
          return arrow::Status::OK();
        }
        id = field.id;
        ARROW_RETURN_NOT_OK(Skip(field.type, depth + 1));
      }
    }
  }
  return Fail("unknown type");
}

}  // namespace df::lake
