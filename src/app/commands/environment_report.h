// Whether the machine and the network have what a document needs.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/checked_engine.h"
#include "engine/environment.h"

namespace df::app {

/// Returns what the nodes of a document and its admin server need, in the order of the document.
engine::EnvironmentChecks ChecksOf(const engine::CheckedEngine& engine,
                                   std::span<const engine::NodeEnvironment* const> environments);

/// What checks have found, one finding for each.
struct CheckedEnvironment {
  std::vector<engine::Finding> findings;
  /// A thread still waits for a check that did not end, as the system's resolver may: the process
  /// has to end without it.
  bool has_left_behind = false;
};

/// Makes all checks: of ports first, one after another, then the others, 16 at a time. Waits for
/// the time-out and `grace` at most, for ports and for each 16 checks; one that takes longer fails
/// and is left behind.
CheckedEnvironment RunChecks(engine::EnvironmentChecks checks,
                             const engine::CheckConditions& conditions,
                             std::chrono::nanoseconds grace = std::chrono::seconds(1));

/// How often each verdict was found.
struct VerdictCounts {
  size_t ok = 0;
  size_t warn = 0;
  size_t fail = 0;
};
VerdictCounts CountVerdicts(const std::vector<engine::Finding>& findings);

/// Returns a line for each check: the verdict, the place in the document, what was looked at, why.
std::string DescribeFindings(std::string_view document, const engine::EnvironmentChecks& checks,
                             const std::vector<engine::Finding>& findings);

}  // namespace df::app
