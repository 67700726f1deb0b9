// What a client may do to the server without hurting it.
#include <array>
#include <chrono>
#include <future>
#include <memory>
#include <random>
#include <thread>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/server_fixture.h"
#include "testing/simulated_clock.h"

namespace df::admin {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

using State = FakeControlPlane::State;

constexpr size_t kHeaderBytes = 16 * 1024;

class RobustnessTest : public ServerTest {
 protected:
  void StartWith(std::chrono::nanoseconds timeout, int64_t max_connections = 64) {
    settings_.request_timeout = timeout;
    settings_.max_connections = max_connections;
    settings_.max_request_bytes = 1000;
    Start();
  }
  void TearDown() override { server_.reset(); }  // before its clock
  std::unique_ptr<TestClient> Connect() { return std::make_unique<TestClient>(server_->port()); }

  testing::SimulatedClock clock_;
};

TEST_F(RobustnessTest, PipelinedRequestsAreAnsweredInOrder) {
  StartWith(std::chrono::seconds(20));
  const auto client = Connect();
  std::string requests;
  for (int i = 0; i < 20; ++i) {
    requests += fmt::format("{} HTTP/1.1\r\nHost: localhost\r\n{}\r\n",
                            i % 3 == 0   ? "GET /api/v1/livez"
                            : i % 3 == 1 ? "GET /nowhere"
                                         : "PUT /api/v1/groups/default/pipelines/main",
                            i % 3 == 2 ? "Content-Type: application/yaml\r\nContent-Length: 2\r\n"
                                         "\r\n{}"
                                       : "");
  }
  // A request with a body ends with it, not with an empty line.
  size_t at = 0;
  while ((at = requests.find("{}\r\n", at)) != std::string::npos) {
    requests.erase(at + 2, 2);
  }
  ASSERT_TRUE(client->Send(requests));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client->Receive().status, i % 3 == 0 ? 200 : i % 3 == 1 ? 404 : 202) << i;
  }
}

TEST_F(RobustnessTest, ProbesDoNotWaitForALargeDocument) {
  settings_.max_request_bytes = 1 << 20;
  Start();
  std::promise<void> is_read;
  std::promise<void> may_end;
  control_.With([&](State* state) {
    state->on_put = [&, end = may_end.get_future().share()] {
      is_read.set_value();
      end.wait();
    };
  });
  const auto client = Connect();
  const std::string body = "# " + std::string(100'000, 'x') + "\n{}\n";
  ASSERT_TRUE(client->Send(
      fmt::format("PUT /api/v1/groups/default/pipelines/main HTTP/1.1\r\nHost: localhost\r\n"
                  "Content-Type: application/yaml\r\nContent-Length: {}\r\n\r\n{}",
                  body.size(), body)));
  is_read.get_future().wait();
  // Somebody reads the document, and still does when this is answered.
  EXPECT_EQ(Ask("GET", "/api/v1/livez").status, 200);
  may_end.set_value();
  EXPECT_EQ(client->Receive().status, 202);
  control_.With([&](State* state) {
    state->on_put = nullptr;
    EXPECT_EQ(state->last_text, body);
    state->refusal = Status::Invalid("f:1:1: a: b");
  });
  EXPECT_EQ(Ask("PUT", kPipeline, {{"Content-Type", "application/yaml"}}, body).status, 422);
  control_.With([](State* state) {
    state->refusal = Status::OK();
    state->polls_to_end = 2;
  });
  EXPECT_EQ(Ask("PUT", std::string(kPipeline) + "?wait=true",
                {{"Content-Type", "application/yaml"}}, body)
                .status,
            200);
  control_.With([](State* state) { state->polls_to_end = -1; });
  EXPECT_EQ(Ask("PUT", std::string(kPipeline) + "?wait=true&timeout=0s",
                {{"Content-Type", "application/yaml"}}, body)
                .status,
            504);
}

TEST_F(RobustnessTest, KeysOfABodyCostWhatTheyWeigh) {
  settings_.max_request_bytes = 4 << 20;
  Start();
  // With a look-up by comparing keys each of these would take minutes.
  std::string body = "{\"level\":\"info\"";
  for (int i = 0; i < 100'000; ++i) {
    body += fmt::format(",\"k{}\":1", i);
  }
  body += "}";
  EXPECT_EQ(Ask("PUT", "/api/v1/log-level", {{"Content-Type", "application/json"}}, body).status,
            422);
  EXPECT_EQ(Ask("PUT", kPipeline, {{"Content-Type", "application/json"}}, body).status, 202);
  control_.With([&](State* state) { state->document = body; });
  const ClientReply reply = Ask("GET", kPipeline);
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.json["document"]["k99999"], 1);
}

