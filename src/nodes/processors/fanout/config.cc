#include "nodes/processors/fanout/config.h"

#include <algorithm>

#include <fmt/format.h>

namespace df::nodes::processors::fanout {
namespace {

const config::FieldTable<Destination>& DestinationFields() {
  static const config::FieldTable<Destination> table = {
      config::String("port", &Destination::port, "out port of this node").Required(),
      config::Bool("primary", &Destination::primary, "its outcome counts with await_ack: primary"),
      config::OptionalDuration("timeout", &Destination::timeout,
                               "without an outcome after this long it counts as refused",
                               {1, INT64_MAX / 2}),
      config::String("fallback_for", &Destination::fallback_for,
                     "gets only the batches that the destination of this port has refused")
          .PrintedWhenGiven(),
  };
  return table;
}

/// Checks the destinations of one section; keeps what the checks share.
class DestinationChecker {
 public:
  DestinationChecker(const std::vector<Destination>& destinations,
                     std::vector<config::Section> sections)
      : destinations_(destinations), sections_(std::move(sections)) {}

  void Check() {
    for (size_t i = 0; i < destinations_.size(); ++i) {
      CheckPort(i);
      CheckFallback(i);
    }
  }

 private:
  std::optional<size_t> Find(const std::string& port) const {
    for (size_t i = 0; i < destinations_.size(); ++i) {
      if (destinations_[i].port == port) {
        return i;
      }
    }
    return std::nullopt;
  }

  void CheckPort(size_t index) {
    const std::string& port = destinations_[index].port;
    if (!port.empty() && *Find(port) != index) {
      sections_[index].Add(fmt::format("port '{}' is a destination already", port));
    }
  }

  void CheckFallback(size_t index) {
    const Destination& destination = destinations_[index];
    if (destination.fallback_for.empty()) {
      return;
    }
    const config::Section& section = sections_[index];
    if (destination.primary) {
      section.Add("the primary destination cannot be a fallback");
    }
    const std::optional<size_t> target = Find(destination.fallback_for);
    if (!target.has_value()) {
      std::vector<std::string> ports;
      for (const Destination& known : destinations_) {
        ports.push_back(known.port);
      }
      section.AddUnknown(fmt::format("fallback_for: '{}' is not the port of a destination",
                                     destination.fallback_for),
                         destination.fallback_for, ports);
      return;
    }
    for (size_t i = 0; i < index; ++i) {
      if (destinations_[i].fallback_for == destination.fallback_for) {
        section.Add(fmt::format("port '{}' has a fallback already, '{}'", destination.fallback_for,
                                destinations_[i].port));
      }
    }
    if (IsCycle(index)) {
      section.Add(
          fmt::format("the fallbacks from port '{}' lead back to itself", destination.port));
    }
  }

  bool IsCycle(size_t index) const {
    std::optional<size_t> at = index;
    for (size_t steps = 0; at.has_value() && steps <= destinations_.size(); ++steps) {
      const std::string& next = destinations_[*at].fallback_for;
      at = next.empty() ? std::nullopt : Find(next);
    }
    return at.has_value();
  }

  const std::vector<Destination>& destinations_;
  std::vector<config::Section> sections_;
};

}  // namespace

const config::FieldTable<FanoutConfig>& FanoutFields() {
  static const config::FieldTable<FanoutConfig> table = {
      config::Enum("mode", &FanoutConfig::mode,
                   {{"parallel", Mode::kParallel}, {"sequential", Mode::kSequential}},
                   "all destinations at once, or one after the other"),
      config::Enum(
          "await_ack", &FanoutConfig::await_ack,
          {{"primary", AwaitAck::kPrimary}, {"all", AwaitAck::kAll}, {"none", AwaitAck::kNone}},
          "whose outcome the sender hears"),
      config::GroupList("destinations", &FanoutConfig::destinations, DestinationFields(),
                        "where batches go: 1 to 64, one of them primary")
          .Required(),
      config::Duration("timeout_check_interval", &FanoutConfig::timeout_check_interval,
                       "how often timeouts are looked for", {1'000'000, INT64_MAX / 2}),
      config::Integer("max_inflight", &FanoutConfig::max_inflight, {0, 10'000'000},
                      "batches without all outcomes; when there are as many, input waits; 0 sets "
                      "no bound"),
  };
  return table;
}

FanoutConfig ReadFanoutConfig(const config::Section& section) {
  FanoutConfig config = config::Read(FanoutFields(), section);
  const auto destinations = section.Find("destinations");
  if (!destinations.has_value() || destinations->Items().size() != config.destinations.size()) {
    return config;
  }
  if (config.destinations.empty() || config.destinations.size() > kMaxDestinations) {
    destinations->Add(fmt::format("found {} destinations, expected 1..{}",
                                  config.destinations.size(), kMaxDestinations));
    return config;
  }
  const auto num_primary =
      std::count_if(config.destinations.begin(), config.destinations.end(),
                    [](const Destination& destination) { return destination.primary; });
  if (num_primary != 1) {
    destinations->Add(
        fmt::format("found {} destinations with 'primary: true', expected one", num_primary));
  }
  DestinationChecker(config.destinations, destinations->Items()).Check();
  return config;
}

}  // namespace df::nodes::processors::fanout
