#include "runtime/transport.h"

#include <utility>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>
#include <openssl/ssl.h>

namespace df::runtime {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(tcp::socket socket) : socket_(std::move(socket)) {}

  void Handshake(std::function<void(const boost::system::error_code&)> on_done) override {
    asio::post(socket_.get_executor(),
               [done = std::move(on_done)] { done(boost::system::error_code()); });
  }
  std::string protocol() const override { return ""; }
  void ReadSome(asio::mutable_buffer buffer, OnDone on_done) override {
    socket_.async_read_some(buffer, std::move(on_done));
  }
  void Write(asio::const_buffer buffer, OnDone on_done) override {
    asio::async_write(socket_, buffer, std::move(on_done));
  }
  void CloseWriting() override {
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }
  void Close() override {
    boost::system::error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
  }

 private:
  tcp::socket socket_;
};

class TlsTransport final : public Transport {
 public:
  TlsTransport(tcp::socket socket, std::shared_ptr<const TlsContext> tls,
               asio::ssl::stream_base::handshake_type side)
      : tls_(std::move(tls)),
        context_(tls_->Current()),
        stream_(std::move(socket), *context_),
        side_(side) {}

  void ExpectHost(const std::string& host) {
    const std::string& name = tls_->server_name().empty() ? host : tls_->server_name();
    boost::system::error_code is_name;
    asio::ip::make_address(name, is_name);
    if (is_name) {  // an address is no name to ask for
      SSL_ctrl(stream_.native_handle(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(name.c_str()));
    }
    boost::system::error_code ignored;
    stream_.set_verify_callback(asio::ssl::host_name_verification(name), ignored);
  }

  void Handshake(std::function<void(const boost::system::error_code&)> on_done) override {
    stream_.async_handshake(side_, std::move(on_done));
  }
  std::string protocol() const override {
    const unsigned char* selected = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(const_cast<TlsTransport*>(this)->stream_.native_handle(), &selected,
                           &size);
    return std::string(reinterpret_cast<const char*>(selected), size);
  }
  void ReadSome(asio::mutable_buffer buffer, OnDone on_done) override {
    stream_.async_read_some(buffer, std::move(on_done));
  }
  void Write(asio::const_buffer buffer, OnDone on_done) override {
    asio::async_write(stream_, buffer, std::move(on_done));
  }
  // Both without the closing messages of TLS: the protocols above say for themselves where they
  // end.
  void CloseWriting() override {
    boost::system::error_code ignored;
    stream_.lowest_layer().shutdown(tcp::socket::shutdown_send, ignored);
  }
  void Close() override {
    boost::system::error_code ignored;
    stream_.lowest_layer().shutdown(tcp::socket::shutdown_both, ignored);
    stream_.lowest_layer().close(ignored);
  }

 private:
  std::shared_ptr<const TlsContext> tls_;
  std::shared_ptr<asio::ssl::context> context_;
  asio::ssl::stream<tcp::socket> stream_;
  asio::ssl::stream_base::handshake_type side_;
};

}  // namespace

std::unique_ptr<Transport> MakePlainTransport(tcp::socket socket) {
  return std::make_unique<PlainTransport>(std::move(socket));
}

std::unique_ptr<Transport> MakeTlsServerTransport(tcp::socket socket,
                                                  std::shared_ptr<const TlsContext> tls) {
  return std::make_unique<TlsTransport>(std::move(socket), std::move(tls),
                                        asio::ssl::stream_base::server);
}

std::unique_ptr<Transport> MakeTlsClientTransport(tcp::socket socket,
                                                  std::shared_ptr<const TlsContext> tls,
                                                  const std::string& host) {
  auto transport = std::make_unique<TlsTransport>(std::move(socket), std::move(tls),
                                                  asio::ssl::stream_base::client);
  transport->ExpectHost(host);
  return transport;
}

}  // namespace df::runtime
