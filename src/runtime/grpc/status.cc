#include "runtime/grpc/status.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <arrow/util/base64.h>
#include <fmt/format.h>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

namespace df::runtime::grpc {
namespace {

using std::chrono::nanoseconds;

constexpr std::array<std::string_view, 17> kNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

constexpr std::string_view kRetryInfoType = "type.googleapis.com/google.rpc.RetryInfo";
constexpr size_t kMaxTimeoutDigits = 8;

struct TimeUnit {
  char letter;
  int64_t nanoseconds;
};
// The finest first.
constexpr std::array<TimeUnit, 6> kTimeUnits = {{{'n', 1},
                                                 {'u', 1'000},
                                                 {'m', 1'000'000},
                                                 {'S', 1'000'000'000},
                                                 {'M', 60'000'000'000},
                                                 {'H', 3'600'000'000'000}}};

// What a field of HTTP/2 may not carry is written as %XX.
std::string PercentEncode(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    if (byte >= ' ' && byte <= '~' && byte != '%') {
      out += byte;
    } else {
      out += fmt::format("%{:02X}", static_cast<uint8_t>(byte));
    }
  }
  return out;
}

// What is not well-formed stays as it is: a message is for people.
std::string PercentDecode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t byte = 0;
    if (text[i] == '%' && i + 2 < text.size()) {
      const char* end = text.data() + i + 3;
      if (std::from_chars(text.data() + i + 1, end, byte, 16).ptr == end) {
        out += static_cast<char>(byte);
        i += 2;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

// google.rpc.Status {code = 1, message = 2, details = 3}, google.protobuf.Any {type_url = 1,
// value = 2}, google.rpc.RetryInfo {retry_delay = 1}, google.protobuf.Duration {seconds = 1,
// nanos = 2}.
std::string EncodeDetails(const CallStatus& status) {
  std::string retry_info;
  {
    protozero::pbf_writer info(retry_info);
    protozero::pbf_writer duration(info, 1);
    duration.add_int64(1, status.retry_delay->count() / 1'000'000'000);
    duration.add_int32(2, static_cast<int32_t>(status.retry_delay->count() % 1'000'000'000));
  }
  std::string details;
  {
    protozero::pbf_writer writer(details);
    writer.add_int32(1, static_cast<int32_t>(status.code));
    writer.add_string(2, status.message);
    protozero::pbf_writer any(writer, 3);
    any.add_string(1, kRetryInfoType.data(), kRetryInfoType.size());
    any.add_bytes(2, retry_info);
  }
  return details;
}

std::optional<nanoseconds> ReadRetryInfo(protozero::pbf_reader any) {
  std::string type;
  protozero::data_view value;
  while (any.next()) {
    switch (any.tag_and_type()) {
      case protozero::tag_and_type(1, protozero::pbf_wire_type::length_delimited):
        type = any.get_string();
        break;
      case protozero::tag_and_type(2, protozero::pbf_wire_type::length_delimited):
        value = any.get_view();
        break;
      default:
        any.skip();
    }
  }
  if (type != kRetryInfoType) {
    return std::nullopt;
  }
  int64_t seconds = 0;
  int64_t nanos = 0;
  protozero::pbf_reader info(value);
  while (info.next(1, protozero::pbf_wire_type::length_delimited)) {
    protozero::pbf_reader duration = info.get_message();
    while (duration.next()) {
      switch (duration.tag_and_type()) {
        case protozero::tag_and_type(1, protozero::pbf_wire_type::varint):
          seconds = duration.get_int64();
          break;
        case protozero::tag_and_type(2, protozero::pbf_wire_type::varint):
          nanos = duration.get_int32();
          break;
        default:
          duration.skip();
      }
    }
  }
  // A peer that says a year means: not soon.
  constexpr int64_t kMaxSeconds = 366 * 86'400;
  return std::max(
      nanoseconds(0),
      std::chrono::seconds(std::clamp<int64_t>(seconds, 0, kMaxSeconds)) + nanoseconds(nanos));
}

std::optional<nanoseconds> ReadRetryDelay(std::string_view encoded) {
  std::string text(encoded);
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');  // gRPC leaves the padding out
  const auto bytes = arrow::util::base64_decode(text);
  if (!bytes.ok()) {
    return std::nullopt;
  }
  try {
    protozero::pbf_reader details(*bytes);
    while (details.next(3, protozero::pbf_wire_type::length_delimited)) {
      if (const auto delay = ReadRetryInfo(details.get_message()); delay.has_value()) {
        return delay;
      }
    }
  } catch (const protozero::exception&) {
    // Details that nobody can read say nothing; the status itself stands.
  }
  return std::nullopt;
}

}  // namespace

std::string_view Name(Code code) { return kNames[static_cast<size_t>(code)]; }

std::string CallStatus::ToString() const {
  return message.empty() ? std::string(Name(code)) : fmt::format("{}: {}", Name(code), message);
}

CallStatus MakeStatus(Code code, std::string message) {
  CallStatus status;
  status.code = code;
  status.message = std::move(message);
  return status;
}

void AppendStatus(const CallStatus& status, http2::Headers* headers) {
  headers->push_back({"grpc-status", std::to_string(static_cast<int>(status.code))});
  if (!status.message.empty()) {
    headers->push_back({"grpc-message", PercentEncode(status.message)});
  }
  if (status.retry_delay.has_value()) {
    std::string details = arrow::util::base64_encode(EncodeDetails(status));
    details.erase(details.find_last_not_of('=') + 1);
    headers->push_back({"grpc-status-details-bin", std::move(details)});
  }
}

std::optional<CallStatus> FindStatus(const http2::Headers& headers) {
  const std::string* number = http2::Find(headers, "grpc-status");
  if (number == nullptr) {
    return std::nullopt;
  }
  CallStatus status;
  uint32_t code = 0;
  const char* end = number->data() + number->size();
  const auto parsed = std::from_chars(number->data(), end, code);
  const bool is_known = parsed.ec == std::errc() && parsed.ptr == end && code < kNames.size();
  status.code = is_known ? static_cast<Code>(code) : Code::kUnknown;
  if (const std::string* message = http2::Find(headers, "grpc-message"); message != nullptr) {
    status.message = PercentDecode(*message);
  }
  if (const std::string* details = http2::Find(headers, "grpc-status-details-bin");
      details != nullptr) {
    status.retry_delay = ReadRetryDelay(*details);
  }
  return status;
}

CallStatus StatusOfHttp(std::string_view http_status) {
  constexpr std::array<std::pair<std::string_view, Code>, 8> kCodes = {
      {{"400", Code::kInternal},
       {"401", Code::kUnauthenticated},
       {"403", Code::kPermissionDenied},
       {"404", Code::kUnimplemented},
       {"429", Code::kUnavailable},
       {"502", Code::kUnavailable},
       {"503", Code::kUnavailable},
       {"504", Code::kUnavailable}}};
  const auto* found = std::find_if(kCodes.begin(), kCodes.end(), [http_status](const auto& entry) {
    return entry.first == http_status;
  });
  return MakeStatus(found == kCodes.end() ? Code::kUnknown : found->second,
                    fmt::format("the answer is not gRPC: HTTP status {}", http_status));
}

CallStatus StatusOfReset(uint32_t error_code, bool is_refused) {
  constexpr uint32_t kCancel = 8;
  constexpr uint32_t kEnhanceYourCalm = 11;
  constexpr uint32_t kInadequateSecurity = 12;
  const Code code = is_refused                          ? Code::kUnavailable
                    : error_code == kCancel             ? Code::kCancelled
                    : error_code == kEnhanceYourCalm    ? Code::kResourceExhausted
                    : error_code == kInadequateSecurity ? Code::kPermissionDenied
                                                        : Code::kInternal;
  return MakeStatus(code,
                    fmt::format("the stream was reset with HTTP/2 error code {}", error_code));
}

std::string FormatTimeout(nanoseconds timeout) {
  constexpr int64_t kLimit = 100'000'000;
  const int64_t wanted = std::max<int64_t>(timeout.count(), 0);
  for (const TimeUnit& unit : kTimeUnits) {
    if (wanted / unit.nanoseconds < kLimit) {
      return fmt::format("{}{}", wanted / unit.nanoseconds, unit.letter);
    }
  }
  return fmt::format("{}H", kLimit - 1);
}

std::optional<nanoseconds> ParseTimeout(std::string_view text) {
  if (text.size() < 2 || text.size() > kMaxTimeoutDigits + 1) {
    return std::nullopt;
  }
  const auto* unit =
      std::find_if(kTimeUnits.begin(), kTimeUnits.end(),
                   [text](const TimeUnit& one) { return one.letter == text.back(); });
  int64_t count = 0;
  const char* end = text.data() + text.size() - 1;
  const auto parsed = std::from_chars(text.data(), end, count);
  if (unit == kTimeUnits.end() || parsed.ec != std::errc() || parsed.ptr != end || count < 0) {
    return std::nullopt;
  }
  // 10^8 hours do not fit into nanoseconds.
  constexpr int64_t kMostNanoseconds = int64_t{1} << 61;
  return nanoseconds(count > kMostNanoseconds / unit->nanoseconds ? kMostNanoseconds
                                                                  : count * unit->nanoseconds);
}

}  // namespace df::runtime::grpc
