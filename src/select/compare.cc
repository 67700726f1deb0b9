#include <algorithm>
#include <utility>

#include "select/value.h"

namespace df::select {
namespace {

template <typename T>
bool Order(const T& left, Comparison comparison, const T& right) {
  switch (comparison) {
    case Comparison::kEqual:
      return left == right;
    case Comparison::kNotEqual:
      return left != right;
    case Comparison::kLess:
      return left < right;
    case Comparison::kLessOrEqual:
      return left <= right;
    case Comparison::kGreater:
      return left > right;
    case Comparison::kGreaterOrEqual:
      return left >= right;
  }
  return false;
}

/// For values that are equal or not, and nothing else.
bool Match(bool is_equal, Comparison comparison) {
  return (comparison == Comparison::kEqual && is_equal) ||
         (comparison == Comparison::kNotEqual && !is_equal);
}

/// Bytes without any are no bytes.
bool IsNothing(const Value& value) {
  const auto* bytes = value.As<Bytes>();
  return value.is_nil() || (bytes != nullptr && bytes->view().empty());
}

bool IsSame(const Value& left, const Value& right);

/// Maps are equal whatever the order of their keys.
bool IsSameMap(const Map& left, const Map& right) {
  if (left.size() != right.size()) {
    return false;
  }
  std::vector<const std::pair<std::string, Value>*> ordered[2];
  for (const auto& [map, order] : {std::pair(&left, &ordered[0]), std::pair(&right, &ordered[1])}) {
    for (const auto& entry : *map) {
      order->push_back(&entry);
    }
    std::stable_sort(order->begin(), order->end(),
                     [](const auto* a, const auto* b) { return a->first < b->first; });
  }
  return std::equal(ordered[0].begin(), ordered[0].end(), ordered[1].begin(),
                    [](const auto* a, const auto* b) {
                      return a->first == b->first && IsSame(a->second, b->second);
                    });
}

/// Equality inside maps and lists, where 1 and 1.0 differ.
bool IsSame(const Value& left, const Value& right) {
  if (left.held.index() != right.held.index()) {
    return false;
  }
  if (const List* list = left.list(); list != nullptr) {
    const List& other = *right.list();
    return std::equal(list->begin(), list->end(), other.begin(), other.end(), IsSame);
  }
  if (const Map* map = left.map(); map != nullptr) {
    return IsSameMap(*map, *right.map());
  }
  return left.is_nil() || Compare(left, Comparison::kEqual, right) ||
         (IsNothing(left) && IsNothing(right));
}

}  // namespace

bool Compare(const Value& left, Comparison comparison, const Value& right) {
  if (IsNothing(left) || IsNothing(right)) {
    const bool is_equal = IsNothing(left) && IsNothing(right);
    return is_equal ? comparison == Comparison::kEqual || comparison == Comparison::kLessOrEqual ||
                          comparison == Comparison::kGreaterOrEqual
                    : comparison == Comparison::kNotEqual;
  }
  const auto* left_integer = left.As<int64_t>();
  const auto* right_integer = right.As<int64_t>();
  const auto* left_double = left.As<double>();
  const auto* right_double = right.As<double>();
  if ((left_integer != nullptr && right_double != nullptr) ||
      (left_double != nullptr && right_integer != nullptr)) {
    return Order(left_double != nullptr ? *left_double : static_cast<double>(*left_integer),
                 comparison,
                 right_double != nullptr ? *right_double : static_cast<double>(*right_integer));
  }
  if (left.held.index() != right.held.index()) {
    return comparison == Comparison::kNotEqual;
  }
  if (left_integer != nullptr) {
    return Order(*left_integer, comparison, *right_integer);
  }
  if (left_double != nullptr) {
    return Order(*left_double, comparison, *right_double);
  }
  if (const auto* text = left.As<Text>()) {
    return Order(text->view(), comparison, right.As<Text>()->view());
  }
  if (const auto* truth = left.As<bool>()) {
    return Order(*truth, comparison, *right.As<bool>());
  }
  if (const auto* time = left.As<Time>()) {
    return Order(time->nanos, comparison, right.As<Time>()->nanos);
  }
  if (const auto* duration = left.As<Duration>()) {
    return Order(duration->nanos, comparison, right.As<Duration>()->nanos);
  }
  if (const auto* bytes = left.As<Bytes>()) {
    return Order(bytes->view(), comparison, right.As<Bytes>()->view());
  }
  if (const auto* id = left.As<Id>()) {
    return Match(id->view() == right.As<Id>()->view(), comparison);
  }
  return Match(IsSame(left, right), comparison);
}

}  // namespace df::select
