#include "nodes/processors/debug/config.h"

#include <algorithm>

namespace df::nodes::processors::debug {

bool DebugConfig::Prints(otap::Signal signal) const {
  return std::find(signals.begin(), signals.end(), signal) != signals.end();
}

const config::FieldTable<DebugConfig>& DebugFields() {
  using otap::Signal;
  static const config::FieldTable<DebugConfig> kTable = {
      config::Enum("verbosity", &DebugConfig::verbosity,
                   {{"basic", Verbosity::kBasic},
                    {"normal", Verbosity::kNormal},
                    {"detailed", Verbosity::kDetailed}},
                   "counts, a line for each record, or a line for each field"),
      config::Enum("mode", &DebugConfig::mode, {{"batch", Mode::kBatch}, {"signal", Mode::kSignal}},
                   "print each batch as it passes, or the sums of each signal every interval"),
      config::EnumList(
          "signals", &DebugConfig::signals,
          {{"logs", Signal::kLogs}, {"traces", Signal::kTraces}, {"metrics", Signal::kMetrics}},
          "signals to print; all are counted"),
      config::String("output", &DebugConfig::output,
                     "console for standard output, or the path of a file, which is emptied first"),
      config::Duration("interval", &DebugConfig::interval,
                       "mode signal: how often sums are printed; 0 prints them at the end only"),
  };
  return kTable;
}

}  // namespace df::nodes::processors::debug
