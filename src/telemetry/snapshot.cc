#include "telemetry/snapshot.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace df::telemetry {
namespace {

Attributes Joined(const MetricPoint& point) {
  std::vector<Attributes::Entry> entries = point.set->attributes.entries();
  const auto& own = point.attributes.entries();
  entries.insert(entries.end(), own.begin(), own.end());
  return Attributes(std::move(entries));
}

std::string Braced(const Attributes& attributes) {
  std::string text;
  for (const auto& [name, value] : attributes.entries()) {
    text += fmt::format("{}{}={}", text.empty() ? "{" : ",", name, value);
  }
  return text.empty() ? text : text + "}";
}

std::string ShowNumber(const MetricFamily& family, int64_t value) {
  return family.is_time() ? fmt::format("{}s", ToSeconds(value)) : fmt::format("{}", value);
}

}  // namespace

const MetricFamily* MetricSnapshot::Find(std::string_view name) const {
  const auto found = std::lower_bound(
      families.begin(), families.end(), name,
      [](const MetricFamily& family, std::string_view wanted) { return family.name < wanted; });
  return found != families.end() && found->name == name ? &*found : nullptr;
}

int64_t MetricSnapshot::Sum(std::string_view name, const Attributes& attributes) const {
  const MetricFamily* family = Find(name);
  int64_t sum = 0;
  if (family != nullptr) {
    for (const MetricPoint& point : family->points) {
      if (Joined(point).Contains(attributes)) {
        sum += family->kind == InstrumentKind::kHistogram ? point.histogram.count : point.value;
      }
    }
  }
  return sum;
}

std::string ToText(const MetricSnapshot& snapshot) {
  std::map<std::pair<std::string, Attributes>, std::string> lines;
  for (const MetricFamily& family : snapshot.families) {
    for (const MetricPoint& point : family.points) {
      const bool is_histogram = family.kind == InstrumentKind::kHistogram;
      if ((is_histogram ? point.histogram.count : point.value) == 0) {
        continue;
      }
      const std::string name = family.name + Braced(point.attributes);
      std::string& line = lines[{point.set->scope, point.set->attributes}];
      if (is_histogram) {
        line += fmt::format(" {}.count={} {}.sum={}", name, point.histogram.count, name,
                            ShowNumber(family, point.histogram.sum));
      } else {
        line += fmt::format(" {}={}", name, ShowNumber(family, point.value));
      }
    }
  }
  std::string text;
  for (const auto& [key, line] : lines) {
    text += fmt::format("{}{}{}:{}", text.empty() ? "" : "\n", key.first, Braced(key.second), line);
  }
  return text;
}

}  // namespace df::telemetry
