#include "storage/store_uri.h"

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace df::storage {
namespace {

struct Scheme {
  std::string_view name;
  StoreKind kind;
};
constexpr std::array kSchemes = {
    Scheme{"file", StoreKind::kLocal}, Scheme{"s3", StoreKind::kS3},
    Scheme{"gs", StoreKind::kGcs},     Scheme{"gcs", StoreKind::kGcs},
    Scheme{"abfs", StoreKind::kAzure}, Scheme{"abfss", StoreKind::kAzure},
    Scheme{"az", StoreKind::kAzure},
};
constexpr std::string_view kExpected = "a path, file://, s3://, gs:// or abfs://";

std::string UnknownScheme(std::string_view scheme) {
  // Names that other tools have for the same stores.
  for (const auto& [other, name] : {std::pair<std::string_view, std::string_view>{"s3a", "s3"},
                                    {"s3n", "s3"},
                                    {"azure", "abfs"},
                                    {"adl", "abfs"},
                                    {"wasb", "abfs"},
                                    {"wasbs", "abfs"}}) {
    if (scheme == other) {
      return fmt::format("found scheme '{}', expected {}; write {}://", scheme, kExpected, name);
    }
  }
  std::vector<std::string> names;
  for (const Scheme& known : kSchemes) {
    names.emplace_back(known.name);
  }
  const std::string nearest = NearestName(scheme, names);
  return fmt::format("found scheme '{}', expected {}{}", scheme, kExpected,
                     nearest.empty() ? "" : fmt::format("; did you mean {}://?", nearest));
}

Result<std::map<std::string, std::string>> ParseQuery(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Status::Invalid("expected key=value behind '?', found something else");
    }
    const auto [at, is_new] =
        query.emplace(std::string(pair.substr(0, equals)), std::string(pair.substr(equals + 1)));
    if (!is_new) {
      return Status::Invalid(fmt::format("'{}' stands twice behind '?'", at->first));
    }
  }
  return query;
}

/// Without slashes at the end, and with one where there are several.
std::string CleanPath(std::string_view path) {
  std::string clean;
  for (const char c : path) {
    if (c != '/' || (!clean.empty() && clean.back() != '/')) {
      clean += c;
    }
  }
  while (!clean.empty() && clean.back() == '/') {
    clean.pop_back();
  }
  return clean;
}

/// "container@account.host/path", "container/path" or "account.blob.host/container/path".
Status ParseAzure(std::string_view rest, StoreUri* uri) {
  const size_t slash = std::min(rest.find('/'), rest.size());
  const std::string_view authority = rest.substr(0, slash);
  const std::string_view path = rest.substr(slash);
  const size_t at = authority.find('@');
  if (at != std::string_view::npos && authority.find(':') < at) {
    // Not printed: "container:key@account.." is how Arrow takes a key.
    return Status::Invalid(
        "found ':' before the account; keys do not belong into a URI: give them by the "
        "environment, "
        "or by storage.azure.auth");
  }
  if (at != std::string_view::npos) {
    uri->host = std::string(authority.substr(at + 1));
    uri->path = CleanPath(fmt::format("{}/{}", authority.substr(0, at), path));
  } else if (authority.find('.') != std::string_view::npos) {
    uri->host = std::string(authority);
    uri->path = CleanPath(path);
  } else {
    uri->path = CleanPath(rest);
  }
  uri->account = uri->host.substr(0, uri->host.find('.'));
  if (at != std::string_view::npos && (at == 0 || uri->host.find('.') == std::string::npos)) {
    return Status::Invalid(fmt::format(
        "found '{}', expected container@account.dfs.core.windows.net or a container", authority));
  }
  return Status::OK();
}

}  // namespace

std::string StoreUri::Describe(std::string_view store_path) const {
  switch (kind) {
    case StoreKind::kLocal:
      return std::string(store_path);
    case StoreKind::kS3:
      return fmt::format("s3://{}", store_path);
    case StoreKind::kGcs:
      return fmt::format("gs://{}", store_path);
    case StoreKind::kAzure:
      break;
  }
  if (host.empty()) {
    return fmt::format("abfs://{}", store_path);
  }
  const size_t slash = std::min(store_path.find('/'), store_path.size());
  return fmt::format("abfs://{}@{}{}", store_path.substr(0, slash), host, store_path.substr(slash));
}

Result<StoreUri> ParseStoreUri(std::string_view text) {
  StoreUri uri;
  const size_t separator = text.find("://");
  if (text.empty()) {
    return Status::Invalid(fmt::format("found nothing, expected {}", kExpected));
  }
  if (separator == std::string_view::npos) {
    uri.path = std::string(text);
    return uri;
  }
  const std::string_view name = text.substr(0, separator);
  const Scheme* scheme = nullptr;
  for (const Scheme& known : kSchemes) {
    scheme = EqualsIgnoringCase(known.name, name) ? &known : scheme;
  }
  if (scheme == nullptr) {
    return Status::Invalid(UnknownScheme(name));
  }
  uri.kind = scheme->kind;
  std::string_view rest = text.substr(separator + 3);
  if (uri.is_local()) {
    if (!rest.starts_with('/')) {
      return Status::Invalid(fmt::format(
          "found '{}', expected file:// and an absolute path, as in file:///data", text));
    }
    uri.path = std::string(rest);
    return uri;
  }
  const size_t question = std::min(rest.find('?'), rest.size());
  if (question < rest.size()) {
    ARROW_ASSIGN_OR_RAISE(uri.query, ParseQuery(rest.substr(question + 1)));
    rest = rest.substr(0, question);
  }
  if (uri.kind == StoreKind::kAzure) {
    ARROW_RETURN_NOT_OK(ParseAzure(rest, &uri));
  } else {
    if (rest.substr(0, rest.find('/')).find('@') != std::string_view::npos) {
      // Not printed: what stands there is a secret most likely.
      return Status::Invalid(fmt::format(
          "found '@' before the bucket; keys do not belong into a URI: give them by the "
          "environment, or by storage.{}.auth",
          uri.kind == StoreKind::kS3 ? "s3" : "gcs"));
    }
    uri.path = rest.starts_with('/') ? "" : CleanPath(rest);
  }
  if (uri.path.empty()) {
    return Status::Invalid(fmt::format("found '{}' without a {}", text.substr(0, text.find('?')),
                                       uri.kind == StoreKind::kAzure ? "container" : "bucket"));
  }
  return uri;
}

}  // namespace df::storage
