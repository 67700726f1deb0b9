#include "otlp/unknown_fields.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"
#include "otlp/schema/messages.h"

namespace df::otlp {
namespace {

constexpr size_t kMaxKey = 64;

/// The name that a number has in the model: then the wire type is another one.
std::string_view NameInModel(const MessageShape& shape, uint32_t number) {
  const FieldShape* field = shape.Find(number);
  return field == nullptr ? std::string_view() : field->name;
}

}  // namespace

std::string UnknownField::Name() const {
  if (number == 0) {
    return fmt::format("{} key '{}'", message, PrintableText(key));
  }
  if (!key.empty()) {
    return fmt::format("{}.{} (field {}) of wire type {}", message, key, number, wire_type);
  }
  for (const UnmodelledField& named : kUnmodelledFields) {
    if (named.message == message && named.number == number) {
      return fmt::format("{}.{} (field {})", message, named.name, number);
    }
  }
  return fmt::format("{} field {}", message, number);
}

void UnknownFields::Add(const MessageShape& shape, uint32_t tag) {
  for (UnknownField& field : fields_) {
    if (field.number == tag >> 3U && field.wire_type == (tag & 7U) && field.message == shape.name) {
      ++field.count;
      ++total_;
      return;
    }
  }
  UnknownField field;
  field.message = shape.name;
  field.number = tag >> 3U;
  field.wire_type = static_cast<uint8_t>(tag & 7U);
  field.key = NameInModel(shape, field.number);
  field.count = 1;
  Count(std::move(field));
}

void UnknownFields::AddKey(const MessageShape& shape, std::string_view key) {
  UnknownField field;
  field.message = shape.name;
  field.key = key.substr(0, kMaxKey);
  field.count = 1;
  Count(std::move(field));
}

void UnknownFields::Count(UnknownField field) {
  total_ += field.count;
  const auto found = std::find_if(fields_.begin(), fields_.end(), [&](const UnknownField& known) {
    return known.number == field.number && known.wire_type == field.wire_type &&
           known.message == field.message && known.key == field.key;
  });
  if (found != fields_.end()) {
    found->count += field.count;
  } else if (fields_.size() < kMaxDistinct) {
    fields_.push_back(std::move(field));
  } else {
    num_others_ += field.count;
  }
}

void UnknownFields::Add(const UnknownFields& other) {
  for (const UnknownField& field : other.fields_) {
    Count(field);
  }
  num_others_ += other.num_others_;
  total_ += other.num_others_;
}

void UnknownFields::Clear() {
  fields_.clear();
  num_others_ = 0;
  total_ = 0;
}

}  // namespace df::otlp
