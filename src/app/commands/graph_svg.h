// Pipelines as a picture.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "app/commands/pipeline_graph.h"

namespace df::app {

/// Returns SVG: nodes in columns, from receivers at the left to exporters at the right, one
/// pipeline below the other. The same graphs give the same text. `title` names the picture.
/// Cost: nodes and edges, times the logarithm of their number.
std::string DrawSvg(std::string_view title, const std::vector<PipelineGraph>& graphs);

}  // namespace df::app
