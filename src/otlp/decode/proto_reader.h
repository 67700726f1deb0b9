// Reads protobuf fields one after the other out of one message; the decoders of records call it.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <protozero/types.hpp>

#include "otlp/schema/message_shape.h"

namespace df::otlp {

/// Inlined whatever the compiler thinks of it: a field costs a few loads then.
#define OTLP_INLINE [[gnu::always_inline]] inline

using WireType = protozero::pbf_wire_type;

/// Number and wire type of a field as one number. A field of another wire type has another tag, so
/// that it is skipped like an unknown field, as protobuf wants it.
constexpr uint32_t TagOf(uint32_t number, WireType type) {
  return number << 3U | static_cast<uint32_t>(type);
}
constexpr WireType WireTypeOf(WireKind kind) {
  switch (kind) {
    case WireKind::kUInt:
    case WireKind::kInt:
    case WireKind::kSInt:
    case WireKind::kBool:
      return WireType::varint;
    case WireKind::kFixed32:
      return WireType::fixed32;
    case WireKind::kFixed64:
    case WireKind::kSFixed64:
    case WireKind::kDouble:
      return WireType::fixed64;
    case WireKind::kString:
    case WireKind::kBytes:
    case WireKind::kMessage:
      return WireType::length_delimited;
  }
  return WireType::unknown;
}
/// Of a field that is no packed list.
constexpr uint32_t TagOf(const FieldShape& field) {
  return TagOf(field.number, WireTypeOf(field.kind));
}
constexpr uint32_t VarintTag(Field field) { return TagOf(field.number, WireType::varint); }
constexpr uint32_t Fixed64Tag(Field field) { return TagOf(field.number, WireType::fixed64); }
constexpr uint32_t BytesTag(Field field) { return TagOf(field.number, WireType::length_delimited); }

/// Groups inside each other that are skipped, at most; no OTLP message has any.
inline constexpr int kMaxGroupDepth = 32;

/// Every Read returns false where the bytes are malformed; what was read is not valid then, and
/// neither is the reader. Says nothing of the reason: FindFault does (proto_fault.h).
/// Owner: borrows the message.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view message)
      : cursor_(message.data()), end_(message.data() + message.size()) {}

  bool at_end() const { return cursor_ == end_; }
  const char* position() const { return cursor_; }

  /// Reads number and wire type of the next field: at most 32 bits in five bytes, number not 0.
  OTLP_INLINE bool ReadTag(uint32_t* tag) {
    if (cursor_ != end_ && static_cast<uint8_t>(*cursor_) < 0x80) {
      *tag = static_cast<uint8_t>(*cursor_++);
      return *tag >= 8;
    }
    return ReadShortVarint(tag) && *tag >= 8;
  }

  OTLP_INLINE bool ReadVarint(uint64_t* value) {
    if (cursor_ != end_ && static_cast<uint8_t>(*cursor_) < 0x80) {
      *value = static_cast<uint8_t>(*cursor_++);
      return true;
    }
    return ReadLongVarint(value);
  }
  /// Keeps the low 32 bits, as protobuf does.
  OTLP_INLINE bool ReadUInt32(uint32_t* value) {
    uint64_t wide = 0;
    const bool ok = ReadVarint(&wide);
    *value = static_cast<uint32_t>(wide);
    return ok;
  }
  OTLP_INLINE bool ReadInt32(int32_t* value) {
    uint32_t bits = 0;
    const bool ok = ReadUInt32(&bits);
    *value = static_cast<int32_t>(bits);
    return ok;
  }
  OTLP_INLINE bool ReadSInt32(int32_t* value) {
    uint32_t bits = 0;
    const bool ok = ReadUInt32(&bits);
    *value = static_cast<int32_t>(bits >> 1U ^ (0U - (bits & 1U)));
    return ok;
  }
  OTLP_INLINE bool ReadBool(bool* value) {
    uint64_t wide = 0;
    const bool ok = ReadVarint(&wide);
    *value = wide != 0;
    return ok;
  }

  OTLP_INLINE bool ReadFixed32(uint32_t* value) { return ReadFixed(value); }
  OTLP_INLINE bool ReadFixed64(uint64_t* value) { return ReadFixed(value); }
  OTLP_INLINE bool ReadSFixed64(int64_t* value) { return ReadFixed(value); }
  OTLP_INLINE bool ReadDouble(double* value) { return ReadFixed(value); }

