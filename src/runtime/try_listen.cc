#include "runtime/try_listen.h"

#include "runtime/listener.h"

namespace df::runtime {

Status TryListen(const std::string& address) {
  EventLoop loop;
  ARROW_ASSIGN_OR_RAISE(const auto listener,
                        Listener::Listen(&loop, address, "", [](boost::asio::ip::tcp::socket) {}));
  listener->Close();
  return Status::OK();
}

}  // namespace df::runtime
