// Where the body of a request ends, when it does not say how long it is.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace df::runtime::http1 {

struct CodingFault {
  int status = 400;  ///< of the answer: 400 or 501
  std::string problem;
};

/// Checks Transfer-Encoding. Parsers take what they do not know as none and read the body as the
/// next request, where another server on the way has read it as a body: whatever is not plainly
/// "chunked" is refused.
/// `codings`: the value of each Transfer-Encoding header. `has_length`: there is a Content-Length.
std::optional<CodingFault> FindCodingFault(const std::vector<std::string_view>& codings,
                                           bool has_length, bool is_http_1_1);

}  // namespace df::runtime::http1
