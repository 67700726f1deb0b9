#include "config/urn.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"

namespace df::config {
namespace {

constexpr std::string_view kExpected =
    "expected urn:<namespace>:<kind>:<id> or <kind>:<id>, as in receiver:parquet";
const std::vector<std::string> kKinds = {"receiver", "processor", "exporter"};

std::string_view TrimBlanks(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) {
    return "";
  }
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::vector<std::string> Split(std::string_view text) {
  std::vector<std::string> segments;
  size_t begin = 0;
  for (size_t at = text.find(':'); at != std::string_view::npos; at = text.find(':', begin)) {
    segments.emplace_back(text.substr(begin, at - begin));
    begin = at + 1;
  }
  segments.emplace_back(text.substr(begin));
  return segments;
}

void ToLower(std::string* text) {
  std::transform(text->begin(), text->end(), text->begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
}

bool IsSegment(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

Status CheckSegment(std::string_view what, const std::string& segment, std::string_view text) {
  if (segment.empty()) {
    return Status::Invalid(
        fmt::format("the {} of '{}' is empty, {}", what, PrintableText(text), kExpected));
  }
  if (!IsSegment(segment)) {
    return Status::Invalid(
        fmt::format("the {} '{}' of '{}' has other characters than a-z 0-9 . _ -", what,
                    PrintableText(segment), PrintableText(text)));
  }
  return Status::OK();
}

Status CheckKind(const std::string& kind, std::string_view text) {
  if (std::find(kKinds.begin(), kKinds.end(), kind) != kKinds.end()) {
    return Status::OK();
  }
  if (kind == "extension") {
    return Status::Invalid(fmt::format(
        "'{}' is an extension, expected a receiver, processor or exporter; there are no extensions",
        PrintableText(text)));
  }
  const std::string nearest = NearestName(kind, kKinds);
  return Status::Invalid(
      fmt::format("the kind of '{}' is '{}', expected one of receiver, processor, exporter{}",
                  PrintableText(text), PrintableText(kind),
                  nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
}

}  // namespace

Result<NodeUrn> ParseNodeUrn(std::string_view text) {
  std::vector<std::string> segments = Split(TrimBlanks(text));
  if (segments.size() != 2 && segments.size() != 4) {
    return Status::Invalid(fmt::format("'{}' has {} segment{}, {}", PrintableText(text),
                                       segments.size(), segments.size() == 1 ? "" : "s",
                                       kExpected));
  }
  if (segments.size() == 4) {
    ToLower(&segments[0]);
    if (segments[0] != "urn") {
      return Status::Invalid(fmt::format("the scheme of '{}' is '{}', expected urn",
                                         PrintableText(text), PrintableText(segments[0])));
    }
    segments.erase(segments.begin());
  } else {
    segments.insert(segments.begin(), "otel");
  }
  NodeUrn urn{segments[0], segments[1], segments[2]};
  ToLower(&urn.name_space);
  ToLower(&urn.kind);
  ARROW_RETURN_NOT_OK(CheckSegment("namespace", urn.name_space, text));
  ARROW_RETURN_NOT_OK(CheckKind(urn.kind, text));
  std::string lower = urn.id;
  ToLower(&lower);
  if (lower != urn.id && IsSegment(lower)) {
    return Status::Invalid(fmt::format("the id '{}' of '{}' has upper case letters, expected '{}'",
                                       urn.id, PrintableText(text), lower));
  }
  ARROW_RETURN_NOT_OK(CheckSegment("id", urn.id, text));
  return urn;
}

}  // namespace df::config
