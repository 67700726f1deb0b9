#include "app/schema_command.h"

#include <cstdio>

#include <fmt/format.h>

#include "app/command.h"
#include "engine/checked_engine.h"

namespace df::app {

int SchemaCommand(const engine::NodeRegistry& registry) {
  fmt::print("{}", engine::DocumentSchema(registry));
  return std::fflush(stdout) == 0 ? kExitClean : kExitFailed;
}

}  // namespace df::app
