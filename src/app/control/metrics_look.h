// What the metrics of an engine say of its pipelines and nodes, and rates between two looks at
// them.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "app/control/pipeline_names.h"
#include "base/error.h"

namespace df::app {

/// Sums over the cores of a pipeline.
struct NodeNumbers {
  std::string type;     ///< "receiver:otlp"
  double items_in = 0;  ///< counted up, as what follows
  double items_out = 0;
  double bytes_in = 0;   ///< over the network; of receivers that say it
  double bytes_out = 0;  ///< over the network or into files; of exporters that say it
  double refused = 0;    ///< batches
  double queued = 0;     ///< batches in front of it, now
  double queued_bytes = 0;
  double failing_seconds = 0;  ///< since it delivered nothing; the longest of all cores
};

struct PipelineNumbers {
  double memory_bytes = 0;
  std::map<std::string, NodeNumbers> nodes;
};

struct MetricsLook {
  int64_t unix_nanos = 0;
  std::map<std::pair<std::string, std::string>, PipelineNumbers> pipelines;  ///< by group, pipeline
};

/// Reads the body of /api/v1/metrics?format=json. Errors: Invalid for something else.
Result<MetricsLook> ReadMetrics(const nlohmann::json& metrics);

/// One line of the table: a node, or a pipeline as a whole.
struct TopRow {
  std::string node;  ///< empty: the pipeline
  std::string type;
  double items_in = 0;   ///< a second, as what follows; of a pipeline: out of its receivers
  double items_out = 0;  ///< of a pipeline: into its exporters
  double bytes_in = 0;
  double bytes_out = 0;
  double refused = 0;  ///< batches
  double queued = 0;   ///< now, as what follows
  double queued_bytes = 0;
  double failing_seconds = 0;
  double memory_bytes = 0;  ///< of a pipeline
};

struct TopPipeline {
  PipelineName name;
  TopRow whole;
  std::vector<TopRow> nodes;  ///< receivers, processors, exporters; each by name
};

/// Returns what happened between two looks, by group and name. A counter that has fallen, because
/// the engine was started again, has counted from 0.
std::vector<TopPipeline> RatesBetween(const MetricsLook& before, const MetricsLook& after);

/// Returns seconds between two looks; more than 0.
double SecondsBetween(const MetricsLook& before, const MetricsLook& after);

}  // namespace df::app
