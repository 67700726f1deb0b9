// A gRPC server that gives back what it gets, for clients of other makers.
#include <cstdio>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>

#include "runtime/event_loop.h"
#include "runtime/grpc/server.h"
#include "runtime/tls.h"

namespace df::runtime::grpc {
namespace {

/// /test.Echo/{Unary, Stream, Pour, Wait, Refuse}.
class EchoHandler final : public CallHandler {
 public:
  Task<CallStatus> OnCall(ServerCall& call) override {
    std::string message;
    if (call.path() == "/test.Echo/Unary") {
      if (co_await call.Read(&message)) {
        co_await call.Write(std::move(message));
      }
      co_return call.status();
    }
    if (call.path() == "/test.Echo/Stream") {
      call.SendHeaders();
      while (co_await call.Read(&message)) {
        co_await call.Write(std::move(message));
      }
      co_return call.status();
    }
    if (call.path() == "/test.Echo/Pour") {
      while (co_await call.Write(std::string(100'000, 'p'))) {
        num_poured_bytes_ += 100'000;
      }
      co_return call.status();
    }
    if (call.path() == "/test.Echo/Poured") {
      co_await call.Write(std::to_string(num_poured_bytes_));
      co_return CallStatus();
    }
    if (call.path() == "/test.Echo/Wait") {
      while (!call.is_cancelled()) {
        co_await call.changed().Wait();
      }
      co_return call.status();
    }
    CallStatus refused = MakeStatus(Code::kUnavailable, "no \xc3\xa4 for 100 %\n");
    refused.retry_delay = std::chrono::milliseconds(1250);
    co_return refused;
  }

 private:
  int64_t num_poured_bytes_ = 0;
};

int Main(int argc, char** argv) {
  CLI::App app("A gRPC server that gives back what it gets");
  ServerSettings settings;
  TlsSettings tls;
  settings.http2.address = "127.0.0.1:0";
  app.add_option("--listen", settings.http2.address);
  app.add_option("--cert", tls.cert_file);
  app.add_option("--key", tls.key_file);
  app.add_option("--client-ca", tls.ca_file);
  CLI11_PARSE(app, argc, argv);
  if (!tls.cert_file.empty()) {
    auto context = TlsContext::MakeServer(tls, {"h2"});
    if (!context.ok()) {
      std::fprintf(stderr, "%s\n", context.status().message().c_str());
      return 1;
    }
    settings.http2.tls = *std::move(context);
  }
  EventLoop loop;
  EchoHandler handler;
  auto server = Server::Listen(&loop, settings, &handler);
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.status().message().c_str());
    return 1;
  }
  std::printf("%d\n", (*server)->port());
  std::fflush(stdout);
  loop.Run();
  return 0;
}

}  // namespace
}  // namespace df::runtime::grpc

int main(int argc, char** argv) { return df::runtime::grpc::Main(argc, argv); }
