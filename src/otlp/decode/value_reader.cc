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

bool ValueReader::IsFaultless(const MessageShape& shape, std::string_view message) const {
  return !FindFault(shape, message, max_depth_).has_value();
}

bool ValueReader::MergeParts(const MessageShape& shape, std::string_view part,
                             std::string_view* whole) {
  // Two halves of something may make a whole: each part has to be well-formed by itself.
  if (!IsFaultless(shape, *whole) || !IsFaultless(shape, part)) {
    return false;
  }
  *whole = merged_.emplace_back(std::string(*whole).append(part));
  return true;
}

bool ValueReader::Discard(const ParsedValue& value) const {
  switch (value.type) {
    case ValueType::kText:
      return IsValidUtf8(value.bytes);
    case ValueType::kMap:
      return IsFaultless(*kAnyValueShape.Find(value_fields::kMap.number)->message, value.bytes);
    case ValueType::kArray:
      return IsFaultless(*kAnyValueShape.Find(value_fields::kArray.number)->message, value.bytes);
    default:
      return true;
  }
}

bool ValueReader::ReadBytesOf(ValueType type, ProtoReader* in, ParsedValue* value) {
  std::string_view bytes;
  if (!in->ReadBytes(&bytes)) {
    return false;
  }
  if (value->type == type && (type == ValueType::kMap || type == ValueType::kArray)) {
    const Field field = type == ValueType::kMap ? value_fields::kMap : value_fields::kArray;
    return Merge(*kAnyValueShape.Find(field.number)->message, bytes, &value->bytes);
  }
  if (value->type != ValueType::kEmpty && !Discard(*value)) {
    return false;
  }
  value->type = type;
  value->bytes = bytes;
  return true;
}

bool ValueReader::ReadFlat(std::string_view any_value, ParsedValue* value) {
  *value = {};
  ProtoReader in(any_value);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    const auto replace = [&](ValueType type) {
      const bool ok = value->type == ValueType::kEmpty || Discard(*value);
      value->type = type;
      return ok;
    };
    bool ok = false;
    switch (tag) {
      case BytesTag(value_fields::kString):
        ok = ReadBytesOf(ValueType::kText, &in, value);
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
        ok = ReadBytesOf(ValueType::kArray, &in, value);
        break;
      case BytesTag(value_fields::kMap):
        ok = ReadBytesOf(ValueType::kMap, &in, value);
        break;
      case BytesTag(value_fields::kBytes):
        ok = ReadBytesOf(ValueType::kBytes, &in, value);
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

bool ValueReader::SplitOddKeyValue(std::string_view key_value, std::string_view* key,
                                   std::string_view* any_value) {
  *key = {};
  *any_value = {};
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
      ok = in.ReadBytes(&part) && Merge(kAnyValueShape, part, any_value);
    } else {
      ok = SkipUnknown(kKeyValueShape, tag, &in);
    }
    if (!ok) {
      return false;
    }
  }
  return true;
}

bool ValueReader::ReadNested(ParsedValue* value) {
  cbor_.clear();
  if (!WriteContainer(*value, 1)) {
    return false;
  }
  value->bytes = cbor_;
  return true;
}

bool ValueReader::WriteContainer(const ParsedValue& value, int depth) {
  if (depth > max_depth_) {
    return false;
  }
  const bool is_map = value.type == ValueType::kMap;
  cbor_.push_back(is_map ? kOpenMap : kOpenArray);
  ProtoReader in(value.bytes);
  while (!in.at_end()) {
    uint32_t tag = 0;
    if (!in.ReadTag(&tag)) {
      return false;
    }
    if (tag != BytesTag(value_fields::kValues)) {
      if (!SkipUnknown(is_map ? kKeyValueListShape : kArrayValueShape, tag, &in)) {
        return false;
      }
      continue;
    }
    std::string_view item;
    if (!in.ReadBytes(&item)) {
      return false;
    }
    if (is_map) {
      std::string_view key;
      if (!SplitKeyValue(item, &key, &item) || !IsValidUtf8(key)) {
        return false;
      }
      AppendBytes(kTextString, key, &cbor_);
    }
    ParsedValue inner;
    if (!ReadFlat(item, &inner) || !WriteItem(inner, depth)) {
      return false;
    }
  }
  cbor_.push_back(kBreak);
  return true;
}

bool ValueReader::WriteItem(const ParsedValue& value, int depth) {
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
      return WriteContainer(value, depth + 1);
  }
  return false;
}

}  // namespace df::otlp
