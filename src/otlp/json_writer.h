// Writes OTLP fields as OTLP JSON; the same calls as ProtoWriter (proto_writer.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "otlp/schema/messages.h"

namespace df::otlp {

/// Shape: one object on one line, always valid UTF-8. 64-bit numbers are strings, ids are hex,
/// other bytes base64, enums numbers, NaN and infinities the strings that protobuf JSON uses.
/// Bytes of texts that are not UTF-8 become U+FFFD and are counted.
class JsonWriter {
 public:
  static constexpr int kMaxLevel = kMaxMessageDepth;  // readers of JSON are those of protobuf

  explicit JsonWriter(size_t capacity) {
    buffer_.reserve(capacity);
    buffer_ += '{';
  }

  template <typename Body>
  void Message(Field field, Expect, Body&& body) {
    Name(field);
    Bracket('{', body, '}');
  }
  template <typename Body>
  void Item(Field, Expect, Body&& body) {
    Separate();
    Bracket('{', body, '}');
  }
  template <typename Body>
  void List(Field field, Body&& body) {
    Name(field);
    Bracket('[', body, ']');
  }

  void UInt32(Field field, uint32_t value);
  void Int64(Field field, int64_t value);
  void Bool(Field field, bool value);
  void Enum(Field field, int32_t value);
  void SInt32(Field field, int32_t value) { Enum(field, value); }
  void Fixed32(Field field, uint32_t value) { UInt32(field, value); }
  void Fixed64(Field field, uint64_t value);
  void SFixed64(Field field, int64_t value) { Int64(field, value); }
  void Double(Field field, double value);
  void String(Field field, std::string_view value);
  void Bytes(Field field, std::string_view value);
  void Id(Field field, std::string_view value);
  void PackedFixed64(Field field, std::span<const uint64_t> values);
  void PackedDouble(Field field, std::span<const double> values);
  void PackedVarint64(Field field, std::span<const uint64_t> values) {
    PackedFixed64(field, values);
  }

  struct Mark {
    size_t size;
    bool needs_comma;
    int64_t replaced_texts;
  };
  Mark Position() const { return {buffer_.size(), needs_comma_, replaced_texts_}; }
  void Rewind(Mark mark) {
    buffer_.resize(mark.size);
    needs_comma_ = mark.needs_comma;
    replaced_texts_ = mark.replaced_texts;
  }

  int64_t replaced_texts() const { return replaced_texts_; }

  /// Returns the object, without an end of line.
  std::string Finish() {
    buffer_ += '}';
    return std::move(buffer_);
  }

 private:
  void Separate() {
    if (needs_comma_) {
      buffer_ += ',';
    }
    needs_comma_ = true;
  }
  void Name(Field field);
  template <typename Body>
  void Bracket(char open, Body&& body, char close) {
    buffer_ += open;
    needs_comma_ = false;
    body();
    buffer_ += close;
    needs_comma_ = true;
  }
  void Quoted(std::string_view text);
  void Number(double value);

  std::string buffer_;
  bool needs_comma_ = false;
  int64_t replaced_texts_ = 0;
};

}  // namespace df::otlp
