// Configuration of the internal telemetry receiver.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/field_table.h"
#include "otap/schema.h"

namespace df::nodes::receivers::internal_telemetry {

struct InternalTelemetryConfig {
  std::chrono::nanoseconds reporting_interval = std::chrono::seconds(10);
  std::vector<otap::Signal> signals = {otap::Signal::kMetrics, otap::Signal::kLogs};
  LogLevel min_log_level = LogLevel::kInfo;
  int64_t max_log_records = 1000;
  std::map<std::string, std::string> resource = {{"service.name", "df_engine"}};

  bool Sends(otap::Signal signal) const;
};

const config::FieldTable<InternalTelemetryConfig>& InternalTelemetryFields();

}  // namespace df::nodes::receivers::internal_telemetry
