// Configuration of the debug processor.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "config/field_table.h"
#include "otap/schema.h"

namespace df::nodes::processors::debug {

enum class Verbosity : uint8_t {
  kBasic,     ///< counts
  kNormal,    ///< a line for each record
  kDetailed,  ///< a line for each field
};

enum class Mode : uint8_t {
  kBatch,   ///< each batch as it passes
  kSignal,  ///< the sums of each signal, from time to time
};

struct DebugConfig {
  Verbosity verbosity = Verbosity::kNormal;
  Mode mode = Mode::kBatch;
  std::vector<otap::Signal> signals = {otap::Signal::kLogs, otap::Signal::kTraces,
                                       otap::Signal::kMetrics};
  std::string output = "console";
  std::chrono::nanoseconds interval = std::chrono::seconds(10);

  bool Prints(otap::Signal signal) const;
};

const config::FieldTable<DebugConfig>& DebugFields();

}  // namespace df::nodes::processors::debug
