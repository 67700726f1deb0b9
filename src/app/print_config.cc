#include "app/print_config.h"

#include <cstdio>

#include <fmt/format.h>

#include "app/command.h"

namespace df::app {

int PrintConfig(const engine::CheckedEngine& engine, const engine::NodeRegistry& registry) {
  fmt::print("{}", engine::PrintEngine(engine.document, registry));
  return std::fflush(stdout) == 0 ? kExitClean : kExitFailed;
}

}  // namespace df::app
