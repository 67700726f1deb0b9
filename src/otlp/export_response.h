// What a server answers to an OTLP export request.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <arrow/result.h>

#include "otap/schema.h"

namespace df::otlp {

/// How OTLP messages are written in HTTP bodies.
enum class Encoding : uint8_t { kProtobuf, kJson };

/// Items that the server has not taken and never will; none, where everything was taken.
struct PartialSuccess {
  int64_t rejected_items = 0;  ///< log records, spans or data points
  std::string message;         ///< why; a warning where nothing was rejected
};

/// Writes ExportLogsServiceResponse, ExportTraceServiceResponse or ExportMetricsServiceResponse.
std::string WriteExportResponse(otap::Signal signal, Encoding encoding,
                                const PartialSuccess& partial_success);

/// Reads the same. Errors: Invalid, for what is malformed.
arrow::Result<PartialSuccess> ReadExportResponse(otap::Signal signal, Encoding encoding,
                                                 std::string_view response);

/// google.rpc.Status: the body of an HTTP answer that is an error. `code` is one of
/// google.rpc.Code.
struct RpcStatus {
  int32_t code = 0;
  std::string message;
};
std::string WriteRpcStatus(Encoding encoding, const RpcStatus& status);
/// Errors: Invalid, for what is malformed.
arrow::Result<RpcStatus> ReadRpcStatus(Encoding encoding, std::string_view body);

}  // namespace df::otlp
