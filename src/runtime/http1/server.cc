#include "runtime/http1/server.h"

#include <exception>
#include <list>
#include <utility>

#include "base/logging.h"
#include "runtime/address.h"
#include "runtime/condition.h"
#include "runtime/http1/byte_stream.h"
#include "runtime/http1/request_reader.h"
#include "runtime/http1/wire_format.h"
#include "runtime/listener.h"

namespace df::runtime::http1 {
namespace {

using Outcome = ByteStream::Outcome;

// What a client that was refused may still send, so that it gets to read why.
constexpr size_t kMaxLingerBytes = 16 << 20;
constexpr std::chrono::seconds kLinger{2};
// How many clients may be in the middle of being told that there are too many connections.
constexpr int kMaxRefusals = 16;

/// Takes empty lines off the front, which some clients send behind a body; returns whether a
/// request has begun.
bool HasRequestBegun(boost::beast::flat_buffer* received) {
  while (received->size() > 0) {
    const std::string_view bytes(static_cast<const char*>(received->data().data()),
                                 received->size());
    if (bytes == "\r") {
      return false;
    }
    const size_t size = bytes.starts_with("\r\n") ? 2 : bytes.starts_with('\n') ? 1 : 0;
    if (size == 0) {
      return true;
    }
    received->consume(size);
  }
  return false;
}

}  // namespace

class Server::State final : public std::enable_shared_from_this<State> {
 public:
  State(EventLoop* loop, const ServerSettings& settings, RequestHandler* handler)
      : loop_(loop),
        settings_(settings),
        handler_(handler),
        changed_(loop),
        connection_places_(&loop->clock(), settings.max_connections, settings.place_grace),
        request_places_(&loop->clock(), settings.max_requests, settings.place_grace) {}

  Status Listen() {
    ARROW_ASSIGN_OR_RAISE(listener_,
                          Listener::Listen(loop_, settings_.address, settings_.owner,
                                           [this](auto socket) { Take(std::move(socket)); }));
    return Status::OK();
  }

  void Stop() {
    is_stopping_ = true;
    listener_->Close();
    for (Connection& connection : connections_) {
      if (connection.is_idle) {
        connection.stream->Close();
      }
    }
  }

  Task<void> Drain(SteadyTime deadline) {
    Stop();
    Timer timer(loop_, [this] { changed_.NotifyAll(); });
    timer.StartAt(deadline);
    while (!connections_.empty() && loop_->clock().Now() < deadline) {
      co_await changed_.Wait();
    }
  }

  void End() {
    Stop();
    has_ended_ = true;
    for (Connection& connection : connections_) {
      connection.stream->Close();
    }
    connections_.clear();
  }

  uint16_t port() const { return listener_->port(); }
  const ServerCounts& counts() const { return counts_; }
  int64_t num_connections() const { return static_cast<int64_t>(connections_.size()); }

 private:
  struct Connection {
    std::shared_ptr<ByteStream> stream;
    Peer peer;
    std::string peer_address;  // with its port
    std::optional<Place> place;
    bool is_idle = true;  // none of a request has come
    Task<void> task;
  };
  using Connections = std::list<Connection>;

  void Take(boost::asio::ip::tcp::socket socket) {
    boost::system::error_code ignored;
    const boost::asio::ip::tcp::endpoint endpoint = socket.remote_endpoint(ignored);
    const std::string address = endpoint.address().to_string();
    auto transport = settings_.tls == nullptr
                         ? MakePlainTransport(std::move(socket))
                         : MakeTlsServerTransport(std::move(socket), settings_.tls);
    const auto at = connections_.emplace(connections_.end());
    at->stream = std::make_shared<ByteStream>(loop_, std::move(transport));
    at->peer = Peer{address, ++last_connection_};
    at->peer_address = SocketAddress{address, endpoint.port()}.ToString();
    ByteStream* stream = at->stream.get();
    at->place.emplace(
        &connection_places_, Peer{address}, [stream] { return stream->num_read_bytes(); },
        [this, stream] {
          ++counts_.refused_connections;
          stream->Close();
        });
    if (!at->place->is_taken()) {
      ++counts_.refused_connections;
      // A client that speaks TLS could not read why.
      if (settings_.tls != nullptr || num_refusals_ >= kMaxRefusals) {
        connections_.erase(at);
        return;
      }
    } else {
      ++counts_.connections;
    }
    at->task = Run(this, at);
    at->task.Start();
  }

