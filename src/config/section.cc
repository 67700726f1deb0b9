#include "config/section.h"

#include <algorithm>
#include <charconv>
#include <functional>

#include <fmt/ranges.h>

#include "base/text.h"

namespace df::config {
namespace {

std::string RangeText(const Range& range, const std::function<std::string(int64_t)>& show) {
  if (range.max == INT64_MAX) {
    return range.min == INT64_MIN ? "" : fmt::format(" of at least {}", show(range.min));
  }
  return fmt::format(" {}..{}", show(range.min), show(range.max));
}

bool IsIn(int64_t value, const Range& range) { return value >= range.min && value <= range.max; }

std::string ShowNanos(int64_t nanos) { return FormatDuration(std::chrono::nanoseconds(nanos)); }

}  // namespace

std::string IntegerType(const Range& range) {
  return "integer" + RangeText(range, [](int64_t value) { return std::to_string(value); });
}

std::string NumberType(const NumberRange& range) {
  return range.max == std::numeric_limits<double>::max()
             ? fmt::format("number of at least {}", range.min)
             : fmt::format("number {}..{}", range.min, range.max);
}

std::string NamesType(std::span<const std::string> names) {
  return fmt::format("one of {}", fmt::join(names, ", "));
}

std::string ShowDuration(const std::chrono::nanoseconds& duration) {
  return FormatDuration(duration);
}

std::string ShowSize(const int64_t& size_bytes) {
  // A fraction of a unit would be rounded.
  std::string text = FormatSize(size_bytes);
  const auto read_back = ParseSize(text);
  return read_back.ok() && *read_back == size_bytes ? text : fmt::format("{}B", size_bytes);
}

void Section::Add(std::string_view message) const {
  problems_->Add(value_->mark,
                 path_.empty() ? std::string(message) : fmt::format("{}: {}", path_, message));
}

void Section::AddUnknown(std::string_view message, std::string_view name,
                         std::span<const std::string> known) const {
  problems_->AddUnknown(value_->mark, fmt::format("{}: {}", path_, message), name, known);
}

void Section::AddAtKey(std::string_view key, std::string_view message) const {
  for (const Value::Entry& entry : value_->entries) {
    if (entry.key == key) {
      problems_->Add(entry.key_mark,
                     path_.empty() ? std::string(message) : fmt::format("{}: {}", path_, message));
    }
  }
}

void Section::AddNotice(std::string_view message) const {
  problems_->AddNotice(value_->mark, fmt::format("{}: {}", path_, message));
}

bool Section::CheckMap(std::span<const std::string> names,
                       std::span<const std::string> passed_over) const {
  if (value_->kind == Value::Kind::kNull) {
    return true;
  }
  if (value_->kind != Value::Kind::kMap) {
    Add(fmt::format("found {}, expected a map", value_->Describe()));
    return false;
  }
  for (const Value::Entry& entry : value_->entries) {
    if (std::find(names.begin(), names.end(), entry.key) != names.end() ||
        std::find(passed_over.begin(), passed_over.end(), entry.key) != passed_over.end()) {
      continue;
    }
    const std::string where = path_.empty() ? "" : path_ + ": ";
    const std::string expected =
        names.empty() ? "expected no keys" : fmt::format("expected {}", NamesType(names));
    problems_->AddUnknown(
        entry.key_mark,
        fmt::format("{}unknown key '{}', {}", where, PrintableText(entry.key), expected), entry.key,
        names);
  }
  return true;
}

std::optional<Section> Section::Find(std::string_view key) const {
  const Value* found = value_->Find(key);
  if (found == nullptr) {
    return std::nullopt;
  }
  return Section(*found, path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key),
                 problems_);
}

Section Section::At(const Value::Entry& entry) const {
  return {*entry.value,
          fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", PrintableText(entry.key)),
          problems_};
}

std::vector<Section> Section::Items() const {
  std::vector<Section> items;
  for (size_t i = 0; i < value_->items.size(); ++i) {
    items.emplace_back(*value_->items[i], fmt::format("{}[{}]", path_, i), problems_);
  }
  for (const Value::Entry& entry : value_->entries) {
    items.push_back(At(entry));
  }
  return items;
}

std::optional<std::string> Section::ReadString() const {
  if (value_->kind != Value::Kind::kScalar || value_->scalar.empty()) {
    Add(fmt::format("found {}, expected text", value_->Describe()));
    return std::nullopt;
  }
  return value_->scalar;
}

std::optional<int64_t> Section::ReadInteger(const Range& range) const {
  const std::string& text = value_->scalar;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = value_->kind == Value::Kind::kScalar && !value_->is_quoted &&
                         error == std::errc() && end == text.data() + text.size();
  if (!is_number || !IsIn(number, range)) {
    Add(fmt::format("found {}, expected an {}", value_->Describe(), IntegerType(range)));
    return std::nullopt;
  }
  return number;
}