TEST_F(RobustnessTest, ARequestMayArriveByteByByte) {
  StartWith(std::chrono::seconds(20));
  const auto client = Connect();
  for (const char c : std::string_view("GET /api/v1/livez HTTP/1.1\r\nHost: localhost\r\n\r\n")) {
    ASSERT_TRUE(client->Send(std::string_view(&c, 1)));
  }
  EXPECT_EQ(client->Receive().status, 200);
}

TEST_F(RobustnessTest, KeepAliveFollowsVersionAndHeader) {
  StartWith(std::chrono::seconds(20));
  const auto one = Connect();
  EXPECT_EQ(one->Ask("GET", "/api/v1/livez").status, 200);
  EXPECT_EQ(one->Ask("GET", "/nowhere").status, 404) << "a refusal does not end the connection";
  EXPECT_EQ(one->Ask("GET", "/api/v1/livez", {{"Connection", "close"}}).status, 200);
  EXPECT_TRUE(one->IsClosed());
  const auto old = Connect();
  ASSERT_TRUE(old->Send("GET /api/v1/livez HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(old->Receive().status, 200);
  EXPECT_TRUE(old->IsClosed());
}

TEST_F(RobustnessTest, ChunkedBodiesAndExpectContinueWork) {
  StartWith(std::chrono::seconds(20));
  const auto client = Connect();
  ASSERT_TRUE(client->Send(
      fmt::format("PUT {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yaml\r\n"
                  "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
                  kPipeline)));
  EXPECT_EQ(client->Receive().status, 100);
  ASSERT_TRUE(client->Send("3\r\na: \r\n1\r\n1\r\n0\r\n\r\n"));
  EXPECT_EQ(client->Receive().status, 202);
  control_.With([](State* state) { EXPECT_EQ(state->last_text, "a: 1"); });
}

TEST_F(RobustnessTest, LargeBodiesAreRefusedBeforeTheyAreRead) {
  StartWith(std::chrono::seconds(20));
  const TestClient::Headers headers = {{"Content-Type", "application/yaml"}};
  EXPECT_EQ(Ask("PUT", kPipeline, headers, std::string(1000, ' ')).status, 202);
  const ClientReply reply = Ask("PUT", kPipeline, headers, std::string(1001, ' '));
  EXPECT_EQ(reply.status, 413);
  EXPECT_THAT(std::string(reply.json["message"]), HasSubstr("1000"));
  const auto announced = Connect();
  ASSERT_TRUE(announced->Send(
      fmt::format("PUT {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yaml\r\n"
                  "Content-Length: 18446744073709551615\r\n\r\n",
                  kPipeline)));
  EXPECT_THAT(announced->Receive().status, AnyOf(400, 413));
  const auto chunked = Connect();
  std::string body;
  for (int i = 0; i < 20; ++i) {
    body += fmt::format("64\r\n{}\r\n", std::string(100, ' '));
  }
  ASSERT_TRUE(chunked->Send(
      fmt::format("PUT {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yaml\r\n"
                  "Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
                  kPipeline, body)));
  EXPECT_EQ(chunked->Receive().status, 413);
}

TEST_F(RobustnessTest, TheBodyOfARefusedRequestIsNoRequest) {
  StartWith(std::chrono::seconds(20));
  const auto client = Connect();
  const std::string body = "POST /api/v1/shutdown HTTP/1.1\r\nHost: localhost\r\n\r\n";
  ASSERT_TRUE(client->Send(
      fmt::format("PUT /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{}",
                  body.size(), body)));
  const ClientReply reply = client->Receive();
  EXPECT_EQ(reply.status, 404);
  EXPECT_EQ(reply.headers.at("connection"), "close");
  EXPECT_TRUE(client->IsClosed());
  control_.With([](State* state) { EXPECT_THAT(state->calls, IsEmpty()); });
}

TEST_F(RobustnessTest, LargeHeadersAreRefused) {
  StartWith(std::chrono::seconds(20));
  EXPECT_EQ(Ask("GET", "/api/v1/livez", {{"X", std::string(kHeaderBytes / 2, 'x')}}).status, 200);
  EXPECT_EQ(Ask("GET", "/api/v1/livez", {{"X", std::string(2 * kHeaderBytes, 'x')}}).status, 431);
  EXPECT_EQ(Ask("GET", "/" + std::string(100 * kHeaderBytes, 'x')).status, 431);
}

TEST_F(RobustnessTest, MalformedRequestsAreRefusedAndTheServerGoesOn) {
  StartWith(std::chrono::seconds(20));
  for (const auto& [request, status] : std::vector<std::tuple<std::string, int>>{
           {"GET\r\n\r\n", 400},
           {"GET /\r\n\r\n", 400},
           {"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 400},
           {"GET / HTTP/1.1\r\n\r\n", 400},
           {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400},
           {"GET / HTTP/1.1\r\nHost localhost\r\n\r\n", 400},
           {"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\nX\r\n\r\n", 400},
           {"GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
           {"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
           {"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400},
           {"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400},
           {"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400},
           {"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: "
            "2\r\n\r\nab",
            400},
           {"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: "
            "chunked\r\n\r\n0\r\n\r\n",
            400},
           {std::string("GET / HTTP/1.1\r\nHost: local") + '\0' + "host\r\n\r\n", 400},
           {"\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n", 400},
       }) {
    const auto client = Connect();
    ASSERT_TRUE(client->Send(request));
    EXPECT_EQ(client->Receive().status, status) << request;
    EXPECT_EQ(Ask("GET", "/api/v1/livez").status, 200) << "after " << request;
  }
}

TEST_F(RobustnessTest, NoDamagedRequestStopsTheServer) {
  StartWith(std::chrono::milliseconds(50));
  const auto seed = std::random_device{}();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const std::string good = fmt::format(
      "PUT {}?wait=true&timeout=1ms HTTP/1.1\r\nHost: localhost\r\nAccept: */*;q=0.5\r\n"
      "Content-Type: application/yaml\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na: 1\r\n0\r\n\r\n",
      kPipeline);
  for (int round = 0; round < 60; ++round) {
    std::string bad = good;
    for (int change = 0; change < 1 + round % 4; ++change) {
      bad[random() % bad.size()] = static_cast<char>(random());
    }
    bad.resize(bad.size() - (random() % 3 == 0 ? random() % bad.size() : 0));
    const auto client = Connect();
    client->Send(bad);
    const int status = client->Receive().status;
    EXPECT_TRUE(status == 0 || (status >= 200 && status < 600)) << status;
  }
  EXPECT_EQ(Ask("GET", "/api/v1/livez").status, 200);
}

TEST_F(RobustnessTest, SlowRequestsEndWith408AndHoldNobodyUp) {
  StartWith(std::chrono::milliseconds(100));
  const auto slow_header = Connect();
  ASSERT_TRUE(slow_header->Send("GET /api/v1/livez HTTP/1.1\r\nHost: loc"));
  const auto slow_body = Connect();
  ASSERT_TRUE(slow_body->Send(
      fmt::format("PUT {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/yaml\r\n"
                  "Content-Length: 10\r\n\r\na: ",
                  kPipeline)));
  const auto idle = Connect();
  EXPECT_EQ(Ask("GET", "/api/v1/livez").status, 200);
  EXPECT_EQ(slow_header->Receive().status, 408);
  EXPECT_TRUE(slow_header->IsClosed());
  EXPECT_EQ(slow_body->Receive().status, 408);
  EXPECT_TRUE(slow_body->IsClosed());
  EXPECT_TRUE(idle->IsClosed());
  control_.With([](State* state) { EXPECT_THAT(state->calls, IsEmpty()); });
}

TEST_F(RobustnessTest, AClientThatDoesNotReadIsLetGo) {
  StartWith(std::chrono::milliseconds(100));
  const auto client = Connect();
  std::string requests;
  for (int i = 0; i < 1000; ++i) {
    requests += "GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
  }
  // Replies pile up until no buffer takes more of them; then the server waits, and gives up.
  bool is_taken = true;
  for (int i = 0; i < 1000 && is_taken; ++i) {
    is_taken = client->Send(requests);
  }
  EXPECT_FALSE(is_taken);
  EXPECT_EQ(Ask("GET", "/api/v1/livez").status, 200);
}

TEST_F(RobustnessTest, ConnectionsBeyondTheBoundAreTurnedAway) {
  StartWith(std::chrono::seconds(20), 2);
  auto one = Connect();
  EXPECT_EQ(one->Ask("GET", "/api/v1/livez").status, 200);
  auto two = Connect();
  EXPECT_EQ(two->Ask("GET", "/api/v1/livez").status, 200);
  const ClientReply reply = Ask("GET", "/api/v1/livez");
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.json["code"], "too_many_connections");
  EXPECT_EQ(reply.headers.at("retry-after"), "1");
  EXPECT_EQ(two->Ask("GET", "/api/v1/livez", {{"Connection", "close"}}).status, 200);
  EXPECT_TRUE(two->IsClosed());
  // The server has the end of a connection when it has read the client's.
  two.reset();
  int status = 503;
  while (status == 503) {
    status = Ask("GET", "/api/v1/livez").status;
  }
  EXPECT_EQ(status, 200);
  EXPECT_EQ(one->Ask("GET", "/api/v1/livez").status, 200);
}

TEST_F(RobustnessTest, ClientsThatSendHalfAHeadMakeRoomForProbes) {
  options_.clock = &clock_;
  StartWith(std::chrono::seconds(20), 4);
  std::vector<std::unique_ptr<TestClient>> stuck;
  for (int i = 0; i < 4; ++i) {
    stuck.push_back(Connect());
    ASSERT_TRUE(stuck.back()->Send("GET /api/v1/livez HTTP/1.1\r\nHost: loc"));
  }
  EXPECT_EQ(Ask("GET", "/api/v1/livez").status, 503) << "they have only just come";
  // What has come of them may be read after the time has moved.
  int status = 503;
  for (int i = 0; i < 100 && status == 503; ++i) {
    clock_.Advance(std::chrono::milliseconds(300));
    status = Ask("GET", "/api/v1/livez").status;
  }
  EXPECT_EQ(status, 200);
  EXPECT_TRUE(stuck[0]->IsClosed());
}

TEST_F(RobustnessTest, TransferCodingsThatAreNotReadAreRefused) {
  StartWith(std::chrono::seconds(20));
  for (const auto& [header, status] :
       {std::pair("Transfer-Encoding: xchunked", 501),
        std::pair("Transfer-Encoding: chunked, x", 400),
        std::pair("Transfer-Encoding: chunked\r\nContent-Length: 2", 400)}) {
    const auto client = Connect();
    ASSERT_TRUE(
        client->Send(fmt::format("PUT {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n\r\n"
                                 "GET /api/v1/livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                 kPipeline, header)));
    EXPECT_EQ(client->Receive().status, status) << header;
    EXPECT_TRUE(client->IsClosed()) << header;
  }
}

TEST_F(RobustnessTest, StopGivesAnswersThatAreOnTheirWay) {
  StartWith(std::chrono::seconds(20));
  control_.With([](State* state) { state->polls_to_end = -1; });
  const auto idle = Connect();
  EXPECT_EQ(idle->Ask("GET", "/api/v1/livez").status, 200);
  const auto waiting = Connect();
  ASSERT_TRUE(waiting->Send(fmt::format(
      "POST {}/stop?wait=true&timeout=10min HTTP/1.1\r\nHost: localhost\r\n\r\n", kPipeline)));
  bool is_waiting = false;
  while (!is_waiting) {
    control_.With([&is_waiting](State* state) { is_waiting = state->num_polls > 0; });
    std::this_thread::yield();
  }
  server_->Stop();
  const ClientReply reply = waiting->Receive();
  EXPECT_EQ(reply.status, 504);
  EXPECT_EQ(reply.headers.at("connection"), "close");
  EXPECT_TRUE(idle->IsClosed());
  server_->Stop();
  EXPECT_EQ(Connect()->Ask("GET", "/api/v1/livez").status, 0);
}

TEST_F(RobustnessTest, StopDoesNotWaitForAClientForLong) {
  StartWith(std::chrono::milliseconds(100));
  const auto client = Connect();
  ASSERT_TRUE(client->Send("GET /api/v1/livez HTTP/1.1\r\n"));
  server_->Stop();
  EXPECT_THAT(client->Receive().status, AnyOf(0, 408));
}

TEST_F(RobustnessTest, ManyClientsAtOnceAllGetTheirAnswers) {
  StartWith(std::chrono::seconds(20));
  std::vector<std::thread> threads;
  std::array<int, 4> num_good{};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i, &num_good] {
      TestClient client(server_->port());
      for (int round = 0; round < 50; ++round) {
        num_good[i] += client.Ask("GET", "/api/v1/status").status == 200 ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_THAT(num_good, ::testing::Each(50));
}

}  // namespace
}  // namespace df::admin
