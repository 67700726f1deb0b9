// Configuration of the error exporter.
#pragma once

#include <cstdint>
#include <string>

#include "config/field_table.h"
#include "engine/node_registry.h"

namespace df::nodes::exporters::error {

struct ErrorConfig : engine::NodeConfig {
  std::string message;
  bool permanent = false;
  double ratio = 1;
  int64_t seed = 1;
};

const config::FieldTable<ErrorConfig>& ErrorFields();

}  // namespace df::nodes::exporters::error
