// Changes attributes.
#pragma once

#include <array>
#include <memory>
#include <utility>

#include "engine/node.h"
#include "nodes/processors/attributes/config.h"

namespace df::nodes::processors::attributes {

/// Applies its actions to each batch and sends it on with its token.
class AttributesProcessor final : public engine::OneToOneProcessor {
 public:
  explicit AttributesProcessor(std::shared_ptr<const AttributesConfig> config)
      : config_(std::move(config)) {}

  Status Start(engine::Effects& effects) override;
  Result<otap::BatchPtr> Transform(const otap::BatchPtr& batch) override;

  /// Applies every key, from the next batch on.
  Status OnConfig(const engine::NodeConfigPtr& config) override;

  /// One line: how many entries each action changed.
  engine::NodeReport Report() override;

 private:
  std::shared_ptr<const AttributesConfig> config_;
  std::array<telemetry::Counter*, otap::kNumAttributeActions> modified_{};
};

}  // namespace df::nodes::processors::attributes
