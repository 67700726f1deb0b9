// Writes OTLP fields as protobuf into one buffer; the walks over batches call it (walk.h).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <protozero/types.hpp>
#include <protozero/varint.hpp>

#include "otlp/schema/messages.h"

namespace df::otlp {

/// Inlined whatever the compiler thinks of it: with the field known, a write is a few stores.
#define OTLP_INLINE [[gnu::always_inline]] inline

/// Writes messages inside messages without an allocation: the length is filled in when the message
/// is complete. Shape: the caller leaves out defaults; everything that is called is written.
/// Owner: borrows the buffer; its size is the room, which it doubles when that is too little.
class ProtoWriter {
 public:
  static constexpr int kMaxLevel = kMaxMessageDepth;

  explicit ProtoWriter(std::string* buffer)
      : buffer_(*buffer), cursor_(buffer->data()), end_(buffer->data() + buffer->size()) {}
  ProtoWriter(const ProtoWriter&) = delete;
  ProtoWriter& operator=(const ProtoWriter&) = delete;

  /// Writes a message whose fields `body` writes.
  template <typename Body>
  OTLP_INLINE void Message(Field field, Expect expect, Body&& body) {
    const size_t begin = OpenMessage(field, static_cast<size_t>(expect));
    body();
    CloseMessage(begin, static_cast<size_t>(expect));
  }
  /// Writes one message of a repeated field.
  template <typename Body>
  OTLP_INLINE void Item(Field field, Expect expect, Body&& body) {
    Message(field, expect, body);
  }
  /// Brackets the items of a repeated field.
  template <typename Body>
  OTLP_INLINE void List(Field, Body&& body) {
    body();
  }

  OTLP_INLINE void UInt32(Field field, uint32_t value) { Varint(field, value); }
  OTLP_INLINE void Int64(Field field, int64_t value) {
    Varint(field, static_cast<uint64_t>(value));
  }
  OTLP_INLINE void Bool(Field field, bool value) { Varint(field, value ? 1 : 0); }
  /// An enum or int32: negative numbers take ten bytes.
  OTLP_INLINE void Enum(Field field, int32_t value) {
    Varint(field, static_cast<uint64_t>(static_cast<int64_t>(value)));
  }
  OTLP_INLINE void SInt32(Field field, int32_t value) {
    Varint(field, protozero::encode_zigzag32(value));
  }
  OTLP_INLINE void Fixed32(Field field, uint32_t value) {
    Ensure(kMaxHead);
    Tag(field, protozero::pbf_wire_type::fixed32);
    Fixed(value);
  }
  OTLP_INLINE void Fixed64(Field field, uint64_t value) {
    Ensure(kMaxHead);
    Tag(field, protozero::pbf_wire_type::fixed64);
    Fixed(value);
  }
  OTLP_INLINE void SFixed64(Field field, int64_t value) {
    Fixed64(field, static_cast<uint64_t>(value));
  }
  OTLP_INLINE void Double(Field field, double value) {
    Fixed64(field, std::bit_cast<uint64_t>(value));
  }

  OTLP_INLINE void String(Field field, std::string_view value) {
    Ensure(kMaxHead + value.size());
    Tag(field, protozero::pbf_wire_type::length_delimited);
    PutVarint(value.size());
    Raw(value.data(), value.size());
  }
  OTLP_INLINE void Bytes(Field field, std::string_view value) { String(field, value); }
  /// A trace or span id.
  OTLP_INLINE void Id(Field field, std::string_view value) { String(field, value); }

  /// Fields that are written already.
  void Encoded(std::string_view fields) {
    Ensure(fields.size());
    Raw(fields.data(), fields.size());
  }

