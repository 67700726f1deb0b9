#include "runtime/address.h"

#include <charconv>

#include <boost/asio/ip/address.hpp>
#include <fmt/format.h>

namespace df::runtime {

std::string SocketAddress::ToString() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

Result<SocketAddress> ParseSocketAddress(std::string_view text) {
  const Status error = MakeError(
      ErrorKind::kConfig,
      fmt::format("found address '{}', expected one such as 127.0.0.1:4318 or [::]:4318", text));
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return error;
  }
  SocketAddress address;
  address.host = text.substr(0, colon);
  if (address.host.starts_with('[') && address.host.ends_with(']')) {
    address.host = address.host.substr(1, address.host.size() - 2);
  } else if (address.host == "localhost") {
    address.host = "127.0.0.1";
  } else if (address.host.find(':') != std::string::npos) {
    return error;  // without brackets nobody knows where the port begins
  }
  boost::system::error_code failed;
  boost::asio::ip::make_address(address.host, failed);
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, address.port);
  if (failed || parsed.ec != std::errc() || parsed.ptr != end) {
    return error;
  }
  return address;
}

}  // namespace df::runtime
