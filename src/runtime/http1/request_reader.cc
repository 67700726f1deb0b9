#include "runtime/http1/request_reader.h"

#include <utility>

#include <boost/beast/http/error.hpp>

namespace df::runtime::http1 {
namespace {

namespace http = boost::beast::http;

// The parser takes everything at once but heads of messages and of chunks. The former have their
// limit; the latter are a few bytes, unless somebody wants our memory.
constexpr size_t kMaxUnparsedBytes = 256 << 10;

}  // namespace

RequestReader::RequestReader(ByteStream* stream, int64_t max_header_bytes, int64_t max_body_bytes)
    : stream_(stream) {
  parser_.header_limit(static_cast<uint32_t>(max_header_bytes));
  parser_.body_limit(static_cast<uint64_t>(max_body_bytes));
}

template <typename IsEnough>
Task<RequestReader::Outcome> RequestReader::Parse(SteadyTime deadline, IsEnough is_enough) {
  boost::beast::flat_buffer& received = stream_->received();
  bool needs_more = received.size() == 0;
  while (!is_enough(parser_)) {
    if (needs_more) {
      switch (co_await stream_->Read(deadline)) {
        case ByteStream::Outcome::kDone:
          break;
        case ByteStream::Outcome::kLate:
          co_return Outcome::kLate;
        case ByteStream::Outcome::kEnd:
        case ByteStream::Outcome::kBroken:
          co_return Outcome::kGone;
      }
    }
    boost::system::error_code error;
    received.consume(parser_.put(received.data(), error));
    if (error && error != http::error::need_more) {
      co_return OutcomeOf(error);
    }
    if (received.size() > kMaxUnparsedBytes) {
      problem_ = "found malformed HTTP: the head of a chunk without an end";
      co_return Outcome::kMalformed;
    }
    needs_more = error == http::error::need_more || received.size() == 0;
  }
  co_return Outcome::kDone;
}

RequestReader::Outcome RequestReader::OutcomeOf(const boost::system::error_code& error) {
  TakeHead();
  if (error == http::error::header_limit) {
    return Outcome::kHeaderTooLarge;
  }
  if (error == http::error::body_limit) {
    return Outcome::kBodyTooLarge;
  }
  problem_ = "found malformed HTTP: " + error.message();
  return Outcome::kMalformed;
}

Task<RequestReader::Outcome> RequestReader::ReadHead(SteadyTime deadline) {
  const Outcome outcome =
      co_await Parse(deadline, [](const auto& parser) { return parser.is_header_done(); });
  if (outcome == Outcome::kDone) {
    TakeHead();
  }
  co_return outcome;
}

Task<RequestReader::Outcome> RequestReader::ReadBody(SteadyTime deadline) {
  parser_.eager(true);
  return Parse(deadline, [](const auto& parser) { return parser.is_done(); });
}

void RequestReader::TakeHead() {
  const auto& message = parser_.get();
  request_.method = std::string(message.method_string());
  request_.target = std::string(message.target());
  request_.headers.clear();
  for (const auto& field : message) {
    request_.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  }
}

Request RequestReader::TakeRequest() {
  request_.body = std::move(parser_.get().body());
  return std::move(request_);
}

bool RequestReader::expects_continue() const {
  return !parser_.is_done() && EqualsIgnoringCase(Find(request_.headers, "Expect"), "100-continue");
}

}  // namespace df::runtime::http1
