#include "lake/format/own_keys.h"

#include <charconv>
#include <optional>
#include <string>

#include <fmt/format.h>

#include "base/text.h"

namespace df::lake {
namespace {

/// Returns the part of "<major>" or "<major>.<minor>" that says whether a file can be read; nothing
/// for other texts.
std::optional<int> MajorVersion(std::string_view text) {
  int major = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), major);
  const bool is_number = error == std::errc() && major > 0;
  const bool ends = end == text.data() + text.size() || *end == '.';
  return is_number && ends ? std::optional(major) : std::nullopt;
}

}  // namespace

Status CheckOwnKeys(const arrow::KeyValueMetadata& keys, const Location& location) {
  if (const auto version = keys.Get(kFormatVersionKey); version.ok()) {
    const std::optional<int> major = MajorVersion(*version);
    if (!major.has_value() || *major > kFormatVersion) {
      return MakeError(
          ErrorKind::kSchemaReconstruction,
          fmt::format("{}: found '{}', expected 1 to {}{}", kFormatVersionKey,
                      PrintableText(*version), kFormatVersion,
                      major.has_value() ? ": a newer version of df_engine has written it" : ""),
          location);
    }
  }
  if (const auto layout = keys.Get(kLayoutKey); layout.ok() && *layout != kLayout) {
    return MakeError(
        ErrorKind::kSchemaReconstruction,
        fmt::format("{}: found '{}', expected '{}'", kLayoutKey, PrintableText(*layout), kLayout),
        location);
  }
  return Status::OK();
}

}  // namespace df::lake
