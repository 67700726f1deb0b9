// A request and its response, whole.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace df::runtime::http1 {

struct Header {
  std::string name;  ///< in any case
  std::string value;
};
using Headers = std::vector<Header>;

/// Returns the value of the first header of that name, in any case; empty where there is none.
inline std::string_view Find(const Headers& headers, std::string_view name) {
  for (const Header& header : headers) {
    if (EqualsIgnoringCase(header.name, name)) {
      return header.value;
    }
  }
  return {};
}

/// Headers are those of the application: length, connection and host are seen to by who sends.
struct Request {
  std::string peer;  ///< "HOST:PORT" of the client, of its socket; of requests that are received
  std::string method;
  std::string target;  ///< "/v1/logs?x=y"
  Headers headers;
  std::string body;
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;
};

}  // namespace df::runtime::http1
