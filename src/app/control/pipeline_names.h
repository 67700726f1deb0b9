// Which pipeline of a running engine a name means.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace df::app {

struct PipelineName {
  std::string group;
  std::string pipeline;
  bool operator==(const PipelineName&) const = default;

  /// Returns "group/pipeline".
  std::string ToString() const { return group + "/" + pipeline; }
  /// Returns "/api/v1/groups/..", without a slash at its end.
  std::string Path() const;
};

/// Returns those that a status of the engine lists, in its order; none where it is no status.
std::vector<PipelineName> PipelinesOf(const nlohmann::json& status);

/// Finds the pipeline that "GROUP/PIPELINE" or "PIPELINE" means. Errors: KeyError, with the nearest
/// name, where there is none; Invalid, naming all of them, where several groups have one.
Result<PipelineName> FindPipeline(const std::string& name, const std::vector<PipelineName>& known);

/// As FindPipeline, for one that may still have to be made: "PIPELINE" of no group is one of the
/// group `default`.
Result<PipelineName> FindOrNamePipeline(const std::string& name,
                                        const std::vector<PipelineName>& known);

}  // namespace df::app
