#include "otlp/export_response.h"

#include <charconv>

#include <nlohmann/json.hpp>
#include <protozero/pbf_writer.hpp>

#include "otlp/decode/proto_reader.h"

namespace df::otlp {
namespace {

constexpr Field kPartialSuccess = {1, "partialSuccess"};
constexpr Field kErrorMessage = {2, "errorMessage"};
constexpr Field kCode = {1, "code"};
constexpr Field kMessage = {2, "message"};

Field RejectedField(otap::Signal signal) {
  switch (signal) {
    case otap::Signal::kLogs:
      return {1, "rejectedLogRecords"};
    case otap::Signal::kTraces:
      return {1, "rejectedSpans"};
    case otap::Signal::kMetrics:
      return {1, "rejectedDataPoints"};
  }
  return {1, ""};
}

arrow::Status Malformed() { return arrow::Status::Invalid("found a malformed response"); }

std::string Dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Reads the two fields of which both messages are made: a number and a text.
bool ReadNumberAndText(std::string_view message, int64_t* number, std::string* text) {
  ProtoReader in(message);
  while (!in.at_end()) {
    uint32_t tag = 0;
    uint64_t value = 0;
    std::string_view bytes;
    bool ok = in.ReadTag(&tag);
    if (ok && tag == VarintTag(kCode)) {
      ok = in.ReadVarint(&value);
      *number = static_cast<int64_t>(value);
    } else if (ok && tag == BytesTag(kMessage)) {
      ok = in.ReadBytes(&bytes);
      *text = bytes;
    } else if (ok) {
      ok = in.Skip(tag);
    }
    if (!ok) {
      return false;
    }
  }
  return true;
}

/// Integers of 64 bits may be texts in protobuf's JSON.
int64_t NumberOf(const nlohmann::json& json, std::string_view key) {
  const auto at = json.find(key);
  if (at == json.end()) {
    return 0;
  }
  if (at->is_number_integer()) {
    return at->get<int64_t>();
  }
  int64_t number = 0;
  if (at->is_string()) {
    const auto& text = at->get_ref<const std::string&>();
    std::from_chars(text.data(), text.data() + text.size(), number);
  }
  return number;
}

std::string TextOf(const nlohmann::json& json, std::string_view key) {
  const auto at = json.find(key);
  return at != json.end() && at->is_string() ? at->get<std::string>() : std::string();
}

/// Returns an object; discarded where it is none.
nlohmann::json ParseObject(std::string_view text) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  return json.is_object() ? json : nlohmann::json(nlohmann::json::value_t::discarded);
}

}  // namespace

std::string WriteExportResponse(otap::Signal signal, Encoding encoding,
                                const PartialSuccess& partial_success) {
  const bool is_full = partial_success.rejected_items == 0 && partial_success.message.empty();
  const Field rejected = RejectedField(signal);
  if (encoding == Encoding::kJson) {
    nlohmann::json json = nlohmann::json::object();
    if (!is_full) {
      json[kPartialSuccess.name] = {{rejected.name, std::to_string(partial_success.rejected_items)},
                                    {kErrorMessage.name, partial_success.message}};
    }
    return Dump(json);
  }
  std::string response;
  if (!is_full) {
    protozero::pbf_writer writer(response);
    protozero::pbf_writer part(writer, kPartialSuccess.number);
    if (partial_success.rejected_items != 0) {
      part.add_int64(rejected.number, partial_success.rejected_items);
    }
    if (!partial_success.message.empty()) {
      part.add_string(kErrorMessage.number, partial_success.message);
    }
  }
  return response;
}

arrow::Result<PartialSuccess> ReadExportResponse(otap::Signal signal, Encoding encoding,
                                                 std::string_view response) {
  PartialSuccess result;
  if (encoding == Encoding::kJson) {
    const nlohmann::json json = ParseObject(response);
    if (json.is_discarded()) {
      return Malformed();
    }
    if (const auto part = json.find(kPartialSuccess.name);
        part != json.end() && part->is_object()) {
      result.rejected_items = NumberOf(*part, RejectedField(signal).name);
      result.message = TextOf(*part, kErrorMessage.name);
    }
    return result;
  }
  ProtoReader in(response);
  while (!in.at_end()) {
    uint32_t tag = 0;
    std::string_view part;
    if (!in.ReadTag(&tag) ||
        !(tag == BytesTag(kPartialSuccess)
              ? in.ReadBytes(&part) &&
                    ReadNumberAndText(part, &result.rejected_items, &result.message)
              : in.Skip(tag))) {
      return Malformed();
    }
  }
  return result;
}

std::string WriteRpcStatus(Encoding encoding, const RpcStatus& status) {
  if (encoding == Encoding::kJson) {
    return Dump({{kCode.name, status.code}, {kMessage.name, status.message}});
  }
  std::string body;
  protozero::pbf_writer writer(body);
  writer.add_int32(kCode.number, status.code);
  writer.add_string(kMessage.number, status.message);
  return body;
}

arrow::Result<RpcStatus> ReadRpcStatus(Encoding encoding, std::string_view body) {
  RpcStatus status;
  if (encoding == Encoding::kJson) {
    const nlohmann::json json = ParseObject(body);
    if (json.is_discarded()) {
      return Malformed();
    }
    status.code = static_cast<int32_t>(NumberOf(json, kCode.name));
    status.message = TextOf(json, kMessage.name);
    return status;
  }
  int64_t code = 0;
  if (!ReadNumberAndText(body, &code, &status.message)) {
    return Malformed();
  }
  status.code = static_cast<int32_t>(code);
  return status;
}

}  // namespace df::otlp
