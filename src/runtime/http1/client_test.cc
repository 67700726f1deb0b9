#include "runtime/http1/client.h"

#include <deque>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/http1/server.h"
#include "testing/simulated_clock.h"
#include "testing/tcp_peer.h"
#include "testing/tls_identity.h"

namespace df::runtime::http1 {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Answers with what it was asked.
class EchoHandler final : public RequestHandler {
 public:
  std::optional<Response> Admit(const Request&) override { return std::nullopt; }
  Task<Response> Respond(Request request) override {
    Response response;
    response.status = 202;
    response.headers.push_back({"X-Key", std::string(Find(request.headers, "x-key"))});
    response.body = request.method + " " + request.target + " " + request.body;
    co_return response;
  }
  Response Refuse(int status, std::string_view, const Request&) override {
    Response response;
    response.status = status;
    return response;
  }
};

class HttpClientTest : public ::testing::Test {
 protected:
  struct Call {
    std::optional<Result<Response>> result;
    Task<void> task;
  };

  static Task<void> Run(Client* client, Request request, SteadyTime deadline, Call* call) {
    Result<Response> response = co_await client->Send(std::move(request), deadline);
    call->result = std::move(response);
  }

  void MakeClient(uint16_t port, ClientSettings settings = {}) {
    settings.host = "127.0.0.1";
    settings.port = port;
    client_.emplace(&loop_, settings);
  }

  Call& Send(std::string target, std::string body = "") {
    Request request;
    request.method = "POST";
    request.target = std::move(target);
    request.headers.push_back({"X-Key", "value\r\nX-Other: smuggled"});
    request.body = std::move(body);
    Call& call = calls_.emplace_back();
    call.task = Run(&*client_, std::move(request), clock_.Now() + seconds(10), &call);
    call.task.Start();
    return call;
  }

  bool Until(const std::function<bool()>& done) {
    return testing::StepUntil(
        [this] {
          loop_.RunUntilIdle();
          if (auto accepted = acceptor_.Accept()) {
            peers_.push_back(*std::move(accepted));
          }
          for (testing::TcpPeer& peer : peers_) {
            peer.Poll();
          }
        },
        done);
  }

  bool Ends(const Call& call) {
    return Until([&] { return call.result.has_value(); });
  }

  /// The connection that a request has come over.
  testing::TcpPeer& Peer(size_t index) {
    EXPECT_TRUE(Until([&] {
      return peers_.size() > index &&
             peers_[index].received().find("\r\n\r\n") != std::string::npos;
    }));
    return peers_.at(index);
  }

