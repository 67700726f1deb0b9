#include "admin/access.h"

#include <algorithm>
#include <fstream>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/text.h"

namespace df::admin {
namespace {

std::array<uint8_t, 32> DigestOf(std::string_view text) {
  std::array<uint8_t, 32> digest;
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest.data());
  return digest;
}

/// A token is what RFC 6750 lets stand after "Bearer ".
bool IsTokenText(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return c > ' ' && c < 0x7f && c != '"'; });
}

/// Tells whether the text is an address of 127.0.0.0/8, which no name can look like.
bool IsLoopbackAddress(std::string_view text) {
  int num_dots = 0;
  for (const char c : text) {
    if (c == '.') {
      ++num_dots;
    } else if (c < '0' || c > '9') {
      return false;
    }
  }
  return text.starts_with("127.") && num_dots == 3;
}

}  // namespace

Result<AccessPolicy> AccessPolicy::Make(const std::string& token_file, bool is_loopback) {
  AccessPolicy policy;
  policy.is_loopback_ = is_loopback;
  if (token_file.empty()) {
    return policy;
  }
  std::ifstream file(token_file);
  std::string token;
  if (!file || !std::getline(file, token)) {
    return MakeError(ErrorKind::kIo, fmt::format("cannot read a token from '{}'", token_file));
  }
  while (!token.empty() && (token.back() == '\r' || token.back() == ' ')) {
    token.pop_back();
  }
  if (!IsTokenText(token)) {
    return MakeError(
        ErrorKind::kConfig,
        fmt::format("the first line of '{}' is no token: expected printable characters "
                    "without spaces and quotes",
                    token_file));
  }
  policy.token_digest_ = DigestOf(token);
  return policy;
}

bool AccessPolicy::IsTrusted(const RequestHead& head) const {
  if (!token_digest_) {
    return true;
  }
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view text = head.authorization;
  if (!EqualsIgnoringCase(text.substr(0, kScheme.size()), kScheme)) {
    return false;
  }
  // Digests of one length are compared, so that the time tells neither length nor prefix.
  const Digest digest = DigestOf(text.substr(kScheme.size()));
  return CRYPTO_memcmp(digest.data(), token_digest_->data(), digest.size()) == 0;
}

std::optional<Reply> AccessPolicy::CheckOrigin(const RequestHead& head,
                                               bool changes_something) const {
  const std::string_view host = head.host;
  // Only HTTP/1.0 may leave the host out, which no browser does.
  if (is_loopback_ && !needs_token() && !host.empty() && !IsLoopbackHost(host)) {
    return ProblemReply(403, "host_not_allowed",
                        "this server answers to localhost and to loopback addresses only; the Host "
                        "header names something else");
  }
  if (!changes_something) {
    return std::nullopt;
  }
  const bool is_other_site = head.fetch_site == "cross-site" || head.fetch_site == "same-site";
  std::string_view origin = head.origin;
  const size_t scheme_end = origin.find("://");
  if (scheme_end != std::string_view::npos) {
    origin.remove_prefix(scheme_end + 3);
  }
  if (is_other_site || (!head.origin.empty() && !EqualsIgnoringCase(origin, host))) {
    return ProblemReply(403, "origin_not_allowed",
                        "requests that change something are not taken from pages of other origins");
  }
  return std::nullopt;
}

bool IsLoopbackHost(std::string_view host) {
  if (host.starts_with('[')) {
    return host == "[::1]" || host.starts_with("[::1]:");
  }
  const std::string_view name = host.substr(0, host.find(':'));
  return EqualsIgnoringCase(name, "localhost") || IsLoopbackAddress(name);
}

}  // namespace df::admin
