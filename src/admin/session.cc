#include "admin/session.h"

#include <algorithm>
#include <ctime>
#include <exception>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include "base/logging.h"
#include "runtime/http1/transfer_coding.h"

namespace df::admin {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

/// How long, and for how many bytes, what still comes is read after the last reply: closing with
/// bytes unread resets the connection, and the reply may be lost with it.
constexpr std::chrono::milliseconds kLinger{1000};
constexpr size_t kMaxLingerBytes = 4 * 1024 * 1024;

// Room for a header of the greatest size and for the start of what follows.
constexpr size_t kBufferBytes = 4 * kMaxHeaderBytes;
constexpr size_t kFirstRead = 4096;

std::string HttpDate() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[64];
  return {text, std::strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

std::string Field(const http::fields& fields, http::field name) {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string() : std::string(found->value());
}

RequestHead HeadOf(const http::request_parser<http::string_body>& parser) {
  const auto& request = parser.get();
  RequestHead head;
  head.method = std::string(request.method_string());
  head.target = std::string(request.target());
  head.host = Field(request, http::field::host);
  head.num_hosts = static_cast<int>(request.count(http::field::host));
  head.is_http_1_0 = request.version() < 11;
  head.has_body = !parser.is_done();
  head.authorization = Field(request, http::field::authorization);
  head.origin = Field(request, http::field::origin);
  const auto fetch_site = request.find("Sec-Fetch-Site");
  head.fetch_site = fetch_site == request.end() ? "" : std::string(fetch_site->value());
  head.accept = Field(request, http::field::accept);
  head.content_type = Field(request, http::field::content_type);
  return head;
}

std::optional<runtime::http1::CodingFault> CodingFaultOf(
    const http::request_parser<http::string_body>& parser) {
  const auto& request = parser.get();
  std::vector<std::string_view> codings;
  const auto [begin, end] = request.equal_range(http::field::transfer_encoding);
  for (auto field = begin; field != end; ++field) {
    codings.emplace_back(field->value().data(), field->value().size());
  }
  return runtime::http1::FindCodingFault(codings, request.count(http::field::content_length) > 0,
                                         request.version() == 11);
}

template <typename Body>
void SetHeader(http::response<Body>* response, const Reply& reply, bool keeps_alive) {
  response->set(http::field::date, HttpDate());
  response->set(http::field::content_type, reply.content_type);
  for (const Header& header : reply.headers) {
    response->set(header.first, header.second);
  }
  response->content_length(reply.body.size());
  response->keep_alive(keeps_alive);
}

}  // namespace

namespace {

std::string PeerOf(const Session::Socket& socket) {
  error_code error;
  const asio::ip::tcp::endpoint endpoint = socket.remote_endpoint(error);
  const std::string address = endpoint.address().to_string();
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", address, endpoint.port())
                                    : fmt::format("{}:{}", address, endpoint.port());
}

}  // namespace

Session::Session(Socket socket, const runtime::TlsContext* tls, Dispatcher* dispatcher,
                 const SessionLimits& limits)
    : socket_(std::move(socket)),
      peer_(PeerOf(socket_)),
      dispatcher_(dispatcher),
      limits_(limits),
      deadline_(socket_.get_executor()),
      poll_timer_(socket_.get_executor()),
      buffer_(kBufferBytes) {
  if (tls != nullptr) {
    tls_context_ = tls->Current();
    tls_.emplace(socket_, *tls_context_);
  }
}

Session::Awaitable<void> Session::Run() {
  const auto self = shared_from_this();
  if (!tls_) {
    co_await Serve(socket_);
  } else {
    SetDeadline(limits_.timeout, true);
    const auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::server, kToken);
    if (!error) {
      co_await Serve(*tls_);
    }
  }
  co_await Close();
}

