#include "otlp/decode/value_reader.h"

#include <bit>

#include "base/text.h"
#include "otlp/decode/proto_fault.h"
#include "otlp/decode/text_builder.h"

namespace df::otlp {
namespace {

enum CborMajor : uint8_t { kUnsigned = 0, kNegative = 1, kByteString = 2, kTextString = 3 };

void AppendBigEndian(uint64_t value, int num_bytes, std::string* out) {
  for (int shift = 8 * (num_bytes - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(value >> static_cast<unsigned>(shift)));
  }
}

/// The head of an item in its shortest form.
void AppendHead(CborMajor major, uint64_t argument, std::string* out) {
  const auto first = static_cast<unsigned>(major) << 5U;
  const auto append = [&](unsigned info, int num_bytes) {
    out->push_back(static_cast<char>(first | info));
    AppendBigEndian(argument, num_bytes, out);
  };
  if (argument < 24) {
    out->push_back(static_cast<char>(first | static_cast<unsigned>(argument)));
  } else if (argument <= UINT8_MAX) {
    append(24, 1);
  } else if (argument <= UINT16_MAX) {
    append(25, 2);
  } else if (argument <= UINT32_MAX) {
    append(26, 4);
  } else {
    append(27, 8);
  }
}

void AppendBytes(CborMajor major, std::string_view bytes, std::string* out) {
  AppendHead(major, bytes.size(), out);
  out->append(bytes);
}

void AppendInteger(int64_t value, std::string* out) {
  if (value >= 0) {
    AppendHead(kUnsigned, static_cast<uint64_t>(value), out);
  } else {
    AppendHead(kNegative, ~static_cast<uint64_t>(value), out);
  }
}

constexpr char kFalse = '\xF4';
constexpr char kTrue = '\xF5';
constexpr char kNull = '\xF6';
constexpr char kDouble = '\xFB';
constexpr char kOpenArray = '\x9F';
constexpr char kOpenMap = '\xBF';
constexpr char kBreak = '\xFF';

}  // namespace

bool ValueReader::IsFaultless(const MessageShape& shape, std::string_view message,
                              int level) const {
  return !FindFault(shape, message, max_depth_, level).has_value();
}

bool ValueReader::Discard(const FlatValue& value, Place place) const {
  switch (value.type) {
    case ValueType::kText:
      return IsValidUtf8(value.bytes);
    case ValueType::kMap:
    case ValueType::kArray: {
      const MessageShape& shape =
          value.type == ValueType::kMap ? kKeyValueListShape : kArrayValueShape;
      return HasRoom(place) && value.lists.VisitAll([&](std::string_view list) {
        return !FindFault(shape, list, max_depth_ - place.depth - 1, place.level + 1).has_value();
      });
    }
    default:
      return true;
  }
}

bool ValueReader::ReadBytesOf(ValueType type, Place place, ProtoReader* in, FlatValue* value) {
  std::string_view bytes;
  if (!in->ReadBytes(&bytes)) {
    return false;
  }
  const bool is_container = type == ValueType::kMap || type == ValueType::kArray;
  const bool is_next_part = is_container && value->type == type;
  if (!is_next_part) {
    if (value->type != ValueType::kEmpty && !Discard(*value, place)) {
      return false;
    }
    value->lists.Clear();
  }
  value->type = type;
  if (is_container) {
    value->lists.Add(bytes);
  } else {
    value->bytes = bytes;
  }
  return true;
}

bool ValueReader::ReadFlat(std::string_view any_value, Place place, FlatValue* value) {
  ProtoReader in(any_value);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    const auto replace = [&](ValueType type) {
      const bool ok = value->type == ValueType::kEmpty || Discard(*value, place);
      value->type = type;
      return ok;
    };
    bool ok = false;
    switch (tag) {
      case BytesTag(value_fields::kString):
        ok = ReadBytesOf(ValueType::kText, place, &in, value);
        break;
      case VarintTag(value_fields::kBool):
        ok = in.ReadBool(&value->boolean) && replace(ValueType::kBool);
        break;
      case VarintTag(value_fields::kInt): {
        uint64_t bits = 0;
        ok = in.ReadVarint(&bits) && replace(ValueType::kInteger);
        value->integer = static_cast<int64_t>(bits);
        break;
      }
      case Fixed64Tag(value_fields::kDouble):
        ok = in.ReadDouble(&value->real) && replace(ValueType::kDouble);
        break;
      case BytesTag(value_fields::kArray):
        ok = ReadBytesOf(ValueType::kArray, place, &in, value);
        break;
      case BytesTag(value_fields::kMap):
        ok = ReadBytesOf(ValueType::kMap, place, &in, value);
        break;
      case BytesTag(value_fields::kBytes):
        ok = ReadBytesOf(ValueType::kBytes, place, &in, value);
        break;
      default:
        ok = SkipUnknown(kAnyValueShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  return true;
}

bool ValueReader::SplitOdd(std::string_view key_value, std::string_view* key,
                           MessageParts* any_value, bool* has_value) {
  *key = {};
  ProtoReader in(key_value);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    bool ok = false;
    if (tag == BytesTag(value_fields::kKey)) {
      ok = ReadText(&in, key);
    } else if (tag == BytesTag(value_fields::kValue)) {
      std::string_view part;
      ok = in.ReadBytes(&part);
      any_value->Add(part);
      *has_value = true;
    } else {
      ok = SkipUnknown(kKeyValueShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  return true;
}

bool ValueReader::ReadParts(const MessageParts& any_value, int level, ParsedValue* value) {
  FlatValue flat;
  const auto read = [&](std::string_view part) { return ReadFlat(part, {0, level}, &flat); };
  if (!any_value.VisitAll(read)) {
    return false;
  }
  if (flat.type == ValueType::kMap || flat.type == ValueType::kArray) {
    cbor_.clear();
    if (!WriteContainer(flat, {0, level})) {
      return false;
    }
    flat.bytes = cbor_;
  }
  *value = flat;
  return true;
}

bool ValueReader::WriteContainer(const FlatValue& value, Place place) {
  if (!HasRoom(place)) {
    return false;
  }
  const bool is_map = value.type == ValueType::kMap;
  // The list is a message, and so is a pair.
  const Place inside = {place.depth + 1, place.level + (is_map ? 3 : 2)};
  cbor_.push_back(is_map ? kOpenMap : kOpenArray);
  const bool ok =
      value.lists.VisitAll([&](std::string_view list) { return WriteList(list, is_map, inside); });
  cbor_.push_back(kBreak);
  return ok;
}

bool ValueReader::WriteList(std::string_view list, bool is_map, Place place) {
  ProtoReader in(list);
  while (!in.at_end()) {
    uint32_t tag = 0;
    std::string_view item;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    const bool ok = tag == BytesTag(value_fields::kValues)
                        ? in.ReadBytes(&item) && WriteMember(item, is_map, place)
                        : SkipUnknown(is_map ? kKeyValueListShape : kArrayValueShape, tag, &in);
    if (!ok) {
      return false;
    }
  }
  return true;
}

bool ValueReader::WriteMember(std::string_view item, bool is_map, Place place) {
  FlatValue value;
  const auto read = [&](std::string_view part) { return ReadFlat(part, place, &value); };
  const bool has_room = place.level <= kMaxMessageDepth;
  if (!is_map) {
    return has_room && read(item) && WriteItem(value, place);
  }
  std::string_view key;
  std::string_view any_value;
  MessageParts parts;
  bool has_value = SplitUsual(item, &key, &any_value);
  const bool is_usual = has_value;
  if ((!is_usual && !SplitOdd(item, &key, &parts, &has_value)) || !IsValidUtf8(key)) {
    return false;
  }
  // A pair without value is a message less.
  if (place.level - 1 > kMaxMessageDepth || (has_value && !has_room)) {
    return false;
  }
  AppendBytes(kTextString, key, &cbor_);
  return (is_usual ? read(any_value) : parts.VisitAll(read)) && WriteItem(value, place);
}

bool ValueReader::WriteItem(const FlatValue& value, Place place) {
  switch (value.type) {
    case ValueType::kEmpty:
      cbor_.push_back(kNull);
      return true;
    case ValueType::kText:
      AppendBytes(kTextString, value.bytes, &cbor_);
      return IsValidUtf8(value.bytes);
    case ValueType::kInteger:
      AppendInteger(value.integer, &cbor_);
      return true;
    case ValueType::kDouble:
      cbor_.push_back(kDouble);
      AppendBigEndian(std::bit_cast<uint64_t>(value.real), sizeof(double), &cbor_);
      return true;
    case ValueType::kBool:
      cbor_.push_back(value.boolean ? kTrue : kFalse);
      return true;
    case ValueType::kBytes:
      AppendBytes(kByteString, value.bytes, &cbor_);
      return true;
    case ValueType::kMap:
    case ValueType::kArray:
      return WriteContainer(value, place);
  }
  return false;
}

}  // namespace df::otlp
