#include "runtime/address.h"

#include <charconv>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>

namespace df::runtime {

std::string SocketAddress::ToString() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

bool SocketAddress::is_loopback() const {
  boost::system::error_code ignored;
  return boost::asio::ip::make_address(host, ignored).is_loopback();
}

Result<SocketAddress> ResolveSocketAddress(const std::string& text) {
  Result<SocketAddress> numeric = ParseSocketAddress(text);
  const size_t colon = text.rfind(':');
  const bool has_name = colon != std::string::npos && colon > 0 && colon + 1 < text.size() &&
                        text.find_first_of("[]:") == colon;
  if (numeric.ok() || !has_name) {
    return numeric;
  }
  boost::asio::io_context context;
  boost::asio::ip::tcp::resolver resolver(context);
  boost::system::error_code error;
  const auto found = resolver.resolve(
      text.substr(0, colon), text.substr(colon + 1),
      boost::asio::ip::tcp::resolver::passive | boost::asio::ip::tcp::resolver::numeric_service,
      error);
  if (error) {
    return MakeError(ErrorKind::kIo,
                     fmt::format("cannot find address '{}': {}", text, error.message()));
  }
  const boost::asio::ip::tcp::endpoint endpoint = found.begin()->endpoint();
  return SocketAddress{endpoint.address().to_string(), endpoint.port()};
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
