#include "app/commands/manual_page.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace df::app {
namespace {

constexpr std::string_view kDocument = "/usr/share/doc/df_engine/docs/commands.md";

std::string InUpperCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char letter) {
    return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
  });
  return text;
}

/// Calls `visit` with each line, without its end.
template <typename Visit>
void VisitLines(std::string_view text, Visit visit) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    visit(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string RoffLine(std::string_view line) {
  std::string escaped = line.starts_with('.') || line.starts_with('\'') ? "\\&" : "";
  for (const char letter : line) {
    escaped += letter == '\\' ? "\\e" : letter == '-' ? "\\-" : std::string(1, letter);
  }
  return escaped;
}

}  // namespace

std::string ToText(const ManualPage& page) {
  std::string text = fmt::format("NAME\n    {} - {}\n\nDESCRIPTION\n", page.name, page.summary);
  VisitLines(page.description, [&text](std::string_view line) {
    text += line.empty() ? "\n" : fmt::format("    {}\n", line);
  });
  while (text.ends_with("\n\n")) {
    text.pop_back();
  }
  return text +
         fmt::format("\nSEE ALSO\n    df_engine(1), {}\n\ndf_engine {}\n", kDocument, page.version);
}

std::string ToRoff(const ManualPage& page) {
  std::string text = fmt::format(
      ".TH {} 1 \"\" \"df_engine {}\" \"df_engine\"\n.SH NAME\n{} \\- {}\n.SH DESCRIPTION\n.nf\n",
      InUpperCase(page.name), page.version, page.name, RoffLine(page.summary));
  VisitLines(page.description, [&text](std::string_view line) { text += RoffLine(line) + '\n'; });
  return text + fmt::format(".fi\n.SH SEE ALSO\n.BR df_engine (1),\n{}\n", kDocument);
}

}  // namespace df::app
