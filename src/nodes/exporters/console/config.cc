#include "nodes/exporters/console/config.h"

namespace df::nodes::exporters::console {

const config::FieldTable<ConsoleConfig>& ConsoleFields() {
  static const config::FieldTable<ConsoleConfig> table = {
      config::Enum("format", &ConsoleConfig::format,
                   {{"pretty", Format::kPretty}, {"json", Format::kJson}},
                   "lines for people, or an OTLP JSON object for each batch on a line of its own"),
      config::Enum("verbosity", &ConsoleConfig::verbosity,
                   {{"normal", Verbosity::kNormal}, {"detailed", Verbosity::kDetailed}},
                   "format pretty: a line for each record, or a line for each field"),
      config::Enum("color", &ConsoleConfig::color,
                   {{"auto", Color::kAuto}, {"always", Color::kAlways}, {"never", Color::kNever}},
                   "format pretty: colours; auto when the output is a terminal"),
      config::Bool("unicode", &ConsoleConfig::unicode,
                   "format pretty: lines and texts as they are; false prints ASCII only"),
      config::Integer("max_records", &ConsoleConfig::max_records, {0, 1'000'000'000},
                      "log records, spans or metrics printed of each batch; 0 prints all"),
  };
  return table;
}

}  // namespace df::nodes::exporters::console
