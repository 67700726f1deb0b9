// Whether the machine and the network have what a document needs.
#pragma once

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

/// Makes all checks, several at a time, but for ports: these one after another. Returns a finding
/// for each. Waits for about the time-out as often as 16 checks need it.
std::vector<engine::Finding> RunChecks(const engine::EnvironmentChecks& checks,
                                       const engine::CheckConditions& conditions);

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
