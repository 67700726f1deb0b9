#include "admin/admin_server.h"

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "admin/http_handler.h"
#include "admin/tls_context.h"
#include "base/logging.h"
#include "runtime/address.h"
#include "runtime/event_loop.h"
#include "runtime/http1/server.h"

namespace df::admin {
namespace {

using runtime::SocketAddress;

constexpr int64_t kMaxHeaderBytes = 16 << 10;
// How long the end of the server waits for answers that are on their way.
constexpr std::chrono::seconds kStopGrace{5};
// A request is one packet or few: a client that is silent for so long has to make room for others.
constexpr std::chrono::milliseconds kPlaceGrace{250};

Status Named(const Status& error) { return error.WithMessage("admin server: ", error.message()); }

void WarnOfOpenDoors(const config::AdminSettings& settings, const SocketAddress& address) {
  if (address.is_loopback()) {
    return;
  }
  if (settings.bearer_token_file.empty() && settings.tls_client_ca_file.empty()) {
    LogWarning(
        "admin server: {} can be reached from other machines, and whoever reaches it may stop and "
        "change pipelines: set bearer_token_file or tls.client_ca_file",
        address.ToString());
  } else if (settings.tls_cert_file.empty()) {
    LogWarning("admin server: the token travels in clear text to {}: set tls.cert_file",
               address.ToString());
  }
}

runtime::http1::ServerSettings ServerSettingsOf(const config::AdminSettings& settings,
                                                std::shared_ptr<const runtime::TlsContext> tls) {
  runtime::http1::ServerSettings server;
  server.tls = std::move(tls);
  server.max_connections = settings.max_connections;
  server.max_requests = settings.max_connections;
  server.max_header_bytes = kMaxHeaderBytes;
  server.max_body_bytes = settings.max_request_bytes;
  server.place_grace = kPlaceGrace;
  server.handshake_timeout = settings.request_timeout;
  server.idle_timeout = settings.request_timeout;
  server.request_timeout = settings.request_timeout;
  server.write_timeout = settings.request_timeout;
  return server;
}

}  // namespace

/// The part that lives on the server's thread.
class AdminServer::Server {
 public:
  Server(Dispatcher dispatcher, const runtime::Clock& clock, std::chrono::nanoseconds stop_grace)
      : loop_(clock), handler_(&loop_, std::move(dispatcher)), stop_grace_(stop_grace) {}

  Status Listen(SocketAddress address, runtime::http1::ServerSettings settings) {
    settings.address = address.ToString();
    ARROW_ASSIGN_OR_RAISE(http_, runtime::http1::Server::Listen(&loop_, settings, &handler_));
    address_ = std::move(address);
    address_.port = http_->port();
    return Status::OK();
  }

  const SocketAddress& address() const { return address_; }

  void Run() {
    thread_ = std::thread([this] { loop_.Run(); });
  }

  void Stop() {
    if (!thread_.joinable()) {
      return;
    }
    loop_.Post([this] {
      handler_.Stop();
      ending_ = End();
      ending_.Start();
    });
    thread_.join();
  }

 private:
  runtime::Task<void> End() {
    co_await http_->Drain(loop_.clock().Now() + stop_grace_);
    http_.reset();
    loop_.Stop();
  }

  runtime::EventLoop loop_;
  HttpHandler handler_;
  std::chrono::nanoseconds stop_grace_;
  std::unique_ptr<runtime::http1::Server> http_;
  runtime::Task<void> ending_;
  SocketAddress address_;
  std::thread thread_;
};

Result<std::unique_ptr<AdminServer>> AdminServer::Start(const config::AdminSettings& settings,
                                                        controller::ControlPlane* control,
                                                        AdminOptions options) {
  ARROW_ASSIGN_OR_RAISE(auto tls, MakeTlsContext(settings));
  const bool is_tls = tls != nullptr;
  Result<SocketAddress> address = runtime::ResolveSocketAddress(settings.bind_address);
  if (!address.ok()) {
    return Named(address.status());
  }
  ARROW_ASSIGN_OR_RAISE(AccessPolicy access,
                        AccessPolicy::Make(settings.bearer_token_file, address->is_loopback()));
  EngineView engine = {.control = control,
                       .clock = options.clock,
                       .taps = options.taps,
                       .encode_tapped = std::move(options.encode_tapped),
                       .version = std::move(options.version),
                       .resource = std::move(options.resource),
                       .started = options.clock->WallNow(),
                       .started_steady = options.clock->Now()};
  auto server = std::make_unique<Server>(
      Dispatcher(std::move(access), std::move(engine)), *options.clock,
      std::min<std::chrono::nanoseconds>(kStopGrace, settings.request_timeout));
  const Status listening = server->Listen(*address, ServerSettingsOf(settings, std::move(tls)));
  if (!listening.ok()) {
    return Named(listening);
  }
  WarnOfOpenDoors(settings, server->address());
  server->Run();
  LogInfo("admin server: http{}://{}", is_tls ? "s" : "", server->address().ToString());
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(server)));
}

AdminServer::AdminServer(std::unique_ptr<Server> server) : server_(std::move(server)) {}

AdminServer::~AdminServer() { Stop(); }

uint16_t AdminServer::port() const { return server_->address().port; }

std::string AdminServer::address() const { return server_->address().ToString(); }

void AdminServer::Stop() { server_->Stop(); }

}  // namespace df::admin
