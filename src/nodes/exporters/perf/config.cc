#include "nodes/exporters/perf/config.h"

namespace df::nodes::exporters::perf {

const config::FieldTable<PerfConfig>& PerfFields() {
  static const config::FieldTable<PerfConfig> table = {
      config::Duration("frequency", &PerfConfig::frequency, "how often a report is printed",
                       {1'000'000, INT64_MAX / 2}),
      config::Number("smoothing_factor", &PerfConfig::smoothing_factor, {0.001, 1},
                     "weight of the latest period in the smoothed rates; 1 does not smooth"),
      config::Bool("self_usage", &PerfConfig::self_usage,
                   "report what the process uses; false leaves out all of the keys below"),
      config::Bool("cpu_usage", &PerfConfig::cpu_usage,
                   "CPU time and context switches of the process"),
      config::Bool("mem_usage", &PerfConfig::mem_usage, "resident memory of the process"),
      config::Bool("disk_usage", &PerfConfig::disk_usage,
                   "bytes that the process reads from and writes to storage"),
      config::Bool("io_usage", &PerfConfig::io_usage,
                   "bytes over the network interfaces of the machine, without loopback"),
      config::Enum("format", &PerfConfig::format,
                   {{"text", Format::kText}, {"json", Format::kJson}},
                   "lines for people, or a JSON object for each report on a line of its own"),
      config::String("output", &PerfConfig::output,
                     "console for standard output, or the path of a file, which is emptied first"),
  };
  return table;
}

}  // namespace df::nodes::exporters::perf
