#include "runtime/http1/wire_format.h"

#include <iterator>

#include <boost/beast/http/status.hpp>
#include <fmt/format.h>

namespace df::runtime::http1 {
namespace {

void AppendClean(std::string_view text, std::string* out) {
  for (const char letter : text) {
    if (letter != '\r' && letter != '\n' && letter != '\0') {
      *out += letter;
    }
  }
}

void AppendHeaders(const Headers& headers, std::string* out) {
  for (const Header& header : headers) {
    AppendClean(header.name, out);
    *out += ": ";
    AppendClean(header.value, out);
    *out += "\r\n";
  }
}

}  // namespace

std::string ResponseBytes(const Response& response, bool keeps_alive, bool is_head) {
  const std::string_view reason =
      boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(response.status));
  std::string bytes;
  bytes.reserve(256 + response.body.size());
  fmt::format_to(std::back_inserter(bytes), "HTTP/1.1 {} {}\r\n", response.status, reason);
  AppendHeaders(response.headers, &bytes);
  fmt::format_to(std::back_inserter(bytes), "Content-Length: {}\r\n{}\r\n", response.body.size(),
                 keeps_alive ? "" : "Connection: close\r\n");
  if (!is_head) {
    bytes += response.body;
  }
  return bytes;
}

std::string RequestBytes(const Request& request, std::string_view host) {
  std::string bytes;
  bytes.reserve(512 + request.body.size());
  AppendClean(request.method, &bytes);
  bytes += ' ';
  AppendClean(request.target, &bytes);
  bytes += " HTTP/1.1\r\nHost: ";
  AppendClean(host, &bytes);
  bytes += "\r\n";
  AppendHeaders(request.headers, &bytes);
  fmt::format_to(std::back_inserter(bytes), "Content-Length: {}\r\n\r\n", request.body.size());
  bytes += request.body;
  return bytes;
}

}  // namespace df::runtime::http1
