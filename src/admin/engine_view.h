// What the handlers know of the engine.
#pragma once

#include <string>

#include "controller/control_plane.h"
#include "runtime/clock.h"

namespace df::admin {

struct EngineView {
  controller::ControlPlane* control = nullptr;
  const runtime::Clock* clock = nullptr;
  std::string version;
  runtime::WallTime started;
  runtime::SteadyTime started_steady;
};

}  // namespace df::admin
