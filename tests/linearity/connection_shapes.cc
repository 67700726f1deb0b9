// What clients send to a server of HTTP/1.1.
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "fuzz/http1_requests.h"
#include "linearity/families.h"

namespace df::linearity {
namespace {

constexpr fuzz::ReadLimits kNoLimits = {.header_bytes = 1 << 30, .body_bytes = 1 << 30};

/// Reads everything, in pieces as the network gives them.
Read ReadConnection(size_t piece_bytes) {
  return TextRead([piece_bytes](const std::string& text) -> arrow::Result<int64_t> {
    const auto requests = fuzz::ReadRequests(text, piece_bytes, kNoLimits);
    if (requests.empty() || (requests.size() == 1 && requests[0].outcome != fuzz::Outcome::kDone)) {
      return arrow::Status::Invalid("no request was read");
    }
    return static_cast<int64_t>(text.size());
  });
}

std::string Post(const std::string& headers, const std::string& body) {
  return "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
}

std::string Sized(const std::string& body) {
  return Post(fmt::format("Content-Length: {}\r\n", body.size()), body);
}

}  // namespace

std::vector<Shape> ConnectionShapes() {
  const Read read = ReadConnection(64 << 10);
  const auto headers = [](int64_t n) {
    return Post(Repeat(n, [](int64_t i) { return fmt::format("x-{:06}: value\r\n", i); }), "");
  };
  const auto chunks = [](int64_t n) {
    return Post("Transfer-Encoding: chunked\r\n",
                Repeat(n, [](int64_t) { return "1\r\nx\r\n"; }) + "0\r\n\r\n");
  };
  return {
      {"connection/requests", 600,
       Text([](int64_t n) { return Repeat(n + 1, [](int64_t) { return Sized("body"); }); }), read},
      {"connection/headers", 1000, Text(headers), read},
      {"connection/equal headers", 2000,
       Text([](int64_t n) { return Post(Repeat(n, [](int64_t) { return "x: value\r\n"; }), ""); }),
       read},
      {"connection/headers in small pieces", 500, Text(headers), ReadConnection(16)},
      {"connection/bytes of a body", 500'000,
       Text([](int64_t n) { return Sized(std::string(static_cast<size_t>(n), 'x')); }), read},
      {"connection/bytes of a body in small pieces", 20'000,
       Text([](int64_t n) { return Sized(std::string(static_cast<size_t>(n), 'x')); }),
       ReadConnection(16)},
      {"connection/chunks", 5000, Text(chunks), read},
      {"connection/chunks in small pieces", 2000, Text(chunks), ReadConnection(16)},
  };
}

}  // namespace df::linearity
