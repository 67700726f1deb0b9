#include "runtime/http2/server.h"

#include <list>
#include <map>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

#include "runtime/event_loop_io.h"
#include "runtime/http2/connection.h"

namespace df::runtime::http2 {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// After an accept that failed, most likely for want of file descriptors.
constexpr std::chrono::milliseconds kAcceptPause{100};

Result<tcp::endpoint> ParseAddress(const std::string& address) {
  const auto error = [&address] {
    return MakeError(
        ErrorKind::kConfig,
        fmt::format("'{}' is no address to listen at, expected '127.0.0.1:4317'", address));
  };
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return error();
  }
  std::string host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  }
  if (host == "localhost") {
    host = "127.0.0.1";
  }
  const std::string digits = address.substr(colon + 1);
  boost::system::error_code failed;
  const auto ip = asio::ip::make_address(host, failed);
  if (failed || digits.empty() || digits.size() > 5 ||
      digits.find_first_not_of("0123456789") != std::string::npos || std::stoi(digits) > 65535) {
    return error();
  }
  return tcp::endpoint(ip, static_cast<uint16_t>(std::stoi(digits)));
}

Status OpenAcceptor(const tcp::endpoint& endpoint, const std::string& address,
                    tcp::acceptor* acceptor) {
  using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
  boost::system::error_code error;
  acceptor->open(endpoint.protocol(), error);
  if (!error) {
    acceptor->set_option(tcp::acceptor::reuse_address(true), error);
  }
  if (!error) {
    acceptor->set_option(ReusePort(true), error);
  }
  if (!error) {
    acceptor->bind(endpoint, error);
  }
  if (!error) {
    acceptor->listen(asio::socket_base::max_listen_connections, error);
  }
  return error ? MakeError(ErrorKind::kIo,
                           fmt::format("cannot listen at {}: {}", address, error.message()))
               : Status::OK();
}

}  // namespace

class Server::State final : public ConnectionObserver, public std::enable_shared_from_this<State> {
 public:
  State(EventLoop* loop, const ServerSettings& settings, StreamHandler* handler)
      : loop_(loop),
        settings_(settings),
        handler_(handler),
        acceptor_(IoContext(loop)),
        retry_(loop, [this] { Accept(); }),
        changed_(loop) {}

  Status Listen() {
    ARROW_ASSIGN_OR_RAISE(const tcp::endpoint endpoint, ParseAddress(settings_.address));
    ARROW_RETURN_NOT_OK(OpenAcceptor(endpoint, settings_.address, &acceptor_));
    port_ = acceptor_.local_endpoint().port();
    Accept();
    return Status::OK();
  }

  void StopAccepting() {
    is_stopped_ = true;
    retry_.Cancel();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
  }

  void End() {
    StopAccepting();
    handler_ = nullptr;
    CloseAll("the server has ended");
    calls_.clear();
  }

  void CloseAll(const std::string& reason) {
    for (const auto& [key, connection] : std::exchange(connections_, {})) {
      connection->Forget();
      connection->Close(reason);
    }
    changed_.NotifyAll();
  }

  Task<void> Drain(SteadyTime deadline) {
    StopAccepting();
    for (const auto& [key, connection] : std::map(connections_)) {
      connection->Drain();
    }
    Timer timer(loop_, [this] { CloseAll("the time to drain is over"); });
    timer.StartAt(deadline);
    while (!connections_.empty() || !calls_.empty()) {
      co_await changed_.Wait();
    }
  }

  void OnReady(Connection*) override {}

  void OnStream(Connection*, StreamPtr stream) override {
    if (static_cast<int64_t>(calls_.size()) >= settings_.max_streams) {
      ++counts_.refused_streams;
      stream->Reset(NGHTTP2_REFUSED_STREAM);
      return;
    }
    const auto call = calls_.emplace(calls_.end());
    *call = Answer(this, std::move(stream), call);
    call->Start();
  }

  void OnChange(Connection*) override {}

  void OnClosed(Connection* connection, const std::string& reason) override {
    if (reason != "drained" && !reason.starts_with("the peer closed")) {
      ++counts_.broken_connections;
    }
    connections_.erase(connection);
    changed_.NotifyAll();
  }

  uint16_t port() const { return port_; }
  const ServerCounts& counts() const { return counts_; }
  int64_t num_streams() const { return static_cast<int64_t>(calls_.size()); }

 private:
  using Calls = std::list<Task<void>>;

  static Task<void> Answer(State* state, StreamPtr stream, Calls::iterator call) {
    co_await state->handler_->OnStream(stream);
    if (!stream->is_finished()) {
      stream->Reset(NGHTTP2_INTERNAL_ERROR);
    }
    // A coroutine cannot destroy itself while it runs.
    state->loop_->Post([self = state->weak_from_this(), call] {
      if (const auto alive = self.lock(); alive != nullptr && alive->handler_ != nullptr) {
        alive->calls_.erase(call);
        alive->changed_.NotifyAll();
      }
    });
  }

  void Accept() {
    acceptor_.async_accept(
        [self = shared_from_this()](const boost::system::error_code& error, tcp::socket socket) {
          if (self->is_stopped_) {
            return;
          }
          if (error) {
            self->retry_.StartAt(self->loop_->clock().Now() + kAcceptPause);
            return;
          }
          self->Take(std::move(socket));
          self->Accept();
        });
  }

  void Take(tcp::socket socket) {
    if (static_cast<int64_t>(connections_.size()) >= settings_.max_connections) {
      ++counts_.refused_connections;
      return;
    }
    ++counts_.connections;
    boost::system::error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    const bool has_tls = settings_.tls != nullptr;
    auto transport = has_tls ? MakeTlsServerTransport(std::move(socket), settings_.tls)
                             : MakePlainTransport(std::move(socket));
    auto connection =
        std::make_shared<Connection>(loop_, std::move(transport), Connection::Side::kServer,
                                     has_tls, settings_.connection, this);
    connections_.emplace(connection.get(), connection);
    connection->Start();
  }

  EventLoop* loop_;
  ServerSettings settings_;
  StreamHandler* handler_;  // null once ended
  tcp::acceptor acceptor_;
  Timer retry_;
  Condition changed_;
  uint16_t port_ = 0;
  bool is_stopped_ = false;
  std::map<Connection*, std::shared_ptr<Connection>> connections_;
  Calls calls_;
  ServerCounts counts_;
};

Result<std::unique_ptr<Server>> Server::Listen(EventLoop* loop, const ServerSettings& settings,
                                               StreamHandler* handler) {
  auto state = std::make_shared<State>(loop, settings, handler);
  ARROW_RETURN_NOT_OK(state->Listen());
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { state_->End(); }
uint16_t Server::port() const { return state_->port(); }
const ServerCounts& Server::counts() const { return state_->counts(); }
int64_t Server::num_streams() const { return state_->num_streams(); }
Task<void> Server::Drain(SteadyTime deadline) { return state_->Drain(deadline); }

}  // namespace df::runtime::http2
