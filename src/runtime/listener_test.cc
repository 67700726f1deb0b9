#include "runtime/listener.h"

#include <csignal>
#include <deque>
#include <memory>
#include <string>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/port_holder.h"
#include "testing/loop_fixture.h"
#include "testing/tcp_peer.h"

namespace df::runtime {
namespace {

using boost::asio::ip::tcp;
using ::testing::HasSubstr;

class ListenerTest : public testing::LoopTest {
 protected:
  struct Core {
    std::shared_ptr<Listener> listener;
    std::deque<tcp::socket> sockets;
  };

  Status Listen(const std::string& address, const std::string& owner) {
    Core& core = cores_.emplace_back();
    Status status = Listener::Listen(&loop_, address, owner, [&core](tcp::socket socket) {
                      core.sockets.push_back(std::move(socket));
                    }).Value(&core.listener);
    if (!status.ok()) {
      cores_.pop_back();
    }
    return status;
  }
  /// The address of the first that listens.
  std::string Address() { return fmt::format("127.0.0.1:{}", cores_[0].listener->port()); }

  void TearDown() override {
    for (const Core& core : cores_) {
      if (core.listener != nullptr) {
        core.listener->Close();
      }
    }
  }

  std::deque<Core> cores_;
};

TEST_F(ListenerTest, CoresOfOneOwnerShareTheirAddress) {
  constexpr size_t kCores = 4;
  ASSERT_TRUE(Listen("127.0.0.1:0", "OTLP of a").ok());
  for (size_t i = 1; i < kCores; ++i) {
    const Status status = Listen(Address(), "OTLP of a");
    ASSERT_TRUE(status.ok()) << status;
  }
  // What is sent where depends on ports that the system chooses: with 200 connections a core that
  // gets none does not listen.
  std::deque<testing::TcpPeer> peers;
  for (int i = 0; i < 200; ++i) {
    peers.emplace_back(cores_[0].listener->port());
  }
  RunUntil([this] {
    size_t num_taken = 0;
    for (const Core& core : cores_) {
      num_taken += core.sockets.size();
    }
    return num_taken == 200;
  });
  for (const Core& core : cores_) {
    EXPECT_GT(core.sockets.size(), 0U);
  }
}

TEST_F(ListenerTest, AnotherOwnerIsToldWhoListens) {
  ASSERT_TRUE(Listen("127.0.0.1:0", "OTLP of a").ok());
  ASSERT_TRUE(Listen(Address(), "OTLP of a").ok());
  const std::string any = fmt::format("0.0.0.0:{}", cores_[0].listener->port());
  for (const std::string& address : {Address(), any}) {
    const Status status = Listen(address, "OTLP of b");
    EXPECT_EQ(status.message(), fmt::format("cannot listen at {}: the address is in use by OTLP of "
                                            "a",
                                            address));
    EXPECT_FALSE(Listen(address, "").ok());
  }
  // One of the cores ends, and comes again: the other still keeps everybody else out.
  const std::string address = Address();
  cores_[0].listener->Close();
  EXPECT_FALSE(Listen(address, "OTLP of b").ok());
  EXPECT_TRUE(Listen(address, "OTLP of a").ok());
  for (const Core& core : cores_) {
    core.listener->Close();
  }
  EXPECT_TRUE(Listen(address, "OTLP of b").ok()) << "all have gone";
}

TEST_F(ListenerTest, WhoHasNoOwnerSharesWithNobody) {
  ASSERT_TRUE(Listen("127.0.0.1:0", "").ok());
  const Status status = Listen(Address(), "");
  EXPECT_EQ(status.message(), fmt::format("cannot listen at {}: the address is in use by this "
                                          "process",
                                          Address()));
}

/// Listens in another process, as an engine does that lets others in.
class OtherProcess {
 public:
  OtherProcess() {
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(socket, 8), 0);
    EXPECT_EQ(getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port = ntohs(address.sin_port);
    id = fork();
    if (id == 0) {
      while (true) {
        pause();
      }
    }
    close(socket);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() {
    kill(id, SIGKILL);
    waitpid(id, nullptr, 0);
  }

  uint16_t port = 0;
  pid_t id = 0;
};

TEST_F(ListenerTest, NamesTheProcessThatListens) {
  const OtherProcess other;
  EXPECT_EQ(FindPortHolder(other.port), fmt::format("process {} (runtime_test)", other.id));
  const Status status = Listen(fmt::format("127.0.0.1:{}", other.port), "OTLP of a");
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.message(), HasSubstr(fmt::format("127.0.0.1:{}: the address is in use by "
                                                      "process {} (runtime_test)",
                                                      other.port, other.id)));
}

TEST_F(ListenerTest, AnotherEngineFindsTheAddressInUse) {
  ASSERT_TRUE(Listen("127.0.0.1:0", "OTLP of a").ok());
  // What another engine does first: bind without SO_REUSEPORT.
  boost::asio::io_context context;
  tcp::acceptor other(context, tcp::v4());
  boost::system::error_code error;
  other.set_option(tcp::acceptor::reuse_address(true));
  other.bind(tcp::endpoint(boost::asio::ip::address_v4::loopback(), cores_[0].listener->port()),
             error);
  EXPECT_EQ(error, boost::asio::error::address_in_use);
}

}  // namespace
}  // namespace df::runtime
