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

#include "otlp/fields.h"

namespace df::otlp {

/// Writes messages inside messages without an allocation: the length is filled in when the message
/// is complete. Shape: the caller leaves out defaults; everything that is called is written.
class ProtoWriter {
 public:
  explicit ProtoWriter(size_t capacity) : buffer_(capacity, '\0'), cursor_(buffer_.data()) {}
  ProtoWriter(const ProtoWriter&) = delete;
  ProtoWriter& operator=(const ProtoWriter&) = delete;

  /// Writes a message whose fields `body` writes.
  template <typename Body>
  void Message(Field field, Expect expect, Body&& body) {
    const size_t begin = OpenMessage(field, static_cast<size_t>(expect));
    body();
    CloseMessage(begin, static_cast<size_t>(expect));
  }
  /// Writes one message of a repeated field.
  template <typename Body>
  void Item(Field field, Expect expect, Body&& body) {
    Message(field, expect, body);
  }
  /// Brackets the items of a repeated field.
  template <typename Body>
  void List(Field, Body&& body) {
    body();
  }

  void UInt32(Field field, uint32_t value) { Varint(field, value); }
  void Int64(Field field, int64_t value) { Varint(field, static_cast<uint64_t>(value)); }
  void Bool(Field field, bool value) { Varint(field, value ? 1 : 0); }
  /// An enum or int32: negative numbers take ten bytes.
  void Enum(Field field, int32_t value) {
    Varint(field, static_cast<uint64_t>(static_cast<int64_t>(value)));
  }
  void SInt32(Field field, int32_t value) { Varint(field, protozero::encode_zigzag32(value)); }
  void Fixed32(Field field, uint32_t value) {
    Ensure(kMaxHead);
    Tag(field, protozero::pbf_wire_type::fixed32);
    Raw(&value, sizeof(value));
  }
  void Fixed64(Field field, uint64_t value) {
    Ensure(kMaxHead);
    Tag(field, protozero::pbf_wire_type::fixed64);
    Raw(&value, sizeof(value));
  }
  void SFixed64(Field field, int64_t value) { Fixed64(field, static_cast<uint64_t>(value)); }
  void Double(Field field, double value) { Fixed64(field, std::bit_cast<uint64_t>(value)); }

  void String(Field field, std::string_view value) {
    Ensure(kMaxHead + value.size());
    Tag(field, protozero::pbf_wire_type::length_delimited);
    PutVarint(value.size());
    Raw(value.data(), value.size());
  }
  void Bytes(Field field, std::string_view value) { String(field, value); }
  /// A trace or span id.
  void Id(Field field, std::string_view value) { String(field, value); }

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
  void Rewind(Mark mark) { cursor_ = buffer_.data() + mark.size; }

  /// Texts that had to be altered: none, protobuf takes the bytes as they are.
  int64_t replaced_texts() const { return 0; }

  /// Returns all that was written. The writer is empty afterwards.
  std::string Finish() {
    buffer_.resize(size());
    std::string result = std::move(buffer_);
    buffer_ = std::string();
    cursor_ = buffer_.data();
    return result;
  }

 private:
  static_assert(std::endian::native == std::endian::little);
  static constexpr size_t kMaxHead = 5 + protozero::max_varint_length;

  size_t size() const { return static_cast<size_t>(cursor_ - buffer_.data()); }

  void Ensure(size_t num_bytes) {
    if (static_cast<size_t>(buffer_.data() + buffer_.size() - cursor_) < num_bytes) {
      Grow(num_bytes);
    }
  }
  void Grow(size_t num_bytes) {
    const size_t used = size();
    buffer_.resize(std::max(2 * buffer_.size(), used + num_bytes));
    cursor_ = buffer_.data() + used;
  }

  void Tag(Field field, protozero::pbf_wire_type type) {
    PutVarint(field.number << 3U | static_cast<uint32_t>(type));
  }
  void PutVarint(uint64_t value) { cursor_ += protozero::add_varint_to_buffer(cursor_, value); }
  void Raw(const void* data, size_t size_bytes) {
    if (size_bytes != 0) {
      std::memcpy(cursor_, data, size_bytes);
      cursor_ += size_bytes;
    }
  }
  void Varint(Field field, uint64_t value) {
    Ensure(kMaxHead);
    Tag(field, protozero::pbf_wire_type::varint);
    PutVarint(value);
  }

  size_t OpenMessage(Field field, size_t length_bytes) {
    Ensure(kMaxHead);
    Tag(field, protozero::pbf_wire_type::length_delimited);
    cursor_ += length_bytes;
    return size();
  }
  void CloseMessage(size_t begin, size_t length_bytes) {
    const size_t length = size() - begin;
    const size_t needed = static_cast<size_t>(protozero::length_of_varint(length));
    if (needed != length_bytes) {
      Ensure(needed);
      char* body = buffer_.data() + begin;
      std::memmove(body + needed - length_bytes, body, length);
      cursor_ = body + needed - length_bytes + length;
    }
    protozero::add_varint_to_buffer(buffer_.data() + begin - length_bytes, length);
  }

  std::string buffer_;
  char* cursor_;
};

}  // namespace df::otlp