std::optional<double> Section::ReadNumber(const NumberRange& range) const {
  const std::string& text = value_->scalar;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = value_->kind == Value::Kind::kScalar && !value_->is_quoted &&
                         error == std::errc() && end == text.data() + text.size();
  // The comparison is false for NaN too.
  if (!is_number || !(number >= range.min && number <= range.max)) {
    Add(fmt::format("found {}, expected a {}", value_->Describe(), NumberType(range)));
    return std::nullopt;
  }
  return number;
}

std::optional<bool> Section::ReadBool() const {
  const bool is_plain = value_->kind == Value::Kind::kScalar && !value_->is_quoted;
  if (is_plain && value_->scalar == "true") {
    return true;
  }
  if (is_plain && value_->scalar == "false") {
    return false;
  }
  Add(fmt::format("found {}, expected true or false", value_->Describe()));
  return std::nullopt;
}

std::optional<std::chrono::nanoseconds> Section::ReadDuration(const Range& range) const {
  if (value_->kind != Value::Kind::kScalar) {
    Add(fmt::format("found {}, expected a duration like 5s or 250ms", value_->Describe()));
    return std::nullopt;
  }
  const auto duration = ParseDuration(value_->scalar);
  if (!duration.ok()) {
    Add(duration.status().message());
    return std::nullopt;
  }
  if (!IsIn(duration->count(), range)) {
    Add(fmt::format("found {}, expected a duration{}", value_->Describe(),
                    RangeText(range, ShowNanos)));
    return std::nullopt;
  }
  return *duration;
}

std::optional<std::optional<std::chrono::nanoseconds>> Section::ReadOptionalDuration(
    const Range& range) const {
  if (value_->kind == Value::Kind::kNull) {
    return std::optional<std::chrono::nanoseconds>();
  }
  if (const auto duration = ReadDuration(range)) {
    return duration;
  }
  return std::nullopt;
}

std::optional<int64_t> Section::ReadSize(const Range& range) const {
  if (value_->kind != Value::Kind::kScalar) {
    Add(fmt::format("found {}, expected a size like 64MiB", value_->Describe()));
    return std::nullopt;
  }
  const auto size = ParseSize(value_->scalar);
  if (!size.ok()) {
    Add(size.status().message());
    return std::nullopt;
  }
  if (!IsIn(*size, range)) {
    Add(fmt::format("found {}, expected a size{}", value_->Describe(),
                    RangeText(range, FormatSize)));
    return std::nullopt;
  }
  return *size;
}

std::optional<size_t> Section::ReadName(std::span<const std::string> names) const {
  if (value_->kind == Value::Kind::kScalar) {
    const auto found = std::find(names.begin(), names.end(), value_->scalar);
    if (found != names.end()) {
      return static_cast<size_t>(found - names.begin());
    }
  }
  AddUnknown(fmt::format("found {}, expected {}", value_->Describe(), NamesType(names)),
             value_->scalar, names);
  return std::nullopt;
}

std::optional<std::vector<size_t>> Section::ReadNames(std::span<const std::string> names) const {
  if (value_->kind != Value::Kind::kList || value_->items.empty()) {
    Add(fmt::format("found {}, expected a list of {}",
                    value_->kind == Value::Kind::kList ? "an empty list" : value_->Describe(),
                    fmt::join(names, ", ")));
    return std::nullopt;
  }
  std::vector<size_t> indices;
  bool is_good = true;
  for (const Section& item : Items()) {
    const std::optional<size_t> index = item.ReadName(names);
    if (!index.has_value()) {
      is_good = false;
    } else if (std::find(indices.begin(), indices.end(), *index) != indices.end()) {
      item.Add(fmt::format("'{}' is named twice", names[*index]));
      is_good = false;
    } else {
      indices.push_back(*index);
    }
  }
  return is_good ? std::optional(indices) : std::nullopt;
}

std::optional<std::vector<std::string>> Section::ReadStringList() const {
  if (value_->kind != Value::Kind::kList) {
    Add(fmt::format("found {}, expected a list of texts", value_->Describe()));
    return std::nullopt;
  }
  std::vector<std::string> texts;
  bool is_good = true;
  for (const Section& item : Items()) {
    if (auto text = item.ReadString()) {
      texts.push_back(std::move(*text));
    } else {
      is_good = false;
    }
  }
  return is_good ? std::optional(texts) : std::nullopt;
}

std::optional<std::map<std::string, std::string>> Section::ReadStringMap() const {
  if (value_->kind != Value::Kind::kMap) {
    Add(fmt::format("found {}, expected a map of texts", value_->Describe()));
    return std::nullopt;
  }
  std::map<std::string, std::string> texts;
  bool is_good = true;
  for (const Value::Entry& entry : value_->entries) {
    const Section item = At(entry);
    if (auto text = item.ReadString()) {
      texts[entry.key] = std::move(*text);
    } else {
      is_good = false;
    }
  }
  return is_good ? std::optional(texts) : std::nullopt;
}

}  // namespace df::config
