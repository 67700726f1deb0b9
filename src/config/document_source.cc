#include "config/document_source.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace df::config {
namespace {

Result<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Status::IOError(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  }
  // One byte more than a document may have tells that it is too large.
  std::string text(kMaxDocumentBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  if (file.bad()) {
    return Status::IOError(fmt::format("{}: cannot be read: {}", path, std::strerror(errno)));
  }
  return text;
}

/// Returns what stands before the first ':' when it can be a scheme. One letter is none.
std::string_view SchemeOf(std::string_view source) {
  const size_t colon = source.find(':');
  if (colon == std::string_view::npos || colon < 2) {
    return "";
  }
  const std::string_view scheme = source.substr(0, colon);
  for (const char c : scheme) {
    if (c < 'a' || c > 'z') {
      return "";
    }
  }
  return scheme;
}

/// Copies a value whose text is a piece of another source, `column` characters into it.
ValuePtr Relocate(const Value& value, int source, int column) {
  auto copy = std::make_shared<Value>(value);
  const auto move = [&](Mark* mark) {
    mark->column += mark->line == 1 ? column : 0;
    mark->source = source;
  };
  move(&copy->mark);
  for (ValuePtr& item : copy->items) {
    item = Relocate(*item, source, column);
  }
  for (Value::Entry& entry : copy->entries) {
    move(&entry.key_mark);
    entry.value = Relocate(*entry.value, source, column);
  }
  return copy;
}

/// Splits `a."b.c".0` into its keys. Errors: Invalid.
Result<std::vector<std::string>> SplitPath(std::string_view path) {
  std::vector<std::string> keys;
  while (true) {
    size_t end = 0;
    if (path.starts_with('"')) {
      end = path.find('"', 1);
      if (end == std::string_view::npos) {
        return Status::Invalid("a quote is not closed");
      }
      keys.emplace_back(path.substr(1, end - 1));
      ++end;
    } else {
      end = std::min(path.find('.'), path.size());
      keys.emplace_back(path.substr(0, end));
    }
    if (keys.back().empty()) {
      return Status::Invalid("a key is empty");
    }
    if (end == path.size()) {
      return keys;
    }
    if (path[end] != '.') {
      return Status::Invalid("expected a dot behind a quoted key");
    }
    path.remove_prefix(end + 1);
  }
}

/// Puts a value at a place of a tree.
class Placement {
 public:
  Placement(std::span<const std::string> keys, ValuePtr value, Mark mark, bool may_replace)
      : keys_(keys), value_(std::move(value)), mark_(mark), may_replace_(may_replace) {}

  /// Errors: Invalid, when the way is barred.
  Result<ValuePtr> Into(const ValuePtr& root, size_t depth = 0) {
    if (depth == keys_.size()) {
      return value_;
    }
    if (root->kind == Value::Kind::kList) {
      return IntoList(*root, depth);
    }
    if (root->kind == Value::Kind::kScalar) {
      return Status::Invalid(
          fmt::format("'{}' is {}, expected a map", Where(depth), root->Describe()));
    }
    auto copy = std::make_shared<Value>(*root);
    if (copy->kind == Value::Kind::kNull) {
      copy->kind = Value::Kind::kMap;
      copy->reference.clear();
    }
    for (Value::Entry& entry : copy->entries) {
      if (entry.key == keys_[depth]) {
        if (depth + 1 == keys_.size() && !may_replace_) {
          return Status::Invalid(fmt::format("key '{}' is given twice", Where(depth + 1)));
        }
        ARROW_ASSIGN_OR_RAISE(entry.value, Into(entry.value, depth + 1));
        return ValuePtr(std::move(copy));
      }
    }
    auto made = std::make_shared<Value>();
    made->mark = mark_;
    ARROW_ASSIGN_OR_RAISE(ValuePtr value, Into(made, depth + 1));
    copy->entries.push_back({keys_[depth], mark_, std::move(value)});
    return ValuePtr(std::move(copy));
  }

 private:
  Result<ValuePtr> IntoList(const Value& list, size_t depth) {
    const std::string& key = keys_[depth];
    size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size() || index >= list.items.size()) {
      return Status::Invalid(
          fmt::format("'{}' is a list of {}, expected the number of an item "
                      "instead of '{}'",
                      Where(depth), list.items.size(), PrintableText(key)));
    }
    auto copy = std::make_shared<Value>(list);
    ARROW_ASSIGN_OR_RAISE(copy->items[index], Into(list.items[index], depth + 1));
    return ValuePtr(std::move(copy));
  }

  std::string Where(size_t depth) const {
    std::string path;
    for (size_t i = 0; i < depth; ++i) {
      if (i > 0) {
        path += '.';
      }
      path += PrintableText(keys_[i]);
    }
    return path.empty() ? "the document" : path;
  }

