#include "telemetry/metric_set.h"

#include <chrono>
#include <type_traits>

#include <fmt/format.h>

#include "base/logging.h"

namespace df::telemetry {
namespace {

int64_t SystemUnixNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

template <typename T>
bool IsOfKind(InstrumentKind kind) {
  if constexpr (std::is_same_v<T, Counter>) {
    return kind == InstrumentKind::kCounter;
  } else if constexpr (std::is_same_v<T, Gauge>) {
    return kind == InstrumentKind::kGauge || kind == InstrumentKind::kUpDownCounter;
  } else {
    return kind == InstrumentKind::kHistogram;
  }
}

std::string KeysOf(const Attributes& attributes) {
  std::string keys;
  for (const auto& [name, value] : attributes.entries()) {
    keys += keys.empty() ? name : "," + name;
  }
  return keys;
}

}  // namespace

template <typename T, typename... Args>
T& MetricSet::FindOrAdd(const Instrument& instrument, const Attributes& attributes,
                        Args&&... args) {
  const std::lock_guard lock(registry_->mutex_);
  const Instrument* defined = nullptr;
  if (!IsOfKind<T>(instrument.kind)) {
    LogError("metric {}: a {} is written as another kind", instrument.name, Name(instrument.kind));
  } else if (const std::string keys = KeysOf(attributes); keys != instrument.attributes) {
    LogError("metric {}: a point has the attributes '{}' and not '{}'", instrument.name, keys,
             instrument.attributes);
  } else {
    defined = registry_->Define(instrument);
  }
  if (defined != nullptr) {
    for (Entry& entry : entries_) {
      if (entry.instrument == defined && entry.attributes == attributes) {
        return std::get<T>(*entry.number);
      }
    }
  }
  Entry& added = entries_.emplace_back();
  added.instrument = defined;
  added.attributes = attributes;
  added.number = std::make_unique<Number>(std::in_place_type<T>, std::forward<Args>(args)...);
  return std::get<T>(*added.number);
}

Counter& MetricSet::AddCounter(const Instrument& instrument, const Attributes& attributes) {
  return FindOrAdd<Counter>(instrument, attributes);
}

Gauge& MetricSet::AddGauge(const Instrument& instrument, const Attributes& attributes) {
  return FindOrAdd<Gauge>(instrument, attributes);
}

Histogram& MetricSet::AddHistogram(const Instrument& instrument, std::span<const int64_t> bounds,
                                   const Attributes& attributes) {
  return FindOrAdd<Histogram>(instrument, attributes, bounds);
}

CollectHook& CollectHook::operator=(CollectHook&& other) noexcept {
  if (this != &other) {
    Remove();
    registry_ = std::exchange(other.registry_, nullptr);
    id_ = other.id_;
  }
  return *this;
}

void CollectHook::Remove() {
  if (registry_ != nullptr) {
    const std::lock_guard lock(registry_->hook_mutex_);
    registry_->hooks_.erase(id_);
    registry_ = nullptr;
  }
}

Registry::Registry(std::function<int64_t()> unix_nanos)
    : unix_nanos_(unix_nanos == nullptr ? SystemUnixNanos : std::move(unix_nanos)) {}

MetricSet& Registry::FindOrAdd(std::string_view scope, const Attributes& attributes) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<MetricSet>& set = sets_[{std::string(scope), attributes}];
  if (set == nullptr) {
    set = std::make_unique<MetricSet>(this,
                                      SetIdentity{std::string(scope), attributes, unix_nanos_()});
  }
  return *set;
}

int64_t Registry::Retire(const Attributes& attributes) {
  const std::lock_guard lock(mutex_);
  return static_cast<int64_t>(std::erase_if(
      sets_, [&attributes](const auto& set) { return set.first.second.Contains(attributes); }));
}

CollectHook Registry::OnCollect(std::function<void()> action) {
  const std::lock_guard lock(hook_mutex_);
  const int64_t id = next_hook_++;
  hooks_.emplace(id, std::move(action));
  return CollectHook(this, id);
}

const Instrument* Registry::Define(const Instrument& instrument) {
  std::unique_ptr<Definition>& definition = definitions_[std::string(instrument.name)];
  if (definition == nullptr) {
    definition = std::make_unique<Definition>();
    definition->name = instrument.name;
    definition->unit = instrument.unit;
    definition->description = instrument.description;
    definition->instrument = {instrument.kind, definition->name, definition->unit,
                              definition->description};
  }
  const Instrument& known = definition->instrument;
  if (known.kind != instrument.kind || known.unit != instrument.unit) {
    LogError("metric {}: made as {} of unit '{}' and as {} of unit '{}'", known.name,
             Name(known.kind), known.unit, Name(instrument.kind), instrument.unit);
    return nullptr;
  }
  return &known;
}

MetricSnapshot Registry::Snapshot() {
  {
    const std::lock_guard lock(hook_mutex_);
    for (const auto& [id, action] : hooks_) {
      action();
    }
  }
  const std::lock_guard lock(mutex_);
  std::map<std::string_view, MetricFamily> families;
  for (const auto& [key, set] : sets_) {
    std::map<std::pair<std::string_view, const Attributes*>, const MetricSet::Entry*,
             decltype([](const auto& a, const auto& b) {
               return std::tie(a.first, *a.second) < std::tie(b.first, *b.second);
             })>
        ordered;
    for (const MetricSet::Entry& entry : set->entries_) {
      if (entry.instrument != nullptr) {
        ordered.emplace(std::pair(entry.instrument->name, &entry.attributes), &entry);
      }
    }
    for (const auto& [order, entry] : ordered) {
      const Instrument& instrument = *entry->instrument;
      MetricFamily& family = families[instrument.name];
      if (family.points.empty()) {
        family.kind = instrument.kind;
        family.name = instrument.name;
        family.unit = instrument.unit;
        family.description = instrument.description;
      }
      MetricPoint& point = family.points.emplace_back();
      point.set = set->identity_;
      point.attributes = entry->attributes;
      if (const auto* counter = std::get_if<Counter>(entry->number.get())) {
        point.value = counter->value();
      } else if (const auto* gauge = std::get_if<Gauge>(entry->number.get())) {
        point.value = gauge->value();
      } else {
        point.histogram = std::get<Histogram>(*entry->number).Read();
      }
    }
  }
  MetricSnapshot snapshot;
  snapshot.unix_nanos = unix_nanos_();
  for (auto& [name, family] : families) {
    snapshot.families.push_back(std::move(family));
  }
  return snapshot;
}

}  // namespace df::telemetry
