#include "runtime/http1/url.h"

#include <charconv>

#include <fmt/format.h>

#include "runtime/address.h"

namespace df::runtime::http1 {

std::string Url::authority() const { return SocketAddress{host, port}.ToString(); }

Result<Url> ParseUrl(std::string_view text) {
  const Status error = MakeError(
      ErrorKind::kConfig,
      fmt::format("found URL '{}', expected one such as http://localhost:4318/v1/logs", text));
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    url.is_encrypted = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return error;
  }
  const size_t slash = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) {
    url.path = rest.substr(slash);
  }
  if (!url.path.starts_with('/')) {
    url.path.insert(0, "/");
  }
  url.port = url.is_encrypted ? 443 : 80;
  size_t colon = authority.rfind(':');
  if (authority.starts_with('[')) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) {
      return error;
    }
    url.host = authority.substr(1, end - 1);
    colon = end + 1 < authority.size() ? end + 1 : std::string_view::npos;
    if (colon != std::string_view::npos && authority[colon] != ':') {
      return error;
    }
  } else {
    url.host = authority.substr(0, colon);
  }
  if (colon != std::string_view::npos) {
    const char* end = authority.data() + authority.size();
    const auto parsed = std::from_chars(authority.data() + colon + 1, end, url.port);
    if (parsed.ec != std::errc() || parsed.ptr != end || url.port == 0) {
      return error;
    }
  }
  // Anything that a request line or a Host header cannot hold would end up in another place of it.
  for (const char letter : text) {
    if (letter <= ' ' || letter == 0x7F || letter == '#' || letter == '@' || letter == '\\') {
      return error;
    }
  }
  if (url.host.empty() ||
      (!authority.starts_with('[') && url.host.find(':') != std::string::npos)) {
    return error;
  }
  return url;
}

}  // namespace df::runtime::http1
