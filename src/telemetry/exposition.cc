#include "telemetry/exposition.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

namespace df::telemetry {
namespace {

bool IsWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Several characters that are not allowed in a row become one '_'.
std::string Sanitised(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (IsWordCharacter(c)) {
      result += c;
    } else if (result.empty() || result.back() != '_') {
      result += '_';
    }
  }
  if (result.empty() || (result[0] >= '0' && result[0] <= '9')) {
    result.insert(0, "_");
  }
  return result;
}

std::string_view UnitWord(const MetricFamily& family) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kWords = {
      {{"s", "seconds"}, {"By", "bytes"}, {"ms", "milliseconds"}, {"Hz", "hertz"}}};
  for (const auto& [unit, word] : kWords) {
    if (family.unit == unit) {
      return word;
    }
  }
  return family.unit == "1" && family.kind == InstrumentKind::kGauge ? "ratio" : "";
}

std::string Escaped(std::string_view text, bool is_label) {
  std::string result;
  for (const char c : text) {
    if (c == '\\') {
      result += "\\\\";
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '"' && is_label) {
      result += "\\\"";
    } else {
      result += c;
    }
  }
  return result;
}

// Values of names that have become the same stand side by side, as the rules ask.
void AddLabels(const Attributes& attributes, std::map<std::string, std::string>* labels) {
  for (const auto& [name, value] : attributes.entries()) {
    const auto [label, is_new] = labels->emplace(Sanitised(name), value);
    if (!is_new) {
      label->second += ";" + value;
    }
  }
}

std::string WriteLabels(const std::map<std::string, std::string>& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", name, Escaped(value, true));
  }
  return text;
}

std::string WriteNumber(const MetricFamily& family, int64_t value) {
  return family.is_time() ? fmt::format("{}", ToSeconds(value)) : fmt::format("{}", value);
}

class TextWriter {
 public:
  TextWriter(TextFormat format) : is_open_(format == TextFormat::kOpenMetrics) {}

  void WriteResource(const Attributes& resource) {
    std::map<std::string, std::string> labels;
    AddLabels(resource, &labels);
    WriteHead(is_open_ ? "target" : "target_info", is_open_ ? "info" : "gauge", "",
              "The attributes of the resource");
    text_ += fmt::format("target_info{{{}}} 1\n", WriteLabels(labels));
  }

  void WriteFamily(const MetricFamily& family) {
    const bool is_counter = family.kind == InstrumentKind::kCounter;
    const std::string name = PrometheusName(family);
    const std::string sample_name = is_counter ? name + "_total" : name;
    const std::string_view type = is_counter                                  ? "counter"
                                  : family.kind == InstrumentKind::kHistogram ? "histogram"
                                                                              : "gauge";
    WriteHead(is_open_ ? name : sample_name, type, UnitWord(family), family.description);
    for (const MetricPoint& point : family.points) {
      std::map<std::string, std::string> labels = {{"otel_scope_name", point.set->scope}};
      AddLabels(point.set->attributes, &labels);
      AddLabels(point.attributes, &labels);
      const std::string written = WriteLabels(labels);
      if (family.kind == InstrumentKind::kHistogram) {
        WriteHistogram(family, name, written, point.histogram);
      } else {
        text_ +=
            fmt::format("{}{{{}}} {}\n", sample_name, written, WriteNumber(family, point.value));
      }
    }
  }

  std::string Finish() {
    if (is_open_) {
      text_ += "# EOF\n";
    }
    return std::move(text_);
  }

 private:
  void WriteHead(std::string_view name, std::string_view type, std::string_view unit,
                 std::string_view help) {
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, Escaped(help, is_open_), name, type);
    if (is_open_ && !unit.empty()) {
      text_ += fmt::format("# UNIT {} {}\n", name, unit);
    }
  }

  // OpenMetrics wants bounds as floating point numbers.
  std::string WriteBound(const MetricFamily& family, int64_t bound) const {
    std::string text = WriteNumber(family, bound);
    if (is_open_ && text.find_first_of(".e") == std::string::npos) {
      text += ".0";
    }
    return text;
  }

  void WriteHistogram(const MetricFamily& family, const std::string& name,
                      const std::string& labels, const HistogramValue& value) {
    int64_t so_far = 0;
    for (size_t i = 0; i < value.counts.size(); ++i) {
      so_far += value.counts[i];
      text_ += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels,
                           i < value.bounds.size() ? WriteBound(family, value.bounds[i]) : "+Inf",
                           so_far);
    }
    text_ += fmt::format("{}_sum{{{}}} {}\n{}_count{{{}}} {}\n", name, labels,
                         WriteNumber(family, value.sum), name, labels, value.count);
  }

  bool is_open_;
  std::string text_;
};

}  // namespace

std::string_view ContentType(TextFormat format) {
  return format == TextFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

TextFormat ChooseTextFormat(std::string_view accept) {
  return accept.find("application/openmetrics-text") == std::string_view::npos
             ? TextFormat::kPrometheus
             : TextFormat::kOpenMetrics;
}

std::string PrometheusName(const MetricFamily& family) {
  std::string name = Sanitised(family.name);
  // The suffix of a counter comes last, behind the unit.
  constexpr std::string_view kTotal = "_total";
  if (family.kind == InstrumentKind::kCounter && name.ends_with(kTotal)) {
    name.resize(name.size() - kTotal.size());
  }
  const std::string suffix = fmt::format("_{}", UnitWord(family));
  return suffix == "_" || name.ends_with(suffix) ? name : name + suffix;
}

std::string ToPrometheus(const MetricSnapshot& snapshot, const Attributes& resource,
                         TextFormat format) {
  TextWriter writer(format);
  writer.WriteResource(resource);
  for (const MetricFamily& family : snapshot.families) {
    writer.WriteFamily(family);
  }
  return writer.Finish();
}

}  // namespace df::telemetry
