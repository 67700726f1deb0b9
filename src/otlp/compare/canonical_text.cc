#include "otlp/compare/canonical_text.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <fmt/format.h>
#include <protozero/pbf_reader.hpp>

#include "base/text.h"
#include "otlp/decode/proto_reader.h"
#include "otlp/text_form.h"

namespace df::otlp {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

std::string_view View(const protozero::data_view& view) { return {view.data(), view.size()}; }

uint64_t ReadNumber(WireKind kind, pbf_reader* reader) {
  switch (kind) {
    case WireKind::kSInt:
      return static_cast<uint64_t>(reader->get_sint64());
    case WireKind::kFixed32:
      return reader->get_fixed32();
    case WireKind::kFixed64:
    case WireKind::kSFixed64:
    case WireKind::kDouble:
      return reader->get_fixed64();
    default:
      return reader->get_uint64();
  }
}

bool IsNumber(WireKind kind) { return WireTypeOf(kind) != WireType::length_delimited; }

void ReadPacked(WireKind kind, pbf_reader* reader, std::vector<uint64_t>* numbers) {
  if (kind == WireKind::kFixed64 || kind == WireKind::kDouble) {
    for (const uint64_t value : reader->get_packed_fixed64()) {
      numbers->push_back(value);
    }
  } else {
    for (const uint64_t value : reader->get_packed_uint64()) {
      numbers->push_back(value);
    }
  }
}

RawField* FieldSlot(std::vector<RawField>* fields, const FieldShape& shape) {
  for (RawField& field : *fields) {
    if (field.shape == &shape) {
      return &field;
    }
  }
  fields->push_back({&shape, shape.number});
  return &fields->back();
}

void ReadKnown(const FieldShape& shape, pbf_reader* reader, std::vector<RawField>* fields) {
  if (shape.presence == Presence::kOneof) {
    std::erase_if(*fields, [&](const RawField& field) {
      return field.shape != nullptr && field.shape != &shape &&
             field.shape->presence == Presence::kOneof;
    });
  }
  RawField* field = FieldSlot(fields, shape);
  const bool is_repeated = shape.presence == Presence::kRepeated;
  if (IsNumber(shape.kind)) {
    if (is_repeated && reader->wire_type() == pbf_wire_type::length_delimited) {
      ReadPacked(shape.kind, reader, &field->numbers);
    } else if (is_repeated) {
      field->numbers.push_back(ReadNumber(shape.kind, reader));
    } else {
      field->number_value = ReadNumber(shape.kind, reader);
    }
  } else if (is_repeated) {
    field->items.push_back(View(reader->get_view()));
  } else if (shape.kind == WireKind::kMessage) {
    field->bytes += View(reader->get_view());
  } else {
    field->bytes = View(reader->get_view());
  }
}

void ReadUnknown(pbf_reader* reader, std::vector<RawField>* fields) {
  RawField field;
  field.number = reader->tag();
  switch (reader->wire_type()) {
    case pbf_wire_type::varint:
      field.number_value = reader->get_uint64();
      break;
    case pbf_wire_type::fixed32:
      field.number_value = reader->get_fixed32();
      break;
    case pbf_wire_type::fixed64:
      field.number_value = reader->get_fixed64();
      break;
    default:
      field.bytes = View(reader->get_view());
  }
  fields->push_back(std::move(field));
}

void AppendQuoted(std::string_view text, std::string* out) {
  *out += '"';
  AppendEscaped(text, out);
  *out += '"';
  if (!IsValidUtf8(text)) {
    // The escaped form of broken text says nothing about its bytes.
    AppendHex(text, out);
  }
}

std::string NumberText(WireKind kind, uint64_t value) {
  switch (kind) {
    case WireKind::kInt:
    case WireKind::kSInt:
    case WireKind::kSFixed64:
      return std::to_string(static_cast<int64_t>(value));
    case WireKind::kBool:
      return value != 0 ? "true" : "false";
    case WireKind::kDouble: {
      std::string text;
      AppendDouble(std::bit_cast<double>(value), &text);
      return text;
    }
    default:
      return std::to_string(value);
  }
}

std::string Join(const std::vector<std::string>& texts) {
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string Braced(std::string_view text) { return fmt::format("{{{}}}", text); }

/// The fields that the model does not have: " unknown_99=7", in the order in which they stand.
std::string UnknownText(const std::vector<RawField>& fields) {
  std::string text;
  for (const RawField& field : fields) {
    if (field.shape == nullptr) {
      text += fmt::format(" unknown_{}={}", field.number, field.number_value);
      AppendHex(field.bytes, &text);
    }
  }
  return text;
}

std::string ValueText(std::string_view bytes, const CompareOptions& options);

std::string KeyValueText(std::string_view bytes, const CompareOptions& options) {
  const std::vector<RawField> fields = SplitMessage(kKeyValueShape, bytes);
  const RawField* key = FindField(fields, "key");
  const RawField* value = FindField(fields, "value");
  std::string text;
  AppendQuoted(key == nullptr ? "" : key->bytes, &text);
  return text + ": " + ValueText(value == nullptr ? "" : value->bytes, options) +
         UnknownText(fields);
}

std::string RepeatedText(const FieldShape& shape, const std::vector<std::string_view>& items,
                         const CompareOptions& options, bool is_ordered) {
  std::vector<std::string> texts;
  for (const std::string_view item : items) {
    if (shape.message == &kKeyValueShape) {
      texts.push_back(KeyValueText(item, options));
    } else if (shape.message == &kAnyValueShape) {
      texts.push_back(ValueText(item, options));
    } else {
      texts.push_back(Braced(CanonicalText(*shape.message, item, options)));
    }
  }
  if (!is_ordered) {
    std::sort(texts.begin(), texts.end());
  }
  return Join(texts);
}

std::string ContainerText(const RawField& value, const CompareOptions& options) {
  const std::vector<RawField> fields = SplitMessage(*value.shape->message, value.bytes);
  const RawField* values = FindField(fields, "values");
  if (values == nullptr) {
    return "[]" + UnknownText(fields);
  }
  const bool is_array = value.shape->name == "array_value";
  return RepeatedText(*values->shape, values->items, options, is_array) + UnknownText(fields);
}

// An AnyValue; "empty" when it has no value.
std::string ValueText(std::string_view bytes, const CompareOptions& options) {
  const std::vector<RawField> fields = SplitMessage(kAnyValueShape, bytes);
  std::string text;
  for (const RawField& field : fields) {
    if (field.shape == nullptr) {
      continue;
    }
    text += field.shape->name;
    text += ' ';
    if (field.shape->kind == WireKind::kMessage) {
      text += ContainerText(field, options);
    } else if (field.shape->kind == WireKind::kString) {
      AppendQuoted(field.bytes, &text);
    } else if (field.shape->kind == WireKind::kBytes) {
      AppendHex(field.bytes, &text);
    } else {
      const bool is_zero =
          field.shape->kind == WireKind::kDouble && std::bit_cast<double>(field.number_value) == 0;
      const bool is_sign_lost = options.upstream_losses || options.zero_signs;
      text += NumberText(field.shape->kind, is_sign_lost && is_zero ? 0 : field.number_value);
    }
  }
  text += UnknownText(fields);
  return text.empty() ? "empty" : text;
}

// The text of a field's value, or nothing when the field says no more than its absence.
std::string FieldText(const RawField& field, const CompareOptions& options) {
  const FieldShape& shape = *field.shape;
  const bool is_explicit =
      shape.presence == Presence::kExplicit || shape.presence == Presence::kOneof;
  if (shape.presence == Presence::kRepeated) {
    if (shape.kind == WireKind::kMessage) {
      return field.items.empty() ? "" : RepeatedText(shape, field.items, options, false);
    }
    std::vector<std::string> texts;
    for (const uint64_t value : field.numbers) {
      texts.push_back(NumberText(shape.kind, value));
    }
    return texts.empty() ? "" : Join(texts);
  }
  if (shape.message == &kAnyValueShape) {
    std::string text = ValueText(field.bytes, options);
    return text == "empty" ? "" : text;
  }
  if (shape.kind == WireKind::kMessage) {
    const std::string text = CanonicalText(*shape.message, field.bytes, options);
    return text.empty() && !is_explicit ? std::string() : Braced(text);
  }
  if (!IsNumber(shape.kind)) {
    std::string text;
    if (!field.bytes.empty() || is_explicit) {
      shape.kind == WireKind::kString ? AppendQuoted(field.bytes, &text)
                                      : AppendHex(field.bytes, &text);
    }
    return text;
  }
  const bool is_zero = shape.kind == WireKind::kDouble
                           ? std::bit_cast<double>(field.number_value) == 0
                           : field.number_value == 0;
  return is_zero && !is_explicit ? "" : NumberText(shape.kind, field.number_value);
}

}  // namespace

std::vector<RawField> SplitMessage(const MessageShape& shape, std::string_view bytes) {
  std::vector<RawField> fields;
  pbf_reader reader(bytes.data(), bytes.size());
  while (reader.next()) {
    const FieldShape* field = shape.Find(reader.tag());
    const bool is_packed = field != nullptr && field->presence == Presence::kRepeated &&
                           IsNumber(field->kind) &&
                           reader.wire_type() == pbf_wire_type::length_delimited;
    if (field != nullptr && (is_packed || WireTypeOf(field->kind) == reader.wire_type())) {
      ReadKnown(*field, &reader, &fields);
    } else {
      ReadUnknown(&reader, &fields);
    }
  }
  return fields;
}

const RawField* FindField(const std::vector<RawField>& fields, std::string_view name) {
  for (const RawField& field : fields) {
    if (field.shape != nullptr && field.shape->name == name) {
      return &field;
    }
  }
  return nullptr;
}

std::string CanonicalText(const MessageShape& shape, const std::vector<RawField>& fields,
                          const CompareOptions& options,
                          const std::vector<std::string_view>& skip) {
  std::string text;
  const auto append = [&](std::string_view name, std::string_view value) {
    text += text.empty() ? "" : " ";
    text += name;
    text += '=';
    text += value;
  };
  for (uint32_t number = 1; number <= MessageShape::kMaxNumber; ++number) {
    const FieldShape* known = shape.Find(number);
    const RawField* field = known == nullptr ? nullptr : FindField(fields, known->name);
    if (field == nullptr || (options.upstream_losses && known->is_lost_upstream) ||
        std::find(skip.begin(), skip.end(), known->name) != skip.end()) {
      continue;
    }
    if (const std::string value = FieldText(*field, options); !value.empty()) {
      append(known->name, value);
    }
  }
  return text + UnknownText(fields);
}

std::string CanonicalText(const MessageShape& shape, std::string_view bytes,
                          const CompareOptions& options) {
  return CanonicalText(shape, SplitMessage(shape, bytes), options);
}

}  // namespace df::otlp
