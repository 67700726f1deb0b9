#include "app/service_manager.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace df::app {
namespace {

/// A manager that listens.
class Listener {
 public:
  /// `name` as NOTIFY_SOCKET has it.
  explicit Listener(const std::string& name) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    socklen_t length = offsetof(sockaddr_un, sun_path) + name.size() + 1;
    if (name.front() == '@') {
      address.sun_path[0] = '\0';
      --length;
    }
    descriptor_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), length), 0);
  }
  ~Listener() { close(descriptor_); }

  /// What has been sent, or "".
  std::string Next() const {
    std::array<char, 256> text{};
    const ssize_t size = recv(descriptor_, text.data(), text.size(), 0);
    return size < 0 ? "" : std::string(text.data(), static_cast<size_t>(size));
  }

 private:
  int descriptor_ = -1;
};

TEST(ServiceManager, IsToldAtAPathAndAnAbstractName) {
  std::string pattern = (std::filesystem::temp_directory_path() / "notify-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  for (const std::string& name :
       {(folder / "socket").string(), "@" + (folder / "abstract").string()}) {
    const Listener listener(name);
    const ServiceManager manager(name);
    manager.Notify("READY=1");
    EXPECT_EQ(listener.Next(), "READY=1");
    EXPECT_EQ(listener.Next(), "");
  }
  std::filesystem::remove_all(folder);
}

TEST(ServiceManager, NobodyAndNowhereAreNoFault) {
  ServiceManager("").Notify("READY=1");
  ServiceManager("/nowhere/socket").Notify("READY=1");
  ServiceManager(std::string(500, 'x')).Notify("READY=1");
}

}  // namespace
}  // namespace df::app