  std::span<const std::string> keys_;
  ValuePtr value_;
  Mark mark_;
  bool may_replace_;
};

/// Expands keys like `a::b::c` at the top level.
ValuePtr ExpandKeys(const ValuePtr& root, Problems* problems) {
  if (root->kind != Value::Kind::kMap) {
    return root;
  }
  auto empty = std::make_shared<Value>();
  empty->kind = Value::Kind::kMap;
  empty->mark = root->mark;
  ValuePtr expanded = std::move(empty);
  for (const Value::Entry& entry : root->entries) {
    std::vector<std::string> keys;
    std::string_view rest = entry.key;
    for (size_t at = rest.find("::"); at != std::string_view::npos; at = rest.find("::")) {
      keys.emplace_back(rest.substr(0, at));
      rest.remove_prefix(at + 2);
    }
    keys.emplace_back(rest);
    auto placed = Placement(keys, entry.value, entry.key_mark, false).Into(expanded);
    if (placed.ok()) {
      expanded = *placed;
    } else {
      problems->Add(entry.key_mark, placed.status().message());
    }
  }
  return expanded;
}

ValuePtr ApplyOverride(const ValuePtr& root, const std::string& text, Problems* problems) {
  const int source = problems->AddSource("--set " + PrintableText(text));
  // A quoted key may have an equals sign of its own.
  size_t equals = 0;
  bool is_quoted = false;
  while (equals < text.size() && (text[equals] != '=' || is_quoted)) {
    is_quoted ^= text[equals] == '"';
    ++equals;
  }
  const Mark begin{1, 1, source};
  if (equals == text.size() || equals == 0) {
    problems->Add(begin,
                  "found no path, expected path=value, as in "
                  "engine.telemetry.logs.level=debug");
    return root;
  }
  const auto keys = SplitPath(std::string_view(text).substr(0, equals));
  if (!keys.ok()) {
    problems->Add(begin, keys.status().message() + ", expected keys separated by dots");
    return root;
  }
  const std::string value_text = text.substr(equals + 1);
  const int column = static_cast<int>(equals) + 1;
  ValuePtr value;
  if (value_text.find_first_not_of(" \t") == std::string::npos) {
    auto nothing = std::make_shared<Value>();
    nothing->mark = {1, column + 1, source};
    value = std::move(nothing);
  } else {
    Problems of_value("");
    value = ParseDocument(value_text, &of_value);
    for (const Problem& problem : of_value.problems()) {
      problems->Add({problem.mark.line, problem.mark.column + column, source}, problem.message);
    }
    if (value == nullptr) {
      return root;
    }
    value = Relocate(*value, source, column);
  }
  auto placed = Placement(*keys, std::move(value), begin, true).Into(root);
  if (!placed.ok()) {
    problems->Add(begin, placed.status().message());
    return root;
  }
  return *placed;
}

}  // namespace

Result<DocumentText> ReadSource(const std::string& source, const Environment& environment) {
  const std::string_view scheme = SchemeOf(source);
  if (scheme.empty()) {
    ARROW_ASSIGN_OR_RAISE(std::string text, ReadFile(source));
    return DocumentText{source, std::move(text)};
  }
  const std::string rest = source.substr(scheme.size() + 1);
  if (scheme == "file") {
    ARROW_ASSIGN_OR_RAISE(std::string text, ReadFile(rest));
    return DocumentText{rest, std::move(text)};
  }
  if (scheme == "yaml") {
    return DocumentText{"yaml", rest, true};
  }
  if (scheme == "env") {
    std::optional<std::string> text = environment.Variable(rest);
    if (!text.has_value()) {
      return Status::Invalid(
          fmt::format("{}: the environment variable is not set, expected a document", source));
    }
    return DocumentText{source, std::move(*text)};
  }
  return Status::Invalid(
      fmt::format("{}: unknown scheme '{}', expected a path, file:PATH, "
                  "yaml:TEXT or env:VARIABLE",
                  source, scheme));
}

bool IsFile(const std::string& source) {
  const std::string_view scheme = SchemeOf(source);
  return scheme.empty() || scheme == "file";
}

ValuePtr ReadDocument(const DocumentText& document, std::span<const std::string> overrides,
                      const Environment& environment, Problems* problems) {
  ValuePtr root = ParseDocument(document.text, problems);
  if (root == nullptr) {
    return nullptr;
  }
  if (document.expands_keys) {
    root = ExpandKeys(root, problems);
  }
  for (const std::string& override_text : overrides) {
    root = ApplyOverride(root, override_text, problems);
  }
  return SubstituteEnvironment(root, environment, problems);
}

}  // namespace df::config
