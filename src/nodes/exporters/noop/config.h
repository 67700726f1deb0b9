// Configuration of the noop exporter: it has no keys.
#pragma once

#include "config/field_table.h"
#include "engine/node_registry.h"

namespace df::nodes::exporters::noop {

struct NoopConfig : engine::NodeConfig {};

const config::FieldTable<NoopConfig>& NoopFields();

}  // namespace df::nodes::exporters::noop
