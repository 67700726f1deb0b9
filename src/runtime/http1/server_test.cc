#include "runtime/http1/server.h"

#include <deque>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/simulated_clock.h"
#include "testing/tcp_peer.h"
#include "testing/tls_identity.h"

namespace df::runtime::http1 {
namespace {

using std::chrono::seconds;

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Answers with what it was asked; "/wait" waits to be let go.
class EchoHandler final : public RequestHandler {
 public:
  explicit EchoHandler(EventLoop* loop) : let_go(loop) {}

  std::optional<Response> Admit(const Request& head) override {
    if (head.target == "/refused") {
      return Response{.status = 404, .headers = {}, .body = "no such path"};
    }
    return std::nullopt;
  }

  Task<Response> Respond(Request request) override {
    ++num_calls;
    if (request.target == "/wait") {
      co_await let_go.Wait();
    }
    Response response;
    response.headers.push_back({"X-Agent", std::string(Find(request.headers, "user-agent"))});
    response.headers.push_back({"X-Host", std::string(Find(request.headers, "host"))});
    response.headers.push_back({"X-Peer", request.peer});
    response.body = request.method + " " + request.target + " " + request.body;
    co_return response;
  }

  Response Refuse(int status, std::string_view reason, const Request& head) override {
    Response response;
    response.status = status;
    response.body = fmt::format("{} ({})", reason, head.target);
    return response;
  }

