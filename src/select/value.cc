#include "select/value.h"

#include <fmt/format.h>

#include "otlp/cbor.h"

namespace df::select {
namespace {

/// Deepest value that is read. Other readers of OTLP stop there, too.
constexpr int kMaxValueDepth = 64;

class CborValue {
 public:
  explicit CborValue(std::string_view bytes) : reader_(bytes) {}

  Value Run() {
    Value value = Read(reader_.Next(), 0);
    return is_broken_ ? Fail("its bytes are no CBOR") : value;
  }

 private:
  Value Read(const otlp::CborItem& item, int depth) {
    using otlp::CborKind;
    if (depth > kMaxValueDepth) {
      is_broken_ = true;
      return {};
    }
    switch (item.kind) {
      case CborKind::kNull:
        return {};
      case CborKind::kBool:
        return {item.boolean};
      case CborKind::kInteger:
        return {item.integer};
      case CborKind::kDouble:
        return {item.real};
      case CborKind::kText:
        return {Text{Chars::Borrow(item.bytes)}};
      case CborKind::kBytes:
        return {Bytes{Chars::Borrow(item.bytes)}};
      case CborKind::kArray:
        return ReadList(item.length, depth);
      case CborKind::kMap:
        return ReadMap(item.length, depth);
      case CborKind::kBreak:
      case CborKind::kInvalid:
        break;
    }
    is_broken_ = true;
    return {};
  }

  Value ReadList(uint64_t length, int depth) {
    auto list = std::make_shared<List>();
    for (uint64_t i = 0; i < length && !is_broken_; ++i) {
      const otlp::CborItem item = reader_.Next();
      if (length == otlp::CborItem::kIndefinite && item.kind == otlp::CborKind::kBreak) {
        break;
      }
      list->push_back(Read(item, depth + 1));
    }
    return {std::shared_ptr<const List>(std::move(list))};
  }

  Value ReadMap(uint64_t length, int depth) {
    auto map = std::make_shared<Map>();
    for (uint64_t i = 0; i < length && !is_broken_; ++i) {
      const otlp::CborItem key = reader_.Next();
      if (length == otlp::CborItem::kIndefinite && key.kind == otlp::CborKind::kBreak) {
        break;
      }
      is_broken_ = is_broken_ || key.kind != otlp::CborKind::kText;
      map->emplace_back(std::string(key.bytes), Read(reader_.Next(), depth + 1));
    }
    return {std::shared_ptr<const Map>(std::move(map))};
  }

  otlp::CborReader reader_;
  bool is_broken_ = false;
};

}  // namespace

Value Fail(std::string reason) {
  return {Failure{std::make_shared<const std::string>(std::move(reason))}};
}

std::string_view KindName(const Value& value) {
  static constexpr std::string_view kNames[] = {
      "nil",   "a truth value", "an integer", "a double", "text",  "bytes",
      "an id", "a time",        "a duration", "a list",   "a map", "a failure"};
  return kNames[value.held.index()];
}

Value MemberOf(const Value& value, const KeySyntax& key, bool* is_missing) {
  *is_missing = false;
  if (const Map* map = value.map(); map != nullptr) {
    const auto* name = std::get_if<std::string>(&key);
    if (name == nullptr) {
      return Fail("a map has no items by number");
    }
    for (const auto& [found, member] : *map) {
      if (found == *name) {
        return member;
      }
    }
    *is_missing = true;
    return {};
  }
  if (const List* list = value.list(); list != nullptr) {
    const auto* index = std::get_if<int64_t>(&key);
    if (index == nullptr) {
      return Fail("a list has no items by name");
    }
    if (*index < 0 || *index >= static_cast<int64_t>(list->size())) {
      return Fail(fmt::format("a list of {} items has none at {}", list->size(), *index));
    }
    return (*list)[static_cast<size_t>(*index)];
  }
  return Fail(fmt::format("{} has no members", KindName(value)));
}

Value ReadCbor(std::string_view bytes) { return CborValue(bytes).Run(); }

}  // namespace df::select