  static Task<void> Run(State* state, Connections::iterator connection) {
    try {
      if (connection->place->is_taken()) {
        co_await state->Serve(&*connection);
      } else {
        co_await state->RefuseConnection(&*connection);
      }
    } catch (const std::exception& error) {
      LogError("a connection of an HTTP server failed: {}", error.what());
    }
    connection->stream->Close();
    // A coroutine cannot destroy itself while it runs.
    state->loop_->Post([weak = state->weak_from_this(), connection] {
      if (const auto alive = weak.lock(); alive != nullptr && !alive->has_ended_) {
        alive->connections_.erase(connection);
        alive->changed_.NotifyAll();
      }
    });
  }

  SteadyTime In(std::chrono::nanoseconds duration) const { return loop_->clock().Now() + duration; }

  Task<void> RefuseConnection(Connection* connection) {
    Request head;
    head.peer = connection->peer_address;
    Response busy = handler_->Refuse(503, "there are too many connections", head);
    ++num_refusals_;
    co_await RefuseAndEnd(connection, std::move(busy), false);
    --num_refusals_;
  }

  Task<void> Serve(Connection* connection) {
    ByteStream& stream = *connection->stream;
    if (co_await stream.Handshake(In(settings_.handshake_timeout)) != Outcome::kDone) {
      counts_.broken_connections += connection->place->is_evicted() ? 0 : 1;
      co_return;
    }
    bool goes_on = true;
    while (goes_on && !is_stopping_) {
      const SteadyTime idle_end = In(settings_.idle_timeout);
      while (!HasRequestBegun(&stream.received())) {
        if (co_await stream.Read(idle_end) != Outcome::kDone) {
          co_return;
        }
      }
      connection->is_idle = false;
      connection->place->SetArriving();
      goes_on = co_await ServeOne(connection);
      connection->place->SetArriving();
      connection->is_idle = true;
    }
  }

  /// Returns whether another request may follow.
  Task<bool> ServeOne(Connection* connection) {
    ByteStream* stream = connection->stream.get();
    RequestReader reader(stream, connection->peer_address, settings_.max_header_bytes,
                         settings_.max_body_bytes);
    RequestReader::Outcome read = co_await reader.ReadHead(In(settings_.request_timeout));
    if (read != RequestReader::Outcome::kDone) {
      co_return co_await RefuseBroken(connection, reader, read);
    }
    ++counts_.requests;
    const bool is_head = reader.request().method == "HEAD";
    connection->place->SetWorking();
    Place place(
        &request_places_, connection->peer, [stream] { return stream->num_read_bytes(); },
        [stream] { stream->Interrupt(); });
    if (!place.is_taken()) {
      Response busy = handler_->Refuse(503, "there are too many requests", reader.request());
      co_return co_await RefuseAndEnd(connection, std::move(busy), is_head);
    }
    if (std::optional<Response> refusal = handler_->Admit(reader.request())) {
      co_return co_await RefuseAndEnd(connection, *std::move(refusal), is_head);
    }
    if (reader.expects_continue() &&
        co_await stream->Write(std::string(kContinue), In(settings_.write_timeout)) !=
            Outcome::kDone) {
      ++counts_.broken_connections;
      co_return false;
    }
    read = co_await reader.ReadBody(In(settings_.request_timeout));
    if (place.is_evicted()) {
      Response busy = handler_->Refuse(503, "there are too many requests, and this one came slowly",
                                       reader.request());
      co_return co_await RefuseAndEnd(connection, std::move(busy), is_head);
    }
    if (read != RequestReader::Outcome::kDone) {
      co_return co_await RefuseBroken(connection, reader, read);
    }
    place.SetWorking();
    const bool keeps_alive = reader.keeps_alive();
    Response response = co_await handler_->Respond(reader.TakeRequest());
    co_return co_await Write(stream, std::move(response), keeps_alive && !is_stopping_, is_head);
  }

