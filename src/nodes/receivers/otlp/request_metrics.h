// What is counted about requests, whatever they come over.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "otap/schema.h"
#include "telemetry/metric_set.h"

namespace df::nodes::receivers::otlp {

/// Owner: borrows the set. Calls: the loop.
class RequestMetrics {
 public:
  /// `protocol` is "http" or "grpc".
  RequestMetrics(std::string_view protocol, telemetry::MetricSet* metrics);

  /// A request that was read; its bytes as they were sent.
  void CountRequest(otap::Signal signal, int64_t num_bytes);
  /// An answer other than success.
  void CountRefused(std::string_view reason);

 private:
  std::string protocol_;
  telemetry::MetricSet* metrics_;
  std::array<telemetry::Counter*, 3> requests_{};  // by signal
  std::array<telemetry::Counter*, 3> request_bytes_{};
  std::map<std::string, telemetry::Counter*, std::less<>> refused_;  // by reason
};

}  // namespace df::nodes::receivers::otlp
