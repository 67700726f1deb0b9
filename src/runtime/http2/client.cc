#include "runtime/http2/client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>

#include "runtime/event_loop_io.h"
#include "runtime/http2/connection.h"

namespace df::runtime::http2 {

namespace asio = boost::asio;
using asio::ip::tcp;

class Client::State final : public ConnectionObserver, public std::enable_shared_from_this<State> {
 public:
  State(EventLoop* loop, const ClientSettings& settings)
      : loop_(loop),
        settings_(settings),
        resolver_(IoContext(loop)),
        socket_(IoContext(loop)),
        connect_timer_(loop, [this] { Fail("no connection within the time-out"); }),
        changed_(loop),
        backoff_(settings.first_backoff) {}

  Status Unavailable(const std::string& reason) const {
    return MakeError(ErrorKind::kIo,
                     fmt::format("{}:{}: {}", settings_.host, settings_.port, reason), {}, true);
  }

  Task<Result<StreamPtr>> Open(Headers request, SteadyTime deadline) {
    const std::shared_ptr<State> self = shared_from_this();
    Timer timer(loop_, [this] { changed_.NotifyAll(); });
    if (deadline != SteadyTime::max()) {
      timer.StartAt(deadline);
    }
    while (true) {
      if (has_ended_) {
        co_return Unavailable("the client has ended");
      }
      if (loop_->clock().Now() >= deadline) {
        co_return Unavailable(connection_ == nullptr || !is_ready_
                                  ? "not connected before the deadline"
                                  : "no place among the streams before the deadline");
      }
      if (connection_ != nullptr && !connection_->is_going()) {
        StreamPtr stream = connection_->Open(request);
        if (stream != nullptr) {
          co_return stream;
        }
      } else if (!is_connecting_) {
        LetGo();
        if (loop_->clock().Now() < next_attempt_) {
          co_return Unavailable(last_error_);
        }
        Connect();
      }
      const int64_t failures = num_failures_;
      co_await changed_.Wait();
      if (num_failures_ != failures) {
        co_return Unavailable(last_error_);
      }
    }
  }

  void End() {
    has_ended_ = true;
    ++attempt_;
    Abandon();
    if (connection_ != nullptr) {
      connection_->Forget();
      std::exchange(connection_, nullptr)->Close("the client has ended");
    }
    for (const auto& going : std::exchange(going_, {})) {
      if (const auto connection = going.lock(); connection != nullptr) {
        connection->Close("the client has ended");
      }
    }
    changed_.NotifyAll();
  }

  void Drain() {
    if (connection_ != nullptr) {
      connection_->Drain();
      LetGo();
    }
  }

  void OnReady(Connection*) override {
    is_connecting_ = false;
    is_ready_ = true;
    ++num_connects_;
    backoff_ = settings_.first_backoff;
    connect_timer_.Cancel();
    changed_.NotifyAll();
  }
  void OnStream(Connection*, StreamPtr) override {}
  void OnChange(Connection*) override { changed_.NotifyAll(); }
  void OnClosed(Connection* connection, const std::string& reason) override {
    if (connection != connection_.get()) {
      return;
    }
    connection_ = nullptr;
    if (is_connecting_) {
      Fail(reason);
    } else {
      changed_.NotifyAll();
    }
  }

  bool is_connected() const { return connection_ != nullptr && is_ready_; }
  int64_t num_connects() const { return num_connects_; }

 private:
  // A connection that is going keeps itself until its streams have ended.
  void LetGo() {
    std::erase_if(going_, [](const auto& going) { return going.expired(); });
    if (connection_ != nullptr) {
      connection_->Forget();
      going_.push_back(std::exchange(connection_, nullptr));
    }
  }

  void Connect() {
    is_connecting_ = true;
    is_ready_ = false;
    const int64_t attempt = ++attempt_;
    connect_timer_.StartAt(loop_->clock().Now() + settings_.connect_timeout);
    boost::system::error_code is_name;
    const std::string& host = settings_.host == "localhost" ? kLoopback : settings_.host;
    const auto ip = asio::ip::make_address(host, is_name);
    if (!is_name) {
      ConnectTo({tcp::endpoint(ip, settings_.port)}, attempt);
      return;
    }
    resolver_.async_resolve(
        host, std::to_string(settings_.port), tcp::resolver::numeric_service,
        [self = shared_from_this(), attempt](const boost::system::error_code& error,
                                             const tcp::resolver::results_type& results) {
          if (attempt != self->attempt_) {
            return;
          }
          if (error) {
            self->Fail(fmt::format("the name cannot be looked up: {}", error.message()));
            return;
          }
          self->ConnectTo(std::vector<tcp::endpoint>(results.begin(), results.end()), attempt);
        });
  }

  void ConnectTo(std::vector<tcp::endpoint> endpoints, int64_t attempt) {
    endpoints_ = std::move(endpoints);
    asio::async_connect(socket_, endpoints_,
                        [self = shared_from_this(), attempt](const boost::system::error_code& error,
                                                             const tcp::endpoint&) {
                          if (attempt != self->attempt_) {
                            return;
                          }
                          if (error) {
                            self->Fail(fmt::format("cannot connect: {}", error.message()));
                            return;
                          }
                          self->Begin();
                        });
  }

  void Begin() {
    boost::system::error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    tcp::socket socket = std::exchange(socket_, tcp::socket(IoContext(loop_)));
    const bool has_tls = settings_.tls != nullptr;
    auto transport = has_tls
                         ? MakeTlsClientTransport(std::move(socket), settings_.tls, settings_.host)
                         : MakePlainTransport(std::move(socket));
    connection_ =
        std::make_shared<Connection>(loop_, std::move(transport), Connection::Side::kClient,
                                     has_tls, settings_.connection, this);
    connection_->Start();
  }

  void Abandon() {
    is_connecting_ = false;
    connect_timer_.Cancel();
    resolver_.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
    socket_ = tcp::socket(IoContext(loop_));
  }

  void Fail(const std::string& reason) {
    ++attempt_;
    Abandon();
    if (const auto connection = std::exchange(connection_, nullptr); connection != nullptr) {
      connection->Forget();
      connection->Close(reason);
    }
    last_error_ = reason;
    ++num_failures_;
    next_attempt_ = loop_->clock().Now() + backoff_;
    backoff_ = std::min(backoff_ * 2, settings_.max_backoff);
    changed_.NotifyAll();
  }

  static inline const std::string kLoopback = "127.0.0.1";

  EventLoop* loop_;
  ClientSettings settings_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  std::vector<tcp::endpoint> endpoints_;
  Timer connect_timer_;
  Condition changed_;
  std::shared_ptr<Connection> connection_;
  std::vector<std::weak_ptr<Connection>> going_;
  bool is_connecting_ = false;
  bool is_ready_ = false;
  bool has_ended_ = false;
  int64_t attempt_ = 0;  // what an older one still calls back is not heard
  int64_t num_failures_ = 0;
  int64_t num_connects_ = 0;
  std::chrono::nanoseconds backoff_;
  SteadyTime next_attempt_;
  std::string last_error_;
};

Client::Client(EventLoop* loop, const ClientSettings& settings)
    : state_(std::make_shared<State>(loop, settings)) {}
Client::~Client() { state_->End(); }
Task<Result<StreamPtr>> Client::Open(Headers request, SteadyTime deadline) {
  return state_->Open(std::move(request), deadline);
}
bool Client::is_connected() const { return state_->is_connected(); }
int64_t Client::num_connects() const { return state_->num_connects(); }
void Client::Drain() { state_->Drain(); }

}  // namespace df::runtime::http2
