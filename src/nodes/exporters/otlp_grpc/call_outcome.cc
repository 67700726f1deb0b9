#include "nodes/exporters/otlp_grpc/call_outcome.h"

namespace df::nodes::exporters::otlp_grpc {

using runtime::grpc::Code;

std::string_view PathOf(otap::Signal signal) {
  switch (signal) {
    case otap::Signal::kLogs:
      return "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    case otap::Signal::kTraces:
      return "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
    case otap::Signal::kMetrics:
      break;
  }
  return "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
}

bool IsRetryable(const runtime::grpc::CallStatus& status) {
  switch (status.code) {
    case Code::kCancelled:
    case Code::kDeadlineExceeded:
    case Code::kAborted:
    case Code::kOutOfRange:
    case Code::kUnavailable:
    case Code::kDataLoss:
      return true;
    case Code::kResourceExhausted:
      return status.retry_delay.has_value();
    default:
      return false;
  }
}

engine::Outcome OutcomeOf(const runtime::grpc::CallStatus& status) {
  return status.ok() ? engine::Outcome::Ack()
                     : engine::Outcome::Nack(status.ToString(), !IsRetryable(status));
}

}  // namespace df::nodes::exporters::otlp_grpc
