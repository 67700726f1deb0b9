#include "config/value_writer.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "config/environment.h"

namespace df::config {
namespace {

// Words that YAML readers, this one or others, take for something else than text.
constexpr std::array<std::string_view, 8> kReserved = {"true", "false", "null", "yes",
                                                       "no",   "on",    "off",  "y"};

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Whether the text needs no quotes as far as its characters go.
bool HasPlainCharacters(std::string_view text) {
  if (text.empty() || text.back() == ':') {
    return false;
  }
  if (!IsLetter(text[0]) && !IsDigit(text[0]) && text[0] != '/' && text[0] != '.' &&
      !(text[0] == '-' && text.size() > 1 && IsDigit(text[1]))) {
    return false;
  }
  return std::all_of(text.begin(), text.end(), [](char c) {
    return IsLetter(c) || IsDigit(c) || std::string_view("./+-:").find(c) != std::string::npos;
  });
}

bool IsReserved(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return std::find(kReserved.begin(), kReserved.end(), lower) != kReserved.end() || lower == "n";
}

std::string Quote(std::string_view text, bool is_json) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (c == '\t') {
      quoted += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("{}{:02x}", is_json ? "\\u00" : "\\x", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string YamlKey(const std::string& key) {
  return HasPlainCharacters(key) && IsLetter(key[0]) && !IsReserved(key) ? key : Quote(key, false);
}

std::string YamlScalar(const Value& value) {
  const std::string text =
      value.reference.empty() ? EscapeReferences(value.scalar) : value.reference;
  if (value.is_quoted) {
    const bool is_plain =
        HasPlainCharacters(text) && (IsLetter(text[0]) || text[0] == '/') && !IsReserved(text);
    return is_plain ? text : Quote(text, false);
  }
  // What comes from a reference keeps its type: it must not be quoted.
  const bool is_plain =
      HasPlainCharacters(text) || (!value.reference.empty() && text[0] == '$' &&
                                   text.find_first_of(" #\n\t") == std::string::npos);
  return is_plain ? text : Quote(text, false);
}

void WriteYaml(const Value& value, int indent, std::string* out);

bool IsInline(const Value& value) {
  return (value.kind == Value::Kind::kMap && value.entries.empty()) ||
         (value.kind == Value::Kind::kList && value.items.empty()) ||
         value.kind == Value::Kind::kScalar || value.kind == Value::Kind::kNull;
}

std::string InlineYaml(const Value& value) {
  switch (value.kind) {
    case Value::Kind::kNull:
      return value.reference.empty() ? "null" : YamlScalar(value);
    case Value::Kind::kScalar:
      return YamlScalar(value);
    case Value::Kind::kList:
      return "[]";
    case Value::Kind::kMap:
      return "{}";
  }
  return "";
}

void WriteYaml(const Value& value, int indent, std::string* out) {
  const std::string space(static_cast<size_t>(indent), ' ');
  if (IsInline(value)) {
    *out += space + InlineYaml(value) + "\n";
    return;
  }
  for (const Value::Entry& entry : value.entries) {
    *out += space + YamlKey(entry.key) + ":";
    if (IsInline(*entry.value)) {
      *out += " " + InlineYaml(*entry.value) + "\n";
    } else {
      *out += "\n";
      WriteYaml(*entry.value, indent + 2, out);
    }
  }
  for (const ValuePtr& item : value.items) {
    std::string text;
    WriteYaml(*item, indent + 2, &text);
    text[static_cast<size_t>(indent)] = '-';
    *out += text;
  }
}

bool IsJsonNumber(const std::string& text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const size_t first = text.starts_with('-') ? 1 : 0;
  return error == std::errc() && end == text.data() + text.size() && first < text.size() &&
         IsDigit(text[first]) && IsDigit(text.back()) &&
         (text[first] != '0' || text.size() == first + 1 || text[first + 1] == '.');
}

void WriteJson(const Value& value, int indent, std::string* out) {
  const std::string space(static_cast<size_t>(indent) + 2, ' ');
  const bool is_map = value.kind == Value::Kind::kMap;
  if (value.kind == Value::Kind::kNull) {
    *out += "null";
  } else if (value.kind == Value::Kind::kScalar) {
    const bool is_plain = !value.is_quoted && (value.scalar == "true" || value.scalar == "false" ||
                                               IsJsonNumber(value.scalar));
    *out += is_plain ? value.scalar : Quote(value.scalar, true);
  } else if (IsInline(value)) {
    *out += is_map ? "{}" : "[]";
  } else {
    *out += is_map ? "{\n" : "[\n";
    std::string_view separator;
    for (const Value::Entry& entry : value.entries) {
      *out += fmt::format("{}{}{}: ", separator, space, Quote(entry.key, true));
      WriteJson(*entry.value, indent + 2, out);
      separator = ",\n";
    }
    for (const ValuePtr& item : value.items) {
      *out += fmt::format("{}{}", separator, space);
      WriteJson(*item, indent + 2, out);
      separator = ",\n";
    }
    *out +=
        fmt::format("\n{}{}", std::string(static_cast<size_t>(indent), ' '), is_map ? "}" : "]");
  }
}

std::shared_ptr<Value> Make(Value::Kind kind) {
  auto value = std::make_shared<Value>();
  value->kind = kind;
  return value;
}

}  // namespace

ValuePtr MakeNull() { return Make(Value::Kind::kNull); }

ValuePtr MakeText(std::string text) {
  auto value = Make(Value::Kind::kScalar);
  value->scalar = std::move(text);
  value->is_quoted = true;
  return value;
}

ValuePtr MakePlain(std::string text) {
  auto value = Make(Value::Kind::kScalar);
  value->scalar = std::move(text);
  return value;
}

ValuePtr MakeInteger(int64_t number) { return MakePlain(std::to_string(number)); }

ValuePtr MakeBool(bool flag) { return MakePlain(flag ? "true" : "false"); }

ValuePtr MakeList(std::vector<ValuePtr> items) {
  auto value = Make(Value::Kind::kList);
  value->items = std::move(items);
  return value;
}

ValuePtr MakeMap(std::vector<std::pair<std::string, ValuePtr>> entries) {
  auto value = Make(Value::Kind::kMap);
  for (auto& [key, entry] : entries) {
    if (entry != nullptr) {
      value->entries.push_back({std::move(key), {}, std::move(entry)});
    }
  }
  return value;
}

ValuePtr MakeTexts(const std::vector<std::string>& texts) {
  std::vector<ValuePtr> items;
  for (const std::string& text : texts) {
    items.push_back(MakeText(text));
  }
  return MakeList(std::move(items));
}

std::string ToYaml(const Value& value) {
  std::string text;
  WriteYaml(value, 0, &text);
  return text;
}

std::string ToJson(const Value& value) {
  std::string text;
  WriteJson(value, 0, &text);
  return text + "\n";
}

}  // namespace df::config
