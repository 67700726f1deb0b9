// Configuration of the console exporter.
#pragma once

#include <cstdint>

#include "config/field_table.h"
#include "engine/node_registry.h"

namespace df::nodes::exporters::console {

enum class Format : uint8_t {
  kPretty,  ///< lines for people
  kJson,    ///< an OTLP JSON object for each batch, on a line of its own
};

enum class Verbosity : uint8_t {
  kNormal,    ///< a line for each record
  kDetailed,  ///< a line for each field
};

enum class Color : uint8_t {
  kAuto,  ///< when the output is a terminal that takes it
  kAlways,
  kNever,
};

struct ConsoleConfig : engine::NodeConfig {
  Format format = Format::kPretty;
  Verbosity verbosity = Verbosity::kNormal;
  Color color = Color::kAuto;
  bool unicode = true;
  int64_t max_records = 0;  ///< of each batch; 0: all
};

const config::FieldTable<ConsoleConfig>& ConsoleFields();

}  // namespace df::nodes::exporters::console
