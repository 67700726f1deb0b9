// What a peer sends over HTTP/2, as a client or as a server of ours reads it: any bytes, in any
// pieces.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/cost_oracle.h"
#include "fuzz/input_transport.h"
#include "runtime/grpc/message.h"
#include "runtime/grpc/status.h"
#include "runtime/http2/connection.h"
#include "testing/simulated_clock.h"

namespace df::runtime::http2 {
namespace {

/// Reads whatever comes, answers it, and makes requests of its own where it is the client.
class Reader final : public ConnectionObserver {
 public:
  void OnReady(Connection* connection) override {
    const Headers request = {{":method", "POST"},
                             {":scheme", "http"},
                             {":path", "/a/b"},
                             {":authority", "x"},
                             {"te", "trailers"}};
    for (int i = 0; i < 2; ++i) {
      if (StreamPtr stream = connection->Open(request); stream != nullptr) {
        tasks_.push_back(Read(std::move(stream), false));
        tasks_.back().Start();
      }
    }
  }
  void OnStream(Connection*, StreamPtr stream) override {
    tasks_.push_back(Read(std::move(stream), true));
    tasks_.back().Start();
  }
  void OnChange(Connection*) override {}
  void OnClosed(Connection*, const std::string&) override {}

 private:
  static Task<void> Read(StreamPtr stream, bool answers) {
    if (answers) {
      stream->Respond({{":status", "200"}});
    }
    co_await stream->Write("some bytes");
    grpc::MessageReader reader(1 << 16);
    reader.SetCompression(Compression::kZstd);
    std::string message;
    bool has_more = true;
    while (has_more) {
      has_more = co_await stream->Read(reader.buffer());
      while (reader.Next(&message) == grpc::MessageReader::Step::kMessage) {
        co_await stream->Write(message);
      }
    }
    grpc::FindStatus(stream->headers());
    grpc::FindStatus(stream->trailers());
    Headers trailers;
    if (answers) {
      trailers.push_back({"grpc-status", "0"});
    }
    stream->Finish(std::move(trailers));
  }

  std::vector<Task<void>> tasks_;
};

void Run(const uint8_t* data, size_t size) {
  const bool is_server = (data[0] & 1) != 0;
  const size_t piece_bytes = (data[0] & 2) != 0 ? 7 : 1 << 16;
  std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (is_server) {
    input.insert(0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  }
  const testing::SimulatedClock clock;
  EventLoop loop(clock);
  Reader reader;
  const auto connection = std::make_shared<Connection>(
      &loop, std::make_unique<fuzz::InputTransport>(&loop, std::move(input), piece_bytes),
      is_server ? Connection::Side::kServer : Connection::Side::kClient, false,
      ConnectionSettings(), &reader);
  connection->Start();
  loop.RunUntilIdle();
  connection->Close("the input is over");
  loop.RunUntilIdle();
}

}  // namespace
}  // namespace df::runtime::http2

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const df::fuzz::CostOracle oracle(size);
  if (size > 0) {
    df::runtime::http2::Run(data, size);
  }
  return 0;
}
