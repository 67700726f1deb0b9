// Reads AnyValues and KeyValues out of protobuf; nested ones become CBOR, as the tables have them.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/text.h"
#include "otlp/child_table.h"
#include "otlp/decode/proto_reader.h"
#include "otlp/message_shape.h"
#include "otlp/unknown_fields.h"

namespace df::otlp {

/// One value: the member that `type` names.
struct ParsedValue {
  ValueType type = ValueType::kEmpty;
  bool boolean = false;
  int64_t integer = 0;
  double real = 0;
  std::string_view bytes;  ///< kText (not yet known to be UTF-8), kBytes; CBOR of kMap, kArray
};

/// Functions return false where the bytes are malformed, as those of ProtoReader.
/// Owner: values borrow the request, or the reader until its next Read.
class ValueReader {
 public:
  explicit ValueReader(int max_value_depth) : max_depth_(max_value_depth) {}

  /// Reads an AnyValue.
  bool Read(std::string_view any_value, ParsedValue* value) {
    // Most values are one text of less than 128 bytes and nothing else.
    if (any_value.size() >= 2 && static_cast<uint8_t>(any_value[0]) == kTextTag &&
        static_cast<uint8_t>(any_value[1]) == any_value.size() - 2 && any_value.size() < 130) {
      value->type = ValueType::kText;
      value->bytes = any_value.substr(2);
      return true;
    }
    if (!ReadFlat(any_value, value)) {
      return false;
    }
    return (value->type != ValueType::kMap && value->type != ValueType::kArray) ||
           ReadNested(value);
  }

  /// Splits a KeyValue; an absent value is an empty AnyValue.
  bool SplitKeyValue(std::string_view key_value, std::string_view* key,
                     std::string_view* any_value) {
    ProtoReader in(key_value);
    uint32_t tag = 0;
    // Nearly all senders write key and value, in this order and nothing else.
    if (in.ReadTag(&tag) && tag == BytesTag(value_fields::kKey) && in.ReadBytes(key) &&
        !in.at_end() && in.ReadTag(&tag) && tag == BytesTag(value_fields::kValue) &&
        in.ReadBytes(any_value) && in.at_end()) {
      return true;
    }
    return SplitOddKeyValue(key_value, key, any_value);
  }

  /// Adds another part of a message field that is not repeated: protobuf merges the parts, which is
  /// what their bytes one behind the other say.
  bool Merge(const MessageShape& shape, std::string_view part, std::string_view* whole) {
    if (whole->empty() || part.empty()) {
      *whole = whole->empty() ? part : *whole;
      return true;
    }
    return MergeParts(shape, part, whole);
  }

  /// Tells whether a message that nothing will read is well-formed.
  bool IsFaultless(const MessageShape& shape, std::string_view message) const;

  /// Skips a field that `shape` does not have, or not of that wire type, and counts it.
  bool SkipUnknown(const MessageShape& shape, uint32_t tag, ProtoReader* in) {
    unknown_.Add(shape, tag);
    return in->Skip(tag);
  }
  /// What was skipped since the owner has cleared it.
  UnknownFields& unknown() { return unknown_; }

  /// Forgets what was merged. Nothing that was read before is valid any more.
  void Clear() { merged_.clear(); }

  int max_depth() const { return max_depth_; }

 private:
  bool MergeParts(const MessageShape& shape, std::string_view part, std::string_view* whole);
  /// Reads an AnyValue; `bytes` of a map or array is its message.
  bool ReadFlat(std::string_view any_value, ParsedValue* value);
  /// Reads a field that makes the value a text, bytes, map or array.
  bool ReadBytesOf(ValueType type, ProtoReader* in, ParsedValue* value);
  /// The value is replaced by another member of the oneof.
  bool Discard(const ParsedValue& value) const;
  bool SplitOddKeyValue(std::string_view key_value, std::string_view* key,
                        std::string_view* any_value);

  bool ReadNested(ParsedValue* value);
  bool WriteContainer(const ParsedValue& value, int depth);
  bool WriteItem(const ParsedValue& value, int depth);

  static constexpr uint32_t kTextTag = BytesTag(value_fields::kString);
  static_assert(kTextTag < 0x80);

  int max_depth_;
  UnknownFields unknown_;
  std::string cbor_;
  std::deque<std::string> merged_;
};

/// Reads a text that stands once; where it stands again, the one before has to be text as well.
inline bool ReadText(ProtoReader* in, std::string_view* text) {
  const std::string_view before = *text;
  return in->ReadBytes(text) && (before.empty() || IsValidUtf8(before));
}

}  // namespace df::otlp
