// Reads AnyValues and KeyValues out of protobuf; nested ones become CBOR, as the tables have them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "otlp/child_table.h"
#include "otlp/decode/proto_reader.h"
#include "otlp/schema/messages.h"
#include "otlp/unknown_fields.h"

namespace df::otlp {

/// One value: the member that `type` names.
struct ParsedValue {
  ValueType type = ValueType::kEmpty;
  bool boolean = false;
  int64_t integer = 0;
  double real = 0;
  std::string_view bytes;  ///< kText (not yet known to be UTF-8), kBytes; CBOR
                           ///< of kMap, kArray
};

/// The parts of a message field that is not repeated but stands more than once. Protobuf merges
/// them, which is what reading one behind the other does: no byte is copied, so that many parts
/// cost what they weigh, and two halves of something make no whole.
class MessageParts {
 public:
  MessageParts() = default;
  explicit MessageParts(std::string_view whole) : first_(whole) {}

  void Add(std::string_view part) {
    if (first_.empty()) {
      first_ = part;
    } else if (!part.empty()) {
      others_.push_back(part);
    }
  }
  void Clear() {
    first_ = {};
    others_.clear();
  }

  bool is_whole() const { return others_.empty(); }
  /// All of it when is_whole().
  std::string_view first() const { return first_; }

  /// Calls `visit` with one part after the other, until it returns false.
  template <typename Visit>
  bool VisitAll(const Visit& visit) const {
    return visit(first_) && std::all_of(others_.begin(), others_.end(), visit);
  }

 private:
  std::string_view first_;
  std::vector<std::string_view> others_;
};

/// Functions return false where the bytes are malformed, as those of ProtoReader.
/// Owner: values borrow the request, or the reader until its next Read.
class ValueReader {
 public:
  explicit ValueReader(int max_value_depth) : max_depth_(max_value_depth) {}

  /// Reads an AnyValue, so many messages deep.
  bool Read(std::string_view any_value, int level, ParsedValue* value) {
    // Most values are one text of less than 128 bytes and nothing else.
    if (any_value.size() >= 2 && static_cast<uint8_t>(any_value[0]) == kTextTag &&
        static_cast<uint8_t>(any_value[1]) == any_value.size() - 2 && any_value.size() < 130) {
      value->type = ValueType::kText;
      value->bytes = any_value.substr(2);
      return true;
    }
    return ReadParts(MessageParts(any_value), level, value);
  }
  bool Read(const MessageParts& any_value, int level, ParsedValue* value) {
    return any_value.is_whole() ? Read(any_value.first(), level, value)
                                : ReadParts(any_value, level, value);
  }

  /// Reads a KeyValue whose value is so many messages deep; an absent value is
  /// an empty AnyValue.
  bool ReadKeyValue(std::string_view key_value, int level, std::string_view* key,
                    ParsedValue* value) {
    std::string_view any_value;
    if (SplitUsual(key_value, key, &any_value)) {
      return Read(any_value, level, value);
    }
    MessageParts parts;
    bool has_value = false;
    return SplitOdd(key_value, key, &parts, &has_value) && ReadParts(parts, level, value);
  }

  /// Tells whether a message that nothing will read, so many messages deep, is
  /// well-formed.
  bool IsFaultless(const MessageShape& shape, std::string_view message, int level) const;

  /// Skips a field that `shape` does not have, or not of that wire type, and counts it.
  bool SkipUnknown(const MessageShape& shape, uint32_t tag, ProtoReader* in) {
    unknown_.Add(shape, tag);
    return in->Skip(tag);
  }
  /// What was skipped since the owner has cleared it.
  UnknownFields& unknown() { return unknown_; }

  int max_depth() const { return max_depth_; }

 private:
  /// A value before its nested ones are written as CBOR: the lists of a map or array are parts.
  struct FlatValue : ParsedValue {
    MessageParts lists;
  };

  /// Nearly all senders write key and value, in this order and nothing else.
  static bool SplitUsual(std::string_view key_value, std::string_view* key,
                         std::string_view* any_value) {
    ProtoReader in(key_value);
    uint32_t tag = 0;
    return in.ReadTag(&tag) && tag == BytesTag(value_fields::kKey) && in.ReadBytes(key) &&
           !in.at_end() && in.ReadTag(&tag) && tag == BytesTag(value_fields::kValue) &&
           in.ReadBytes(any_value) && in.at_end();
  }
  bool SplitOdd(std::string_view key_value, std::string_view* key, MessageParts* any_value,
                bool* has_value);

  /// Of a value: arrays and maps around it, and messages, itself included.
  struct Place {
    int depth;
    int level;
  };
  bool HasRoom(Place place) const {
    return place.depth < max_depth_ && place.level < kMaxMessageDepth;
  }

  bool ReadParts(const MessageParts& any_value, int level, ParsedValue* value);
  /// Reads an AnyValue, or one more part of it.
  bool ReadFlat(std::string_view any_value, Place place, FlatValue* value);
  /// Reads a field that makes the value a text, bytes, map or array.
  bool ReadBytesOf(ValueType type, Place place, ProtoReader* in, FlatValue* value);
  /// The value is replaced by another member of the oneof.
  bool Discard(const FlatValue& value, Place place) const;

  bool WriteContainer(const FlatValue& value, Place place);
  bool WriteList(std::string_view list, bool is_map, Place place);
  bool WriteMember(std::string_view item, bool is_map, Place place);
  bool WriteItem(const FlatValue& value, Place place);

  static constexpr uint32_t kTextTag = BytesTag(value_fields::kString);
  static_assert(kTextTag < 0x80);

  int max_depth_;
  UnknownFields unknown_;
  std::string cbor_;
};

/// Reads a text that stands once; where it stands again, the one before has to be text as well.
[[gnu::always_inline]] inline bool ReadText(ProtoReader* in, std::string_view* text) {
  const std::string_view before = *text;
  return in->ReadBytes(text) && (before.empty() || IsValidUtf8(before));
}

}  // namespace df::otlp
