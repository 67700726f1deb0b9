#include "runtime/http1/client.h"

#include <algorithm>
#include <list>
#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fmt/format.h>

#include "runtime/address.h"
#include "runtime/connector.h"
#include "runtime/http1/byte_stream.h"
#include "runtime/http1/wire_format.h"

namespace df::runtime::http1 {
namespace {

namespace http = boost::beast::http;
using Outcome = ByteStream::Outcome;
using Parser = http::response_parser<http::string_body>;

// As on the server: what the parser cannot take yet is the head of a message or of a chunk.
constexpr size_t kMaxUnparsedBytes = 256 << 10;

constexpr std::string_view kBrokenOff = "the connection ended: ";

Response TakeResponse(Parser* parser) {
  Response response;
  auto& message = parser->get();
  response.status = static_cast<int>(message.result_int());
  for (const auto& field : message) {
    response.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
  response.body = std::move(message.body());
  return response;
}

/// A connection while a request is under way on it; closed unless it goes back to the pool.
struct Lease {
  explicit Lease(std::shared_ptr<ByteStream> leased) : stream(std::move(leased)) {}
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  ~Lease() {
    if (stream != nullptr) {
      stream->Close();
    }
  }
  std::shared_ptr<ByteStream> stream;
};

}  // namespace

class Client::State {
 public:
  State(EventLoop* loop, const ClientSettings& settings)
      : loop_(loop),
        settings_(settings),
        authority_(SocketAddress{settings.host, settings.port}.ToString()),
        expiry_(loop, [this] { DropExpired(); }) {}

