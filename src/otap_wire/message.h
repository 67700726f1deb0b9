// The protobuf messages of the OTAP services (format reference 7.1).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

namespace df::otap_wire {

/// A piece of the Arrow IPC stream of one schema.
struct ArrowPayload {
  std::string_view schema_id;
  int type = 0;  ///< number of the payload type; 0 and numbers without a table are for the reader
  std::string_view record;  ///< IPC messages: at first a schema, then dictionaries and one batch
};

/// One message of a client. Owner: borrows the bytes that it was read from.
struct BatchArrowRecords {
  int64_t batch_id = 0;  ///< unique in its stream
  std::vector<ArrowPayload> payloads;
  std::string_view headers;  ///< HPACK; empty when there are none
  /// Of the message and its payloads: newer than this program. They are skipped.
  int64_t num_unknown_fields = 0;
  std::string first_unknown_field;  ///< "ArrowPayload field 9 is not known"
};

/// The codes that an answer may have; numbers as in gRPC.
enum class StatusCode : int32_t {
  kOk = 0,
  kCanceled = 1,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kAborted = 10,
  kInternal = 13,
  kUnavailable = 14,
  kUnauthenticated = 16,
};

/// Returns "ok", "invalid_argument" and so on, as they stand in metrics; "unknown" for other
/// numbers.
std::string_view Name(StatusCode code);

/// The answer to one message of a client. Answers may come in any order.
struct BatchStatus {
  int64_t batch_id = 0;
  StatusCode code = StatusCode::kOk;
  std::string message;
};

/// Reads a message. Shape: fields that are not known are skipped, and counted. Errors: Invalid,
/// where the bytes are not protobuf or a field has another wire type.
arrow::Result<BatchArrowRecords> ReadBatchArrowRecords(std::string_view bytes);
arrow::Result<BatchStatus> ReadBatchStatus(std::string_view bytes);

/// Writes a message. Shape: fields equal to their default are left out.
std::string WriteBatchArrowRecords(const BatchArrowRecords& message);
std::string WriteBatchStatus(const BatchStatus& status);

}  // namespace df::otap_wire
