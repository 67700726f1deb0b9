#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include <boost/asio/ssl/context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>

#include "runtime/grpc/client.h"
#include "runtime/grpc/server.h"
#include "runtime/tls.h"
#include "testing/loop_fixture.h"
#include "testing/tls_identity.h"

namespace df::runtime::grpc {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

/// Answers as the path says.
class EchoHandler final : public CallHandler {
 public:
  explicit EchoHandler(EventLoop* loop) : loop_(loop), release_(loop) {}

  Task<CallStatus> OnCall(ServerCall& call) override {
    ++num_calls_;
    std::string message;
    if (call.path() == "/test.Echo/Unary") {
      if (co_await call.Read(&message)) {
        co_await call.Write(std::move(message));
      }
      co_return call.status();
    }
    if (call.path() == "/test.Echo/Stream") {
      call.SendHeaders();
      while (co_await call.Read(&message)) {
        num_read_ += message.size();
        if (!co_await call.Write("+" + message)) {
          break;
        }
      }
      co_return call.status();
    }
    if (call.path() == "/test.Echo/Busy") {
      CallStatus status = MakeStatus(Code::kUnavailable, "the queue is full: 100 % \xc3\xa4");
      status.retry_delay = milliseconds(1500);
      co_return status;
    }
    if (call.path() == "/test.Echo/Wait") {
      while (!is_released_ && !call.is_cancelled()) {
        co_await call.changed().Wait();
      }
      num_cancelled_ += call.is_cancelled() ? 1 : 0;
      co_await call.Write("waited");
      co_return CallStatus();
    }
    if (call.path() == "/test.Echo/Pour") {
      while (co_await call.Write(std::string(100'000, 'p'))) {
        ++num_poured_;
      }
      co_return call.status();
    }
    if (call.path() == "/test.Echo/Throw") {
      co_await call.Read(&message);
      throw std::bad_alloc();
    }
    co_return MakeStatus(Code::kUnimplemented, "no such method: " + call.path());
  }

  EventLoop* loop_;
  Condition release_;
  bool is_released_ = false;
  int num_calls_ = 0;
  int num_cancelled_ = 0;
  int num_poured_ = 0;
  size_t num_read_ = 0;
};

class GrpcTest : public testing::LoopTest {
 protected:
  void Start(ServerSettings settings = {}) {
    settings.http2.address = "127.0.0.1:0";
    auto server = Server::Listen(&loop_, settings, &handler_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::unique_ptr<Client> MakeClient(ClientSettings settings = {}) {
    settings.http2.host = "127.0.0.1";
    settings.http2.port = server_->port();
    return std::make_unique<Client>(&loop_, settings);
  }

  static Task<void> Store(Task<UnaryAnswer> call, UnaryAnswer* answer) {
    *answer = co_await std::move(call);
  }
  UnaryAnswer Ask(Client* client, const std::string& path, std::string message) {
    UnaryAnswer answer;
    Run(Store(client->Call(path, std::move(message), clock_.Now() + seconds(10)), &answer));
    return answer;
  }

  EchoHandler handler_{&loop_};
  std::unique_ptr<Server> server_;
};

TEST_F(GrpcTest, AUnaryCallGetsItsAnswer) {
  Start();
  const auto client = MakeClient();
  for (const size_t size : {0, 1, 5, 16'384, 70'000, 3'000'000}) {
    const std::string message(size, 'm');
    const UnaryAnswer answer = Ask(client.get(), "/test.Echo/Unary", message);
    EXPECT_TRUE(answer.status.ok()) << answer.status.ToString();
    EXPECT_EQ(answer.message, message);
  }
  EXPECT_EQ(client->num_connects(), 1);
}

TEST_F(GrpcTest, EveryCompressionArrives) {
  Start();
  for (const Compression compression :
       {Compression::kGzip, Compression::kZstd, Compression::kDeflate}) {
    ClientSettings settings;
    settings.compression = compression;
    const auto client = MakeClient(settings);
    const std::string message(1'000'000, 'c');
    EXPECT_EQ(Ask(client.get(), "/test.Echo/Unary", message).message, message);
    EXPECT_EQ(Ask(client.get(), "/test.Echo/Unary", "short").message, "short");
  }
}

TEST_F(GrpcTest, AMessageThatInflatesTooFarIsRefused) {
  Start({.max_message_bytes = 1 << 20});
  ClientSettings settings;
  settings.compression = Compression::kZstd;
  const auto client = MakeClient(settings);
  const UnaryAnswer answer = Ask(client.get(), "/test.Echo/Unary", std::string(1'100'000, 'b'));
  EXPECT_EQ(answer.status.code, Code::kResourceExhausted);
  EXPECT_THAT(answer.status.message, HasSubstr("1048576"));
  EXPECT_TRUE(Ask(client.get(), "/test.Echo/Unary", "good").status.ok());
}

TEST_F(GrpcTest, AMessageThatIsTooLargeIsRefusedBeforeItHasCome) {
  Start({.max_message_bytes = 1'000});
  const auto client = MakeClient();
  const UnaryAnswer answer = Ask(client.get(), "/test.Echo/Unary", std::string(30'000'000, 'b'));
  EXPECT_EQ(answer.status.code, Code::kResourceExhausted);
  EXPECT_THAT(answer.status.message, HasSubstr("30000000 bytes"));
  EXPECT_TRUE(Ask(client.get(), "/test.Echo/Unary", "good").status.ok());
}

TEST_F(GrpcTest, ACompressionThatIsNotAcceptedIsUnimplemented) {
  ServerSettings server_settings;
  server_settings.compressions = {Compression::kGzip};
  Start(server_settings);
  ClientSettings settings;
  settings.compression = Compression::kZstd;
  const auto client = MakeClient(settings);
  const UnaryAnswer answer = Ask(client.get(), "/test.Echo/Unary", "x");
  EXPECT_EQ(answer.status.code, Code::kUnimplemented);
  EXPECT_THAT(answer.status.message, HasSubstr("'zstd' is not accepted here"));
}

TEST_F(GrpcTest, StatusMessageAndRetryDelayArrive) {
  Start();
  const auto client = MakeClient();
  const UnaryAnswer answer = Ask(client.get(), "/test.Echo/Busy", "x");
  EXPECT_EQ(answer.status.code, Code::kUnavailable);
  EXPECT_EQ(answer.status.message, "the queue is full: 100 % \xc3\xa4");
  EXPECT_EQ(answer.status.retry_delay, milliseconds(1500));
  EXPECT_EQ(Ask(client.get(), "/test.Other/Method", "x").status.code, Code::kUnimplemented);
}

Task<void> Converse(Client* client, SteadyTime deadline, int num_messages, CallStatus* status) {
  http2::Headers metadata = {{"x-test", "1"}};
  const std::unique_ptr<ClientCall> call =
      co_await client->Open("/test.Echo/Stream", std::move(metadata), deadline);
  std::string message;
  for (int i = 0; i < num_messages; ++i) {
    EXPECT_TRUE(co_await call->Write(std::to_string(i)));
    EXPECT_TRUE(co_await call->Read(&message));
    EXPECT_EQ(message, "+" + std::to_string(i));
  }
  call->FinishWrites();
  EXPECT_FALSE(co_await call->Read(&message));
  *status = call->status();
}

TEST_F(GrpcTest, BothSidesOfAStreamTalkInTurn) {
  Start();
  const auto client = MakeClient();
  CallStatus status = MakeStatus(Code::kUnknown, "");
  Run(Converse(client.get(), SteadyTime::max(), 200, &status));
  EXPECT_TRUE(status.ok()) << status.ToString();
}

Task<void> WriteAll(ClientCall* call, int num_messages, int* num_written) {
  for (int i = 0; i < num_messages; ++i) {
    if (!co_await call->Write(std::string(100'000, 'w'))) {
      co_return;
    }
    ++*num_written;
  }
  call->FinishWrites();
}

Task<void> Open(Client* client, std::string path, SteadyTime deadline,
                std::unique_ptr<ClientCall>* call) {
  http2::Headers metadata;
  *call = co_await client->Open(std::move(path), std::move(metadata), deadline);
}

Task<void> ReadAll(ClientCall* call, size_t* num_bytes) {
  std::string message;
  while (co_await call->Read(&message)) {
    *num_bytes += message.size();
  }
}

TEST_F(GrpcTest, AClientThatDoesNotReadStopsTheServerAndThenItself) {
  Start();
  const auto client = MakeClient();
  std::unique_ptr<ClientCall> call;
  Run(Open(client.get(), "/test.Echo/Stream", SteadyTime::max(), &call));
  int num_written = 0;
  constexpr int kMessages = 1'000;
  Task<void> writing = WriteAll(call.get(), kMessages, &num_written);
  writing.Start();
  int before = -1;
  RunUntil([&] { return std::exchange(before, num_written) == num_written && num_written > 20; });
  EXPECT_LT(num_written, 100);
  size_t num_bytes = 0;
  Run(ReadAll(call.get(), &num_bytes));
  EXPECT_EQ(num_bytes, kMessages * 100'001U);
  EXPECT_TRUE(writing.is_done());
  EXPECT_TRUE(call->status().ok()) << call->status().ToString();
}

TEST_F(GrpcTest, ADeadlineEndsTheCallOnBothSides) {
  Start();
  const auto client = MakeClient();
  UnaryAnswer answer;
  Task<void> asking =
      Store(client->Call("/test.Echo/Wait", "x", clock_.Now() + seconds(5)), &answer);
  asking.Start();
  RunUntil([this] { return handler_.num_calls_ == 1; });
  Advance(milliseconds(4'900));
  EXPECT_FALSE(asking.is_done());
  Advance(milliseconds(200));
  RunUntil([&] { return asking.is_done() && handler_.num_cancelled_ == 1; });
  EXPECT_EQ(answer.status.code, Code::kDeadlineExceeded);
}

TEST_F(GrpcTest, TheServersOwnLimitEndsACallWithoutADeadline) {
  Start({.max_call_time = seconds(2)});
  const auto client = MakeClient();
  UnaryAnswer answer;
  Task<void> asking = Store(client->Call("/test.Echo/Wait", "x", SteadyTime::max()), &answer);
  asking.Start();
  RunUntil([this] { return handler_.num_calls_ == 1; });
  Advance(milliseconds(2'100));
  RunUntil([&] { return asking.is_done() && server_->num_calls() == 0; });
  EXPECT_EQ(answer.status.code, Code::kDeadlineExceeded);
}

TEST_F(GrpcTest, AClientThatTakesNothingIsCutAtTheDeadline) {
  Start({.max_call_time = seconds(2)});
  const auto client = MakeClient();
  std::unique_ptr<ClientCall> call;
  Run(Open(client.get(), "/test.Echo/Pour", SteadyTime::max(), &call));
  int before = -1;
  RunUntil([&] {
    return std::exchange(before, handler_.num_poured_) == handler_.num_poured_ && before > 5;
  });
  Advance(milliseconds(2'100));
  RunUntil([this] { return server_->num_calls() == 0; });
  size_t num_bytes = 0;
  Run(ReadAll(call.get(), &num_bytes));
  EXPECT_EQ(call->status().code, Code::kCancelled);
}

TEST_F(GrpcTest, ACallThatIsDroppedIsCancelledAtTheServer) {
  Start();
  const auto client = MakeClient();
  std::unique_ptr<ClientCall> call;
  Run(Open(client.get(), "/test.Echo/Wait", SteadyTime::max(), &call));
  RunUntil([this] { return handler_.num_calls_ == 1; });
  call.reset();
  RunUntil([this] { return handler_.num_cancelled_ == 1; });
}

TEST_F(GrpcTest, AServerThatIsNotThereIsUnavailableAtOnceAndFoundAgainLater) {
  Start();
  const auto client = MakeClient();
  EXPECT_TRUE(Ask(client.get(), "/test.Echo/Unary", "x").status.ok());
  const uint16_t port = server_->port();
  server_.reset();
  RunUntil([&client] { return !client->is_connected(); });
  EXPECT_EQ(Ask(client.get(), "/test.Echo/Unary", "x").status.code, Code::kUnavailable);
  ServerSettings settings;
  settings.http2.address = "127.0.0.1:" + std::to_string(port);
  server_ = *Server::Listen(&loop_, settings, &handler_);
  EXPECT_EQ(Ask(client.get(), "/test.Echo/Unary", "x").status.code, Code::kUnavailable)
      << "the next attempt is not due yet";
  Advance(milliseconds(150));
  EXPECT_TRUE(Ask(client.get(), "/test.Echo/Unary", "x").status.ok());
  EXPECT_EQ(client->num_connects(), 2);
}

TEST_F(GrpcTest, ADrainLetsCallsEndAndTakesNoNewOnes) {
  Start();
  const auto client = MakeClient();
  std::unique_ptr<ClientCall> call;
  Run(Open(client.get(), "/test.Echo/Stream", SteadyTime::max(), &call));
  RunUntil([this] { return handler_.num_calls_ == 1; });
  Task<void> draining = server_->Drain(clock_.Now() + seconds(60));
  draining.Start();
  EXPECT_EQ(Ask(client.get(), "/test.Echo/Unary", "x").status.code, Code::kUnavailable);
  EXPECT_FALSE(draining.is_done());
  int num_written = 0;
  Run(WriteAll(call.get(), 3, &num_written));
  size_t num_bytes = 0;
  Run(ReadAll(call.get(), &num_bytes));
  EXPECT_TRUE(call->status().ok()) << call->status().ToString();
  EXPECT_EQ(num_bytes, 300'003U);
  RunUntil([&draining] { return draining.is_done(); });
}

TEST_F(GrpcTest, AHandlerThatThrowsEndsItsCallOnly) {
  Start();
  const auto client = MakeClient();
  EXPECT_EQ(Ask(client.get(), "/test.Echo/Throw", "x").status.code, Code::kInternal);
  RunUntil([this] { return server_->num_calls() == 0; });
  EXPECT_TRUE(Ask(client.get(), "/test.Echo/Unary", "x").status.ok());
  Task<void> draining = server_->Drain(clock_.Now() + seconds(60));
  draining.Start();
  RunUntil([&draining] { return draining.is_done(); });
}

TEST_F(GrpcTest, ADrainCutsWhatHasNotEndedAtItsDeadline) {
  Start();
  const auto client = MakeClient();
  UnaryAnswer answer;
  Task<void> asking = Store(client->Call("/test.Echo/Wait", "x", SteadyTime::max()), &answer);
  asking.Start();
  RunUntil([this] { return handler_.num_calls_ == 1; });
  Task<void> draining = server_->Drain(clock_.Now() + seconds(60));
  draining.Start();
  Advance(seconds(61));
  RunUntil([&] { return draining.is_done() && asking.is_done(); });
  EXPECT_EQ(answer.status.code, Code::kUnavailable);
  EXPECT_EQ(handler_.num_cancelled_, 1);
}

TEST_F(GrpcTest, ManyCallsShareOneConnection) {
  Start();
  ClientSettings settings;
  settings.http2.connection.max_concurrent_streams = 7;
  const auto client = MakeClient(settings);
  std::vector<UnaryAnswer> answers(100);
  std::vector<Task<void>> calls;
  for (size_t i = 0; i < answers.size(); ++i) {
    calls.push_back(
        Store(client->Call("/test.Echo/Unary", std::to_string(i), clock_.Now() + seconds(10)),
              &answers[i]));
    calls.back().Start();
  }
  RunUntil([&] {
    return std::all_of(calls.begin(), calls.end(), [](const auto& call) { return call.is_done(); });
  });
  for (size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(answers[i].message, std::to_string(i)) << answers[i].status.ToString();
  }
  EXPECT_EQ(client->num_connects(), 1);
}

TEST(ServerTls, TakesSuitesWithForwardSecrecyAndAuthenticatedEncryptionOnly) {
  const testing::TlsIdentity identity = testing::MakeTlsIdentity("127.0.0.1");
  TlsSettings settings;
  settings.cert_pem = identity.cert_pem;
  settings.key_pem = identity.key_pem;
  const auto tls = TlsContext::MakeServer(settings, {"h2"}).ValueOrDie();
  const auto context = tls->Current();
  const STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(context->native_handle());
  ASSERT_GT(sk_SSL_CIPHER_num(ciphers), 3);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    const SSL_CIPHER* cipher = sk_SSL_CIPHER_value(ciphers, i);
    EXPECT_TRUE(SSL_CIPHER_is_aead(cipher)) << SSL_CIPHER_get_name(cipher);
    EXPECT_NE(SSL_CIPHER_get_kx_nid(cipher), NID_kx_rsa) << SSL_CIPHER_get_name(cipher);
    EXPECT_NE(SSL_CIPHER_get_auth_nid(cipher), NID_auth_null) << SSL_CIPHER_get_name(cipher);
  }
}

class GrpcTlsTest : public GrpcTest {
 protected:
  void SetUp() override {
    server_tls_.cert_pem = ours_.cert_pem;
    server_tls_.key_pem = ours_.key_pem;
    client_tls_.ca_pem = ours_.cert_pem;
    client_tls_.trusts_system = false;
  }
  /// One call between a server and a client with these settings.
  UnaryAnswer AskWithTls(const std::string& protocol = "h2") {
    ServerSettings settings;
    settings.http2.tls = TlsContext::MakeServer(server_tls_, {protocol}).ValueOrDie();
    Start(settings);
    ClientSettings client_settings;
    client_settings.http2.tls = TlsContext::MakeClient(client_tls_, {"h2"}).ValueOrDie();
    client_ = MakeClient(client_settings);
    return Ask(client_.get(), "/test.Echo/Unary", std::string(1'000'000, 't'));
  }

  testing::TlsIdentity ours_ = testing::MakeTlsIdentity("127.0.0.1");
  testing::TlsIdentity other_ = testing::MakeTlsIdentity("elsewhere");
  TlsSettings server_tls_;
  TlsSettings client_tls_;
  std::unique_ptr<Client> client_;
};

TEST_F(GrpcTlsTest, SpeaksWithAServerThatItTrusts) {
  const UnaryAnswer answer = AskWithTls();
  EXPECT_TRUE(answer.status.ok()) << answer.status.ToString();
  EXPECT_EQ(answer.message.size(), 1'000'000U);
}

TEST_F(GrpcTlsTest, DoesNotSpeakWithAnotherServer) {
  client_tls_.ca_pem = other_.cert_pem;
  const UnaryAnswer answer = AskWithTls();
  EXPECT_EQ(answer.status.code, Code::kUnavailable);
  EXPECT_THAT(answer.status.message, HasSubstr("certificate verify failed"));
}

TEST_F(GrpcTlsTest, CertificatesAreReadAgainWhenTheirFilesChange) {
  std::string pattern = (std::filesystem::temp_directory_path() / "tlsXXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  const auto write = [&folder](const std::string& name, const std::string& text) {
    // As certificates are renewed: the new file takes the name of the old one.
    std::ofstream(folder / "new") << text;
    std::filesystem::rename(folder / "new", folder / name);
    return (folder / name).string();
  };
  const testing::TlsIdentity renewed = testing::MakeTlsIdentity("127.0.0.1");
  server_tls_ = {};
  server_tls_.cert_file = write("cert", ours_.cert_pem);
  server_tls_.key_file = write("key", ours_.key_pem);
  client_tls_.ca_pem = "";
  client_tls_.ca_file = write("ca", ours_.cert_pem);
  ServerSettings settings;
  settings.http2.tls = TlsContext::MakeServer(server_tls_, {"h2"}).ValueOrDie();
  Start(settings);
  ClientSettings client_settings;
  client_settings.http2.tls = TlsContext::MakeClient(client_tls_, {"h2"}).ValueOrDie();
  const auto first = MakeClient(client_settings);
  EXPECT_TRUE(Ask(first.get(), "/test.Echo/Unary", "a").status.ok());
  // The certificate is there, its key is not yet.
  write("cert", renewed.cert_pem);
  const auto second = MakeClient(client_settings);
  EXPECT_TRUE(Ask(second.get(), "/test.Echo/Unary", "b").status.ok()) << "the earlier pair stays";
  write("key", renewed.key_pem);
  const auto third = MakeClient(client_settings);
  EXPECT_EQ(Ask(third.get(), "/test.Echo/Unary", "c").status.code, Code::kUnavailable)
      << "the client trusts the old one";
  write("ca", renewed.cert_pem);
  const auto fourth = MakeClient(client_settings);
  EXPECT_TRUE(Ask(fourth.get(), "/test.Echo/Unary", "d").status.ok()) << "it has the new CA too";
  EXPECT_TRUE(Ask(first.get(), "/test.Echo/Unary", "e").status.ok()) << "its connection goes on";
  std::filesystem::remove_all(folder);
}

TEST_F(GrpcTlsTest, DoesNotSpeakWithAServerOfAnotherName) {
  server_tls_.cert_pem = other_.cert_pem;
  server_tls_.key_pem = other_.key_pem;
  client_tls_.ca_pem = other_.cert_pem;
  EXPECT_EQ(AskWithTls().status.code, Code::kUnavailable);
  client_tls_.server_name = "elsewhere";
  EXPECT_TRUE(AskWithTls().status.ok());
}

TEST_F(GrpcTlsTest, ShowsItsOwnCertificateWhereTheServerAsksForOne) {
  server_tls_.ca_pem = other_.cert_pem;
  EXPECT_EQ(AskWithTls().status.code, Code::kUnavailable);
  EXPECT_EQ(handler_.num_calls_, 0);
  client_tls_.cert_pem = other_.cert_pem;
  client_tls_.key_pem = other_.key_pem;
  EXPECT_TRUE(AskWithTls().status.ok());
}

TEST_F(GrpcTlsTest, DoesNotSpeakWithoutAgreementOnHttp2) {
  EXPECT_EQ(AskWithTls("http/1.1").status.code, Code::kUnavailable);
  EXPECT_EQ(handler_.num_calls_, 0);
}

}  // namespace
}  // namespace df::runtime::grpc