Session::Awaitable<void> Session::Refuse() {
  const auto self = shared_from_this();
  // A client that speaks TLS could not read it.
  if (!tls_) {
    Written refusal;
    refusal.reply = ProblemReply(503, "too_many_connections", "there are too many connections");
    refusal.reply.headers.emplace_back("Retry-After", "1");
    Dispatcher::Finish(&refusal.reply);
    co_await Write(socket_, std::move(refusal));
  }
  co_await Close();
}

bool Session::TakePlace(runtime::Places* places) {
  // All clients count alike, whatever their address: probes and attackers of one machine share it.
  place_.emplace(places, runtime::Peer{}, [] { return 0; }, [this] { Abort(); });
  return place_->is_taken();
}

void Session::Stop() {
  is_stopping_ = true;
  poll_timer_.cancel();
  if (!is_busy_) {
    Abort();
  }
}

void Session::Abort() {
  error_code ignored;
  socket_.close(ignored);
}

template <typename Stream>
Session::Awaitable<void> Session::Serve(Stream& stream) {
  bool keeps_alive = true;
  while (keeps_alive && !is_stopping_) {
    if (buffer_.size() == 0) {
      SetDeadline(limits_.timeout, true);
      const auto [error, num_bytes] =
          co_await stream.async_read_some(buffer_.prepare(kFirstRead), kToken);
      if (error) {
        break;
      }
      buffer_.commit(num_bytes);
    }
    is_busy_ = true;
    place_->SetArriving();
    keeps_alive = co_await ServeOne(stream);
    place_->SetArriving();
    is_busy_ = false;
  }
}

template <typename Stream>
Session::Awaitable<bool> Session::ServeOne(Stream& stream) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(kMaxHeaderBytes);
  parser.body_limit(limits_.max_body_bytes);
  SetDeadline(limits_.timeout, false);
  const auto [header_error, header_bytes] =
      co_await http::async_read_header(stream, buffer_, parser, kToken);
  if (header_error) {
    co_return co_await RefuseBroken(stream, header_error);
  }
  RequestHead head = HeadOf(parser);
  head.peer = peer_;
  Written written;
  if (const auto fault = CodingFaultOf(parser)) {
    written.reply = ProblemReply(fault->status, "malformed_request", fault->problem);
    co_return co_await Write(stream, std::move(written));
  }
  written.is_head = head.method == "HEAD";
  written.version = parser.get().version();
  written.keeps_alive = parser.get().keep_alive();
  std::variant<Reply, Call> admitted = dispatcher_->Admit(head);
  if (Reply* refusal = std::get_if<Reply>(&admitted)) {
    // What would follow the body of a refused request cannot be found without reading the body.
    written.keeps_alive = written.keeps_alive && !head.has_body;
    written.reply = std::move(*refusal);
    co_return co_await Write(stream, std::move(written));
  }
  Call& call = std::get<Call>(admitted);
  if (head.has_body) {
    SetDeadline(limits_.timeout, false);
    if (beast::iequals(Field(parser.get(), http::field::expect), "100-continue")) {
      http::response<http::empty_body> interim(http::status::continue_, 11);
      const auto [error, num_bytes] = co_await http::async_write(stream, interim, kToken);
      if (error) {
        co_return false;
      }
    }
    const auto [error, num_bytes] = co_await http::async_read(stream, buffer_, parser, kToken);
    if (error) {
      co_return co_await RefuseBroken(stream, error);
    }
    call.body = std::move(parser.get().body());
  }
  ClearDeadline();
  place_->SetWorking();
  Answer answer = dispatcher_->Handle(call);
  written.reply = co_await Await(std::move(answer));
  co_return co_await Write(stream, std::move(written));
}

