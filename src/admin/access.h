// Who may ask.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "admin/exchange.h"
#include "base/error.h"

namespace df::admin {

/// Decides about a request before anything of it is looked at. Calls: from any thread.
class AccessPolicy {
 public:
  /// `token_file`: its first line is the token; empty: no token is asked for.
  /// `is_loopback`: the server can be reached from this machine only.
  /// Errors: IOError or Invalid naming the file.
  static Result<AccessPolicy> Make(const std::string& token_file, bool is_loopback);

  bool needs_token() const { return token_digest_.has_value(); }

  /// Tells whether the request shows the token, or needs none.
  bool IsTrusted(const RequestHead& head) const;

  /// Returns a refusal, or nothing. Without a token a loopback server answers to loopback names
  /// only, since a page in a browser may have pointed a name of its own at this machine; and
  /// requests that change something are not taken from pages of other origins.
  std::optional<Reply> CheckOrigin(const RequestHead& head, bool changes_something) const;

 private:
  using Digest = std::array<uint8_t, 32>;

  std::optional<Digest> token_digest_;
  bool is_loopback_ = true;
};

/// Tells whether a Host header ("name", "name:port", "[v6]:port") names this machine by its
/// loopback.
bool IsLoopbackHost(std::string_view host);

}  // namespace df::admin
