// `policies:` of one scope, and what they come to for a pipeline.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "config/field_table.h"
#include "config/policies.h"

namespace df::config {

/// The families that one scope (document, group or pipeline) sets. A family is taken whole: what it
/// leaves out is the default, not what a farther scope says.
struct PolicySet {
  std::optional<ChannelCapacityPolicy> channel_capacity;
  std::optional<HealthPolicy> health;
  std::optional<TelemetryPolicy> telemetry;
  std::optional<CoreAllocation> core_allocation;
  std::optional<MemoryPolicy> memory;
  std::optional<RuntimeRecoveryPolicy> runtime_recovery;
  std::optional<ShutdownPolicy> shutdown;

  /// Where `resources.core_allocation` stands, for problems that only the machine shows.
  Mark core_allocation_mark;
  std::string core_allocation_path;
};

/// The keys of `policies`.
const FieldTable<PolicySet>& PolicyFields();

/// Reads `policies` of a scope.
PolicySet ReadPolicies(const Section& section);

/// Resolves the families of scopes, the nearest first.
Policies ResolvePolicies(std::span<const PolicySet* const> scopes);

/// A set that sets every family.
PolicySet FullPolicySet(const Policies& policies);

/// The name of a phase as documents write it: "RollingBack".
std::string PhaseName(InstancePhase phase);

}  // namespace df::config
