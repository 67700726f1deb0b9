#include "layers/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include <arrow/status.h>
#include <fmt/format.h>

namespace df::layers {
namespace {

namespace fs = std::filesystem;

bool IsSkippedFolder(const fs::path& relative) {
  const std::string name = relative.filename().string();
  return (name.front() == '.' && name != ".ci") || relative == "build" ||
         relative == "examples/data" || relative == "tests/cases";
}

bool IsText(const fs::path& path) {
  const std::string extension = path.extension().string();
  const std::string name = path.filename().string();
  constexpr std::string_view kExtensions[] = {".cc",  ".h",    ".cmake", ".md", ".sh",
                                              ".txt", ".yaml", ".json",  ".py"};
  return std::find(std::begin(kExtensions), std::end(kExtensions), extension) !=
             std::end(kExtensions) ||
         name == "dev" || path.parent_path().filename() == ".ci";
}

}  // namespace

arrow::Result<SourceTree> LoadTree(const std::string& root) {
  SourceTree tree;
  std::error_code error;
  fs::recursive_directory_iterator entry(root, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const fs::path relative = entry->path().lexically_relative(root);
    if (entry->is_directory(error)) {
      if (IsSkippedFolder(relative)) {
        entry.disable_recursion_pending();
      }
      continue;
    }
    if (!IsText(relative)) {
      continue;
    }
    std::ifstream stream(entry->path(), std::ios::binary);
    SourceFile file{relative.generic_string(), {std::istreambuf_iterator<char>(stream), {}}};
    if (!stream) {
      return arrow::Status::IOError("cannot read ", file.path);
    }
    tree.push_back(std::move(file));
  }
  if (error) {
    return arrow::Status::IOError("cannot walk ", root, ": ", error.message());
  }
  std::sort(tree.begin(), tree.end(),
            [](const SourceFile& left, const SourceFile& right) { return left.path < right.path; });
  return tree;
}

std::string Render(const std::vector<Violation>& violations) {
  std::string text;
  for (const Violation& violation : violations) {
    fmt::format_to(std::back_inserter(text), "{}:{}: {}\n", violation.path, violation.line,
                   violation.message);
  }
  return text;
}

}  // namespace df::layers