  Task<bool> RefuseBroken(Connection* connection, const RequestReader& reader,
                          RequestReader::Outcome read) {
    int status = 400;
    std::string reason = reader.problem();
    switch (read) {
      case RequestReader::Outcome::kGone:
        counts_.broken_connections += connection->place->is_evicted() ? 0 : 1;
        co_return false;
      case RequestReader::Outcome::kLate:
        status = 408;
        reason = "the request did not arrive in time";
        break;
      case RequestReader::Outcome::kHeaderTooLarge:
        status = 431;
        reason = fmt::format("found a header of more than {} bytes, expected at most that many",
                             settings_.max_header_bytes);
        break;
      case RequestReader::Outcome::kBodyTooLarge:
        status = 413;
        reason = fmt::format("found a body of more than {} bytes, expected at most that many",
                             settings_.max_body_bytes);
        break;
      case RequestReader::Outcome::kUnsupported:
        status = 501;
        break;
      case RequestReader::Outcome::kMalformed:
      case RequestReader::Outcome::kDone:
        break;
    }
    Response refusal = handler_->Refuse(status, reason, reader.request());
    co_return co_await RefuseAndEnd(connection, std::move(refusal),
                                    reader.request().method == "HEAD");
  }

  /// What follows the answer is read and thrown away for a while: closing with anything unread
  /// would take the answer from the client.
  Task<bool> RefuseAndEnd(Connection* connection, Response response, bool is_head) {
    ByteStream* stream = connection->stream.get();
    co_await Write(stream, std::move(response), false, is_head);
    stream->CloseWriting();
    connection->place->SetArriving();
    const SteadyTime end = In(kLinger);
    size_t num_bytes = 0;
    while (num_bytes < kMaxLingerBytes && !is_stopping_) {
      num_bytes += stream->received().size();
      stream->received().clear();
      if (co_await stream->Read(end) != Outcome::kDone) {
        break;
      }
    }
    co_return false;
  }

  /// Returns whether another request may follow.
  Task<bool> Write(ByteStream* stream, Response response, bool keeps_alive, bool is_head) {
    std::string bytes = ResponseBytes(response, keeps_alive, is_head);
    if (co_await stream->Write(std::move(bytes), In(settings_.write_timeout)) != Outcome::kDone) {
      ++counts_.broken_connections;
      co_return false;
    }
    co_return keeps_alive;
  }

  EventLoop* loop_;
  ServerSettings settings_;
  RequestHandler* handler_;
  Condition changed_;
  std::shared_ptr<Listener> listener_;
  Places connection_places_;
  Places request_places_;
  Connections connections_;  // behind their places
  uint64_t last_connection_ = 0;
  int num_refusals_ = 0;
  bool is_stopping_ = false;
  bool has_ended_ = false;
  ServerCounts counts_;
};

Result<std::unique_ptr<Server>> Server::Listen(EventLoop* loop, const ServerSettings& settings,
                                               RequestHandler* handler) {
  auto state = std::make_shared<State>(loop, settings, handler);
  ARROW_RETURN_NOT_OK(state->Listen());
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

Server::Server(std::shared_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() { state_->End(); }
uint16_t Server::port() const { return state_->port(); }
const ServerCounts& Server::counts() const { return state_->counts(); }
int64_t Server::num_connections() const { return state_->num_connections(); }
void Server::Stop() { state_->Stop(); }
Task<void> Server::Drain(SteadyTime deadline) { return state_->Drain(deadline); }

}  // namespace df::runtime::http1