  /// Reads a text, bytes, message or packed list.
  OTLP_INLINE bool ReadBytes(std::string_view* bytes) {
    uint32_t size = 0;
    if (cursor_ != end_ && static_cast<uint8_t>(*cursor_) < 0x80) {
      size = static_cast<uint8_t>(*cursor_++);
    } else if (!ReadShortVarint(&size)) {
      return false;
    }
    if (size > static_cast<size_t>(end_ - cursor_)) {
      return false;
    }
    *bytes = {cursor_, size};
    cursor_ += size;
    return true;
  }

  /// Skips the value of a field.
  bool Skip(uint32_t tag) { return Skip(tag, 0); }

 private:
  static_assert(std::endian::native == std::endian::little);

  template <typename T>
  OTLP_INLINE bool ReadFixed(T* value) {
    if (static_cast<size_t>(end_ - cursor_) < sizeof(T)) {
      return false;
    }
    std::memcpy(value, cursor_, sizeof(T));
    cursor_ += sizeof(T);
    return true;
  }

  /// Returns whether the varint ends within `max_bytes`; bits past the 64th are dropped.
  bool ReadBoundedVarint(int max_bytes, uint64_t* value) {
    uint64_t result = 0;
    for (int i = 0; i < max_bytes && cursor_ != end_; ++i) {
      const auto byte = static_cast<uint8_t>(*cursor_++);
      result |= static_cast<uint64_t>(byte & 0x7FU) << static_cast<unsigned>(7 * i);
      if (byte < 0x80) {
        *value = result;
        return true;
      }
    }
    return false;
  }
  bool ReadLongVarint(uint64_t* value) { return ReadBoundedVarint(10, value); }
  /// A tag or a length.
  bool ReadShortVarint(uint32_t* value) {
    uint64_t wide = 0;
    if (!ReadBoundedVarint(5, &wide) || wide > UINT32_MAX) {
      return false;
    }
    *value = static_cast<uint32_t>(wide);
    return true;
  }

  bool Skip(uint32_t tag, int depth) {
    switch (static_cast<WireType>(tag & 7U)) {
      case WireType::varint: {
        uint64_t value = 0;
        return ReadVarint(&value);
      }
      case WireType::fixed64: {
        uint64_t value = 0;
        return ReadFixed64(&value);
      }
      case WireType::length_delimited: {
        std::string_view bytes;
        return ReadBytes(&bytes);
      }
      case WireType::fixed32: {
        uint32_t value = 0;
        return ReadFixed32(&value);
      }
      default:
        return (tag & 7U) == kStartGroup && depth < kMaxGroupDepth && SkipGroup(tag >> 3U, depth);
    }
  }
  bool SkipGroup(uint32_t number, int depth) {
    uint32_t tag = 0;
    while (ReadTag(&tag)) {
      if (tag == (number << 3U | kEndGroup)) {
        return true;
      }
      if (!Skip(tag, depth + 1)) {
        return false;
      }
    }
    return false;
  }

  static constexpr uint32_t kStartGroup = 3;
  static constexpr uint32_t kEndGroup = 4;

  const char* cursor_;
  const char* end_;
};

/// Reads the value of a field by its kind.
template <WireKind kKind, typename T>
OTLP_INLINE bool ReadNumber(ProtoReader* in, T* value) {
  if constexpr (kKind == WireKind::kUInt) {
    return in->ReadUInt32(value);
  } else if constexpr (kKind == WireKind::kInt) {
    return in->ReadInt32(value);
  } else if constexpr (kKind == WireKind::kSInt) {
    return in->ReadSInt32(value);
  } else if constexpr (kKind == WireKind::kBool) {
    return in->ReadBool(value);
  } else if constexpr (kKind == WireKind::kFixed32) {
    return in->ReadFixed32(value);
  } else if constexpr (kKind == WireKind::kFixed64) {
    return in->ReadFixed64(value);
  } else if constexpr (kKind == WireKind::kSFixed64) {
    return in->ReadSFixed64(value);
  } else {
    return in->ReadDouble(value);
  }
}

#undef OTLP_INLINE

}  // namespace df::otlp
