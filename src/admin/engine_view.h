// What the handlers know of the engine.
#pragma once

#include <map>
#include <string>

#include "controller/control_plane.h"
#include "runtime/clock.h"

namespace df::admin {

struct EngineView {
  controller::ControlPlane* control = nullptr;
  const runtime::Clock* clock = nullptr;
  std::string version;
  std::map<std::string, std::string> resource;  ///< attributes of the engine's own telemetry
  runtime::WallTime started;
  runtime::SteadyTime started_steady;
};

}  // namespace df::admin
