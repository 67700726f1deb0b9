// The metrics of one thing, and the registry that has those of all.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "telemetry/histogram.h"
#include "telemetry/instrument.h"
#include "telemetry/snapshot.h"

namespace df::telemetry {

class Registry;

/// Metrics of one thing: a node of one core, an edge, a pipeline. Owner: the registry; what it
/// gives out stays where it is until the set is retired.
/// Calls: from any thread; the look-up is slow, so keep the references.
class MetricSet {
 public:
  MetricSet(Registry* registry, SetIdentity identity)
      : registry_(registry), identity_(std::make_shared<const SetIdentity>(std::move(identity))) {}
  MetricSet(const MetricSet&) = delete;
  MetricSet& operator=(const MetricSet&) = delete;

  /// Returns the number of a metric and of the attributes of its point, made when it is new.
  /// Errors: an instrument of another kind or unit than one of the same name before, in any set,
  /// and attributes other than those that the instrument names, are defects of the program. They
  /// are logged, and what is returned appears nowhere.
  Counter& AddCounter(const Instrument& instrument, const Attributes& attributes = {});
  /// For kGauge and kUpDownCounter.
  Gauge& AddGauge(const Instrument& instrument, const Attributes& attributes = {});
  /// `bounds` count for the first one made; an instrument of unit "s" has them in nanoseconds.
  Histogram& AddHistogram(const Instrument& instrument,
                          std::span<const int64_t> bounds = LatencyBounds(),
                          const Attributes& attributes = {});

  const SetIdentity& identity() const { return *identity_; }
  /// The registry that the set belongs to.
  Registry& registry() { return *registry_; }

 private:
  friend class Registry;
  using Number = std::variant<Counter, Gauge, Histogram>;
  struct Entry {
    const Instrument* instrument;  // of the registry; null: appears nowhere
    Attributes attributes;
    std::unique_ptr<Number> number;
  };

  template <typename T, typename... Args>
  T& FindOrAdd(const Instrument& instrument, const Attributes& attributes, Args&&... args);

  Registry* registry_;
  std::shared_ptr<const SetIdentity> identity_;
  std::list<Entry> entries_;  // guarded by the mutex of the registry
};

/// Takes a call off the registry when it is destroyed. Owner: outlived by the registry.
class CollectHook {
 public:
  CollectHook() = default;
  CollectHook(Registry* registry, int64_t id) : registry_(registry), id_(id) {}
  CollectHook(CollectHook&& other) noexcept
      : registry_(std::exchange(other.registry_, nullptr)), id_(other.id_) {}
  CollectHook& operator=(CollectHook&& other) noexcept;
  ~CollectHook() { Remove(); }

  /// Afterwards the call is made no more, and none is going on. Not from inside a call.
  void Remove();

 private:
  Registry* registry_ = nullptr;
  int64_t id_ = 0;
};

/// All metric sets of the process. Calls: from any thread.
class Registry {
 public:
  /// `unix_nanos` tells the time of points; null takes the clock of the system.
  explicit Registry(std::function<int64_t()> unix_nanos = nullptr);
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;

  /// Returns the set of a scope and attributes, made when it is new: a thing that is made again
  /// goes on counting where the one before it ended. One thread at a time may write to it.
  MetricSet& FindOrAdd(std::string_view scope, const Attributes& attributes);

  /// Removes every set whose attributes contain all of `attributes`: those of a pipeline that has
  /// been deleted. Nobody may hold references into them any more. Returns how many.
  int64_t Retire(const Attributes& attributes);

  /// Makes `action` part of every Snapshot, before anything is read: the moment to set what costs
  /// something. It may add to sets, and runs on the thread that asks, one at a time.
  [[nodiscard]] CollectHook OnCollect(std::function<void()> action);

  /// Returns everything, in an order that does not change. Calls: not from inside a collect hook.
  MetricSnapshot Snapshot();

 private:
  friend class MetricSet;
  friend class CollectHook;
  struct Definition {
    std::string name;
    std::string unit;
    std::string description;
    Instrument instrument;  // views of the texts above
  };

  const Instrument* Define(const Instrument& instrument);

  const std::function<int64_t()> unix_nanos_;
  std::mutex hook_mutex_;  // taken before mutex_; held while hooks run
  std::map<int64_t, std::function<void()>> hooks_;
  int64_t next_hook_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Definition>, std::less<>> definitions_;
  std::map<std::pair<std::string, Attributes>, std::unique_ptr<MetricSet>> sets_;
};

}  // namespace df::telemetry
