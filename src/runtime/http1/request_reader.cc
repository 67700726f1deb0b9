#include "runtime/http1/request_reader.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>
#include <vector>

#include <boost/beast/http/error.hpp>
#include <fmt/format.h>

#include "base/text.h"
#include "runtime/http1/transfer_coding.h"

namespace df::runtime::http1 {
namespace {

namespace http = boost::beast::http;

// The parser takes everything at once but heads of messages and of chunks. The former have their
// limit; the latter are a few bytes, unless somebody wants our memory.
constexpr size_t kMaxUnparsedBytes = 256 << 10;

bool IsHost(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char letter) {
    return std::isalnum(letter) != 0 ||
           std::string_view("-._~!$&'()*+,;=:[]%").find(static_cast<char>(letter)) !=
               std::string_view::npos;
  });
}

}  // namespace

RequestReader::RequestReader(ByteStream* stream, std::string peer, int64_t max_header_bytes,
                             int64_t max_body_bytes)
    : stream_(stream) {
  request_.peer = std::move(peer);
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
  if (outcome != Outcome::kDone) {
    co_return outcome;
  }
  TakeHead();
  co_return CheckHead();
}

Task<RequestReader::Outcome> RequestReader::ReadBody(SteadyTime deadline) {
  parser_.eager(true);
  return Parse(deadline, [](const auto& parser) { return parser.is_done(); });
}

RequestReader::Outcome RequestReader::Refuse(Outcome outcome, std::string problem) {
  problem_ = std::move(problem);
  return outcome;
}

RequestReader::Outcome RequestReader::CheckHead() {
  Outcome outcome = CheckHost();
  if (outcome == Outcome::kDone) {
    outcome = CheckTransferCoding();
  }
  return outcome == Outcome::kDone ? CheckTarget() : outcome;
}

RequestReader::Outcome RequestReader::CheckHost() {
  const int64_t count =
      std::count_if(request_.headers.begin(), request_.headers.end(),
                    [](const Header& header) { return EqualsIgnoringCase(header.name, "Host"); });
  if (count > 1 || (count == 0 && parser_.get().version() == 11)) {
    return Refuse(Outcome::kMalformed, fmt::format("found {} Host headers, expected one", count));
  }
  if (!IsHost(Find(request_.headers, "Host"))) {
    return Refuse(Outcome::kMalformed,
                  "found a Host header that names no host, expected HOST:PORT");
  }
  return Outcome::kDone;
}

RequestReader::Outcome RequestReader::CheckTransferCoding() {
  std::vector<std::string_view> codings;
  bool has_length = false;
  for (const Header& header : request_.headers) {
    has_length = has_length || EqualsIgnoringCase(header.name, "Content-Length");
    if (EqualsIgnoringCase(header.name, "Transfer-Encoding")) {
      codings.push_back(header.value);
    }
  }
  std::optional<CodingFault> fault =
      FindCodingFault(codings, has_length, parser_.get().version() == 11);
  if (!fault.has_value()) {
    return Outcome::kDone;
  }
  return Refuse(fault->status == 501 ? Outcome::kUnsupported : Outcome::kMalformed,
                std::move(fault->problem));
}

RequestReader::Outcome RequestReader::CheckTarget() {
  std::string& target = request_.target;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (EqualsIgnoringCase(std::string_view(target).substr(0, scheme.size()), scheme)) {
      const size_t path = std::min(target.find_first_of("/?#", scheme.size()), target.size());
      const std::string host = target.substr(scheme.size(), path - scheme.size());
      if (host.empty() || !IsHost(host)) {
        return Refuse(Outcome::kMalformed,
                      fmt::format("found target '{}', expected one that names a host",
                                  PrintableText(target)));
      }
      SetHost(host);
      target.erase(0, path);
      if (!target.starts_with('/')) {
        target.insert(0, 1, '/');
      }
    }
  }
  if (!target.starts_with('/') && target != "*") {
    return Refuse(Outcome::kMalformed,
                  fmt::format("found target '{}', expected a path", PrintableText(target)));
  }
  return Outcome::kDone;
}

void RequestReader::SetHost(const std::string& host) {
  std::erase_if(request_.headers,
                [](const Header& header) { return EqualsIgnoringCase(header.name, "Host"); });
  request_.headers.push_back({"Host", host});
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