  testing::SimulatedClock clock_;
  EventLoop loop_{clock_};
  testing::TcpAcceptor acceptor_;
  std::deque<testing::TcpPeer> peers_;
  std::optional<Client> client_;
  std::deque<Call> calls_;
};

TEST_F(HttpClientTest, SpeaksWithTheServer) {
  EchoHandler handler;
  ServerSettings settings;
  settings.address = "127.0.0.1:0";
  const auto server = Server::Listen(&loop_, settings, &handler).ValueOrDie();
  MakeClient(server->port());
  for (int i = 0; i < 3; ++i) {
    const std::string body(static_cast<size_t>(i) * 200'000, 'x');
    const Call& call = Send("/a", body);
    ASSERT_TRUE(Ends(call));
    ASSERT_TRUE(call.result->ok()) << call.result->status();
    EXPECT_EQ((*call.result)->status, 202);
    EXPECT_EQ((*call.result)->body, "POST /a " + body);
    EXPECT_EQ(Find((*call.result)->headers, "X-KEY"), "valueX-Other: smuggled");
  }
  EXPECT_EQ(client_->counts().connects, 1);
  EXPECT_EQ(server->counts().connections, 1);
}

TEST_F(HttpClientTest, UsesAConnectionForEachRequestUnderWay) {
  MakeClient(acceptor_.port(), {.max_idle_connections = 1});
  const Call& first = Send("/a");
  const Call& second = Send("/b");
  EXPECT_THAT(
      Peer(0).received(),
      StartsWith(fmt::format("POST /a HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n", acceptor_.port())));
  EXPECT_THAT(Peer(1).received(), StartsWith("POST /b "));
  Peer(1).Send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n");
  ASSERT_TRUE(Ends(second));
  EXPECT_EQ((*second.result)->body, "one");
  Peer(0).Send("HTTP/1.1 204 No Content\r\n\r\n");
  ASSERT_TRUE(Ends(first));
  EXPECT_EQ((*first.result)->status, 204);
  EXPECT_TRUE(Until([&] { return Peer(0).is_closed(); })) << "one is kept, not two";
  Peer(1).received().clear();
  const Call& third = Send("/c");
  EXPECT_THAT(Peer(1).received(), StartsWith("POST /c "));
  Peer(1).Send("HTTP/1.1 200 OK\r\n\r\nto the end");
  Until([&] { return Peer(1).has_sent(); });
  Peer(1).Close();
  ASSERT_TRUE(Ends(third));
  EXPECT_EQ((*third.result)->body, "to the end");
}

TEST_F(HttpClientTest, SendsAgainWhatAnIdleConnectionDidNotTake) {
  MakeClient(acceptor_.port());
  const Call& first = Send("/a");
  Peer(0).Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(Ends(first));
  Peer(0).received().clear();
  // The server closes at the moment when the client sends.
  const Call& second = Send("/b");
  Peer(0).Close();
  Peer(1).Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(Ends(second));
  EXPECT_TRUE(second.result->ok()) << second.result->status();
  EXPECT_EQ(client_->counts().connects, 2);
}

TEST_F(HttpClientTest, DropsKeptConnectionsThatExpireOrAreClosed) {
  MakeClient(acceptor_.port(), {.idle_timeout = seconds(5)});
  const Call& first = Send("/a");
  Peer(0).Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(Ends(first));
  clock_.Advance(seconds(6));
  EXPECT_TRUE(Until([&] { return Peer(0).is_closed(); }));
  const Call& second = Send("/b");
  Peer(1).Send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(Ends(second));
  Peer(1).Close();
  loop_.RunUntilIdle();
  const Call& third = Send("/c");
  Peer(2).Send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(Ends(third));
  EXPECT_TRUE(Until([&] { return Peer(2).is_closed(); }));
  EXPECT_EQ(client_->counts().requests, 3) << "none was sent again";
}

TEST_F(HttpClientTest, FailsWhereThereIsNoGoodResponse) {
  MakeClient(acceptor_.port(), {.max_idle_connections = 0, .max_body_bytes = 10});
  struct Case {
    std::string response;
    bool is_retryable;
    std::string problem;
  };
  size_t index = 0;
  for (const Case& bad :
       std::vector<Case>{{"", true, "the connection ended"},
                         {"HTTP/1.1 200 OK\r\nContent-Le", true, "in the middle"},
                         {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", true, "in the middle"},
                         {"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n", false, "too large"},
                         {"SSH-2.0-OpenSSH\r\n\r\n", false, "malformed"}}) {
    const Call& call = Send("/a");
    testing::TcpPeer& peer = Peer(index++);
    peer.Send(bad.response);
    Until([&] { return peer.has_sent(); });
    peer.Close();
    ASSERT_TRUE(Ends(call));
    const Status status = call.result->status();
    EXPECT_EQ(IsRetryable(status), bad.is_retryable) << status;
    EXPECT_THAT(status.message(), HasSubstr(bad.problem));
  }
}

TEST_F(HttpClientTest, GivesUpAtTheDeadlineAndWhereNobodyListens) {
  MakeClient(acceptor_.port());
  const Call& late = Send("/a");
  Peer(0);
  clock_.Advance(seconds(11));
  ASSERT_TRUE(Ends(late));
  EXPECT_TRUE(IsRetryable(late.result->status()));
  EXPECT_TRUE(Until([&] { return Peer(0).is_closed(); }));
  uint16_t free_port = 0;
  {
    free_port = testing::TcpAcceptor().port();
  }
  MakeClient(free_port);
  const Call& refused = Send("/a");
  ASSERT_TRUE(Ends(refused));
  EXPECT_THAT(refused.result->status().message(), HasSubstr("cannot connect to 127.0.0.1"));
  EXPECT_TRUE(IsRetryable(refused.result->status()));
}

TEST_F(HttpClientTest, EndsARequestWhoseTaskIsDestroyed) {
  MakeClient(acceptor_.port());
  Send("/a");
  Peer(0);
  calls_.clear();
  EXPECT_TRUE(Until([&] { return Peer(0).is_closed(); }));
}

class HttpsTest : public HttpClientTest {
 protected:
  void SetUp() override {
    server_tls_.cert_pem = server_.cert_pem;
    server_tls_.key_pem = server_.key_pem;
    client_tls_.ca_pem = server_.cert_pem;
    client_tls_.trusts_system = false;
  }

  /// One request between a server and a client with these settings.
  Result<Response> Ask() {
    ServerSettings settings;
    settings.address = "127.0.0.1:0";
    settings.tls = TlsContext::MakeServer(server_tls_, {"http/1.1"}).ValueOrDie();
    http_server_ = Server::Listen(&loop_, settings, &handler_).ValueOrDie();
    ClientSettings client;
    client.tls = TlsContext::MakeClient(client_tls_, {"http/1.1"}).ValueOrDie();
    MakeClient(http_server_->port(), client);
    const Call& call = Send("/a", std::string(100'000, 'x'));
    EXPECT_TRUE(Ends(call));
    return *call.result;
  }

  testing::TlsIdentity server_ = testing::MakeTlsIdentity("127.0.0.1");
  testing::TlsIdentity other_ = testing::MakeTlsIdentity("elsewhere");
  TlsSettings server_tls_;
  TlsSettings client_tls_;
  EchoHandler handler_;
  std::unique_ptr<Server> http_server_;
};

TEST_F(HttpsTest, SpeaksWithAServerThatItTrusts) {
  const auto response = Ask();
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body.size(), 100'008);
}

TEST_F(HttpsTest, TrustsTheSystemBesidesOnlyWhereItIsToldTo) {
  client_tls_.trusts_system = true;
  EXPECT_TRUE(Ask().ok());
  client_tls_.ca_pem.clear();
  EXPECT_THAT(Ask().status().message(), HasSubstr("TLS: certificate verify failed"));
}

TEST_F(HttpsTest, DoesNotSpeakWithAnotherServer) {
  client_tls_.ca_pem = other_.cert_pem;
  EXPECT_THAT(Ask().status().message(), HasSubstr("TLS: certificate verify failed"));
}

TEST_F(HttpsTest, DoesNotSpeakWithAServerOfAnotherName) {
  server_tls_.cert_pem = other_.cert_pem;
  server_tls_.key_pem = other_.key_pem;
  client_tls_.ca_pem = other_.cert_pem;
  EXPECT_FALSE(Ask().ok());
  client_tls_.server_name = "elsewhere";
  EXPECT_TRUE(Ask().ok());
}

TEST_F(HttpsTest, ShowsItsOwnCertificateWhereTheServerAsksForOne) {
  server_tls_.ca_pem = other_.cert_pem;
  EXPECT_FALSE(Ask().ok());
  client_tls_.cert_pem = other_.cert_pem;
  client_tls_.key_pem = other_.key_pem;
  const auto response = Ask();
  EXPECT_TRUE(response.ok()) << response.status();
}

}  // namespace
}  // namespace df::runtime::http1
