// What a server reads off a connection of HTTP/1.1, request after request.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/input_transport.h"
#include "runtime/http1/byte_stream.h"
#include "runtime/http1/request_reader.h"
#include "testing/simulated_clock.h"

namespace df::fuzz {

using Outcome = runtime::http1::RequestReader::Outcome;

struct ReadRequest {
  Outcome outcome = Outcome::kDone;  ///< of the head, or of the body behind a head that is well
  runtime::http1::Request request;   ///< of kDone
  bool keeps_alive = false;
};

struct ReadLimits {
  int64_t header_bytes = 64 << 10;
  int64_t body_bytes = 1 << 20;
};

/// Reads requests until one ends the connection. The last one is not kDone, or not kept alive.
inline std::vector<ReadRequest> ReadRequests(const std::string& input, size_t piece_bytes,
                                             const ReadLimits& limits = {}) {
  const testing::SimulatedClock clock;
  runtime::EventLoop loop(clock);
  const auto stream = std::make_shared<runtime::http1::ByteStream>(
      &loop, std::make_unique<InputTransport>(&loop, input, piece_bytes));
  std::vector<ReadRequest> requests;
  const auto read = [](runtime::http1::ByteStream* from, ReadLimits most,
                       std::vector<ReadRequest>* all) -> runtime::Task<void> {
    const auto deadline = runtime::SteadyTime::max();
    bool goes_on = true;
    while (goes_on) {
      runtime::http1::RequestReader reader(from, "peer:1", most.header_bytes, most.body_bytes);
      ReadRequest one;
      one.outcome = co_await reader.ReadHead(deadline);
      if (one.outcome == Outcome::kDone) {
        one.outcome = co_await reader.ReadBody(deadline);
      }
      if (one.outcome == Outcome::kDone) {
        one.keeps_alive = reader.keeps_alive();
        one.request = reader.TakeRequest();
      }
      goes_on = one.outcome == Outcome::kDone && one.keeps_alive;
      all->push_back(std::move(one));
    }
  };
  runtime::Task<void> task = read(stream.get(), limits, &requests);
  task.Start();
  loop.RunUntilIdle();
  stream->Close();
  loop.RunUntilIdle();
  return requests;
}

}  // namespace df::fuzz
