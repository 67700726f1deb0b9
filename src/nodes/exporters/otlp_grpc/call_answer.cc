#include "nodes/exporters/otlp_grpc/call_answer.h"

namespace df::nodes::exporters::otlp_grpc {

using runtime::grpc::Code;

namespace {

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

}  // namespace

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

delivery::RequestAnswer AnswerOf(const runtime::grpc::UnaryAnswer& answer, otap::Signal signal) {
  const runtime::grpc::CallStatus& status = answer.status;
  delivery::RequestAnswer result;
  result.is_taken = status.ok();
  if (result.is_taken) {
    result.partial = otlp::ReadExportResponse(signal, otlp::Encoding::kProtobuf, answer.message);
    return result;
  }
  result.is_permanent = !IsRetryable(status);
  result.reason = status.ToString();
  result.size_refusal = delivery::FindSizeRefusal(status);
  result.may_be_size = delivery::MayBeSizeRefusal(status);
  if (!result.is_permanent) {
    result.pause = status.retry_delay;
  }
  return result;
}

}  // namespace df::nodes::exporters::otlp_grpc
