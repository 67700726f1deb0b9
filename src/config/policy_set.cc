#include "config/policy_set.h"

#include <utility>

#include <fmt/format.h>

namespace df::config {
namespace {

// More waiting messages than this are a slip of the pen: a queue grows as it fills.
constexpr Range kChannelSize = {1, 1'000'000};
constexpr int64_t kLargestCore = 4095;
constexpr Range kPositive = {1, INT64_MAX};

using PhaseNames = std::vector<std::pair<std::string, InstancePhase>>;

const PhaseNames& Phases() {
  static const PhaseNames names = {
      {"Pending", InstancePhase::kPending},         {"Starting", InstancePhase::kStarting},
      {"Running", InstancePhase::kRunning},         {"Updating", InstancePhase::kUpdating},
      {"RollingBack", InstancePhase::kRollingBack}, {"Draining", InstancePhase::kDraining},
      {"Stopped", InstancePhase::kStopped},         {"Rejected", InstancePhase::kRejected},
      {"Failed", InstancePhase::kFailed},           {"Deleting", InstancePhase::kDeleting},
      {"Deleted", InstancePhase::kDeleted}};
  return names;
}

const FieldTable<ChannelCapacityPolicy>& ControlFields() {
  using Policy = ChannelCapacityPolicy;
  static const FieldTable<Policy> table = {
      Integer("node", &Policy::control_node, kChannelSize,
              "calls of timers that may wait in front of a node"),
      Integer("pipeline", &Policy::control_pipeline, kChannelSize,
              "ends of nodes that the pipeline may not have heard of yet"),
      WithoutEffect<Policy>("completion", IntegerType(kChannelSize),
                            "an outcome is told by a direct call, there is no queue of them",
                            IntegerSchema(kChannelSize),
                            [](const Section& section) { section.ReadInteger(kChannelSize); }),
  };
  return table;
}

const FieldTable<ChannelCapacityPolicy>& ChannelCapacityFields() {
  using Policy = ChannelCapacityPolicy;
  static const FieldTable<Policy> table = {
      Integer("pdata", &Policy::pdata, kChannelSize, "batches that may wait in front of a node"),
      Size("pdata_bytes", &Policy::pdata_bytes, kPositive,
           "bytes of batches that may wait in front of a node; one batch always may"),
      Subsection("control", ControlFields(), "calls of the engine that may wait"),
  };
  return table;
}

std::optional<Quorum> ReadQuorum(const Section& section) {
  constexpr Range kCores = {1, kLargestCore + 1};
  constexpr Range kPercent = {0, 100};
  const Value& value = section.value();
  if (value.kind != Value::Kind::kMap || value.entries.size() != 1) {
    section.Add(fmt::format("found {}, expected a map with either AtLeast or Percent",
                            value.entries.size() > 1 ? "several keys" : value.Describe()));
    return std::nullopt;
  }
  const std::vector<std::string> names = {"AtLeast", "Percent"};
  section.CheckMap(names);
  if (const auto count = section.Find("AtLeast")) {
    const auto number = count->ReadInteger(kCores);
    return number.has_value() ? std::optional(Quorum{Quorum::Kind::kAtLeast, *number})
                              : std::nullopt;
  }
  if (const auto percent = section.Find("Percent")) {
    const auto number = percent->ReadInteger(kPercent);
    return number.has_value() ? std::optional(Quorum{Quorum::Kind::kPercent, *number})
                              : std::nullopt;
  }
  return std::nullopt;
}

std::string QuorumKey(const Quorum& quorum) {
  return quorum.kind == Quorum::Kind::kAtLeast ? "AtLeast" : "Percent";
}

ValuePtr QuorumSchema() {
  const auto only = [](std::string key, Range range) {
    return MakeMap({{"type", MakeText("object")},
                    {"properties", MakeMap({{key, IntegerSchema(range)}})},
                    {"required", MakeTexts({key})},
                    {"additionalProperties", MakeBool(false)}});
  };
  return MakeMap(
      {{"oneOf", MakeList({only("AtLeast", {1, kLargestCore + 1}), only("Percent", {0, 100})})}});
}

Field<HealthPolicy> QuorumField(std::string name, Quorum HealthPolicy::* member,
                                std::string description) {
  return Structured<HealthPolicy, Quorum>(
      std::move(name), "AtLeast: cores, or Percent: 0..100", member, ReadQuorum,
      [](const Quorum& quorum) {
        return MakeMap({{QuorumKey(quorum), MakeInteger(quorum.value)}});
      },
      [](const Quorum& quorum) {
        return fmt::format("{{{}: {}}}", QuorumKey(quorum), quorum.value);
      },
      QuorumSchema(), std::move(description));
}

const FieldTable<HealthPolicy>& HealthFields() {
  static const FieldTable<HealthPolicy> table = {
      EnumList("live_if", &HealthPolicy::live_if, Phases(), "phases that count as alive"),
      EnumList("ready_if", &HealthPolicy::ready_if, Phases(), "phases that count as ready"),
      QuorumField("live_quorum", &HealthPolicy::live_quorum,
                  "how many cores must be alive for the pipeline to be"),
      QuorumField("ready_quorum", &HealthPolicy::ready_quorum,
                  "how many cores must be ready for the pipeline to be"),
      OptionalDuration("unready_after", &HealthPolicy::unready_after,
                       "not ready once an exporter has delivered nothing for so long",
                       {1, INT64_MAX}),
  };
  return table;
}

const FieldTable<TelemetryPolicy>& TelemetryFields() {
  const auto flag = [](std::string name, std::string reason) {
    return WithoutEffect<TelemetryPolicy>(std::move(name), "true or false", std::move(reason),
                                          BoolSchema(),
                                          [](const Section& section) { section.ReadBool(); });
  };
  static const FieldTable<TelemetryPolicy> table = {
      Enum("runtime_metrics", &TelemetryPolicy::runtime_metrics,
           {{"none", MetricsLevel::kNone},
            {"basic", MetricsLevel::kBasic},
            {"normal", MetricsLevel::kNormal},
            {"detailed", MetricsLevel::kDetailed}},
           "how much is measured; each level adds to the one before"),
      flag("pipeline_metrics", "runtime_metrics says how much is measured"),
      flag("tokio_metrics", "there is no such runtime"),
      Refused<TelemetryPolicy>("flow_metrics",
                               "is not supported, runtime_metrics: normal measures the way from "
                               "receiver to outcome"),
  };
  return table;
}

std::optional<CoreRange> ReadCoreRange(const Section& section) {
  const std::vector<std::string> names = {"start", "end"};
  const auto start = section.Find("start");
  const auto end = section.Find("end");
  if (!section.CheckMap(names)) {
    return std::nullopt;
  }
  if (!start.has_value() || !end.has_value()) {
    section.Add("expected a map with start and end, both included");
    return std::nullopt;
  }
  const auto first = start->ReadInteger({0, kLargestCore});
  const auto last = end->ReadInteger({0, kLargestCore});
  if (!first.has_value() || !last.has_value()) {
    return std::nullopt;
  }
  if (*last < *first) {
    end->Add(fmt::format("found {}, expected at least start, {}", *last, *first));
    return std::nullopt;
  }
  return CoreRange{static_cast<int>(*first), static_cast<int>(*last)};
}

std::optional<std::vector<CoreRange>> ReadCoreSet(const Section& section) {
  if (section.value().kind != Value::Kind::kList || section.value().items.empty()) {
    section.Add(fmt::format(
        "found {}, expected a list of ranges like {{start: 0, end: 3}}",
        section.value().kind == Value::Kind::kList ? "an empty list" : section.value().Describe()));
    return std::nullopt;
  }
  std::vector<CoreRange> ranges;
  bool is_good = true;
  for (const Section& item : section.Items()) {
    const auto range = ReadCoreRange(item);
    is_good &= range.has_value();
    ranges.push_back(range.value_or(CoreRange{}));
  }
  return is_good ? std::optional(ranges) : std::nullopt;
}

const std::vector<std::string>& AllocationKinds() {
  static const std::vector<std::string> kinds = {"all_cores", "core_count", "core_set"};
  return kinds;
}

// The key that goes with each kind.
constexpr std::string_view kCompanions[] = {"", "count", "set"};

std::optional<std::optional<CoreAllocation>> ReadCoreAllocation(const Section& section) {
  const std::vector<std::string> names = {"type", "count", "set"};
  if (!section.CheckMap(names)) {
    return std::nullopt;
  }
  const auto type = section.Find("type");
  if (!type.has_value()) {
    section.Add(fmt::format("key 'type' is missing, expected {}", NamesType(AllocationKinds())));
    return std::nullopt;
  }
  const auto kind = type->ReadName(AllocationKinds());
  if (!kind.has_value()) {
    return std::nullopt;
  }
  CoreAllocation allocation{.kind = static_cast<CoreAllocation::Kind>(*kind)};
  bool is_good = true;
  for (const std::string_view key : {"count", "set"}) {
    const bool belongs = key == kCompanions[*kind];
    if (section.Find(key).has_value() && !belongs) {
      section.AddAtKey(
          key, fmt::format("key '{}' does not go with type {}", key, AllocationKinds()[*kind]));
      is_good = false;
    } else if (belongs && !section.Find(key).has_value()) {
      section.Add(fmt::format("key '{}' is missing, expected it with type {}", key,
                              AllocationKinds()[*kind]));
      is_good = false;
    }
  }
  if (!is_good) {
    return std::nullopt;
  }
  if (allocation.kind == CoreAllocation::Kind::kCoreCount) {
    const auto count = section.Find("count")->ReadInteger({1, kLargestCore + 1});
    allocation.count = count.value_or(0);
    is_good = count.has_value();
  } else if (allocation.kind == CoreAllocation::Kind::kCoreSet) {
    const auto set = ReadCoreSet(*section.Find("set"));
    allocation.set = set.value_or(std::vector<CoreRange>());
    is_good = set.has_value();
  }
  return is_good ? std::optional(std::optional(std::move(allocation))) : std::nullopt;
}

ValuePtr WriteCoreAllocation(const std::optional<CoreAllocation>& allocation) {
  if (!allocation.has_value()) {
    return nullptr;
  }
  ValuePtr set;
  if (allocation->kind == CoreAllocation::Kind::kCoreSet) {
    std::vector<ValuePtr> ranges;
    for (const CoreRange& range : allocation->set) {
      ranges.push_back(
          MakeMap({{"start", MakeInteger(range.first)}, {"end", MakeInteger(range.last)}}));
    }
    set = MakeList(std::move(ranges));
  }
  const bool has_count = allocation->kind == CoreAllocation::Kind::kCoreCount;
  return MakeMap({{"type", MakeText(AllocationKinds()[static_cast<size_t>(allocation->kind)])},
                  {"count", has_count ? MakeInteger(allocation->count) : nullptr},
                  {"set", std::move(set)}});
}

ValuePtr CoreAllocationSchema() {
  const auto kind = [](const char* type, std::string key, ValuePtr schema) {
    std::vector<std::string> required = {"type"};
    if (schema != nullptr) {
      required.push_back(key);
    }
    return MakeMap({{"type", MakeText("object")},
                    {"properties", MakeMap({{"type", MakeMap({{"const", MakeText(type)}})},
                                            {std::move(key), std::move(schema)}})},
                    {"required", MakeTexts(required)},
                    {"additionalProperties", MakeBool(false)}});
  };
  const ValuePtr core = IntegerSchema({0, kLargestCore});
  const ValuePtr range = MakeMap({{"type", MakeText("object")},
                                  {"properties", MakeMap({{"start", core}, {"end", core}})},
                                  {"required", MakeTexts({"start", "end"})},
                                  {"additionalProperties", MakeBool(false)}});
  return MakeMap(
      {{"oneOf", MakeList({kind("all_cores", "", nullptr),
                           kind("core_count", "count", IntegerSchema({1, kLargestCore + 1})),
                           kind("core_set", "set", ListSchema(range))})}});
}

const FieldTable<MemoryPolicy>& MemoryFields() {
  static const FieldTable<MemoryPolicy> table = {
      Size("soft_limit", &MemoryPolicy::soft_limit, kPositive,
           "bytes of batches in one instance over which receivers wait before they send"),
      Size("hard_limit", &MemoryPolicy::hard_limit, kPositive,
           "bytes over which receivers that answer a peer refuse for now; above soft_limit"),
  };
  return table;
}

/// The section of a key, or of the map when it is not there.
Section At(const Section& section, std::string_view key) {
  return section.Find(key).value_or(section);
}

void CheckMemory(const Section& section, const MemoryPolicy& memory) {
  if (memory.hard_limit > memory.soft_limit) {
    return;
  }
  const bool says_hard = section.Find("hard_limit").has_value();
  At(section, says_hard ? "hard_limit" : "soft_limit")
      .Add(fmt::format("hard_limit is {}{}, expected more than soft_limit, {}",
                       ShowSize(memory.hard_limit), says_hard ? "" : " by default",
                       ShowSize(memory.soft_limit)));
}

const FieldTable<PolicySet>& ResourceFields() {
  static const FieldTable<PolicySet> table = {
      Structured<PolicySet, std::optional<CoreAllocation>>(
          "core_allocation", "map: type all_cores, core_count with count, or core_set with set",
          &PolicySet::core_allocation, ReadCoreAllocation, WriteCoreAllocation,
          [](const std::optional<CoreAllocation>&) { return std::string("{type: all_cores}"); },
          CoreAllocationSchema(), "cores that run the pipeline, one instance each"),
      OptionalGroup("memory", &PolicySet::memory, MemoryFields(),
                    "bytes of batches that one instance holds", CheckMemory),
      Refused<PolicySet>("memory_limiter",
                         "is not supported, expected memory with soft_limit and "
                         "hard_limit, which count the bytes of batches"),
      Refused<PolicySet>("rate_limiters",
                         "is not supported, expected memory: receivers wait while "
                         "the pipeline is over its soft_limit"),
  };
  return table;
}

const FieldTable<RuntimeRecoveryPolicy>& RecoveryFields() {
  using Policy = RuntimeRecoveryPolicy;
  static const FieldTable<Policy> table = {
      Bool("enabled", &Policy::enabled, "restart an instance that has failed"),
      Integer("max_restarts", &Policy::max_restarts, {1, 1'000'000}, "restarts in a row"),
      Duration("initial_backoff", &Policy::initial_backoff, "wait before the first restart",
               kPositive),
      Duration("max_backoff", &Policy::max_backoff,
               "longest wait before a restart; each is twice the one before", kPositive),
      Duration("startup_timeout", &Policy::startup_timeout, "longest time that a start may take",
               kPositive),
      Duration("reset_after", &Policy::reset_after,
               "time without failure after which restarts are counted anew", kPositive),
  };
  return table;
}

void CheckRecovery(const Section& section, const RuntimeRecoveryPolicy& policy) {
  if (policy.initial_backoff > policy.max_backoff) {
    At(section, section.Find("max_backoff").has_value() ? "max_backoff" : "initial_backoff")
        .Add(fmt::format("max_backoff is {}, expected at least initial_backoff, {}",
                         ShowDuration(policy.max_backoff), ShowDuration(policy.initial_backoff)));
  }
}

const FieldTable<ShutdownPolicy>& ShutdownFields() {
  static const FieldTable<ShutdownPolicy> table = {
      Duration("drain_timeout", &ShutdownPolicy::drain_timeout,
               "how long a drain may take before it is ended by force"),
  };
  return table;
}

}  // namespace

const FieldTable<PolicySet>& PolicyFields() {
  static const FieldTable<PolicySet> table = {
      OptionalGroup("channel_capacity", &PolicySet::channel_capacity, ChannelCapacityFields(),
                    "what may wait in front of one node"),
      OptionalGroup("health", &PolicySet::health, HealthFields(), "what the probes say"),
      OptionalGroup("telemetry", &PolicySet::telemetry, TelemetryFields(), "what is measured"),
      Subsection("resources", ResourceFields(), "cores and memory; each is inherited on its own"),
      OptionalGroup("runtime_recovery", &PolicySet::runtime_recovery, RecoveryFields(),
                    "what happens when an instance fails", CheckRecovery),
      OptionalGroup("shutdown", &PolicySet::shutdown, ShutdownFields(), "how a pipeline ends"),
      Refused<PolicySet>("transport_headers", "is not supported: batches carry no headers"),
      Refused<PolicySet>("rate_limiters", "is not supported, expected resources.memory"),
      Refused<PolicySet>("memory_limiter", "is not supported, expected resources.memory"),
  };
  return table;
}

PolicySet ReadPolicies(const Section& section) {
  PolicySet set = Read(PolicyFields(), section);
  if (set.core_allocation.has_value()) {
    const Section allocation = *section.Find("resources")->Find("core_allocation");
    set.core_allocation_mark = allocation.value().mark;
    set.core_allocation_path = allocation.path();
  }
  return set;
}

Policies ResolvePolicies(std::span<const PolicySet* const> scopes) {
  Policies policies;
  const auto take = [&](auto family, auto* resolved) {
    for (const PolicySet* scope : scopes) {
      if ((scope->*family).has_value()) {
        *resolved = *(scope->*family);
        return;
      }
    }
  };
  take(&PolicySet::channel_capacity, &policies.channel_capacity);
  take(&PolicySet::health, &policies.health);
  take(&PolicySet::telemetry, &policies.telemetry);
  take(&PolicySet::core_allocation, &policies.core_allocation);
  take(&PolicySet::memory, &policies.memory);
  take(&PolicySet::runtime_recovery, &policies.runtime_recovery);
  take(&PolicySet::shutdown, &policies.shutdown);
  return policies;
}

PolicySet FullPolicySet(const Policies& policies) {
  PolicySet set;
  set.channel_capacity = policies.channel_capacity;
  set.health = policies.health;
  set.telemetry = policies.telemetry;
  set.core_allocation = policies.core_allocation;
  set.memory = policies.memory;
  set.runtime_recovery = policies.runtime_recovery;
  set.shutdown = policies.shutdown;
  return set;
}

std::string PhaseName(InstancePhase phase) {
  for (const auto& [name, candidate] : Phases()) {
    if (candidate == phase) {
      return name;
    }
  }
  return "";
}

}  // namespace df::config