  ~State() {
    for (const Idle& idle : idle_) {
      idle.stream->Close();
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Task<Result<Response>> Send(Request request, SteadyTime deadline) {
    const std::string bytes = RequestBytes(request, authority_);
    const bool is_head = request.method == "HEAD";
    if (std::shared_ptr<ByteStream> kept = TakeIdle()) {
      bool is_stale = false;
      Result<Response> response =
          co_await Exchange(std::move(kept), bytes, is_head, deadline, &is_stale);
      if (response.ok() || !is_stale) {
        co_return response;
      }
    }
    Result<std::shared_ptr<ByteStream>> connected = co_await Connect(deadline);
    if (!connected.ok()) {
      co_return connected.status();
    }
    bool is_stale = false;
    co_return co_await Exchange(*std::move(connected), bytes, is_head, deadline, &is_stale);
  }

  const ClientCounts& counts() const { return counts_; }

 private:
  struct Idle {
    std::shared_ptr<ByteStream> stream;
    SteadyTime expires;
  };

  Status Problem(std::string_view what, bool is_retryable) const {
    return MakeError(ErrorKind::kIo, fmt::format("{}: {}", authority_, what), {}, is_retryable);
  }

  std::shared_ptr<ByteStream> TakeIdle() {
    DropExpired();
    while (!idle_.empty()) {
      // The one used last: the others get the chance to expire.
      const std::shared_ptr<ByteStream> stream = std::move(idle_.back().stream);
      idle_.pop_back();
      if (stream->is_reading()) {
        return stream;
      }
      stream->Close();
    }
    return nullptr;
  }

  void Keep(std::shared_ptr<ByteStream> stream) {
    if (static_cast<int64_t>(idle_.size()) >= settings_.max_idle_connections) {
      stream->Close();
      return;
    }
    stream->StartRead();
    idle_.push_back({std::move(stream), loop_->clock().Now() + settings_.idle_timeout});
    if (idle_.size() == 1) {
      expiry_.StartAt(idle_.front().expires);
    }
  }

  void DropExpired() {
    const SteadyTime now = loop_->clock().Now();
    while (!idle_.empty() && idle_.front().expires <= now) {
      idle_.front().stream->Close();
      idle_.pop_front();
    }
    if (idle_.empty()) {
      expiry_.Cancel();
    } else {
      expiry_.StartAt(idle_.front().expires);
    }
  }

  Task<Result<std::shared_ptr<ByteStream>>> Connect(SteadyTime deadline) {
    deadline = std::min(deadline, loop_->clock().Now() + settings_.connect_timeout);
    auto socket = co_await ConnectTcp(loop_, settings_.host, settings_.port, deadline);
    if (!socket.ok()) {
      co_return socket.status();
    }
    auto transport =
        settings_.tls == nullptr
            ? MakePlainTransport(*std::move(socket))
            : MakeTlsClientTransport(*std::move(socket), settings_.tls, settings_.host);
    Lease lease(std::make_shared<ByteStream>(loop_, std::move(transport)));
    if (co_await lease.stream->Handshake(deadline) != Outcome::kDone) {
      co_return Problem("TLS: " + lease.stream->error(), true);
    }
    ++counts_.connects;
    co_return std::move(lease.stream);
  }

  /// `is_stale` says that it failed before a byte of the response.
  Task<Result<Response>> Exchange(std::shared_ptr<ByteStream> stream, std::string bytes,
                                  bool is_head, SteadyTime deadline, bool* is_stale) {
    Lease lease(std::move(stream));
    ++counts_.requests;
    const Outcome written = co_await lease.stream->Write(std::move(bytes), deadline);
    if (written == Outcome::kLate) {
      co_return Problem("the request was not taken in time", true);
    }
    // A server that refuses a request may answer and close before it has read all of it.
    Parser parser;
    parser.eager(true);
    parser.skip(is_head);
    parser.header_limit(static_cast<uint32_t>(settings_.max_header_bytes));
    parser.body_limit(static_cast<uint64_t>(settings_.max_body_bytes));
    const Status status = co_await ReadResponse(lease.stream.get(), &parser, deadline, is_stale);
    if (!status.ok()) {
      co_return status;
    }
    if (written == Outcome::kDone && parser.keep_alive() && lease.stream->received().size() == 0) {
      Keep(std::move(lease.stream));
    }
    co_return TakeResponse(&parser);
  }

  Task<Status> ReadResponse(ByteStream* stream, Parser* parser, SteadyTime deadline,
                            bool* is_stale) {
    boost::beast::flat_buffer& received = stream->received();
    while (!parser->is_done()) {
      boost::system::error_code error;
      const Outcome read = co_await stream->Read(deadline);
      if (read == Outcome::kLate) {
        co_return Problem("no response in time", true);
      }
      if (read == Outcome::kDone) {
        received.consume(parser->put(received.data(), error));
      } else if (parser->got_some()) {
        parser->put_eof(error);  // a body without a length ends with the connection
        if (!error && !parser->is_done()) {
          error = http::error::partial_message;
        }
      } else {
        *is_stale = true;
        co_return Problem(std::string(kBrokenOff) + stream->error(), true);
      }
      if (error == http::error::body_limit || error == http::error::header_limit) {
        co_return Problem("found a response that is too large", false);
      }
      if (error == http::error::partial_message) {
        co_return Problem("the connection ended in the middle of the response", true);
      }
      if (received.size() > kMaxUnparsedBytes) {
        co_return Problem("found a malformed response: the head of a chunk without an end", false);
      }
      if (error && error != http::error::need_more) {
        co_return Problem("found a malformed response: " + error.message(), false);
      }
    }
    co_return Status::OK();
  }

  EventLoop* loop_;
  ClientSettings settings_;
  std::string authority_;
  std::list<Idle> idle_;  // the oldest first
  Timer expiry_;
  ClientCounts counts_;
};

bool IsBrokenOff(const Status& status) {
  return !status.ok() && status.message().find(kBrokenOff) != std::string::npos;
}

Client::Client(EventLoop* loop, const ClientSettings& settings)
    : state_(std::make_unique<State>(loop, settings)) {}
Client::~Client() = default;

Task<Result<Response>> Client::Send(Request request, SteadyTime deadline) {
  return state_->Send(std::move(request), deadline);
}

const ClientCounts& Client::counts() const { return state_->counts(); }

}  // namespace df::runtime::http1
