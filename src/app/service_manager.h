// Tells the service manager that has started the process how far it is.
#pragma once

#include <string>
#include <string_view>

namespace df::app {

/// The protocol of sd_notify(3): lines like READY=1 in a datagram. Where nobody listens nothing
/// happens. Calls: from any thread.
class ServiceManager {
 public:
  /// `socket` is a path, or with '@' in front an abstract name; "" for none.
  explicit ServiceManager(std::string socket) : socket_(std::move(socket)) {}

  /// The manager that NOTIFY_SOCKET names.
  static ServiceManager FromEnvironment();

  /// Does not wait; what cannot be sent is logged.
  void Notify(std::string_view state) const;

 private:
  std::string socket_;
};

}  // namespace df::app
