// Which receivers of a pipeline are paused.
#pragma once

#include "controller/control_plane.h"

namespace df::controller {

/// Adds to a status which receivers of the pipeline are held.
void AddPaused(PipelineStatus* pipeline);

}  // namespace df::controller
