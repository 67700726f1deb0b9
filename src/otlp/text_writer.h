// Writes OTLP fields as text for people; the same calls as ProtoWriter (proto_writer.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "otlp/encode.h"
#include "otlp/schema/messages.h"

namespace df::otlp {

/// Shape: resources, scopes, records and data points begin a line each, deeper ones further right.
/// kLines puts all fields of such a line behind it, kDetailed each field on a line of its own.
/// Values look as in JSON, ids and bytes are hex, times are dates in UTC. Always valid UTF-8.
class TextWriter {
 public:
  static constexpr int kMaxLevel = INT32_MAX;

  explicit TextWriter(TextLayout layout) : is_inline_(layout == TextLayout::kLines) {}

  template <typename Body>
  void Message(Field field, Expect, Body&& body) {
    switch (FormOf(field)) {
      case Form::kValue:
        Value(field, body);
        return;
      case Form::kBracket:
        Bracket(field.name == value_fields::kArray.name ? "[]" : "{}", body);
        return;
      case Form::kTransparent:
        body();
        return;
      case Form::kHeading:
        Heading(field.name);
        Indented(body);
        return;
      case Form::kPlain:
        BeginField(field.name);
        Bracket("{}", body);
        return;
    }
  }

  template <typename Body>
  void List(Field field, Body&& body) {
    if (!TitleOf(field).empty() || field.name == value_fields::kValues.name) {
      body();
    } else if (is_inline_) {
      BeginField(field.name);
      Bracket(IsPairs(field) ? "{}" : "[]", body);
    } else {
      Heading(field.name);
      Indented(body);
    }
  }

  template <typename Body>
  void Item(Field field, Expect, Body&& body) {
    if (const std::string_view title = TitleOf(field); !title.empty()) {
      NewLine();
      buffer_ += title;
      Indented(body);
    } else if (field.name == value_fields::kValues.name) {
      Separate();
      NonEmpty(body);
    } else if (IsPairs(field)) {
      is_inline_ ? Separate() : NewLine();
      body();
    } else if (is_inline_) {
      Separate();
      Bracket("{}", body);
    } else {
      NewLine();
      buffer_ += '-';
      Indented(body);
    }
  }

  void UInt32(Field field, uint32_t value);
  void Int64(Field field, int64_t value);
  void Bool(Field field, bool value);
  void Enum(Field field, int32_t value);
  void SInt32(Field field, int32_t value);
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
    int64_t replaced_texts;
  };
  Mark Position() const { return {buffer_.size(), replaced_texts_}; }
  void Rewind(Mark mark) {
    buffer_.resize(mark.size);
    replaced_texts_ = mark.replaced_texts;
  }

  int64_t replaced_texts() const { return replaced_texts_; }

  /// Returns whole lines.
  std::string Finish();

 private:
  enum class Form : uint8_t {
    kPlain,        ///< name={..}
    kHeading,      ///< name, then what is in it
    kTransparent,  ///< what is in it, without a name
    kValue,        ///< an AnyValue
    kBracket,      ///< an array or map inside an AnyValue
  };

  Form FormOf(Field field) const;
  static std::string_view TitleOf(Field field);
  static bool IsPairs(Field field);

  template <typename Body>
  void Indented(Body&& body) {
    ++depth_;
    body();
    --depth_;
  }
  template <typename Body>
  void Bracket(std::string_view brackets, Body&& body) {
    buffer_ += brackets[0];
    body();
    buffer_ += brackets[1];
  }
  /// Values stand on one line, whatever the layout.
  template <typename Body>
  void Value(Field field, Body&& body) {
    if (field.name != value_fields::kValue.name) {
      BeginField(field.name);
    }
    const bool was_inline = is_inline_;
    is_inline_ = true;
    NonEmpty(body);
    is_inline_ = was_inline;
  }
  template <typename Body>
  void NonEmpty(Body&& body) {
    const size_t begin = buffer_.size();
    body();
    if (buffer_.size() == begin) {
      buffer_ += "empty";
    }
  }

  void NewLine();
  void Heading(std::string_view name);
  void BeginField(std::string_view name);
  void Separate();
  void Number(Field field, std::string_view text);
  void Quoted(std::string_view text);
  template <typename T>
  void Packed(Field field, std::span<const T> values);

  std::string buffer_;
  bool is_inline_;
  int depth_ = 0;
  int64_t replaced_texts_ = 0;
};

}  // namespace df::otlp
