// Writes AnyValues and attributes with any writer (ProtoWriter, JsonWriter, TextWriter).
#pragma once

#include <cstdint>
#include <string_view>

#include "otlp/cbor.h"
#include "otlp/child_table.h"
#include "otlp/schema/messages.h"

namespace df::otlp {

/// Arrays and maps inside each other, at most; deeper values count as invalid,
/// as do those that would be more than Writer::kMaxLevel messages deep.
inline constexpr int kMaxValueDepth = 128;

/// Writes the nested value that CBOR bytes hold. Returns false, with something half written, when
/// they are invalid: the caller rewinds.
template <typename Writer>
class CborWalk {
 public:
  /// `level`: how many messages the value is inside of, itself included.
  CborWalk(std::string_view input, int level, Writer* writer)
      : reader_(input), level_(level), writer_(*writer) {}

  bool WriteAll() {
    const CborItem item = reader_.Next();
    if (item.kind != CborKind::kArray && item.kind != CborKind::kMap) {
      return false;
    }
    return WriteItem(item, {0, level_}) && reader_.at_end();
  }

 private:
  /// Of a value: arrays and maps around it, and messages, itself included.
  struct Place {
    int depth;
    int level;
  };

  bool WriteItem(const CborItem& item, Place place) {
    switch (item.kind) {
      case CborKind::kNull:
        return true;
      case CborKind::kBool:
        writer_.Bool(value_fields::kBool, item.boolean);
        return true;
      case CborKind::kInteger:
        writer_.Int64(value_fields::kInt, item.integer);
        return true;
      case CborKind::kDouble:
        writer_.Double(value_fields::kDouble, item.real);
        return true;
      case CborKind::kText:
        writer_.String(value_fields::kString, item.bytes);
        return true;
      case CborKind::kBytes:
        writer_.Bytes(value_fields::kBytes, item.bytes);
        return true;
      case CborKind::kArray:
      case CborKind::kMap:
        return place.depth < kMaxValueDepth && place.level < Writer::kMaxLevel &&
               WriteContainer(item, place);
      case CborKind::kBreak:
      case CborKind::kInvalid:
        return false;
    }
    return false;
  }

  bool WriteContainer(const CborItem& head, Place place) {
    const bool is_map = head.kind == CborKind::kMap;
    // The list is a message, and so is a pair.
    const Place inside = {place.depth + 1, place.level + (is_map ? 3 : 2)};
    bool is_valid = true;
    writer_.Message(is_map ? value_fields::kMap : value_fields::kArray, Expect::kTiny, [&] {
      writer_.List(value_fields::kValues, [&] {
        for (uint64_t i = 0; is_valid && i < head.length; ++i) {
          const CborItem first = reader_.Next();
          if (first.kind == CborKind::kBreak && head.length == CborItem::kIndefinite) {
            return;
          }
          is_valid = inside.level <= Writer::kMaxLevel &&
                     (is_map ? WritePair(first, inside) : WriteElement(first, inside));
        }
      });
    });
    return is_valid;
  }

  bool WriteElement(const CborItem& item, Place place) {
    bool is_valid = true;
    writer_.Item(value_fields::kValues, Expect::kTiny, [&] { is_valid = WriteItem(item, place); });
    return is_valid;
  }

  bool WritePair(const CborItem& key, Place place) {
    // A null stands for the empty key.
    if (key.kind != CborKind::kText && key.kind != CborKind::kNull) {
      return false;
    }
    bool is_valid = true;
    writer_.Item(value_fields::kValues, Expect::kTiny, [&] {
      writer_.String(value_fields::kKey, key.bytes);
      writer_.Message(value_fields::kValue, Expect::kTiny,
                      [&] { is_valid = WriteItem(reader_.Next(), place); });
    });
    return is_valid;
  }

  CborReader reader_;
  int level_;
  Writer& writer_;
};

/// Writes the fields of one AnyValue, so many messages deep; nothing for an
/// empty value.
template <typename Writer>
void WriteValue(const ValueColumns& values, int64_t row, int level, EncodeStats* stats,
                Writer* writer) {
  switch (static_cast<ValueType>(values.type.ValueOr(row, 0))) {
    case ValueType::kEmpty:
      return;
    case ValueType::kText:
      writer->String(value_fields::kString, values.text.ValueOrEmpty(row));
      return;
    case ValueType::kInteger:
      writer->Int64(value_fields::kInt, values.integer.ValueOr(row, 0));
      return;
    case ValueType::kDouble:
      writer->Double(value_fields::kDouble, values.real.ValueOr(row, 0));
      return;
    case ValueType::kBool:
      if (values.boolean.Has(row)) {
        writer->Bool(value_fields::kBool, values.boolean.Value(row));
      } else if (!values.boolean.is_present()) {
        writer->Bool(value_fields::kBool, false);
      }
      return;
    case ValueType::kBytes:
      writer->Bytes(value_fields::kBytes, values.bytes.ValueOrEmpty(row));
      return;
    case ValueType::kMap:
    case ValueType::kArray: {
      const typename Writer::Mark start = writer->Position();
      if (values.cbor.Has(row) &&
          !CborWalk<Writer>(values.cbor.Value(row), level, writer).WriteAll()) {
        writer->Rewind(start);
        ++stats->invalid_values;
      }
      return;
    }
  }
  ++stats->unknown_types;
}

/// Writes the attributes of one parent as a repeated field; nothing when there are none.
template <typename Writer>
void WriteAttributes(Field field, const AttributeTable& table, uint32_t parent, EncodeStats* stats,
                     Writer* writer) {
  const ChildIndex::Rows rows = table.rows.Of(parent);
  if (rows.empty()) {
    return;
  }
  writer->List(field, [&] {
    for (uint32_t i = 0; i < rows.size(); ++i) {
      const int64_t row = rows[i];
      writer->Item(field, Expect::kTiny, [&] {
        writer->String(value_fields::kKey, table.key.ValueOrEmpty(row));
        writer->Message(value_fields::kValue, Expect::kTiny,
                        [&] { WriteValue(table.values, row, table.value_level, stats, writer); });
      });
    }
  });
}

}  // namespace df::otlp
