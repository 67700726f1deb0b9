#include "runtime/try_connect.h"

#include <chrono>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace df::runtime {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

/// A port of the loopback; nobody takes its connections but the system.
class Port {
 public:
  explicit Port(bool listens) : descriptor_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_TRUE(!listens || listen(descriptor_, 8) == 0);
    socklen_t size = sizeof(address);
    EXPECT_EQ(getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    number_ = ntohs(address.sin_port);
  }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  ~Port() { close(descriptor_); }
  uint16_t number() const { return number_; }

 private:
  int descriptor_;
  uint16_t number_ = 0;
};

TEST(TryConnect, SucceedsWhereSomebodyListens) {
  const Port port(true);
  EXPECT_TRUE(TryConnect("127.0.0.1", port.number(), nullptr, seconds(5)).ok());
}

TEST(TryConnect, NamesWhereItFailsAndWhy) {
  const Port port(false);
  const Status status = TryConnect("127.0.0.1", port.number(), nullptr, seconds(5));
  EXPECT_THAT(status.message(), HasSubstr(std::to_string(port.number())));
  EXPECT_THAT(status.message(), HasSubstr("Connection refused"));
}

TEST(TryConnect, AServerThatAgreesOnNoKeysIsLate) {
  const Port port(true);
  const auto tls = TlsContext::MakeClient(TlsSettings(), {});
  ASSERT_TRUE(tls.ok()) << tls.status();
  EXPECT_THAT(TryConnect("127.0.0.1", port.number(), *tls, std::chrono::milliseconds(50)).message(),
              HasSubstr("it takes too long"));
}

}  // namespace
}  // namespace df::runtime
