// Runs a pipeline on the cores of a process, from start to exit code.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/graph.h"
#include "engine/node.h"

namespace df::controller {

struct RunOptions {
  std::vector<int> cores = {0};  ///< one instance on each
  bool pins_threads = true;      ///< false: instances run where the system puts them
  std::chrono::nanoseconds drain_timeout = std::chrono::seconds(10);
  /// Called on the main thread when waiting has to end now (a second signal, or a thread that does
  /// not end after the drain timeout); must not return.
  std::function<void(const std::string& why)> on_force;
};

/// How much longer than the drain may last a thread may take before the process is ended.
inline constexpr std::chrono::seconds kJoinGrace{2};

/// One node's part of the summary, over all cores.
struct NodeSummary {
  std::string name;
  std::string urn;
  engine::NodeReport report;
};

enum class Outcome {
  kClean,   ///< every node of every core has ended well
  kFailed,  ///< a node has failed
  kForced,  ///< a drain took too long and was cut off
};

struct RunResult {
  Outcome outcome = Outcome::kClean;
  std::optional<int> signal;  ///< what began the drain; nothing when the receivers were done
  std::chrono::nanoseconds elapsed{0};
  std::vector<std::string> errors;
  int64_t num_abandoned = 0;
  std::vector<NodeSummary> nodes;
  std::string metrics;  ///< every counter as text
};

/// Runs until every instance has ended. SIGINT or SIGTERM drains; another one forces.
/// Errors: what a node's make_shared gives; nothing has been started then.
Result<RunResult> RunPipeline(const engine::CheckedPipeline& pipeline, const RunOptions& options);

}  // namespace df::controller