template <typename Stream>
Session::Awaitable<bool> Session::RefuseBroken(Stream& stream, error_code error) {
  Written written;
  if (is_late_) {
    written.reply = ProblemReply(408, "timeout", "the request did not arrive in time");
  } else if (error == http::error::body_limit) {
    written.reply = ProblemReply(
        413, "body_too_large", fmt::format("a body has at most {} bytes", limits_.max_body_bytes));
  } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    written.reply = ProblemReply(431, "header_too_large",
                                 fmt::format("a header has at most {} bytes", kMaxHeaderBytes));
  } else if (error.category() != http::make_error_code(http::error::bad_method).category() ||
             error == http::error::end_of_stream || error == http::error::partial_message) {
    co_return false;  // the client has gone
  } else {
    written.reply = ProblemReply(400, "malformed_request", error.message());
  }
  co_return co_await Write(stream, std::move(written));
}

template <typename Stream>
Session::Awaitable<bool> Session::Write(Stream& stream, Written written) {
  Reply& reply = written.reply;
  Dispatcher::Finish(&reply);
  const bool keeps_alive = written.keeps_alive && !is_stopping_;
  const auto status = static_cast<http::status>(reply.status);
  SetDeadline(limits_.timeout, true);
  error_code error;
  if (written.is_head) {
    http::response<http::empty_body> response(status, written.version);
    SetHeader(&response, reply, keeps_alive);
    std::tie(error, std::ignore) = co_await http::async_write(stream, response, kToken);
  } else {
    http::response<http::string_body> response(status, written.version);
    SetHeader(&response, reply, keeps_alive);
    response.body() = std::move(reply.body);
    std::tie(error, std::ignore) = co_await http::async_write(stream, response, kToken);
  }
  co_return !error && keeps_alive;
}

Session::Awaitable<Reply> Session::Await(Answer answer) {
  if (!answer.poll) {
    co_return std::move(answer.reply);
  }
  const auto end = std::chrono::steady_clock::now() + answer.wait;
  while (true) {
    std::optional<Reply> reply;
    try {
      reply = answer.poll();
    } catch (const std::exception& error) {
      LogError("admin server: waiting for an operation failed: {}", error.what());
      reply = ProblemReply(500, "internal", "the request could not be handled");
    }
    if (reply) {
      co_return *std::move(reply);
    }
    const auto now = std::chrono::steady_clock::now();
    if (is_stopping_ || now >= end) {
      co_return std::move(answer.reply);
    }
    poll_timer_.expires_at(std::min<std::chrono::steady_clock::time_point>(
        std::chrono::time_point_cast<std::chrono::steady_clock::duration>(end),
        now + kPollInterval));
    co_await poll_timer_.async_wait(kToken);
  }
}

Session::Awaitable<void> Session::Close() {
  if (!socket_.is_open()) {
    ClearDeadline();
    co_return;
  }
  SetDeadline(std::min<std::chrono::nanoseconds>(kLinger, limits_.timeout), true);
  error_code ignored;
  if (tls_) {
    co_await tls_->async_shutdown(kToken);
  }
  socket_.shutdown(Socket::shutdown_send, ignored);
  std::array<char, 16 * 1024> discarded;
  size_t num_discarded = 0;
  while (num_discarded < kMaxLingerBytes && !is_stopping_) {
    const auto [error, num_bytes] =
        co_await socket_.async_read_some(asio::buffer(discarded), kToken);
    if (error) {
      break;
    }
    num_discarded += num_bytes;
  }
  ClearDeadline();
  socket_.close(ignored);
}

void Session::SetDeadline(std::chrono::nanoseconds duration, bool closes) {
  const uint64_t round = ++deadline_round_;
  is_late_ = false;
  deadline_.expires_after(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(duration));
  deadline_.async_wait([self = shared_from_this(), round, closes](error_code error) {
    if (error || self->deadline_round_ != round) {
      return;
    }
    self->is_late_ = true;
    error_code ignored;
    if (closes) {
      self->socket_.close(ignored);
    } else {
      self->socket_.shutdown(Socket::shutdown_receive, ignored);
    }
  });
}

void Session::ClearDeadline() {
  ++deadline_round_;
  deadline_.cancel();
}

}  // namespace df::admin
