// Configuration of the perf exporter.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "config/field_table.h"
#include "engine/node_registry.h"

namespace df::nodes::exporters::perf {

enum class Format : uint8_t {
  kText,  ///< a block of lines for each report
  kJson,  ///< an object on a line of its own for each report
};

struct PerfConfig : engine::NodeConfig {
  std::chrono::nanoseconds frequency = std::chrono::seconds(1);
  double smoothing_factor = 0.3;
  bool self_usage = true;
  bool cpu_usage = true;
  bool mem_usage = true;
  bool disk_usage = true;
  bool io_usage = true;
  Format format = Format::kText;
  std::string output = "console";
};

const config::FieldTable<PerfConfig>& PerfFields();

}  // namespace df::nodes::exporters::perf
