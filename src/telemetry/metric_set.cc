#include "telemetry/metric_set.h"

#include <fmt/format.h>

namespace df::telemetry {

Counter& MetricSet::Find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  for (Named& named : counters_) {
    if (named.name == name) {
      return named.counter;
    }
  }
  Named& added = counters_.emplace_back();
  added.name = name;
  return added.counter;
}

void MetricSet::Collect(std::vector<Sample>* samples) const {
  const std::lock_guard lock(mutex_);
  for (const Named& named : counters_) {
    samples->push_back({name_, labels_, named.name, named.counter.value()});
  }
}

MetricSet& Registry::Add(std::string name, std::string labels) {
  const std::lock_guard lock(mutex_);
  return sets_.emplace_back(std::move(name), std::move(labels));
}

std::vector<Sample> Registry::Collect() const {
  const std::lock_guard lock(mutex_);
  std::vector<Sample> samples;
  for (const MetricSet& set : sets_) {
    set.Collect(&samples);
  }
  return samples;
}

std::string Registry::Dump() const {
  std::string text;
  std::string head;
  for (const Sample& sample : Collect()) {
    if (sample.value == 0) {
      continue;
    }
    const std::string sample_head = fmt::format("{} {}", sample.set, sample.labels);
    if (sample_head != head) {
      head = sample_head;
      text += fmt::format("{}{}:", text.empty() ? "" : "\n", head);
    }
    text += fmt::format(" {}={}", sample.name, sample.value);
  }
  return text;
}

}  // namespace df::telemetry
