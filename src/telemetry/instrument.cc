#include "telemetry/instrument.h"

#include <algorithm>

namespace df::telemetry {

std::string_view Name(InstrumentKind kind) {
  switch (kind) {
    case InstrumentKind::kCounter:
      return "counter";
    case InstrumentKind::kUpDownCounter:
      return "up_down_counter";
    case InstrumentKind::kGauge:
      return "gauge";
    case InstrumentKind::kHistogram:
      return "histogram";
  }
  return "";
}

Attributes::Attributes(std::vector<Entry> entries) : entries_(std::move(entries)) {
  std::stable_sort(entries_.begin(), entries_.end(),
                   [](const Entry& a, const Entry& b) { return a.first < b.first; });
  // From the back, so that the last of equal names is the one that stays.
  const auto kept = std::unique(entries_.rbegin(), entries_.rend(),
                                [](const Entry& a, const Entry& b) { return a.first == b.first; });
  entries_.erase(entries_.begin(), kept.base());
}

const std::string* Attributes::Find(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.first == name) {
      return &entry.second;
    }
  }
  return nullptr;
}

bool Attributes::Contains(const Attributes& other) const {
  return std::includes(entries_.begin(), entries_.end(), other.entries_.begin(),
                       other.entries_.end());
}

}  // namespace df::telemetry
