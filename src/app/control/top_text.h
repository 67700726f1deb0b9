// Rates of pipelines and nodes for people, and for programs.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "app/control/metrics_look.h"

namespace df::app {

/// Returns a table: a line for each pipeline, and below it one for each node. Lines are cut to
/// `width` characters, names to fewer.
std::string TopText(const std::vector<TopPipeline>& pipelines, size_t width);

/// Returns an object on one line.
std::string TopJson(const std::vector<TopPipeline>& pipelines, const MetricsLook& before,
                    const MetricsLook& after);

}  // namespace df::app
