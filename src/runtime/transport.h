// The bytes of one connection, plain or encrypted. Included by runtime sources only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "runtime/tls.h"

namespace df::runtime {

/// One read and one write may be under way at the same time.
/// Owner: who calls keeps it, and the buffers, alive until the call back.
class Transport {
 public:
  using OnDone = std::function<void(const boost::system::error_code&, size_t num_bytes)>;

  virtual ~Transport() = default;

  /// Agrees on keys; a plain connection is ready at once.
  virtual void Handshake(std::function<void(const boost::system::error_code&)> on_done) = 0;
  /// The protocol agreed on by ALPN; empty where none was.
  virtual std::string protocol() const = 0;
  virtual void ReadSome(boost::asio::mutable_buffer buffer, OnDone on_done) = 0;
  /// Writes all of it.
  virtual void Write(boost::asio::const_buffer buffer, OnDone on_done) = 0;
  /// Tells the peer that nothing more is written. What it sends can still be read.
  virtual void CloseWriting() = 0;
  /// Ends what is under way with an error.
  virtual void Close() = 0;
};

std::unique_ptr<Transport> MakePlainTransport(boost::asio::ip::tcp::socket socket);
std::unique_ptr<Transport> MakeTlsServerTransport(boost::asio::ip::tcp::socket socket,
                                                  std::shared_ptr<const TlsContext> tls);
/// `host` is the name that the certificate has to carry unless the context has one of its own.
std::unique_ptr<Transport> MakeTlsClientTransport(boost::asio::ip::tcp::socket socket,
                                                  std::shared_ptr<const TlsContext> tls,
                                                  const std::string& host);

}  // namespace df::runtime
