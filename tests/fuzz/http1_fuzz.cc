// What a client sends over HTTP/1.1. How the bytes are cut into pieces must not matter, and a
// request that was read is read again as itself when it is written.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"
#include "fuzz/cost_oracle.h"
#include "fuzz/http1_requests.h"
#include "runtime/http1/wire_format.h"

namespace {

using df::fuzz::Outcome;
using df::fuzz::ReadRequest;

/// A head that is both malformed and cut off may be refused or end with the connection: which of
/// the two is seen first depends on the pieces. No request comes of it either way.
bool IsSame(const ReadRequest& a, const ReadRequest& b) {
  if (a.outcome != Outcome::kDone || b.outcome != Outcome::kDone) {
    return a.outcome != Outcome::kDone && b.outcome != Outcome::kDone;
  }
  if (a.keeps_alive != b.keeps_alive || a.request.method != b.request.method ||
      a.request.target != b.request.target || a.request.body != b.request.body ||
      a.request.headers.size() != b.request.headers.size()) {
    return false;
  }
  for (size_t i = 0; i < a.request.headers.size(); ++i) {
    if (a.request.headers[i].name != b.request.headers[i].name ||
        a.request.headers[i].value != b.request.headers[i].value) {
      return false;
    }
  }
  return true;
}

/// What a client would send: without the headers that say how this request came, or that are
/// written anew.
std::string BytesOf(df::runtime::http1::Request request) {
  static constexpr std::array<std::string_view, 5> kOfTheConnection = {
      "host", "content-length", "transfer-encoding", "connection", "expect"};
  std::erase_if(request.headers, [](const auto& header) {
    return std::any_of(
        kOfTheConnection.begin(), kOfTheConnection.end(),
        [&](std::string_view name) { return df::EqualsIgnoringCase(header.name, name); });
  });
  return df::runtime::http1::RequestBytes(request, "x");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const df::fuzz::CostOracle oracle(size);
  if (size < 1) {
    return 0;
  }
  const std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<ReadRequest> whole = df::fuzz::ReadRequests(input, input.size() + 1);
  const std::vector<ReadRequest> pieces = df::fuzz::ReadRequests(input, 1 + data[0] % 64);
  if (whole.size() != pieces.size()) {
    __builtin_trap();
  }
  for (size_t i = 0; i < whole.size(); ++i) {
    if (!IsSame(whole[i], pieces[i])) {
      __builtin_trap();
    }
    if (whole[i].outcome != Outcome::kDone) {
      continue;
    }
    const std::string bytes = BytesOf(whole[i].request);
    const std::vector<ReadRequest> again = df::fuzz::ReadRequests(bytes, bytes.size() + 1);
    if (again.empty() || again[0].outcome != Outcome::kDone ||
        again[0].request.target != whole[i].request.target ||
        again[0].request.body != whole[i].request.body) {
      __builtin_trap();
    }
  }
  return 0;
}
