#include "nodes/receivers/parquet/wrong_folder.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace df::nodes::receivers::parquet {
namespace {

namespace fs = std::filesystem;

/// How far tables are looked for, and among how many folders of one level.
constexpr int kMaxLevels = 3;
constexpr size_t kMaxFolders = 100;

struct Content {
  std::vector<fs::path> folders;  ///< sorted, at most kMaxFolders
  std::vector<std::string> tables;
  int64_t num_parquet = 0;
};

Content ContentOf(const fs::path& path) {
  Content content;
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code unknown;
    if (entry->is_directory(unknown)) {
      if (otap::FindTable(name) != nullptr) {
        content.tables.push_back(name);
      }
      content.folders.push_back(entry->path());
    } else if (name.ends_with(".parquet")) {
      ++content.num_parquet;
    }
  }
  std::sort(content.folders.begin(), content.folders.end());
  std::sort(content.tables.begin(), content.tables.end());
  content.folders.resize(std::min(content.folders.size(), kMaxFolders));
  return content;
}

bool IsTable(const fs::path& path) { return otap::FindTable(path.filename().string()) != nullptr; }

/// The folder above a table folder that `base` is, or that it stands in.
std::optional<fs::path> FindAbove(fs::path base) {
  for (int level = 0; level < kMaxLevels && base.has_relative_path(); ++level) {
    if (IsTable(base)) {
      return base.parent_path().empty() ? fs::path(".") : base.parent_path();
    }
    base = base.parent_path();
  }
  return std::nullopt;
}

/// The first folder below `content` that has table folders, those close to it first.
std::optional<fs::path> FindBelow(const Content& content) {
  std::vector<fs::path> level = content.folders;
  for (int depth = 1; depth < kMaxLevels && !level.empty(); ++depth) {
    std::vector<fs::path> next;
    for (const fs::path& folder : level) {
      const Content inner = ContentOf(folder);
      if (!inner.tables.empty()) {
        return folder;
      }
      next.insert(next.end(), inner.folders.begin(), inner.folders.end());
    }
    next.resize(std::min(next.size(), kMaxFolders));
    level = std::move(next);
  }
  return std::nullopt;
}

std::string RootFolders(std::span<const otap::Signal> signals) {
  std::vector<std::string_view> names;
  for (const otap::Signal signal : signals) {
    names.push_back(otap::GetTable(otap::RootTable(signal)).directory);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

std::string DescribeEmptyBase(const storage::StoreUri& uri, std::span<const otap::Signal> signals) {
  const std::string& base = uri.path;
  if (!uri.is_local()) {
    return fmt::format("nothing found to replay in '{}': expected files below {}",
                       PrintableText(uri.Describe(base)), RootFolders(signals));
  }
  const fs::path path = fs::path(base).lexically_normal();
  const fs::path folder = path.has_filename() ? path : path.parent_path();
  const Content content = ContentOf(folder);
  const std::string start = fmt::format("nothing found to replay in '{}': ", PrintableText(base));
  if (!content.tables.empty()) {
    return start + fmt::format("its table folders ({}) have no .parquet files of {}",
                               fmt::join(content.tables, ", "), RootFolders(signals));
  }
  std::string text =
      content.num_parquet > 0
          ? start + fmt::format(
                        "{} .parquet files stand in the folder itself, expected in table "
                        "folders ({}, ...)",
                        content.num_parquet, RootFolders(signals))
          : start + fmt::format("it has no table folders ({}, ...)", RootFolders(signals));
  std::optional<fs::path> meant = FindAbove(folder);
  meant = meant.has_value() ? meant : FindBelow(content);
  if (meant.has_value()) {
    text += fmt::format("; did you mean '{}'?", PrintableText(meant->string()));
  }
  return text;
}

}  // namespace df::nodes::receivers::parquet
