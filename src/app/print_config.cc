#include "app/print_config.h"

#include "app/standard_output.h"

namespace df::app {

int PrintConfig(const engine::CheckedEngine& engine, const engine::NodeRegistry& registry) {
  return PrintAnswer(engine::PrintEngine(engine.document, registry));
}

}  // namespace df::app
