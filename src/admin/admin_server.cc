#include "admin/admin_server.h"

#include <chrono>
#include <exception>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "admin/session.h"
#include "admin/tls_context.h"
#include "base/logging.h"
#include "runtime/places.h"
#include "runtime/port_holder.h"

namespace df::admin {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

// How many clients may be in the middle of being told that there are too many.
constexpr size_t kMaxRefusals = 16;
// How long the end of the server waits for answers that are on their way.
constexpr std::chrono::seconds kStopGrace{5};
// A request is one packet or few: a client that is silent for so long has to make room for others.
constexpr std::chrono::milliseconds kGrace{250};
// Before accepting again when the process has run out of something, such as descriptors.
constexpr std::chrono::milliseconds kAcceptPause{100};

Status ListenError(const std::string& address, const std::string& cause) {
  return MakeError(ErrorKind::kIo,
                   fmt::format("admin server: cannot listen on '{}': {}", address, cause));
}

Result<tcp::endpoint> ResolveAddress(asio::io_context* context, const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) {
    return ListenError(address, "expected HOST:PORT");
  }
  std::string host = address.substr(0, colon);
  const std::string port = address.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return ListenError(address, "an IPv6 address is written in brackets: [::1]:8080");
  }
  error_code error;
  tcp::resolver resolver(*context);
  const auto found =
      resolver.resolve(host, port, tcp::resolver::passive | tcp::resolver::numeric_service, error);
  if (error) {
    return ListenError(address, error.message());
  }
  return found.begin()->endpoint();
}

std::string ToText(const tcp::endpoint& endpoint) {
  return endpoint.address().is_v6()
             ? fmt::format("[{}]:{}", endpoint.address().to_string(), endpoint.port())
             : fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
}

void WarnOfOpenDoors(const config::AdminSettings& settings, const tcp::endpoint& endpoint) {
  if (endpoint.address().is_loopback()) {
    return;
  }
  if (settings.bearer_token_file.empty() && settings.tls_client_ca_file.empty()) {
    LogWarning(
        "admin server: {} can be reached from other machines, and whoever reaches it may stop and "
        "change pipelines: set bearer_token_file or tls.client_ca_file",
        ToText(endpoint));
  } else if (settings.tls_cert_file.empty()) {
    LogWarning("admin server: the token travels in clear text to {}: set tls.cert_file",
               ToText(endpoint));
  }
}

}  // namespace

/// The part that lives on the server's thread.
class AdminServer::Server {
 public:
  Server(const config::AdminSettings& settings, std::shared_ptr<const runtime::TlsContext> tls,
         Dispatcher dispatcher, const runtime::Clock* clock)
      : tls_(std::move(tls)),
        dispatcher_(std::move(dispatcher)),
        limits_{.max_body_bytes = static_cast<uint64_t>(settings.max_request_bytes),
                .timeout = settings.request_timeout},
        places_(clock, settings.max_connections, kGrace),
        acceptor_(context_),
        pause_(context_),
        grace_(context_) {}

  asio::io_context& context() { return context_; }
  const tcp::endpoint& endpoint() const { return endpoint_; }

