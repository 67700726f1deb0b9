#include "runtime/try_connect.h"

#include <utility>

#include <fmt/format.h>

#include "runtime/connector.h"
#include "runtime/http1/byte_stream.h"
#include "runtime/transport.h"

namespace df::runtime {
namespace {

Task<> Attempt(EventLoop* loop, std::string host, uint16_t port,
               std::shared_ptr<const TlsContext> tls, SteadyTime deadline, Status* status) {
  Result<boost::asio::ip::tcp::socket> socket = co_await ConnectTcp(loop, host, port, deadline);
  if (!socket.ok()) {
    *status = socket.status();
  } else if (tls != nullptr) {
    const auto stream = std::make_shared<http1::ByteStream>(
        loop, MakeTlsClientTransport(*std::move(socket), tls, host));
    const http1::ByteStream::Outcome outcome = co_await stream->Handshake(deadline);
    if (outcome != http1::ByteStream::Outcome::kDone) {
      *status =
          MakeError(ErrorKind::kIo,
                    fmt::format("cannot agree on keys with {}:{}: {}", host, port,
                                outcome == http1::ByteStream::Outcome::kLate ? "it takes too long"
                                                                             : stream->error()),
                    {}, true);
    }
    stream->Close();
  }
  loop->Stop();
}

}  // namespace

Status TryConnect(const std::string& host, uint16_t port, std::shared_ptr<const TlsContext> tls,
                  std::chrono::nanoseconds timeout) {
  EventLoop loop;
  Status status;
  Task<> attempt =
      Attempt(&loop, host, port, std::move(tls), loop.clock().Now() + timeout, &status);
  attempt.Start();
  loop.Run();
  return status;
}

}  // namespace df::runtime
