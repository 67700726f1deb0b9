// What the table of the OTLP messages (messages.h) says of a field and of a message.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "otap/schema.h"

namespace df::otlp {

enum class WireKind : uint8_t {
  kUInt,  ///< varint
  kInt,   ///< varint of two's complement: int32, int64, enums
  kSInt,  ///< zigzag varint
  kBool,
  kFixed32,
  kFixed64,
  kSFixed64,
  kDouble,
  kString,
  kBytes,
  kMessage,
};

enum class Presence : uint8_t {
  kImplicit,  ///< the default is the same as absent
  kExplicit,  ///< `optional`
  kOneof,     ///< one of the fields of a message that are marked so
  kRepeated,
};

/// How long a message is expected to be, as bytes of its length. A wrong guess costs a move of the
/// message, nothing else.
enum class Expect : uint8_t { kTiny = 1, kSmall = 2, kLarge = 4 };

/// Messages inside each other below a request, at most. Beyond it the protobuf
/// libraries of C++, Java, Python and Rust refuse the whole request, so no
/// request with more is taken or written.
inline constexpr int kMaxMessageDepth = 100;

struct EnumName {
  std::string_view name;  ///< "SPAN_KIND_SERVER"
  int32_t number;
};

/// A name in lowerCamelCase, as JSON has it, made from one as protobuf has it.
class JsonName {
 public:
  constexpr JsonName() = default;
  constexpr explicit JsonName(std::string_view name) {
    bool is_word = false;
    for (const char letter : name) {
      if (letter != '_') {
        const bool is_lower = letter >= 'a' && letter <= 'z';
        letters_[size_++] = is_word && is_lower ? static_cast<char>(letter - 'a' + 'A') : letter;
      }
      is_word = letter == '_';
    }
  }
  constexpr std::string_view view() const { return {letters_.data(), size_}; }

 private:
  std::array<char, 31> letters_{};
  uint8_t size_ = 0;
};

/// What a writer needs to know of a field.
struct Field {
  uint32_t number;
  std::string_view name;  ///< in OTLP JSON
};

struct MessageShape;

struct FieldShape {
  uint32_t number = 0;
  std::string_view name;
  WireKind kind = WireKind::kUInt;
  Presence presence = Presence::kImplicit;
  const MessageShape* message = nullptr;
  /// The column that holds the field, in the table or struct of its message; empty: the column has
  /// the field's name. If that table has no such column, code of its own reads and writes the
  /// field.
  std::string_view column;
  /// The table whose rows are the messages of this field.
  std::optional<otap::TableKind> rows;
  std::span<const EnumName> names;  ///< of an enum
  Expect expect = Expect::kSmall;
  bool is_id = false;          ///< bytes of a trace or span id: hex in JSON, others are base64
  bool is_attributes = false;  ///< KeyValues
  bool is_value = false;       ///< an AnyValue
  bool is_end = false;         ///< an end; the column holds the time since the field before it
  /// Zeros in the column are no id: the encoder of the reference has them (format reference 6.4).
  bool are_zeros_none = false;
  /// The Parquet exporter of the reference leaves it out.
  bool is_lost_upstream = false;
  JsonName json_name;

  constexpr FieldShape() = default;
  constexpr FieldShape(uint32_t field_number, std::string_view field_name, WireKind wire_kind,
                       Presence field_presence = Presence::kImplicit)
      : number(field_number),
        name(field_name),
        kind(wire_kind),
        presence(field_presence),
        column(field_name),
        json_name(field_name) {}

  constexpr Field field() const { return {number, json_name.view()}; }

  // What a line of the table says beyond the usual.
  constexpr FieldShape In(std::string_view other_column) const {
    FieldShape copy = *this;
    copy.column = other_column;
    return copy;
  }
  constexpr FieldShape LostUpstream() const {
    FieldShape copy = *this;
    copy.is_lost_upstream = true;
    return copy;
  }
  constexpr FieldShape ZerosAreNone() const {
    FieldShape copy = *this;
    copy.are_zeros_none = true;
    return copy;
  }
};

struct MessageShape {
  static constexpr uint32_t kMaxNumber = 16;

  std::string_view name;
  std::span<const FieldShape> fields;  ///< in the order in which they are written

  constexpr MessageShape(std::string_view message_name, std::span<const FieldShape> message_fields)
      : name(message_name), fields(message_fields) {
    for (size_t i = 0; i < fields.size(); ++i) {
      positions_[fields[i].number] = static_cast<uint8_t>(i + 1);
    }
  }

  /// Returns the number of fields when the message has no such field.
  constexpr size_t IndexOf(uint32_t number) const {
    const size_t position = number <= kMaxNumber ? positions_[number] : 0;
    return position == 0 ? fields.size() : position - 1;
  }
  /// Returns null when the message has no such field.
  constexpr const FieldShape* Find(uint32_t number) const {
    const uint32_t position = number <= kMaxNumber ? positions_[number] : 0;
    return position == 0 ? nullptr : &fields[position - 1];
  }
  /// Returns the number of fields when the message has no such field.
  constexpr size_t Position(std::string_view field_name) const {
    size_t position = 0;
    while (position < fields.size() && fields[position].name != field_name) {
      ++position;
    }
    return position;
  }
  constexpr bool Has(std::string_view field_name) const {
    return Position(field_name) < fields.size();
  }
  /// The field of a name that is known when the program is built.
  consteval Field At(std::string_view field_name) const {
    return fields[Position(field_name)].field();
  }

 private:
  std::array<uint8_t, kMaxNumber + 1> positions_{};  ///< by number, counted from 1
};

}  // namespace df::otlp
