// Clients and servers that break the rules, or keep them in an odd way, told byte by byte.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/compression.h"
#include "runtime/grpc/client.h"
#include "runtime/grpc/server.h"
#include "runtime/http2/frames_test.h"
#include "testing/loop_fixture.h"
#include "testing/tcp_peer.h"

namespace df::runtime::grpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using namespace std::string_view_literals;
using ::testing::HasSubstr;
namespace frames = http2::frames;

/// Reads all messages and gives back how many bytes they had.
class CountHandler final : public CallHandler {
 public:
  Task<CallStatus> OnCall(ServerCall& call) override {
    ++num_calls;
    std::string message;
    size_t num_bytes = 0;
    while (co_await call.Read(&message)) {
      num_bytes += message.size();
      if (pours) {
        while (co_await call.Write(std::string(100'000, 'p'))) {
        }
      }
    }
    statuses.push_back(call.status());
    co_await call.Write(std::to_string(num_bytes));
    co_return call.status();
  }

  bool pours = false;
  int num_calls = 0;
  std::vector<CallStatus> statuses;  ///< of calls that were read to their end
};

class OddClientTest : public testing::LoopTest {
 protected:
  void Start(ServerSettings settings = {}) {
    settings.http2.address = "127.0.0.1:0";
    server_ = Server::Listen(&loop_, settings, &handler_).ValueOrDie();
    peer_ = std::make_unique<testing::TcpPeer>(server_->port());
  }
  /// With the settings of both sides agreed on.
  void StartAgreed(ServerSettings settings = {}) {
    Start(std::move(settings));
    peer_->Send(std::string(frames::kPreface) + frames::Frame(frames::kSettings, 0, 0, "") +
                frames::Frame(frames::kSettings, frames::kAck, 0, ""));
    Until([this] { return Count(frames::kSettings) == 2; });
  }
  void Until(const std::function<bool()>& condition) {
    RunUntil([&] {
      peer_->Poll();
      return condition();
    });
  }
  std::vector<frames::Parsed> Received() { return frames::Parse(peer_->received()); }
  int64_t Count(frames::Type type, uint32_t stream = 0) {
    const auto all = Received();
    return std::count_if(all.begin(), all.end(), [type, stream](const auto& frame) {
      return frame.type == type && (stream == 0 || frame.stream == stream);
    });
  }
  /// The error code of the reset of a stream; nothing before it came.
  std::optional<uint32_t> ResetOf(uint32_t stream) {
    for (const frames::Parsed& frame : Received()) {
      if (frame.type == frames::kReset && frame.stream == stream) {
        return static_cast<uint8_t>(frame.payload.back());
      }
    }
    return std::nullopt;
  }
  bool HasEnded(uint32_t stream) {
    const auto all = Received();
    return std::any_of(all.begin(), all.end(), [stream](const auto& frame) {
      return frame.stream == stream && frame.type <= frames::kHeaders &&
             (frame.flags & frames::kEndStream) != 0;
    });
  }
  /// Whether the connection still answers.
  void ExpectGood(uint32_t stream) {
    peer_->Send(frames::Call(stream, "/a/b") +
                frames::Frame(frames::kData, frames::kEndStream, stream, frames::Message("abc")));
    Until([this, stream] { return HasEnded(stream); });
    for (const frames::Parsed& frame : Received()) {
      if (frame.stream == stream && frame.type == frames::kData) {
        EXPECT_EQ(frame.payload, frames::Message("3"));
      }
    }
  }

  CountHandler handler_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<testing::TcpPeer> peer_;
};

TEST_F(OddClientTest, BytesThatComeOneByOneAreARequest) {
  StartAgreed();
  const std::string bytes =
      frames::Call(1, "/a/b") + frames::Frame(frames::kData, 0, 1, frames::Message("ab")) +
      frames::Frame(frames::kData, frames::kEndStream, 1, frames::Message("cdefg"));
  for (const char byte : bytes) {
    peer_->Send(std::string(1, byte));
    Until([this] { return peer_->has_sent(); });
    loop_.RunUntilIdle();
  }
  Until([this] { return HasEnded(1); });
  EXPECT_EQ(handler_.num_calls, 1);
  EXPECT_THAT(peer_->received(), HasSubstr(frames::Message("7")));
}

TEST_F(OddClientTest, ARequestThatIsResetInTheMiddleIsCancelled) {
  StartAgreed();
  peer_->Send(frames::Call(1, "/a/b") +
              frames::Frame(frames::kData, 0, 1, frames::Message("abc").substr(0, 6)));
  Until([this] { return handler_.num_calls == 1; });
  peer_->Send(frames::Frame(frames::kReset, 0, 1, frames::Number(8, 4)));
  Until([this] { return handler_.statuses.size() == 1; });
  EXPECT_EQ(handler_.statuses[0].code, Code::kCancelled);
  ExpectGood(3);
}

TEST_F(OddClientTest, ARequestThatEndsInsideAMessageIsAnError) {
  StartAgreed();
  peer_->Send(frames::Call(1, "/a/b") + frames::Frame(frames::kData, frames::kEndStream, 1,
                                                      frames::Message("abc").substr(0, 6)));
  Until([this] { return HasEnded(1); });
  EXPECT_EQ(handler_.statuses[0].code, Code::kInternal);
  EXPECT_THAT(handler_.statuses[0].message, HasSubstr("in the middle of a message"));
  ExpectGood(3);
}

TEST_F(OddClientTest, ADropOfTheConnectionCancelsItsCalls) {
  StartAgreed();
  peer_->Send(frames::Call(1, "/a/b") + frames::Call(3, "/a/b"));
  Until([this] { return handler_.num_calls == 2; });
  peer_->Close();
  RunUntil([this] { return handler_.statuses.size() == 2; });
  EXPECT_EQ(handler_.statuses[0].code, Code::kCancelled);
}

TEST_F(OddClientTest, AMessageWithAnUnknownFlagIsRefused) {
  StartAgreed();
  peer_->Send(frames::Call(1, "/a/b") + frames::Frame(frames::kData, 0, 1, "\x07xxxxx"));
  Until([this] { return HasEnded(1); });
  EXPECT_THAT(handler_.statuses[0].message, HasSubstr("begins with 7"));
  ExpectGood(3);
}

TEST_F(OddClientTest, ACompressedMessageWithoutAnEncodingIsRefused) {
  StartAgreed();
  std::string message = frames::Message("abc");
  message[0] = 1;
  peer_->Send(frames::Call(1, "/a/b") + frames::Frame(frames::kData, 0, 1, message));
  Until([this] { return HasEnded(1); });
  EXPECT_THAT(handler_.statuses[0].message, HasSubstr("marked as compressed"));
}

TEST_F(OddClientTest, WhatIsNotGrpcGetsAnAnswerOfHttp) {
  StartAgreed();
  const auto request = [](const std::string& method, const std::string& type) {
    return frames::Block({{":method", method},
                          {":scheme", "http"},
                          {":path", "/"},
                          {":authority", "x"},
                          {"content-type", type}});
  };
  constexpr uint8_t kFlags = frames::kEndHeaders | frames::kEndStream;
  peer_->Send(frames::Frame(frames::kHeaders, kFlags, 1, request("GET", "text/html")) +
              frames::Frame(frames::kHeaders, kFlags, 3, request("POST", "text/html")) +
              frames::Frame(frames::kHeaders, kFlags, 5, request("POST", "application/grpc-web")));
  Until([this] { return HasEnded(1) && HasEnded(3) && HasEnded(5); });
  EXPECT_EQ(handler_.num_calls, 0);
  EXPECT_THAT(peer_->received(), HasSubstr("405"));
  EXPECT_THAT(peer_->received(), HasSubstr("415"));
  ExpectGood(7);
}

TEST_F(OddClientTest, HeadersWithoutEndAreCutAtTheLimit) {
  ServerSettings settings;
  settings.http2.connection.max_header_bytes = 4'000;
  StartAgreed(settings);
  std::string block = frames::Block({{":method", "POST"},
                                     {":scheme", "http"},
                                     {":path", "/"},
                                     {":authority", "x"},
                                     {"content-type", "application/grpc"}});
  for (int i = 0; i < 60; ++i) {
    block += frames::Block({{"x-" + std::to_string(i), std::string(100, 'v')}});
  }
  peer_->Send(frames::Frame(frames::kHeaders, frames::kEndHeaders, 1, block));
  Until([this] { return ResetOf(1).has_value(); });
  EXPECT_EQ(handler_.num_calls, 0);
  ExpectGood(3);
}

TEST_F(OddClientTest, BytesThatAreNotHttp2EndTheConnection) {
  Start();
  peer_->Send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  Until([this] { return peer_->is_closed(); });
  EXPECT_EQ(server_->counts().broken_connections, 1);
}

TEST_F(OddClientTest, ABrokenFrameEndsTheConnection) {
  StartAgreed();
  peer_->Send(frames::Frame(frames::kData, 0, 0, "data of no stream"));
  Until([this] { return peer_->is_closed(); });
  EXPECT_EQ(Count(frames::kGoAway), 1);
}

TEST_F(OddClientTest, AClientThatSaysNothingIsCut) {
  Start();
  Until([this] { return server_->counts().connections == 1; });
  Advance(milliseconds(9'900));
  EXPECT_FALSE(peer_->is_closed());
  Advance(milliseconds(200));
  Until([this] { return peer_->is_closed(); });
}

TEST_F(OddClientTest, AClientThatDoesNotAnswerPingsIsCut) {
  StartAgreed();
  Advance(milliseconds(30'100));
  Until([this] { return Count(frames::kPing) == 1; });
  EXPECT_FALSE(peer_->is_closed());
  Advance(milliseconds(10'100));
  Until([this] { return peer_->is_closed(); });
}

TEST_F(OddClientTest, AClientThatAnswersPingsStays) {
  StartAgreed();
  for (int i = 1; i <= 5; ++i) {
    Advance(milliseconds(30'100));
    Until([this, i] { return Count(frames::kPing) == i; });
    peer_->Send(frames::Frame(frames::kPing, frames::kAck, 0, "\0\0\0\0\0\0\0\0"sv));
    Until([this] { return peer_->has_sent(); });
    Advance(milliseconds(9'000));
    Advance(milliseconds(2'000));
  }
  EXPECT_FALSE(peer_->is_closed());
  ExpectGood(1);
}

TEST_F(OddClientTest, AClientThatTakesNothingIsCut) {
  handler_.pours = true;
  StartAgreed();
  // Windows without end, and a socket that nobody reads.
  peer_->Send(frames::Frame(frames::kWindowUpdate, 0, 0, frames::Number(0x7f000000, 4)) +
              frames::Call(1, "/a/b") +
              frames::Frame(frames::kWindowUpdate, 0, 1, frames::Number(0x7f000000, 4)) +
              frames::Frame(frames::kData, 0, 1, frames::Message("go")));
  Until([this] { return handler_.num_calls == 1 && peer_->has_sent(); });
  for (int i = 0; i < 50; ++i) {
    loop_.RunUntilIdle();
  }
  Advance(milliseconds(30'100));
  RunUntil([this] { return server_->num_calls() == 0; });
  EXPECT_EQ(server_->counts().broken_connections, 1);
}

TEST_F(OddClientTest, AStreamWhoseWindowStaysShutIsCut) {
  handler_.pours = true;
  StartAgreed();
  peer_->Send(frames::Call(1, "/a/b") + frames::Frame(frames::kData, 0, 1, frames::Message("go")));
  Until([this] { return Count(frames::kData, 1) > 3; });
  for (int i = 0; i < 4; ++i) {
    Advance(milliseconds(20'100));
    peer_->Send(frames::Frame(frames::kPing, frames::kAck, 0, "\0\0\0\0\0\0\0\0"sv));
    Until([this] { return peer_->has_sent(); });
  }
  Until([this] { return ResetOf(1).has_value(); });
  handler_.pours = false;
  peer_->Send(frames::Frame(frames::kWindowUpdate, 0, 0, frames::Number(65'535, 4)));
  ExpectGood(3);
}

TEST_F(OddClientTest, MoreStreamsThanToldAreRefused) {
  ServerSettings settings;
  settings.http2.connection.max_concurrent_streams = 2;
  StartAgreed(settings);
  peer_->Send(frames::Call(1, "/a/b") + frames::Call(3, "/a/b") + frames::Call(5, "/a/b"));
  Until([this] { return ResetOf(5).has_value() || peer_->is_closed(); });
  EXPECT_LE(handler_.num_calls, 2);
}

TEST_F(OddClientTest, StreamsOfAllConnectionsTogetherAreBounded) {
  ServerSettings settings;
  settings.http2.max_streams = 1;
  StartAgreed(settings);
  peer_->Send(frames::Call(1, "/a/b") + frames::Call(3, "/a/b"));
  Until([this] { return ResetOf(3).has_value(); });
  EXPECT_EQ(*ResetOf(3), 7U);  // REFUSED_STREAM: never looked at
  EXPECT_EQ(server_->counts().refused_streams, 1);
  EXPECT_EQ(handler_.num_calls, 1);
}

TEST_F(OddClientTest, ConnectionsAreBounded) {
  ServerSettings settings;
  settings.http2.max_connections = 1;
  StartAgreed(settings);
  testing::TcpPeer second(server_->port());
  RunUntil([&second] {
    second.Poll();
    return second.is_closed();
  });
  EXPECT_EQ(server_->counts().refused_connections, 1);
  ExpectGood(1);
}

TEST_F(OddClientTest, AStormOfResetsCostsNobodyElseAnything) {
  StartAgreed();
  std::string storm;
  for (uint32_t i = 0; i < 5'000; ++i) {
    storm += frames::Call(2 * i + 1, "/a/b") +
             frames::Frame(frames::kReset, 0, 2 * i + 1, frames::Number(8, 4));
  }
  peer_->Send(storm);
  Until([this] { return peer_->has_sent() || peer_->is_closed(); });
  RunUntil([this] { return server_->num_calls() == 0; });
  peer_ = std::make_unique<testing::TcpPeer>(server_->port());
  peer_->Send(std::string(frames::kPreface) + frames::Frame(frames::kSettings, 0, 0, ""));
  ExpectGood(1);
}

TEST_F(OddClientTest, ConnectionsThatDoNothingMakeRoom) {
  ServerSettings settings;
  settings.http2.max_connections = 2;
  StartAgreed(settings);
  testing::TcpPeer silent(server_->port());
  RunUntil([this] { return server_->counts().connections == 2; });
  testing::TcpPeer early(server_->port());
  const auto is_closed = [this](testing::TcpPeer* peer) {
    Until([peer] {
      peer->Poll();
      return peer->is_closed();
    });
  };
  is_closed(&early);
  Advance(milliseconds(1'100));
  testing::TcpPeer late(server_->port());
  is_closed(&silent);
  RunUntil([this] { return server_->counts().connections == 3; });
  ExpectGood(1);
  late.Poll();
  EXPECT_FALSE(late.is_closed());
  EXPECT_EQ(server_->counts().refused_connections, 2);
  EXPECT_EQ(server_->counts().broken_connections, 0);
}

class OddServerTest : public testing::LoopTest {
 protected:
  void SetUp() override {
    ClientSettings settings;
    settings.http2.host = "127.0.0.1";
    settings.http2.port = acceptor_.port();
    settings.max_message_bytes = 1'000;
    client_ = std::make_unique<Client>(&loop_, settings);
  }
  static Task<void> Store(Task<UnaryAnswer> call, UnaryAnswer* answer) {
    *answer = co_await std::move(call);
  }
  /// Begins a call, and takes its connection.
  void Ask(std::chrono::nanoseconds timeout = seconds(60)) {
    asking_ = Store(client_->Call("/a/b", "question", clock_.Now() + timeout), &answer_);
    asking_.Start();
  }
  void Accept() {
    RunUntil([this] {
      if (auto accepted = acceptor_.Accept(); accepted.has_value()) {
        peer_.emplace(*std::move(accepted));
      }
      return peer_.has_value();
    });
  }
  void Until(const std::function<bool()>& condition) {
    RunUntil([&] {
      peer_->Poll();
      return condition();
    });
  }
  bool HasRequest() {
    const size_t preface = frames::kPreface.size();
    if (peer_->received().size() < preface) {
      return false;
    }
    for (const frames::Parsed& frame : frames::Parse(peer_->received().substr(preface))) {
      if (frame.type == frames::kData && (frame.flags & frames::kEndStream) != 0) {
        return true;
      }
    }
    return false;
  }
  /// A server that has the whole request answers so.
  UnaryAnswer AnswerOf(const std::string& bytes) {
    Ask();
    Accept();
    peer_->Send(frames::Frame(frames::kSettings, 0, 0, ""));
    Until([this] { return HasRequest(); });
    peer_->Send(bytes);
    Until([this] { return asking_.is_done(); });
    return answer_;
  }
  static std::string Headers(const std::vector<std::pair<std::string, std::string>>& fields,
                             uint8_t flags = 0) {
    return frames::Frame(frames::kHeaders, frames::kEndHeaders | flags, 1, frames::Block(fields));
  }
  static std::string GoodHeaders() {
    return Headers({{":status", "200"}, {"content-type", "application/grpc"}});
  }

  testing::TcpAcceptor acceptor_;
  std::unique_ptr<Client> client_;
  std::optional<testing::TcpPeer> peer_;
  UnaryAnswer answer_;
  Task<void> asking_;
};

TEST_F(OddServerTest, AServerThatSaysNothingIsGivenUp) {
  Ask();
  Accept();
  Until([this] { return peer_->received().size() > frames::kPreface.size(); });
  Advance(milliseconds(3'100));
  Until([this] { return asking_.is_done() && peer_->is_closed(); });
  EXPECT_EQ(answer_.status.code, Code::kUnavailable);
  EXPECT_THAT(answer_.status.message, HasSubstr("no connection within the time-out"));
}

TEST_F(OddServerTest, AServerThatSpeaksHttp1IsUnavailable) {
  Ask();
  Accept();
  peer_->Send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  Until([this] { return asking_.is_done(); });
  EXPECT_EQ(answer_.status.code, Code::kUnavailable);
}

TEST_F(OddServerTest, AnAnswerThatIsNotGrpcSaysWhatItIs) {
  const UnaryAnswer answer =
      AnswerOf(Headers({{":status", "503"}, {"content-type", "text/html"}}) +
               frames::Frame(frames::kData, frames::kEndStream, 1, "<html>"));
  EXPECT_EQ(answer.status.code, Code::kUnavailable);
  EXPECT_THAT(answer.status.message, HasSubstr("HTTP status 503"));
}

TEST_F(OddServerTest, AnAnswerWithoutAStatusIsAnError) {
  const UnaryAnswer answer =
      AnswerOf(GoodHeaders() +
               frames::Frame(frames::kData, frames::kEndStream, 1, frames::Message("answer")));
  EXPECT_EQ(answer.status.code, Code::kInternal);
  EXPECT_THAT(answer.status.message, HasSubstr("without a grpc-status"));
}

TEST_F(OddServerTest, AnAnswerOfTrailersOnlyIsItsStatus) {
  const UnaryAnswer answer = AnswerOf(Headers({{":status", "200"},
                                               {"content-type", "application/grpc"},
                                               {"grpc-status", "5"},
                                               {"grpc-message", "not%20here%zz%E2%82%AC"}},
                                              frames::kEndStream));
  EXPECT_EQ(answer.status.code, Code::kNotFound);
  EXPECT_EQ(answer.status.message, "not here%zz\u20ac");
}

TEST_F(OddServerTest, AnAnswerThatIsTooLargeIsRefused) {
  const UnaryAnswer answer = AnswerOf(
      GoodHeaders() + frames::Frame(frames::kData, 0, 1, frames::Message(std::string(1'001, 'x'))));
  EXPECT_EQ(answer.status.code, Code::kResourceExhausted);
}

TEST_F(OddServerTest, AnAnswerThatIsCutOffIsUnavailable) {
  Ask();
  Accept();
  peer_->Send(frames::Frame(frames::kSettings, 0, 0, ""));
  Until([this] { return HasRequest(); });
  peer_->Send(GoodHeaders());
  Until([this] { return peer_->has_sent(); });
  peer_->Close();
  RunUntil([this] { return asking_.is_done(); });
  EXPECT_EQ(answer_.status.code, Code::kUnavailable);
}

TEST_F(OddServerTest, AReferralToAnotherTimeIsUnavailable) {
  const UnaryAnswer answer = AnswerOf(frames::Frame(frames::kReset, 0, 1, frames::Number(7, 4)));
  EXPECT_EQ(answer.status.code, Code::kUnavailable);
}

TEST_F(OddServerTest, AServerThatGoesAwayIsLeftAndCalledAgain) {
  const UnaryAnswer answer =
      AnswerOf(frames::Frame(frames::kGoAway, 0, 0, frames::Number(1, 4) + frames::Number(0, 4)) +
               GoodHeaders() + frames::Frame(frames::kData, 0, 1, frames::Message("answer")) +
               Headers({{"grpc-status", "0"}}, frames::kEndStream));
  EXPECT_TRUE(answer.status.ok()) << answer.status.ToString();
  EXPECT_EQ(answer.message, "answer");
  peer_.reset();
  AnswerOf(GoodHeaders() + frames::Frame(frames::kData, 0, 1, frames::Message("again")) +
           Headers({{"grpc-status", "0"}}, frames::kEndStream));
  EXPECT_EQ(answer_.message, "again");
  EXPECT_EQ(client_->num_connects(), 2);
}

TEST_F(OddServerTest, AnUnknownStatusIsUnknownAndGarbledDetailsAreNone) {
  const UnaryAnswer answer = AnswerOf(Headers({{":status", "200"},
                                               {"content-type", "application/grpc"},
                                               {"grpc-status", "99"},
                                               {"grpc-status-details-bin", "!!!"}},
                                              frames::kEndStream));
  EXPECT_EQ(answer.status.code, Code::kUnknown);
  EXPECT_EQ(answer.status.retry_delay, std::nullopt);
}

}  // namespace
}  // namespace df::runtime::grpc
