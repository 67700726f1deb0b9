#include "otlp/decode/json_shape.h"

#include <array>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "otap/schema.h"

namespace df::otlp {
namespace {

constexpr auto kSpanKinds = std::to_array<EnumName>({{"SPAN_KIND_UNSPECIFIED", 0},
                                                     {"SPAN_KIND_INTERNAL", 1},
                                                     {"SPAN_KIND_SERVER", 2},
                                                     {"SPAN_KIND_CLIENT", 3},
                                                     {"SPAN_KIND_PRODUCER", 4},
                                                     {"SPAN_KIND_CONSUMER", 5}});
constexpr auto kStatusCodes = std::to_array<EnumName>(
    {{"STATUS_CODE_UNSET", 0}, {"STATUS_CODE_OK", 1}, {"STATUS_CODE_ERROR", 2}});
constexpr auto kTemporalities =
    std::to_array<EnumName>({{"AGGREGATION_TEMPORALITY_UNSPECIFIED", 0},
                             {"AGGREGATION_TEMPORALITY_DELTA", 1},
                             {"AGGREGATION_TEMPORALITY_CUMULATIVE", 2}});
constexpr auto kSeverities =
    std::to_array<EnumName>({{"SEVERITY_NUMBER_UNSPECIFIED", 0}, {"SEVERITY_NUMBER_TRACE", 1},
                             {"SEVERITY_NUMBER_TRACE2", 2},      {"SEVERITY_NUMBER_TRACE3", 3},
                             {"SEVERITY_NUMBER_TRACE4", 4},      {"SEVERITY_NUMBER_DEBUG", 5},
                             {"SEVERITY_NUMBER_DEBUG2", 6},      {"SEVERITY_NUMBER_DEBUG3", 7},
                             {"SEVERITY_NUMBER_DEBUG4", 8},      {"SEVERITY_NUMBER_INFO", 9},
                             {"SEVERITY_NUMBER_INFO2", 10},      {"SEVERITY_NUMBER_INFO3", 11},
                             {"SEVERITY_NUMBER_INFO4", 12},      {"SEVERITY_NUMBER_WARN", 13},
                             {"SEVERITY_NUMBER_WARN2", 14},      {"SEVERITY_NUMBER_WARN3", 15},
                             {"SEVERITY_NUMBER_WARN4", 16},      {"SEVERITY_NUMBER_ERROR", 17},
                             {"SEVERITY_NUMBER_ERROR2", 18},     {"SEVERITY_NUMBER_ERROR3", 19},
                             {"SEVERITY_NUMBER_ERROR4", 20},     {"SEVERITY_NUMBER_FATAL", 21},
                             {"SEVERITY_NUMBER_FATAL2", 22},     {"SEVERITY_NUMBER_FATAL3", 23},
                             {"SEVERITY_NUMBER_FATAL4", 24}});

std::span<const EnumName> NamesOf(const MessageShape& shape, const FieldShape& field) {
  if (field.name == "severity_number") {
    return kSeverities;
  }
  if (field.name == "aggregation_temporality") {
    return kTemporalities;
  }
  if (&shape == &kSpanShape && field.name == "kind") {
    return kSpanKinds;
  }
  if (&shape == &kStatusShape && field.name == "code") {
    return kStatusCodes;
  }
  return {};
}

std::string CamelCase(std::string_view name) {
  std::string camel;
  for (size_t i = 0; i < name.size(); ++i) {
    char letter = name[i];
    if (letter == '_' && i + 1 < name.size()) {
      letter = name[++i];
      letter = letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    }
    camel.push_back(letter);
  }
  return camel;
}

Expect ExpectOf(const FieldShape& field) {
  if (field.name.starts_with("resource_") || field.name.starts_with("scope_")) {
    return Expect::kLarge;  // holds the records
  }
  return field.message == &kAnyValueShape || field.message == &kKeyValueShape ? Expect::kTiny
                                                                              : Expect::kSmall;
}

/// All messages of the three signals; built once.
class Shapes {
 public:
  Shapes() {
    for (const otap::Signal signal : otap::kAllSignals) {
      Add(RequestShape(signal));
    }
  }

  const JsonShape& Of(const MessageShape& shape) const { return *shapes_.at(&shape); }

 private:
  const JsonShape* Add(const MessageShape& shape) {
    const auto [at, is_new] = shapes_.try_emplace(&shape, nullptr);
    if (!is_new) {
      return at->second.get();
    }
    at->second = std::make_unique<JsonShape>();
    JsonShape* made = at->second.get();
    made->shape = &shape;
    for (const FieldShape& field : shape.fields) {
      JsonField added;
      added.field = &field;
      added.camel_name = CamelCase(field.name);
      added.message = field.message == nullptr ? nullptr : Add(*field.message);
      added.is_hex =
          field.name == "trace_id" || field.name == "span_id" || field.name == "parent_span_id";
      added.expect = ExpectOf(field);
      added.names = NamesOf(shape, field);
      made->fields.push_back(std::move(added));
    }
    return made;
  }

  std::map<const MessageShape*, std::unique_ptr<JsonShape>> shapes_;
};

}  // namespace

size_t JsonShape::Find(std::string_view key, size_t guess) const {
  for (size_t i = 0; i < fields.size(); ++i) {
    const size_t at = guess + i < fields.size() ? guess + i : guess + i - fields.size();
    if (key == fields[at].camel_name || key == fields[at].field->name) {
      return at;
    }
  }
  return fields.size();
}

const JsonShape& JsonShapeOf(const MessageShape& shape) {
  static const Shapes kShapes;
  return kShapes.Of(shape);
}

}  // namespace df::otlp
