#include "runtime/http1/transfer_coding.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.h"

namespace df::runtime::http1 {
namespace {

constexpr std::string_view kChunked = "chunked";

/// Returns what stands between commas, without spaces and empty entries.
std::vector<std::string_view> SplitList(std::string_view text) {
  constexpr std::string_view kSpaces = " \t";
  std::vector<std::string_view> entries;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view entry = text.substr(0, comma);
    text.remove_prefix(std::min(comma + 1, text.size()));
    entry.remove_prefix(std::min(entry.find_first_not_of(kSpaces), entry.size()));
    entry = entry.substr(0, entry.find_last_not_of(kSpaces) + 1);
    if (!entry.empty()) {
      entries.push_back(entry);
    }
  }
  return entries;
}

}  // namespace

std::optional<CodingFault> FindCodingFault(const std::vector<std::string_view>& codings,
                                           bool has_length, bool is_http_1_1) {
  if (codings.empty()) {
    return std::nullopt;
  }
  if (has_length || codings.size() > 1 || !is_http_1_1) {
    return CodingFault{400,
                       "found a Transfer-Encoding beside a length, beside another or in HTTP/1.0, "
                       "expected one that stands alone"};
  }
  if (EqualsIgnoringCase(codings[0], kChunked)) {
    return std::nullopt;
  }
  const std::vector<std::string_view> names = SplitList(codings[0]);
  const auto chunked = std::find_if(names.begin(), names.end(), [](std::string_view name) {
    return EqualsIgnoringCase(name, kChunked);
  });
  if (names.empty() || (chunked != names.end() && chunked + 1 != names.end())) {
    return CodingFault{
        400, fmt::format("found Transfer-Encoding '{}', expected one that ends in chunked",
                         PrintableText(codings[0]))};
  }
  return CodingFault{501, fmt::format("found Transfer-Encoding '{}', expected chunked",
                                      PrintableText(codings[0]))};
}

}  // namespace df::runtime::http1
