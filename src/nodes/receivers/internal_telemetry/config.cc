#include "nodes/receivers/internal_telemetry/config.h"

#include <algorithm>

namespace df::nodes::receivers::internal_telemetry {

bool InternalTelemetryConfig::Sends(otap::Signal signal) const {
  return std::find(signals.begin(), signals.end(), signal) != signals.end();
}

const config::FieldTable<InternalTelemetryConfig>& InternalTelemetryFields() {
  using Config = InternalTelemetryConfig;
  using otap::Signal;
  constexpr config::Range kInterval = {100'000'000, int64_t{24} * 3600 * 1'000'000'000};
  static const config::FieldTable<Config> kTable = {
      config::Duration("reporting_interval", &Config::reporting_interval,
                       "how often metrics and new log records are sent", kInterval),
      config::EnumList("signals", &Config::signals,
                       {{"metrics", Signal::kMetrics}, {"logs", Signal::kLogs}}, "what is sent"),
      config::Enum("min_log_level", &Config::min_log_level,
                   {{"debug", LogLevel::kDebug},
                    {"info", LogLevel::kInfo},
                    {"warning", LogLevel::kWarning},
                    {"error", LogLevel::kError}},
                   "log records below it are not sent"),
      config::Integer(
          "max_log_records", &Config::max_log_records, {1, 65'535},
          "most log records that are sent in one interval; the rest waits for the next"),
      config::StringMap("resource", &Config::resource, "attributes of the resource"),
  };
  return kTable;
}

}  // namespace df::nodes::receivers::internal_telemetry
