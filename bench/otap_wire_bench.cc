// What the OTAP wire costs: batches to messages and back, on one thread, with the parts apart.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include <arrow/compute/initialize.h>
#include <arrow/result.h>
#include <arrow/util/logging.h>
#include <fmt/format.h>

#include "otap/id_encoding.h"
#include "otap/transport_encode.h"
#include "otap_wire/consumer.h"
#include "otap_wire/producer.h"
#include "otlp/decode.h"
#include "otlp/request_file.h"

namespace {

using namespace df;  // NOLINT: a program of one file

/// Returns the seconds that the fastest of several runs took.
double Fastest(const std::function<void()>& run) {
  double fastest = 1e9;
  for (int i = 0; i < 7; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    fastest = std::min(
        fastest, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return fastest;
}

struct Load {
  std::vector<otap::BatchPtr> batches;
  int64_t request_bytes = 0;
  int64_t items = 0;
};

Load ReadLoad(otap::Signal signal, const std::string& path) {
  Load load;
  ARROW_CHECK_OK(otlp::VisitRequests(path, [&](std::string_view request) -> arrow::Status {
    ARROW_ASSIGN_OR_RAISE(const auto batches, otlp::DecodeRequest(signal, request));
    load.request_bytes += static_cast<int64_t>(request.size());
    for (const otap::BatchPtr& batch : batches) {
      load.items += batch->num_items();
      load.batches.push_back(batch);
    }
    return arrow::Status::OK();
  }));
  return load;
}

std::vector<std::string> ProduceAll(otap::Signal signal, const Load& load,
                                    otap_wire::BufferCompression compression) {
  otap_wire::Producer producer(signal, {.compression = compression});
  std::vector<std::string> messages;
  for (const otap::BatchPtr& batch : load.batches) {
    messages.push_back(producer.Produce(batch, static_cast<int64_t>(messages.size())).ValueOrDie());
  }
  return messages;
}

void Report(otap::Signal signal, const char* what, const Load& load, double seconds,
            size_t wire_bytes) {
  fmt::print("{:8} {:24} {:10.0f} items/s {:8.1f} MB/s of OTLP {:10} bytes\n", otap::Name(signal),
             what, static_cast<double>(load.items) / seconds,
             static_cast<double>(load.request_bytes) / seconds / 1e6, wire_bytes);
}

void Bench(otap::Signal signal, const std::string& path) {
  const Load load = ReadLoad(signal, path);
  std::vector<otap::BatchPtr> encoded;
  const double encode = Fastest([&] {
    encoded.clear();
    int64_t orphans = 0;
    for (const otap::BatchPtr& batch : load.batches) {
      encoded.push_back(otap::EncodeTransport(batch, &orphans).ValueOrDie());
    }
  });
  Report(signal, "encode ids", load, encode, 0);
  const double decode = Fastest([&] {
    for (const otap::BatchPtr& batch : encoded) {
      ARROW_CHECK_OK(otap::DecodeTransportIds(batch).status());
    }
  });
  Report(signal, "decode ids", load, decode, 0);
  for (const auto& [name, compression] :
       {std::pair{"", otap_wire::BufferCompression::kNone},
        std::pair{", zstd", otap_wire::BufferCompression::kZstd}}) {
    std::vector<std::string> messages;
    const double produce = Fastest([&] { messages = ProduceAll(signal, load, compression); });
    size_t wire_bytes = 0;
    for (const std::string& message : messages) {
      wire_bytes += message.size();
    }
    Report(signal, (std::string("produce") + name).c_str(), load, produce, wire_bytes);
    const double consume = Fastest([&] {
      otap_wire::Consumer consumer(signal);
      for (const std::string& message : messages) {
        ARROW_CHECK_OK(consumer.Consume(message).status());
      }
    });
    Report(signal, (std::string("consume") + name).c_str(), load, consume, wire_bytes);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || !otap::FindSignal(argv[1]).has_value()) {
    fmt::print(stderr, "usage: otap_wire_bench SIGNAL REQUESTS.otlp\n");
    return 2;
  }
  ARROW_CHECK_OK(arrow::compute::Initialize());
  Bench(*otap::FindSignal(argv[1]), argv[2]);
  return 0;
}
