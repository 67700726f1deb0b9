#include "runtime/http2/server.h"

#include <exception>
#include <list>
#include <map>
#include <utility>

#include <boost/asio/ip/tcp.hpp>

#include "base/logging.h"
#include "runtime/http2/connection.h"
#include "runtime/listener.h"
#include "runtime/places.h"

namespace df::runtime::http2 {

using boost::asio::ip::tcp;

namespace {
const std::string kMadeRoom = "it did nothing, and another connection needed its place";
}  // namespace

class Server::State final : public ConnectionObserver, public std::enable_shared_from_this<State> {
 public:
  State(EventLoop* loop, const ServerSettings& settings, StreamHandler* handler)
      : loop_(loop),
        settings_(settings),
        handler_(handler),
        changed_(loop),
        places_(&loop->clock(), settings.max_connections) {}

  Status Listen() {
    return Listener::Listen(loop_, settings_.address, settings_.owner,
                            [this](tcp::socket socket) { Take(std::move(socket)); })
        .Value(&listener_);
  }

  void StopAccepting() {
    if (listener_ != nullptr) {
      listener_->Close();
    }
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
    place_of_.clear();
    changed_.NotifyAll();
  }

  void Stop() {
    StopAccepting();
    for (const auto& [key, connection] : std::map(connections_)) {
      connection->Drain();
    }
  }

  Task<void> Drain(SteadyTime deadline) {
    Stop();
    Timer timer(loop_, [this] { CloseAll("the time to drain is over"); });
    timer.StartAt(deadline);
    while (!connections_.empty() || !calls_.empty()) {
      co_await changed_.Wait();
    }
  }

  void OnReady(Connection*) override {}

  void OnStream(Connection* connection, StreamPtr stream) override {
    place_of_.at(connection).SetWorking();
    if (static_cast<int64_t>(calls_.size()) >= settings_.max_streams) {
      ++counts_.refused_streams;
      stream->Reset(NGHTTP2_REFUSED_STREAM);
      return;
    }
    const auto call = calls_.emplace(calls_.end());
    *call = Answer(this, std::move(stream), call);
    call->Start();
  }

  void OnChange(Connection* connection) override {
    Place& place = place_of_.at(connection);
    if (connection->num_streams() == 0 && !place.is_arriving()) {
      place.SetArriving();
    }
  }

  void OnClosed(Connection* connection, const std::string& reason) override {
    if (reason != kMadeRoom && reason != "drained" && !reason.starts_with("the peer closed")) {
      ++counts_.broken_connections;
    }
    place_of_.erase(connection);
    connections_.erase(connection);
    changed_.NotifyAll();
  }

  uint16_t port() const { return listener_->port(); }
  const ServerCounts& counts() const { return counts_; }
  int64_t num_streams() const { return static_cast<int64_t>(calls_.size()); }

 private:
  using Calls = std::list<Task<void>>;

  static Task<void> Answer(State* state, StreamPtr stream, Calls::iterator call) {
    try {
      co_await state->handler_->OnStream(stream);
    } catch (const std::exception& error) {
      LogError("a request of an HTTP/2 server failed: {}", error.what());
    }
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

  void Take(tcp::socket socket) {
    boost::system::error_code ignored;
    const std::string address = socket.remote_endpoint(ignored).address().to_string();
    const bool has_tls = settings_.tls != nullptr;
    auto transport = has_tls ? MakeTlsServerTransport(std::move(socket), settings_.tls)
                             : MakePlainTransport(std::move(socket));
    auto connection =
        std::make_shared<Connection>(loop_, std::move(transport), Connection::Side::kServer,
                                     has_tls, settings_.connection, this);
    const auto place = place_of_.try_emplace(
        connection.get(), &places_, Peer{address},
        [raw = connection.get()] { return raw->num_read_bytes(); },
        [this, raw = connection.get()] {
          ++counts_.refused_connections;
          raw->Close(kMadeRoom);
        });
    if (!place.first->second.is_taken()) {
      ++counts_.refused_connections;
      place_of_.erase(place.first);
      return;
    }
    ++counts_.connections;
    connection->SetPeer(Peer{address, ++last_connection_});
    connections_.emplace(connection.get(), connection);
    connection->Start();
  }

  EventLoop* loop_;
  ServerSettings settings_;
  StreamHandler* handler_;  // null once ended
  std::shared_ptr<Listener> listener_;
  Condition changed_;
  Places places_;
  std::map<Connection*, Place> place_of_;
  std::map<Connection*, std::shared_ptr<Connection>> connections_;
  uint64_t last_connection_ = 0;
  Calls calls_;
  ServerCounts counts_;
};

Result<std::unique_ptr<Server>> Server::Listen(EventLoop* loop, const ServerSettings& settings,
                                               StreamHandler* handler) {
  auto state = std::make_shared<State>(loop, settings, handler);
  ARROW_RETURN_NOT_OK(state->Listen());
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

void Server::Stop() { state_->Stop(); }
Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { state_->End(); }
uint16_t Server::port() const { return state_->port(); }
const ServerCounts& Server::counts() const { return state_->counts(); }
int64_t Server::num_streams() const { return state_->num_streams(); }
Task<void> Server::Drain(SteadyTime deadline) { return state_->Drain(deadline); }

}  // namespace df::runtime::http2
