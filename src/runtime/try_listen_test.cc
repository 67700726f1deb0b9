#include "runtime/try_listen.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace df::runtime {
namespace {

TEST(TryListen, TellsAFreePortFromATakenOneAndKeepsNeither) {
  const int holder = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(holder, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(listen(holder, 8), 0);
  socklen_t size = sizeof(address);
  ASSERT_EQ(getsockname(holder, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string text = fmt::format("127.0.0.1:{}", ntohs(address.sin_port));

  EXPECT_THAT(TryListen(text).message(), ::testing::HasSubstr("the address is in use"));
  close(holder);
  EXPECT_TRUE(TryListen(text).ok());
  EXPECT_TRUE(TryListen(text).ok()) << "the first look has kept the port";
}

TEST(TryListen, RefusesWhatIsNoAddress) { EXPECT_FALSE(TryListen("8080").ok()); }

}  // namespace
}  // namespace df::runtime
