#include "lake/lists/place_in_base.h"

#include <filesystem>

#include <fmt/format.h>

#include "base/text.h"
#include "storage/store_uri.h"

namespace df::lake {
namespace {

/// Takes slashes from the end.
std::string_view WithoutSlashes(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) {
    path.remove_suffix(1);
  }
  return path;
}

bool HasOddPart(std::string_view path) {
  while (true) {
    const size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") {
      return true;
    }
    if (slash == std::string_view::npos) {
      return false;
    }
    path.remove_prefix(slash + 1);
  }
}

Result<std::string> CheckedParts(std::string_view path, std::string_view found) {
  if (!path.empty() && HasOddPart(path)) {
    return Status::Invalid(fmt::format("found path '{}' with a part that is empty, '.' or '..'",
                                       PrintableText(found)));
  }
  return std::string(path);
}

/// Returns the absolute form of a local path.
std::string Absolute(const std::string& path) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error);
  return error ? path : absolute.lexically_normal().string();
}

}  // namespace

Result<std::string> PlaceInBase(const storage::Store& store, const std::string& base,
                                std::string_view path_or_uri) {
  const bool has_scheme = path_or_uri.find("://") != std::string_view::npos;
  if (!has_scheme && !path_or_uri.starts_with('/')) {
    return CheckedParts(path_or_uri, path_or_uri);
  }
  const auto outside = [&] {
    return Status::Invalid(fmt::format("found '{}', which is not below base_uri '{}'",
                                       PrintableText(path_or_uri),
                                       PrintableText(store.Describe(base))));
  };
  std::string path(path_or_uri);
  if (has_scheme) {
    ARROW_ASSIGN_OR_RAISE(const storage::StoreUri uri, storage::ParseStoreUri(path_or_uri));
    if (uri.kind != store.uri().kind || uri.account != store.uri().account) {
      return outside();
    }
    path = uri.path;
  } else if (!store.is_local()) {
    return outside();
  }
  const std::string above = store.is_local() ? Absolute(base) : base;
  const std::string_view from = WithoutSlashes(above);
  const std::string_view to = WithoutSlashes(path);
  if (to == from) {
    return std::string();
  }
  const size_t length = from == "/" ? 1 : from.size() + 1;
  if (to.size() <= length || !to.starts_with(from) || to[length - 1] != '/') {
    return outside();
  }
  return CheckedParts(to.substr(length), path_or_uri);
}

}  // namespace df::lake
