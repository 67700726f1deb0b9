// The text files of a source tree, read once, so that rules are plain functions over them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <arrow/result.h>

namespace df::layers {

/// One file. `path` is relative to the root, with '/' between its parts.
struct SourceFile {
  std::string path;
  std::string text;
};

using SourceTree = std::vector<SourceFile>;

/// One finding, ready to print. `line` is 1-based, 0 where the file as a whole is meant.
struct Violation {
  std::string path;
  int line = 0;
  std::string message;
};

/// Reads every source, script, build and Markdown file below `root`, in order of paths. Build
/// trees, downloaded parts, sample data and hidden folders other than .ci are left out. Errors:
/// IOError for a folder or file that cannot be read.
arrow::Result<SourceTree> LoadTree(const std::string& root);

/// `path:line: message`, one a line, as compilers print it.
std::string Render(const std::vector<Violation>& violations);

/// Calls `visit(line_number, line)` for every line of `text`; the first is number 1.
template <typename Visitor>
void ForEachLine(std::string_view text, Visitor visit) {
  int number = 1;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    visit(number++, text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

}  // namespace df::layers
