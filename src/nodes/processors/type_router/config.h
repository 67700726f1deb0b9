// Configuration of the type router.
#pragma once

#include <cstdint>

#include "config/field_table.h"
#include "engine/node_registry.h"

namespace df::nodes::processors::type_router {

/// What happens to a batch whose route has no room.
enum class OnFull : uint8_t {
  kRejectImmediately,  ///< it is nacked for now
  kBackpressure,       ///< it is kept, and input waits when a second one comes for the same route
};

struct AdmissionPolicy {
  OnFull on_full = OnFull::kRejectImmediately;
};

struct TypeRouterConfig : engine::NodeConfig {
  AdmissionPolicy admission_policy;
};

const config::FieldTable<TypeRouterConfig>& TypeRouterFields();

}  // namespace df::nodes::processors::type_router
