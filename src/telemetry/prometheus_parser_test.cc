#include "telemetry/prometheus_parser_test.h"

#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>

#include <fmt/format.h>

namespace df::telemetry {
namespace {

bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

// Takes a name off the front; empty when there is none.
std::string TakeName(std::string_view* text) {
  size_t size = 0;
  while (size < text->size() && (IsNameStart((*text)[size]) ||
                                 (size > 0 && (*text)[size] >= '0' && (*text)[size] <= '9'))) {
    ++size;
  }
  std::string name(text->substr(0, size));
  text->remove_prefix(size);
  return name;
}

bool Take(std::string_view* text, std::string_view word) {
  if (!text->starts_with(word)) {
    return false;
  }
  text->remove_prefix(word.size());
  return true;
}

// Takes a label value up to its closing quote.
std::optional<std::string> TakeQuoted(std::string_view* text) {
  if (!Take(text, "\"")) {
    return std::nullopt;
  }
  std::string value;
  while (!text->empty()) {
    const char c = text->front();
    text->remove_prefix(1);
    if (c == '"') {
      return value;
    }
    if (c != '\\') {
      value += c;
    } else if (Take(text, "n")) {
      value += '\n';
    } else if (Take(text, "\\")) {
      value += '\\';
    } else if (Take(text, "\"")) {
      value += '"';
    } else {
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::optional<double> ToNumber(const std::string& text) {
  if (text == "+Inf") {
    return std::numeric_limits<double>::infinity();
  }
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return text.empty() || *end != '\0' ? std::nullopt : std::optional(value);
}

}  // namespace

std::string PrometheusParser::Parse(std::string_view page) {
  for (int line_number = 1; !page.empty(); ++line_number) {
    const size_t end = page.find('\n');
    if (end == std::string_view::npos) {
      return "the last line does not end";
    }
    const std::string_view line = page.substr(0, end);
    page.remove_prefix(end + 1);
    const std::string problem = line.starts_with("#") ? ParseComment(line) : ParseSample(line);
    if (!problem.empty()) {
      return fmt::format("line {}: {}: {}", line_number, problem, line);
    }
  }
  for (const auto& [family, type] : types_) {
    if (type == "histogram") {
      if (std::string problem = CheckHistogram(family); !problem.empty()) {
        return fmt::format("{}: {}", family, problem);
      }
    }
  }
  return "";
}

std::string PrometheusParser::ParseComment(std::string_view line) {
  if (Take(&line, "# HELP ")) {
    family_ = TakeName(&line);
    has_type_ = false;
    return family_.empty() || !Take(&line, " ") || types_.contains(family_) ? "bad HELP" : "";
  }
  if (!Take(&line, "# TYPE ") || TakeName(&line) != family_ || !Take(&line, " ") || has_type_) {
    return "bad TYPE";
  }
  has_type_ = true;
  const std::string type(line);
  types_[family_] = type;
  return type == "counter" || type == "gauge" || type == "histogram" ? "" : "bad type";
}

std::string PrometheusParser::ParseSample(std::string_view line) {
  const std::string name = TakeName(&line);
  const bool is_histogram = has_type_ && types_[family_] == "histogram";
  const bool is_bucket = is_histogram && name == family_ + "_bucket";
  if (!has_type_ ||
      (is_histogram ? !is_bucket && name != family_ + "_sum" && name != family_ + "_count"
                    : name != family_)) {
    return "not of the family";
  }
  Labels labels;
  if (Take(&line, "{")) {
    while (!Take(&line, "}")) {
      const std::string label = TakeName(&line);
      if (label.empty() || !Take(&line, "=")) {
        return "bad label";
      }
      const auto value = TakeQuoted(&line);
      if (!value.has_value() || !labels.emplace(label, *value).second) {
        return "bad label value";
      }
      if (!Take(&line, ",") && !line.starts_with("}")) {
        return "bad end of a label";
      }
    }
  }
  const auto value = Take(&line, " ") ? ToNumber(std::string(line)) : std::nullopt;
  if (!value.has_value()) {
    return "bad value";
  }
  if (!samples_.emplace(std::pair(name, labels), *value).second) {
    return "there twice";
  }
  if (is_bucket) {
    const auto bound = ToNumber(labels["le"]);
    if (!bound.has_value()) {
      return "bad le";
    }
    labels.erase("le");
    buckets_[family_][labels].emplace_back(*bound, *value);
  }
  return "";
}

std::string PrometheusParser::CheckHistogram(const std::string& family) const {
  const auto found = buckets_.find(family);
  if (found == buckets_.end()) {
    return "no buckets";
  }
  for (const auto& [labels, buckets] : found->second) {
    for (size_t i = 1; i < buckets.size(); ++i) {
      if (buckets[i].first <= buckets[i - 1].first || buckets[i].second < buckets[i - 1].second) {
        return "buckets do not rise";
      }
    }
    if (!std::isinf(buckets.back().first)) {
      return "no +Inf";
    }
    if (Value(family + "_count", labels) != buckets.back().second) {
      return "count is not that of +Inf";
    }
    if (std::isnan(Value(family + "_sum", labels))) {
      return "no sum";
    }
  }
  return "";
}

double PrometheusParser::Value(const std::string& name, const Labels& labels) const {
  const auto found = samples_.find({name, labels});
  return found == samples_.end() ? std::nan("") : found->second;
}

}  // namespace df::telemetry
