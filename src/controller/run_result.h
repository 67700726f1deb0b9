// How the pipelines of a process have ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controller/pipeline_plan.h"
#include "engine/node.h"
#include "engine/pipeline_instance.h"

namespace df::controller {

enum class Outcome : uint8_t {
  kClean,   ///< every node of every core has ended well
  kForced,  ///< a drain took too long and was cut off
  kFailed,  ///< an instance has failed for good
};

/// One node's part of the summary, over all cores and all instances that were made again.
struct NodeSummary {
  std::string name;
  std::string urn;
  engine::NodeReport report;
};

/// What was left in front of one node when a drain was cut off.
struct LeftOnCore {
  int core = 0;
  engine::EdgeLeft edge;
};

struct PipelineSummary {
  PipelineKey key;
  Outcome outcome = Outcome::kClean;
  int64_t num_restarts = 0;
  std::vector<std::string> errors;     ///< of instances that have failed for good
  std::vector<std::string> recovered;  ///< of those that were started again; the last ones
  int64_t num_abandoned = 0;           ///< batches of receivers without an outcome
  std::vector<LeftOnCore> left;        ///< of drains that were cut off
  std::vector<NodeSummary> nodes;      ///< of the newest configuration
  std::vector<std::vector<NodeSummary>> earlier;  ///< of those before it; the last ones
};

struct RunResult {
  Outcome outcome = Outcome::kClean;
  std::optional<int> signal;  ///< what began the drain
  std::string reason;         ///< of a shutdown that was asked for otherwise
  std::chrono::nanoseconds elapsed{0};
  std::vector<PipelineSummary> pipelines;  ///< in the order in which they were made
  std::string metrics;                     ///< every counter as text
};

/// The reports of all instances that one configuration has had.
class ReportBook {
 public:
  /// `index` is that of the instance; `reports` come by node.
  void Add(int index, std::vector<engine::NodeReport> reports);

  /// Makes one report a node.
  std::vector<NodeSummary> Summarize(const engine::CheckedPipeline& pipeline,
                                     std::span<const engine::NodeSharedPtr> shared) const;

 private:
  /// A pipeline that fails again and again does not fill the memory: of reports beyond these only
  /// the number of problems is kept.
  static constexpr size_t kMaxEntries = 1024;

  struct Entry {
    int index;
    std::vector<engine::NodeReport> reports;
  };
  std::vector<Entry> entries_;  // by index; those of one index in the order they came
  std::vector<int64_t> num_forgotten_problems_;
};

/// A plan together with what its instances share.
struct Configuration {
  PipelinePlanPtr plan;
  std::vector<engine::NodeSharedPtr> shared;  ///< by node
  std::shared_ptr<ReportBook> reports = std::make_shared<ReportBook>();
};
using ConfigurationPtr = std::shared_ptr<Configuration>;

/// Makes what the instances of `configuration` share. Errors: the first of a node, naming it.
Status MakeShared(Configuration* configuration);

}  // namespace df::controller
