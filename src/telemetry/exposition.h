// Writes a snapshot for those who scrape: Prometheus text, OpenMetrics, JSON.
#pragma once

#include <string>
#include <string_view>

#include "telemetry/snapshot.h"

namespace df::telemetry {

enum class TextFormat : uint8_t {
  kPrometheus,   ///< text format 0.0.4
  kOpenMetrics,  ///< 1.0
};

/// Returns what HTTP calls the format.
std::string_view ContentType(TextFormat format);

/// Returns the format that an `Accept` header asks for; Prometheus text when it asks for neither.
TextFormat ChooseTextFormat(std::string_view accept);

/// Returns the name of a family by the rules of OpenTelemetry, without `_total`: characters that
/// are not allowed become '_', units are written out. "process.cpu.time" in "s" becomes
/// "process_cpu_time_seconds".
std::string PrometheusName(const MetricFamily& family);

/// Writes every family with HELP and TYPE, and `target_info` with the attributes of the resource.
/// Histograms are classic ones with cumulative buckets.
std::string ToPrometheus(const MetricSnapshot& snapshot, const Attributes& resource,
                         TextFormat format = TextFormat::kPrometheus);

/// Writes the same as one JSON object:
///   {"time_unix_nano": .., "resource": {..}, "metrics": [{"name": .., "unit": ..,
///    "description": .., "kind": .., "points": [{"scope": .., "set": {..}, "attributes": {..},
///    "value": ..}]}]}
/// Points of histograms have count, sum, min, max and buckets (not cumulative) in place of value.
std::string ToJson(const MetricSnapshot& snapshot, const Attributes& resource);

}  // namespace df::telemetry