  Status Listen(const std::string& address, const tcp::endpoint& endpoint) {
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) {
      acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    }
    if (!error) {
      acceptor_.bind(endpoint, error);
    }
    if (!error) {
      acceptor_.listen(asio::socket_base::max_listen_connections, error);
    }
    if (!error) {
      endpoint_ = acceptor_.local_endpoint(error);
    }
    if (error == asio::error::address_in_use) {
      const std::string holder = runtime::FindPortHolder(endpoint.port());
      return ListenError(
          address, fmt::format("the address is in use{}{}", holder.empty() ? "" : " by ", holder));
    }
    return error ? ListenError(address, error.message()) : Status::OK();
  }

  void Run() {
    asio::co_spawn(context_, Accept(), [](const std::exception_ptr& thrown) {
      Report(thrown, "accepting connections");
    });
    thread_ = std::thread([this] { context_.run(); });
  }

  void Stop() {
    if (!thread_.joinable()) {
      return;
    }
    asio::post(context_, [this] { BeginStop(); });
    thread_.join();
  }

 private:
  static void Report(const std::exception_ptr& thrown, std::string_view what) {
    if (!thrown) {
      return;
    }
    try {
      std::rethrow_exception(thrown);
    } catch (const std::exception& error) {
      LogError("admin server: {} failed: {}", what, error.what());
    }
  }

  asio::awaitable<void> Accept() {
    while (!is_stopping_) {
      auto [error, socket] = co_await acceptor_.async_accept(kToken);
      if (is_stopping_) {
        break;
      }
      if (error) {
        LogWarning("admin server: cannot accept a connection: {}", error.message());
        pause_.expires_after(kAcceptPause);
        co_await pause_.async_wait(kToken);
        continue;
      }
      error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      Begin(std::move(socket));
    }
  }

  void Begin(tcp::socket socket) {
    const auto session =
        std::make_shared<Session>(std::move(socket), tls_.get(), &dispatcher_, limits_);
    const bool is_refused = !session->TakePlace(&places_);
    std::set<std::shared_ptr<Session>>& sessions = is_refused ? refused_ : sessions_;
    if (is_refused && refused_.size() >= kMaxRefusals) {
      return;  // it closes
    }
    sessions.insert(session);
    asio::co_spawn(context_, is_refused ? session->Refuse() : session->Run(),
                   [this, session, &sessions](const std::exception_ptr& thrown) {
                     Report(thrown, "a connection");
                     session->Abort();
                     sessions.erase(session);
                     if (is_stopping_ && sessions_.empty() && refused_.empty()) {
                       grace_.cancel();
                     }
                   });
  }

  void BeginStop() {
    is_stopping_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    for (const auto& session : refused_) {
      session->Abort();
    }
    for (const auto& session : sessions_) {
      session->Stop();
    }
    if (sessions_.empty() && refused_.empty()) {
      return;
    }
    grace_.expires_after(std::min<std::chrono::nanoseconds>(kStopGrace, limits_.timeout));
    grace_.async_wait([this](error_code error) {
      for (const auto& session : error ? std::set<std::shared_ptr<Session>>() : sessions_) {
        session->Abort();
      }
    });
  }

  asio::io_context context_{1};
  std::shared_ptr<const runtime::TlsContext> tls_;
  Dispatcher dispatcher_;
  SessionLimits limits_;
  runtime::Places places_;
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  asio::steady_timer grace_;
  tcp::endpoint endpoint_;
  std::set<std::shared_ptr<Session>> sessions_;
  std::set<std::shared_ptr<Session>> refused_;
  bool is_stopping_ = false;
  std::thread thread_;
};

Result<std::unique_ptr<AdminServer>> AdminServer::Start(const config::AdminSettings& settings,
                                                        controller::ControlPlane* control,
                                                        AdminOptions options) {
  ARROW_ASSIGN_OR_RAISE(auto tls, MakeTlsContext(settings));
  const bool is_tls = tls != nullptr;
  asio::io_context resolving;
  ARROW_ASSIGN_OR_RAISE(const tcp::endpoint endpoint,
                        ResolveAddress(&resolving, settings.bind_address));
  ARROW_ASSIGN_OR_RAISE(AccessPolicy access, AccessPolicy::Make(settings.bearer_token_file,
                                                                endpoint.address().is_loopback()));
  EngineView engine = {.control = control,
                       .clock = options.clock,
                       .version = std::move(options.version),
                       .resource = std::move(options.resource),
                       .started = options.clock->WallNow(),
                       .started_steady = options.clock->Now()};
  auto server = std::make_unique<Server>(
      settings, std::move(tls), Dispatcher(std::move(access), std::move(engine)), options.clock);
  ARROW_RETURN_NOT_OK(server->Listen(settings.bind_address, endpoint));
  WarnOfOpenDoors(settings, endpoint);
  server->Run();
  LogInfo("admin server: http{}://{}", is_tls ? "s" : "", ToText(server->endpoint()));
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(server)));
}

AdminServer::AdminServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}

AdminServer::~AdminServer() { Stop(); }

uint16_t AdminServer::port() const { return server_->endpoint().port(); }

std::string AdminServer::address() const { return ToText(server_->endpoint()); }

void AdminServer::Stop() { server_->Stop(); }

}  // namespace df::admin
