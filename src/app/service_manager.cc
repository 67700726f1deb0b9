#include "app/service_manager.h"

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/logging.h"

namespace df::app {

ServiceManager ServiceManager::FromEnvironment() {
  const char* socket = std::getenv("NOTIFY_SOCKET");
  return ServiceManager(socket == nullptr ? "" : socket);
}

void ServiceManager::Notify(std::string_view state) const {
  if (socket_.empty()) {
    return;
  }
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof(address.sun_path)) {
    LogWarning("NOTIFY_SOCKET is longer than a socket's name can be: nobody is told of {}", state);
    return;
  }
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  const bool is_abstract = socket_.front() == '@';
  if (is_abstract) {
    address.sun_path[0] = '\0';
  }
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size() +
                                             (is_abstract ? 0 : 1));
  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool is_sent =
      descriptor >= 0 && sendto(descriptor, state.data(), state.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), length) >= 0;
  if (!is_sent) {
    LogWarning("the service manager cannot be told of {}: {}", state, std::strerror(errno));
  }
  if (descriptor >= 0) {
    close(descriptor);
  }
}

}  // namespace df::app
