// Where a client goes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace df::runtime::http1 {

struct Url {
  bool is_encrypted = false;
  std::string host;  ///< a name or an address, without brackets
  uint16_t port = 0;
  std::string path;  ///< with the query; "/" at least

  /// Returns "HOST:PORT", as it stands in a Host header.
  std::string authority() const;
};

/// Reads "http://HOST[:PORT][/PATH]" or the same with https; the port is 80 or 443 where there is
/// none. Errors: kind config, also for names and passwords in front of the host and for fragments.
Result<Url> ParseUrl(std::string_view text);

}  // namespace df::runtime::http1
