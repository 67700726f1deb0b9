#include "app/schema_command.h"

#include "app/standard_output.h"
#include "engine/checked_engine.h"

namespace df::app {

int SchemaCommand(const engine::NodeRegistry& registry) {
  return PrintAnswer(engine::DocumentSchema(registry));
}

}  // namespace df::app
