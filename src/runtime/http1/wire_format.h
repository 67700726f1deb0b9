// Heads of requests and responses as bytes. Included by runtime sources only.
#pragma once

#include <string>
#include <string_view>

#include "runtime/http1/message.h"

namespace df::runtime::http1 {

inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

/// Writes a whole response. Bytes that would end a header early are left out of it.
std::string ResponseBytes(const Response& response, bool keeps_alive, bool is_head);

/// Writes a whole request. `host` is "HOST:PORT".
std::string RequestBytes(const Request& request, std::string_view host);

}  // namespace df::runtime::http1
