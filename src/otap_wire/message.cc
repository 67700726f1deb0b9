#include "otap_wire/message.h"

#include <fmt/format.h>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "base/text.h"

namespace df::otap_wire {
namespace {

using WireType = protozero::pbf_wire_type;

enum RecordsField : uint32_t { kBatchId = 1, kPayloads = 2, kHeaders = 3 };
enum PayloadField : uint32_t { kSchemaId = 1, kType = 2, kRecord = 3 };
enum StatusField : uint32_t { kStatusBatchId = 1, kStatusCode = 2, kStatusMessage = 3 };

std::string_view Text(protozero::pbf_reader* reader) {
  const protozero::data_view view = reader->get_view();
  return {view.data(), view.size()};
}

arrow::Status WrongWireType(std::string_view field, WireType found) {
  return arrow::Status::Invalid(
      fmt::format("{}: found wire type {}", field, static_cast<uint32_t>(found)));
}

/// Calls `visit` for each field; what the parser throws does not leave this function.
template <typename Visit>
arrow::Status VisitFields(std::string_view message, std::string_view bytes, const Visit& visit) {
  try {
    protozero::pbf_reader reader(bytes.data(), bytes.size());
    while (reader.next()) {
      ARROW_RETURN_NOT_OK(visit(&reader));
    }
  } catch (const protozero::exception& error) {
    return arrow::Status::Invalid(
        fmt::format("{} of {} bytes: malformed protobuf, {}", message, bytes.size(), error.what()));
  }
  return arrow::Status::OK();
}

void SkipUnknown(std::string_view name, protozero::pbf_reader* reader, BatchArrowRecords* message) {
  if (++message->num_unknown_fields == 1) {
    message->first_unknown_field = fmt::format("{} field {} is not known", name, reader->tag());
  }
  reader->skip();
}

arrow::Result<ArrowPayload> ReadPayload(std::string_view bytes, BatchArrowRecords* message) {
  ArrowPayload payload;
  ARROW_RETURN_NOT_OK(VisitFields(
      "ArrowPayload", bytes, [&payload, message](protozero::pbf_reader* reader) -> arrow::Status {
        const WireType type = reader->wire_type();
        switch (reader->tag()) {
          case kSchemaId:
          case kRecord: {
            const bool is_id = reader->tag() == kSchemaId;
            if (type != WireType::length_delimited) {
              return WrongWireType(is_id ? "ArrowPayload.schema_id" : "ArrowPayload.record", type);
            }
            (is_id ? payload.schema_id : payload.record) = Text(reader);
            break;
          }
          case kType:
            if (type != WireType::varint) {
              return WrongWireType("ArrowPayload.type", type);
            }
            payload.type = reader->get_enum();
            break;
          default:
            SkipUnknown("ArrowPayload", reader, message);
        }
        return arrow::Status::OK();
      }));
  return payload;
}

}  // namespace

std::string_view Name(StatusCode code) {
  switch (code) {
    case StatusCode::kOk:
      return "ok";
    case StatusCode::kCanceled:
      return "canceled";
    case StatusCode::kInvalidArgument:
      return "invalid_argument";
    case StatusCode::kDeadlineExceeded:
      return "deadline_exceeded";
    case StatusCode::kPermissionDenied:
      return "permission_denied";
    case StatusCode::kResourceExhausted:
      return "resource_exhausted";
    case StatusCode::kAborted:
      return "aborted";
    case StatusCode::kInternal:
      return "internal";
    case StatusCode::kUnavailable:
      return "unavailable";
    case StatusCode::kUnauthenticated:
      return "unauthenticated";
  }
  return "unknown";
}

arrow::Result<BatchArrowRecords> ReadBatchArrowRecords(std::string_view bytes) {
  BatchArrowRecords message;
  ARROW_RETURN_NOT_OK(VisitFields(
      "BatchArrowRecords", bytes, [&message](protozero::pbf_reader* reader) -> arrow::Status {
        const WireType type = reader->wire_type();
        switch (reader->tag()) {
          case kBatchId:
            if (type != WireType::varint) {
              return WrongWireType("BatchArrowRecords.batch_id", type);
            }
            message.batch_id = reader->get_int64();
            break;
          case kPayloads: {
            if (type != WireType::length_delimited) {
              return WrongWireType("BatchArrowRecords.arrow_payloads", type);
            }
            ARROW_ASSIGN_OR_RAISE(message.payloads.emplace_back(),
                                  ReadPayload(Text(reader), &message));
            break;
          }
          case kHeaders:
            if (type != WireType::length_delimited) {
              return WrongWireType("BatchArrowRecords.headers", type);
            }
            message.headers = Text(reader);
            break;
          default:
            SkipUnknown("BatchArrowRecords", reader, &message);
        }
        return arrow::Status::OK();
      }));
  return message;
}

arrow::Result<BatchStatus> ReadBatchStatus(std::string_view bytes) {
  BatchStatus status;
  ARROW_RETURN_NOT_OK(
      VisitFields("BatchStatus", bytes, [&status](protozero::pbf_reader* reader) -> arrow::Status {
        const WireType type = reader->wire_type();
        const uint32_t tag = reader->tag();
        const bool is_number = tag == kStatusBatchId || tag == kStatusCode;
        if ((is_number && type != WireType::varint) ||
            (tag == kStatusMessage && type != WireType::length_delimited)) {
          return WrongWireType(fmt::format("BatchStatus field {}", tag), type);
        }
        if (tag == kStatusBatchId) {
          status.batch_id = reader->get_int64();
        } else if (tag == kStatusCode) {
          status.code = static_cast<StatusCode>(reader->get_enum());
        } else if (tag == kStatusMessage) {
          status.message = Text(reader);
        } else {
          reader->skip();
        }
        return arrow::Status::OK();
      }));
  return status;
}

std::string WriteBatchArrowRecords(const BatchArrowRecords& message) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  if (message.batch_id != 0) {
    writer.add_int64(kBatchId, message.batch_id);
  }
  for (const ArrowPayload& payload : message.payloads) {
    protozero::pbf_writer item(writer, kPayloads);
    item.add_string(kSchemaId, payload.schema_id.data(), payload.schema_id.size());
    item.add_enum(kType, payload.type);
    item.add_bytes(kRecord, payload.record.data(), payload.record.size());
  }
  if (!message.headers.empty()) {
    writer.add_bytes(kHeaders, message.headers.data(), message.headers.size());
  }
  return bytes;
}

std::string WriteBatchStatus(const BatchStatus& status) {
  std::string bytes;
  protozero::pbf_writer writer(bytes);
  if (status.batch_id != 0) {
    writer.add_int64(kStatusBatchId, status.batch_id);
  }
  if (status.code != StatusCode::kOk) {
    writer.add_enum(kStatusCode, static_cast<int32_t>(status.code));
  }
  if (!status.message.empty()) {
    // Strict readers refuse the whole answer for a text that is not UTF-8.
    writer.add_string(kStatusMessage,
                      IsValidUtf8(status.message) ? status.message : PrintableText(status.message));
  }
  return bytes;
}

}  // namespace df::otap_wire
