#include "select/attribute_needs.h"

#include <algorithm>
#include <utility>

namespace df::select {
namespace {

/// Tells whether a comparison with a literal is false wherever the other side is nil.
bool IsFalseForNil(Comparison comparison, const ValueSyntax& literal) {
  if (std::holds_alternative<std::monostate>(literal.form)) {
    return comparison == Comparison::kNotEqual;
  }
  const bool is_value = std::holds_alternative<bool>(literal.form) ||
                        std::holds_alternative<int64_t>(literal.form) ||
                        std::holds_alternative<double>(literal.form) ||
                        std::holds_alternative<std::string>(literal.form);
  return is_value && comparison != Comparison::kNotEqual;
}

/// The need of a comparison of one attribute with a literal.
std::optional<AttributeNeeds> OfComparison(const TestSyntax& syntax, Context context) {
  const bool is_path_left = std::holds_alternative<PathSyntax>(syntax.left->form);
  const ValueSyntax& field = is_path_left ? *syntax.left : *syntax.right;
  const ValueSyntax& literal = is_path_left ? *syntax.right : *syntax.left;
  const auto* path = std::get_if<PathSyntax>(&field.form);
  if (path == nullptr || !IsFalseForNil(syntax.comparison, literal)) {
    return std::nullopt;
  }
  std::vector<KeySyntax> keys;
  const auto info = FindPath(context, *path, field.position, &keys);
  if (!info.ok() || (**info).reading != Reading::kAttributes || keys.size() != 1 ||
      !std::holds_alternative<std::string>(keys.front())) {
    return std::nullopt;
  }
  AttributeNeed need{
      .key = std::get<std::string>(keys.front()), .text = std::nullopt, .integer = std::nullopt};
  if (syntax.comparison == Comparison::kEqual) {
    if (const auto* text = std::get_if<std::string>(&literal.form); text != nullptr) {
      need.text = *text;
    } else if (const auto* integer = std::get_if<int64_t>(&literal.form); integer != nullptr) {
      need.integer = *integer;
    }
  }
  return AttributeNeeds{.place = (**info).place, .any_of = {std::move(need)}};
}

}  // namespace

std::optional<AttributeNeeds> FindAttributeNeeds(const TestSyntax& syntax, Context context) {
  if (syntax.kind == TestSyntax::Kind::kComparison) {
    return OfComparison(syntax, context);
  }
  if (syntax.kind != TestSyntax::Kind::kOr) {
    return std::nullopt;
  }
  std::optional<AttributeNeeds> needs;
  for (const TestSyntaxPtr& part : syntax.parts) {
    auto more = FindAttributeNeeds(*part, context);
    if (!more.has_value() || (needs.has_value() && needs->place != more->place)) {
      return std::nullopt;
    }
    if (!needs.has_value()) {
      needs = std::move(more);
    } else {
      std::move(more->any_of.begin(), more->any_of.end(), std::back_inserter(needs->any_of));
    }
  }
  return needs;
}

}  // namespace df::select
