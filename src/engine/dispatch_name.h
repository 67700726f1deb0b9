// What documents call the ways to hand out batches.
#pragma once

#include <string_view>

#include "config/pipeline_document.h"

namespace df::engine {

/// Returns "broadcast", "round_robin", "random" or "one_of".
std::string_view Name(config::DispatchStrategy strategy);

}  // namespace df::engine
