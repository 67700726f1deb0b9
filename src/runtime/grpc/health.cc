#include "runtime/grpc/health.h"

#include <algorithm>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/text.h"

namespace df::runtime::grpc {
namespace {

// HealthCheckRequest.service and HealthCheckResponse.status, with their wire types.
constexpr char kServiceTag = 0x0a;
constexpr char kStatusTag = 0x08;
constexpr char kServing = 1;
constexpr char kNotServing = 2;

/// Returns the service of a request; nothing for what is no request, or has a name of more than 127
/// bytes, which no service has.
std::optional<std::string_view> ServiceOf(std::string_view request) {
  if (request.empty()) {
    return "";
  }
  if (request.size() < 2 || request[0] != kServiceTag ||
      static_cast<size_t>(request[1]) != request.size() - 2) {
    return std::nullopt;
  }
  return request.substr(2);
}

}  // namespace

bool IsHealthCheck(std::string_view path) { return path == "/grpc.health.v1.Health/Check"; }

Task<CallStatus> AnswerHealthCheck(ServerCall* call, bool is_serving,
                                   std::vector<std::string_view> services) {
  std::string request;
  const bool has_request = co_await call->ReadOnly(&request);
  if (!has_request) {
    co_return call->status();
  }
  const std::optional<std::string_view> service = ServiceOf(request);
  if (!service.has_value()) {
    co_return MakeStatus(Code::kInvalidArgument, "found no HealthCheckRequest, expected one");
  }
  if (!service->empty() &&
      std::find(services.begin(), services.end(), *service) == services.end()) {
    co_return MakeStatus(Code::kNotFound,
                         fmt::format("there is no service {}", PrintableText(*service)));
  }
  std::string response = {kStatusTag, is_serving ? kServing : kNotServing};
  co_await call->Write(std::move(response));
  co_return CallStatus();
}

}  // namespace df::runtime::grpc
