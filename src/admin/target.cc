#include "admin/target.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/text.h"

namespace df::admin {
namespace {

std::optional<int> HexValue(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  if (c >= 'A' && c <= 'F') {
    return c - 'A' + 10;
  }
  return std::nullopt;
}

Result<std::string> Decode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const auto high = i + 1 < text.size() ? HexValue(text[i + 1]) : std::nullopt;
      const auto low = i + 2 < text.size() ? HexValue(text[i + 2]) : std::nullopt;
      if (!high || !low) {
        return Status::Invalid("the target has a '%' without two hexadecimal digits");
      }
      decoded += static_cast<char>(*high * 16 + *low);
      i += 2;
    }
  }
  if (!IsValidUtf8(decoded)) {
    return Status::Invalid("the target is not UTF-8 once decoded");
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(decoded.begin(), decoded.end(), is_control)) {
    return Status::Invalid("the target has a control character");
  }
  return decoded;
}

Status ParseQuery(std::string_view text, Target* target) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) {
      continue;
    }
    const size_t equals = std::min(pair.find('='), pair.size());
    ARROW_ASSIGN_OR_RAISE(std::string name, Decode(pair.substr(0, equals), true));
    ARROW_ASSIGN_OR_RAISE(std::string value,
                          Decode(pair.substr(std::min(equals + 1, pair.size())), true));
    const auto is_same = [&name](const auto& other) { return other.first == name; };
    if (std::any_of(target->query.begin(), target->query.end(), is_same)) {
      return Status::Invalid(fmt::format("the query has the parameter '{}' twice", name));
    }
    target->query.emplace_back(std::move(name), std::move(value));
  }
  return Status::OK();
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

/// Takes the part before the separator from the front.
std::string_view TakePart(std::string_view* text, char separator) {
  const size_t end = std::min(text->find(separator), text->size());
  const std::string_view part = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return Trim(part);
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return lower;
}

/// Returns the quality in thousandths; what cannot be read counts as 1.
int QualityOf(std::string_view parameters) {
  while (!parameters.empty()) {
    const std::string parameter = Lower(TakePart(&parameters, ';'));
    if (!parameter.starts_with("q=")) {
      continue;
    }
    const std::string_view text = std::string_view(parameter).substr(2);
    double quality = 1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), quality);
    if (error == std::errc() && end == text.data() + text.size()) {
      return static_cast<int>(std::clamp(quality, 0.0, 1.0) * 1000);
    }
  }
  return 1000;
}

/// Returns how closely the range names the type: 3 exactly, 2 "text/*", 1 "*/*", 0 not at all.
int Closeness(std::string_view range, std::string_view type) {
  if (range == type) {
    return 3;
  }
  if (range == "*/*") {
    return 1;
  }
  const std::string_view family = type.substr(0, type.find('/') + 1);
  return range.ends_with("/*") && range.substr(0, range.size() - 1) == family ? 2 : 0;
}

int QualityFor(std::string_view accept, std::string_view type) {
  int quality = 0;
  int closest = 0;
  while (!accept.empty()) {
    std::string_view item = TakePart(&accept, ',');
    const std::string range = Lower(TakePart(&item, ';'));
    const int closeness = Closeness(range, type);
    if (closeness > closest) {
      closest = closeness;
      quality = QualityOf(item);
    }
  }
  return quality;
}

}  // namespace

Result<Target> ParseTarget(std::string_view text) {
  Target target;
  text = text.substr(0, text.find('#'));
  const size_t question = std::min(text.find('?'), text.size());
  std::string_view path = text.substr(0, question);
  if (!path.starts_with('/')) {
    return Status::Invalid("the target does not begin with '/'");
  }
  do {
    path.remove_prefix(1);
    const size_t end = std::min(path.find('/'), path.size());
    ARROW_ASSIGN_OR_RAISE(std::string segment, Decode(path.substr(0, end), false));
    target.path.push_back(std::move(segment));
    path.remove_prefix(end);
  } while (!path.empty());
  ARROW_RETURN_NOT_OK(ParseQuery(text.substr(std::min(question + 1, text.size())), &target));
  return target;
}

std::string_view ChooseMediaType(std::string_view accept,
                                 std::span<const std::string_view> offered) {
  if (Trim(accept).empty()) {
    return offered.front();
  }
  std::string_view best;
  int best_quality = 0;
  for (const std::string_view type : offered) {
    const int quality = QualityFor(accept, type);
    if (quality > best_quality) {
      best = type;
      best_quality = quality;
    }
  }
  return best;
}

std::string MediaTypeOf(std::string_view content_type) {
  return Lower(TakePart(&content_type, ';'));
}

}  // namespace df::admin
