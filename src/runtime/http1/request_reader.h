// Reads one request off a connection. Included by runtime sources only.
#pragma once

#include <string>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include "runtime/http1/byte_stream.h"
#include "runtime/http1/message.h"

namespace df::runtime::http1 {

/// Owner: borrows the stream. What follows the request stays in its received().
class RequestReader {
 public:
  enum class Outcome {
    kDone,
    kGone,
    kLate,
    kMalformed,
    kUnsupported,  ///< a transfer coding that we do not read
    kHeaderTooLarge,
    kBodyTooLarge
  };

  /// `peer`: "HOST:PORT" of the client.
  RequestReader(ByteStream* stream, std::string peer, int64_t max_header_bytes,
                int64_t max_body_bytes);

  /// A head that others could read in another way is malformed: where its request ends must not be
  /// in doubt. The target of what it gives is a path, or "*"; a host that the target names stands
  /// in place of the Host header.
  Task<Outcome> ReadHead(SteadyTime deadline);
  /// After ReadHead.
  Task<Outcome> ReadBody(SteadyTime deadline);

  /// What is known of it.
  const Request& request() const { return request_; }
  /// After ReadBody.
  Request TakeRequest();

  /// HTTP/1.0 is not kept alive: few speak it, and it would want to be told so.
  bool keeps_alive() const { return parser_.get().keep_alive() && parser_.get().version() == 11; }
  /// The client waits for leave to send the body.
  bool expects_continue() const;
  /// What is wrong with a request that is malformed.
  const std::string& problem() const { return problem_; }

 private:
  template <typename IsEnough>
  Task<Outcome> Parse(SteadyTime deadline, IsEnough is_enough);
  Outcome OutcomeOf(const boost::system::error_code& error);
  Outcome CheckHead();
  Outcome CheckHost();
  Outcome CheckTransferCoding();
  Outcome CheckTarget();
  Outcome Refuse(Outcome outcome, std::string problem);
  void SetHost(const std::string& host);
  void TakeHead();

  ByteStream* stream_;
  boost::beast::http::request_parser<boost::beast::http::string_body> parser_;
  Request request_;
  std::string problem_;
};

}  // namespace df::runtime::http1
