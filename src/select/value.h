// What an expression of a condition gives for one item.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "select/syntax.h"

namespace df::select {

/// Bytes of a column, or of their own. Owner: borrows them unless `owner` is set.
struct Chars {
  std::string_view view;
  std::shared_ptr<const std::string> owner;

  static Chars Borrow(std::string_view view) { return {view, nullptr}; }
  static Chars Own(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    return {*owner, owner};
  }
};

struct Text {
  Chars chars;
  std::string_view view() const { return chars.view; }
};
struct Bytes {
  Chars chars;
  std::string_view view() const { return chars.view; }
};
/// Trace and span ids: 16 or 8 bytes.
struct Id {
  Chars chars;
  std::string_view view() const { return chars.view; }
};
/// Nanoseconds since 1970. Wider than those of records: a time and a duration may make a later one.
struct Time {
  __int128 nanos = 0;
};
struct Duration {
  int64_t nanos = 0;
};
/// Why an expression has no value for an item: a function does not take what it was given.
struct Failure {
  std::shared_ptr<const std::string> reason;
};

struct Value;
using List = std::vector<Value>;
using Map = std::vector<std::pair<std::string, Value>>;

/// Shape: std::monostate is nil, and the empty value of OpenTelemetry.
struct Value {
  std::variant<std::monostate, bool, int64_t, double, Text, Bytes, Id, Time, Duration,
               std::shared_ptr<const List>, std::shared_ptr<const Map>, Failure>
      held;

  template <typename T>
  const T* As() const {
    return std::get_if<T>(&held);
  }
  bool is_nil() const { return std::holds_alternative<std::monostate>(held); }
  const List* list() const {
    const auto* found = As<std::shared_ptr<const List>>();
    return found == nullptr ? nullptr : found->get();
  }
  const Map* map() const {
    const auto* found = As<std::shared_ptr<const Map>>();
    return found == nullptr ? nullptr : found->get();
  }
};

Value Fail(std::string reason);
inline Value MakeText(std::string text) { return {Text{Chars::Own(std::move(text))}}; }

/// Returns bytes as lower-case hexadecimal digits, two for each.
std::string ToHex(std::string_view bytes);

/// Returns what people call the kind of a value: "text", "integer", "nil".
std::string_view KindName(const Value& value);

/// Returns the member of a map (the first of that name) or the item of a list; nil where a map has
/// none, which `is_missing` is told then. Fails for an index beyond the end, and where the value
/// has no such members.
Value MemberOf(const Value& value, const KeySyntax& key, bool* is_missing);

/// Reads the CBOR of a map or list. Fails where it is broken.
Value ReadCbor(std::string_view bytes);

/// Writes a value as the Collector does where a function wants text: bytes in hexadecimal, maps and
/// lists as JSON with sorted keys. Nil is nothing. Fails where there is no such form.
Value ToText(const Value& value);

/// Writes a body as its text, as the Collector does: as ToText, but bytes in base64, nil and what
/// has no JSON as "", doubles that are no numbers as "NaN", "Infinity" and "-Infinity".
Value BodyText(const Value& value);

/// Compares as OTTL does: numbers with numbers, like with like; values of different kinds are
/// unequal, and neither is less. Neither side is a Failure.
bool Compare(const Value& left, Comparison comparison, const Value& right);

}  // namespace df::select
