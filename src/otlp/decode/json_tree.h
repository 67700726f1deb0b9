// JSON as a tree that loses nothing: every member of an object, in the order and as often as it
// stands there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <arrow/result.h>

namespace df::otlp {

struct JsonValue {
  struct Object {
    std::vector<std::pair<std::string, JsonValue>> members;
  };
  using Array = std::vector<JsonValue>;

  /// Whole numbers without sign are uint64_t, those with one int64_t; what fits neither is double.
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Array, Object> value;

  bool is_null() const { return std::holds_alternative<std::monostate>(value); }
  template <typename T>
  const T* As() const {
    return std::get_if<T>(&value);
  }
};

/// Parses a text. Cost: linear in it. Errors: Invalid with line and column, for what is not JSON,
/// not UTF-8, or deeper than `max_depth` arrays and objects.
arrow::Result<JsonValue> ParseJson(std::string_view text, size_t max_depth);

}  // namespace df::otlp
