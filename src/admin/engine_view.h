// What the handlers know of the engine.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/error.h"
#include "controller/control_plane.h"
#include "engine/tap.h"
#include "runtime/clock.h"

namespace df::admin {

/// Writes a batch as an OTLP request in JSON. Calls: from any thread.
using TapEncoder = std::function<Result<std::string>(const otap::BatchPtr& batch)>;

struct EngineView {
  controller::ControlPlane* control = nullptr;
  const runtime::Clock* clock = nullptr;
  engine::TapRegistry* taps = nullptr;
  TapEncoder encode_tapped;
  std::string version;
  std::map<std::string, std::string> resource;  ///< attributes of the engine's own telemetry
  runtime::WallTime started;
  runtime::SteadyTime started_steady;
};

}  // namespace df::admin