  int num_calls = 0;
  Wakeup let_go;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void Listen(ServerSettings settings = {}) {
    settings.address = "127.0.0.1:0";
    auto server = Server::Listen(&loop_, settings, &handler_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  testing::TcpPeer& Connect() { return peers_.emplace_back(server_->port()); }

  bool Until(const std::function<bool()>& done) {
    return testing::StepUntil(
        [this] {
          loop_.RunUntilIdle();
          for (testing::TcpPeer& peer : peers_) {
            peer.Poll();
          }
        },
        done);
  }

  /// Waits until the peer has got `text`.
  bool Gets(testing::TcpPeer* peer, std::string_view text) {
    return Until([&] { return peer->received().find(text) != std::string::npos; });
  }
  bool IsClosed(testing::TcpPeer* peer) {
    return Until([&] { return peer->is_closed(); });
  }

  testing::SimulatedClock clock_;
  EventLoop loop_{clock_};
  EchoHandler handler_{&loop_};
  std::unique_ptr<Server> server_;
  std::deque<testing::TcpPeer> peers_;
};

TEST_F(HttpServerTest, AnswersRequestsOneAfterTheOtherOnOneConnection) {
  Listen();
  testing::TcpPeer& peer = Connect();
  peer.Send("POST /a HTTP/1.1\r\nHost: x\r\nUser-Agent: me\r\nContent-Length: 3\r\n\r\nabc");
  ASSERT_TRUE(Gets(&peer, "POST /a abc"));
  EXPECT_THAT(peer.received(), StartsWith("HTTP/1.1 200 OK\r\nX-Agent: me\r\n"));
  EXPECT_THAT(peer.received(), HasSubstr("Content-Length: 11\r\n"));
  // Two at once, one of them in chunks, that come byte by byte.
  const std::string two =
      "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3\r\nxyz\r\n2\r\nuv\r\n0\r\n"
      "\r\nGET /c HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const char byte : two) {
    peer.Send(std::string(1, byte));
    ASSERT_TRUE(Until([&] { return peer.has_sent(); }));
  }
  EXPECT_TRUE(Gets(&peer, "POST /b xyzuv"));
  EXPECT_TRUE(Gets(&peer, "GET /c "));
  EXPECT_EQ(server_->counts().connections, 1);
  EXPECT_EQ(server_->counts().requests, 3);
  EXPECT_FALSE(peer.is_closed());
}

TEST_F(HttpServerTest, GivesLeaveToSendABodyThatIsAskedFor) {
  Listen();
  testing::TcpPeer& peer = Connect();
  peer.Send("POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  ASSERT_TRUE(Gets(&peer, "HTTP/1.1 100 Continue\r\n\r\n"));
  peer.Send("ok");
  EXPECT_TRUE(Gets(&peer, "POST /a ok"));
}

TEST_F(HttpServerTest, RefusesAfterTheHeadAndEndsTheConnection) {
  Listen();
  testing::TcpPeer& peer = Connect();
  peer.Send("POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
  EXPECT_TRUE(Gets(&peer, "no such path"));
  EXPECT_THAT(peer.received(), HasSubstr("Connection: close\r\n"));
  // It goes on sending, and the answer survives that.
  peer.Send(std::string(1'000'000, 'x'));
  ASSERT_TRUE(Until([&] { return peer.has_sent(); }));
  clock_.Advance(seconds(3));
  EXPECT_TRUE(IsClosed(&peer));
  EXPECT_EQ(handler_.num_calls, 0);
}

TEST_F(HttpServerTest, RefusesWhatIsTooLarge) {
  Listen({.max_header_bytes = 300, .max_body_bytes = 10});
  testing::TcpPeer& body = Connect();
  body.Send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n");
  EXPECT_TRUE(Gets(&body, "expected at most that many (/a)"));
  EXPECT_THAT(body.received(), StartsWith("HTTP/1.1 413 "));
  testing::TcpPeer& chunks = Connect();
  chunks.Send("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  chunks.Send("8\r\n12345678\r\n3\r\nabc\r\n0\r\n\r\n");
  EXPECT_TRUE(Gets(&chunks, "HTTP/1.1 413 "));
  testing::TcpPeer& head = Connect();
  head.Send("POST /a HTTP/1.1\r\nHost: x\r\nX: " + std::string(300, 'x') + "\r\n\r\n");
  EXPECT_TRUE(Gets(&head, "HTTP/1.1 431 "));
  EXPECT_EQ(handler_.num_calls, 0);
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
  Listen();
  for (const std::string bytes :
       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n", "GET\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    testing::TcpPeer& peer = Connect();
    peer.Send(bytes);
    EXPECT_TRUE(Gets(&peer, "HTTP/1.1 400 ")) << bytes;
  }
  EXPECT_EQ(handler_.num_calls, 0);
}

TEST_F(HttpServerTest, RefusesTheHeadOfAChunkThatDoesNotEnd) {
  Listen();
  testing::TcpPeer& peer = Connect();
  peer.Send("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;");
  peer.Send(std::string(1 << 20, 'x'));
  EXPECT_TRUE(Gets(&peer, "HTTP/1.1 400 "));
  EXPECT_TRUE(Gets(&peer, "chunk"));
}

TEST_F(HttpServerTest, CutsClientsThatTakeTooLong) {
  Listen({.idle_timeout = seconds(60), .request_timeout = seconds(5)});
  testing::TcpPeer& idle = Connect();
  testing::TcpPeer& head = Connect();
  head.Send("POST /a HT");
  testing::TcpPeer& body = Connect();
  body.Send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nabc");
  ASSERT_TRUE(Until([&] { return server_->counts().requests == 1 && head.has_sent(); }));
  clock_.Advance(seconds(6));
  EXPECT_TRUE(Gets(&head, "HTTP/1.1 408 "));
  EXPECT_TRUE(Gets(&body, "HTTP/1.1 408 "));
  EXPECT_FALSE(idle.is_closed());
  clock_.Advance(seconds(60));
  EXPECT_TRUE(IsClosed(&idle));
  EXPECT_EQ(idle.received(), "");
}

TEST_F(HttpServerTest, BoundsConnectionsAndRequests) {
  Listen({.max_connections = 2, .max_requests = 1});
  testing::TcpPeer& first = Connect();
  first.Send("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(Until([&] { return handler_.num_calls == 1; }));
  testing::TcpPeer& second = Connect();
  second.Send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(Gets(&second, "HTTP/1.1 503 "));
  testing::TcpPeer& third = Connect();
  EXPECT_TRUE(Gets(&third, "HTTP/1.1 503 "));
  EXPECT_TRUE(IsClosed(&third));
  EXPECT_EQ(server_->counts().refused_connections, 1);
  handler_.let_go.Notify();
  EXPECT_TRUE(Gets(&first, "POST /wait"));
  first.Send("POST /d HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  EXPECT_TRUE(Gets(&first, "POST /d")) << "the place is free again";
}

TEST_F(HttpServerTest, RequestsWhoseBodiesDoNotComeMakeRoom) {
  Listen({.max_requests = 2});
  std::vector<testing::TcpPeer*> stuck;
  for (int i = 0; i < 2; ++i) {
    stuck.push_back(&Connect());
    stuck.back()->Send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n");
    ASSERT_TRUE(Until([&] { return server_->counts().requests == i + 1; }));
  }
  clock_.Advance(std::chrono::milliseconds(1'100));
  stuck[0]->Send("a");
  ASSERT_TRUE(Until([&] { return stuck[0]->has_sent(); }));
  for (int i = 0; i < 3; ++i) {
    testing::TcpPeer& honest = Connect();
    honest.Send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb");
    EXPECT_TRUE(Gets(&honest, "POST /b b")) << honest.received();
  }
  EXPECT_TRUE(Gets(stuck[1], "HTTP/1.1 503 ")) << "nothing has come of it";
  EXPECT_EQ(stuck[0]->received(), "");
  stuck[0]->Send("123456789");
  EXPECT_TRUE(Gets(stuck[0], "POST /a a123456789")) << "there was room for it";
}

TEST_F(HttpServerTest, ConnectionsThatDoNothingMakeRoom) {
  for (const bool has_tls : {false, true}) {
    ServerSettings settings{.max_connections = 2};
    if (has_tls) {
      const testing::TlsIdentity identity = testing::MakeTlsIdentity("127.0.0.1");
      TlsSettings tls;
      tls.cert_pem = identity.cert_pem;
      tls.key_pem = identity.key_pem;
      settings.tls = TlsContext::MakeServer(tls, {"http/1.1"}).ValueOrDie();
    }
    Listen(settings);
    std::vector<testing::TcpPeer*> stuck;
    for (int i = 0; i < 2; ++i) {
      stuck.push_back(&Connect());
      stuck.back()->Send(i == 0 ? "" : has_tls ? "\x16\x03\x01" : "POST /a HT");
      ASSERT_TRUE(Until([&] { return server_->counts().connections == i + 1; }));
    }
    testing::TcpPeer& early = Connect();
    ASSERT_TRUE(Until([&] { return server_->counts().refused_connections == 1; }));
    early.Send("GET /c HTTP/1.1\r\nHost: x\r\n\r\n");
    if (has_tls) {
      EXPECT_TRUE(IsClosed(&early));
    } else {
      EXPECT_TRUE(Gets(&early, "there are too many connections")) << "others have only just come";
      EXPECT_THAT(early.received(), StartsWith("HTTP/1.1 503 "));
    }
    clock_.Advance(std::chrono::milliseconds(1'100));
    testing::TcpPeer& honest = Connect();
    ASSERT_TRUE(Until([&] { return server_->counts().connections == 3; }));
    EXPECT_TRUE(IsClosed(stuck[0]));
    EXPECT_FALSE(stuck[1]->is_closed());
    if (!has_tls) {
      honest.Send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nb");
      EXPECT_TRUE(Gets(&honest, "POST /b b"));
    }
    EXPECT_EQ(server_->counts().refused_connections, 2);
    EXPECT_EQ(server_->counts().broken_connections, 0);
  }
}

TEST_F(HttpServerTest, AnswersWhatIsUnderWayWhenItIsStopped) {
  Listen();
  testing::TcpPeer& idle = Connect();
  testing::TcpPeer& busy = Connect();
  busy.Send("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(Until([&] { return handler_.num_calls == 1 && server_->num_connections() == 2; }));
  server_->Stop();
  EXPECT_TRUE(IsClosed(&idle));
  EXPECT_FALSE(busy.is_closed());
  handler_.let_go.Notify();
  EXPECT_TRUE(Gets(&busy, "POST /wait"));
  EXPECT_THAT(busy.received(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(IsClosed(&busy));
  EXPECT_EQ(server_->num_connections(), 0);
}

TEST_F(HttpServerTest, EndsEverythingWhenItIsDestroyed) {
  Listen();
  testing::TcpPeer& busy = Connect();
  busy.Send("POST /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  testing::TcpPeer& head = Connect();
  head.Send("POST /a HT");
  ASSERT_TRUE(Until([&] { return handler_.num_calls == 1 && head.has_sent(); }));
  server_.reset();
  EXPECT_TRUE(IsClosed(&busy));
  EXPECT_TRUE(IsClosed(&head));
  EXPECT_EQ(busy.received(), "");
}

TEST_F(HttpServerTest, DoesNotListenWhereAnotherListens) {
  EXPECT_FALSE(Server::Listen(&loop_, {.address = "nowhere"}, &handler_).ok());
  Listen();
  ServerSettings same;
  same.address = fmt::format("127.0.0.1:{}", server_->port());
  const auto second = Server::Listen(&loop_, same, &handler_);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(second.status().message(), HasSubstr(same.address));
}

TEST_F(HttpServerTest, EndsOldConnections) {
  Listen();
  testing::TcpPeer& peer = Connect();
  peer.Send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(Gets(&peer, "GET /a "));
  EXPECT_TRUE(IsClosed(&peer)) << "HTTP/1.0 is not kept alive";
}

TEST_F(HttpServerTest, RefusesWhatOthersMayReadInAnotherWay) {
  Listen();
  const std::string hidden = "GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string chunks = "3\r\nabc\r\n0\r\n\r\n";
  const auto post = [](std::string_view headers, std::string_view body) {
    return fmt::format("POST /a HTTP/1.1\r\nHost: x\r\n{}\r\n{}", headers, body);
  };
  for (const std::string& bytes :
       {post("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", chunks),
        post("Transfer-Encoding: chunked, gzip\r\n", hidden),
        post("Transfer-Encoding: chunked, chunked\r\n", chunks),
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks),
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunks),
        post("Transfer-Encoding:\r\n", hidden), post("Transfer-Encoding : chunked\r\n", chunks),
        post("Content-Length: +3\r\n", "abc"), post("Host: x\r\n", ""), post("Host: y\r\n", ""),
        std::string("POST /a HTTP/1.1\r\n\r\n"),
        std::string("POST /a HTTP/1.1\r\nHost: a b\r\n\r\n"),
        std::string("POST /a HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        std::string("POST a HTTP/1.1\r\nHost: x\r\n\r\n"),
        "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks}) {
    testing::TcpPeer& peer = Connect();
    peer.Send(bytes);
    EXPECT_TRUE(Gets(&peer, "HTTP/1.1 400 ")) << bytes << peer.received();
  }
  for (const std::string_view coding : {"xchunked", "identity", "gzip, chunked", "gzip"}) {
    testing::TcpPeer& peer = Connect();
    peer.Send(post(fmt::format("Transfer-Encoding: {}\r\n", coding), hidden));
    EXPECT_TRUE(Gets(&peer, "HTTP/1.1 501 ")) << coding << peer.received();
  }
  EXPECT_EQ(handler_.num_calls, 0);
}

TEST_F(HttpServerTest, TakesEmptyLinesBeforeARequestAndTargetsThatNameTheServer) {
  Listen();
  testing::TcpPeer& peer = Connect();
  peer.Send("\r\n\r\nPOST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab\r\n");
  ASSERT_TRUE(Gets(&peer, "POST /a ab"));
  clock_.Advance(seconds(31));  // past the time of a request
  peer.Send("\r");
  ASSERT_TRUE(Until([&] { return peer.has_sent(); }));
  peer.Send("\nPUT http://x:80/b?c=d HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(Gets(&peer, "PUT /b?c=d "));
  peer.Send("PUT http://y:80/h HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(Gets(&peer, "PUT /h "));
  EXPECT_THAT(peer.received(), HasSubstr("X-Host: y:80\r\n")) << "it counts before Host";
  EXPECT_THAT(peer.received(), HasSubstr("X-Peer: 127.0.0.1:"));
  peer.Send("GET HTTPS://x?c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n");
  EXPECT_TRUE(Gets(&peer, "GET /?c "));
  // Empty lines alone do not keep a connection.
  for (int i = 0; i < 7; ++i) {
    peer.Send("\r\n");
    ASSERT_TRUE(Until([&] { return peer.has_sent(); }));
    clock_.Advance(seconds(10));
  }
  EXPECT_TRUE(IsClosed(&peer));
  EXPECT_THAT(peer.received(), ::testing::Not(HasSubstr("HTTP/1.1 408")));
}

}  // namespace
}  // namespace df::runtime::http1