  void PackedFixed64(Field field, std::span<const uint64_t> values) {
    String(field, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }
  void PackedDouble(Field field, std::span<const double> values) {
    String(field, {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
  }
  void PackedVarint64(Field field, std::span<const uint64_t> values) {
    Message(field, Expect::kTiny, [&] {
      Ensure(values.size() * protozero::max_varint_length);
      for (const uint64_t value : values) {
        PutVarint(value);
      }
    });
  }

  /// Takes back everything written since Position().
  struct Mark {
    size_t size;
  };
  Mark Position() const { return {size()}; }
  void Rewind(Mark mark) { cursor_ = At(mark.size); }

  /// Texts that had to be altered: none, protobuf takes the bytes as they are.
  int64_t replaced_texts() const { return 0; }

  /// Returns what was written: a part of the buffer.
  std::string_view written() const { return {buffer_.data() + start_, size()}; }

 private:
  static_assert(std::endian::native == std::endian::little);
  static constexpr size_t kMaxHead = 5 + protozero::max_varint_length;

  // Places are counted from the first byte written, which may move.
  size_t size() const { return static_cast<size_t>(cursor_ - buffer_.data()) - start_; }
  char* At(size_t place) { return buffer_.data() + start_ + place; }

  OTLP_INLINE void Ensure(size_t num_bytes) {
    if (static_cast<size_t>(end_ - cursor_) < num_bytes) {
      Grow(num_bytes);
    }
  }
  [[gnu::noinline]] void Grow(size_t num_bytes) {
    const size_t used = size();
    buffer_.resize(std::max(2 * buffer_.size(), start_ + used + num_bytes));
    cursor_ = At(used);
    end_ = buffer_.data() + buffer_.size();
  }

  OTLP_INLINE void Tag(Field field, protozero::pbf_wire_type type) {
    PutVarint(field.number << 3U | static_cast<uint32_t>(type));
  }
  OTLP_INLINE void PutVarint(uint64_t value) {
    if (value < 0x80) {
      *cursor_++ = static_cast<char>(value);
    } else {
      cursor_ += protozero::add_varint_to_buffer(cursor_, value);
    }
  }
  /// Most texts are short: two overlapping copies of a fixed size cost less than a call.
  OTLP_INLINE void Raw(const char* data, size_t size_bytes) {
    if (size_bytes > 32) {
      std::memcpy(cursor_, data, size_bytes);
    } else if (size_bytes >= 16) {
      CopyEnds<16>(data, size_bytes);
    } else if (size_bytes >= 8) {
      CopyEnds<8>(data, size_bytes);
    } else if (size_bytes >= 4) {
      CopyEnds<4>(data, size_bytes);
    } else {
      for (size_t i = 0; i < size_bytes; ++i) {
        cursor_[i] = data[i];
      }
    }
    cursor_ += size_bytes;
  }
  template <size_t kSize>
  OTLP_INLINE void CopyEnds(const char* data, size_t size_bytes) {
    std::memcpy(cursor_, data, kSize);
    std::memcpy(cursor_ + size_bytes - kSize, data + size_bytes - kSize, kSize);
  }
  template <typename T>
  OTLP_INLINE void Fixed(T value) {
    std::memcpy(cursor_, &value, sizeof(value));
    cursor_ += sizeof(value);
  }
  OTLP_INLINE void Varint(Field field, uint64_t value) {
    Ensure(kMaxHead);
    Tag(field, protozero::pbf_wire_type::varint);
    PutVarint(value);
  }

  OTLP_INLINE size_t OpenMessage(Field field, size_t length_bytes) {
    Ensure(kMaxHead);
    Tag(field, protozero::pbf_wire_type::length_delimited);
    cursor_ += length_bytes;
    return size();
  }
  OTLP_INLINE void CloseMessage(size_t begin, size_t length_bytes) {
    const size_t length = size() - begin;
    if (length_bytes == 1 && length < 0x80) {
      *At(begin - 1) = static_cast<char>(length);
    } else {
      CloseLong(begin, length, length_bytes);
    }
  }
  [[gnu::noinline]] void CloseLong(size_t begin, size_t length, size_t length_bytes) {
    const size_t needed = static_cast<size_t>(protozero::length_of_varint(length));
    const size_t before = begin - length_bytes;
    if (needed < length_bytes && before < length) {
      // The first resource may hold all records: moving what stands in front of it is cheaper.
      const size_t surplus = length_bytes - needed;
      std::memmove(At(surplus), At(0), before);
      start_ += surplus;
    } else if (needed != length_bytes) {
      Ensure(needed);
      std::memmove(At(before + needed), At(begin), length);
      cursor_ = At(before + needed + length);
    }
    protozero::add_varint_to_buffer(At(before), length);
  }

  std::string& buffer_;
  size_t start_ = 0;
  char* cursor_;
  char* end_;
};

#undef OTLP_INLINE

}  // namespace df::otlp
