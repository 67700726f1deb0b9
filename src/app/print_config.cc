#include "app/print_config.h"

#include "app/pipeline_plans.h"
#include "app/standard_output.h"
#include "config/value_writer.h"

namespace df::app {

int PrintConfig(const engine::CheckedEngine& engine, const engine::NodeRegistry& registry) {
  return PrintAnswer(
      config::ToYaml(*WithoutSecrets(engine::EffectiveEngine(engine.document, registry))));
}

}  // namespace df::app
