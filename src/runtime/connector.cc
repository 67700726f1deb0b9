#include "runtime/connector.h"

#include <memory>
#include <utility>

#include <boost/asio/connect.hpp>
#include <fmt/format.h>

#include "runtime/event_loop_io.h"

namespace df::runtime {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// Lives as long as anything is under way, whoever waits for it or no longer does.
struct Attempt : std::enable_shared_from_this<Attempt> {
  explicit Attempt(EventLoop* loop)
      : resolver(IoContext(loop)), socket(IoContext(loop)), wakeup(loop) {}

  void Start(const std::string& host, uint16_t port) {
    boost::system::error_code is_name;
    const std::string known = host == "localhost" ? "127.0.0.1" : host;
    const auto address = asio::ip::make_address(known, is_name);
    if (!is_name) {
      socket.async_connect(
          tcp::endpoint(address, port),
          [self = shared_from_this()](const boost::system::error_code& e) { self->End(e); });
      return;
    }
    resolver.async_resolve(host, std::to_string(port), tcp::resolver::numeric_service,
                           [self = shared_from_this()](const boost::system::error_code& failed,
                                                       const tcp::resolver::results_type& found) {
                             if (failed || self->is_done) {
                               self->End(failed);
                               return;
                             }
                             asio::async_connect(self->socket, found,
                                                 [self](const boost::system::error_code& e,
                                                        const tcp::endpoint&) { self->End(e); });
                           });
  }

  void End(const boost::system::error_code& ended) {
    if (!std::exchange(is_done, true)) {
      error = ended;
      wakeup.Notify();
    }
  }

  void Cancel() {
    resolver.cancel();
    boost::system::error_code ignored;
    socket.close(ignored);
  }

  tcp::resolver resolver;
  tcp::socket socket;
  Wakeup wakeup;
  boost::system::error_code error;
  bool is_done = false;
};

/// Ends the attempt with the coroutine that waits for it.
struct CancelOnExit {
  explicit CancelOnExit(std::shared_ptr<Attempt> begun) : attempt(std::move(begun)) {}
  ~CancelOnExit() {
    if (!attempt->is_done) {
      attempt->is_done = true;
      attempt->Cancel();
    }
  }
  std::shared_ptr<Attempt> attempt;
};

}  // namespace

Task<Result<tcp::socket>> ConnectTcp(EventLoop* loop, std::string host, uint16_t port,
                                     SteadyTime deadline) {
  const auto attempt = std::make_shared<Attempt>(loop);
  const CancelOnExit cancel_on_exit(attempt);
  Timer timer(loop, [attempt] {
    attempt->End(asio::error::timed_out);
    attempt->Cancel();
  });
  timer.StartAt(deadline);
  attempt->Start(host, port);
  while (!attempt->is_done) {
    co_await attempt->wakeup.Wait();
  }
  if (attempt->error) {
    co_return MakeError(
        ErrorKind::kIo,
        fmt::format("cannot connect to {}:{}: {}", host, port, attempt->error.message()), {}, true);
  }
  boost::system::error_code ignored;
  attempt->socket.set_option(tcp::no_delay(true), ignored);
  co_return std::move(attempt->socket);
}

}  // namespace df::runtime
