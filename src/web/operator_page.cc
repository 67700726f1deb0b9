#include "web/operator_page.h"

#include <array>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include "web/embedded_file.h"

namespace df::web {
namespace {

constexpr std::string_view kStyle = "operator.css";
constexpr std::string_view kScript = "operator.js";

/// Puts the text of a file in place of the tag that names it.
void Inline(std::string_view tag, std::string_view file, std::string_view element,
            std::string* page) {
  const size_t at = page->find(tag);
  if (at != std::string::npos) {
    page->replace(at, tag.size(), fmt::format("<{0}>{1}</{0}>", element, EmbeddedFile(file)));
  }
}

std::string HashSource(std::string_view file) {
  const std::string_view text = EmbeddedFile(file);
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest.data());
  std::array<uint8_t, 64> encoded;
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), digest.size());
  return fmt::format("'sha256-{}'", std::string(encoded.begin(), encoded.begin() + length));
}

std::string MakePage() {
  std::string page(EmbeddedFile("operator.html"));
  Inline(R"(<link rel="stylesheet" href="operator.css">)", kStyle, "style", &page);
  Inline(R"(<script src="operator.js"></script>)", kScript, "script", &page);
  return page;
}

}  // namespace

const std::string& OperatorPage() {
  static const std::string page = MakePage();
  return page;
}

const std::string& OperatorPagePolicy() {
  static const std::string policy = fmt::format(
      "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; base-uri 'none'; "
      "form-action 'none'; frame-ancestors 'none'",
      HashSource(kScript), HashSource(kStyle));
  return policy;
}

}  // namespace df::web
