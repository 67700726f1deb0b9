#include "nodes/receivers/parquet/wrong_folder.h"

#include <filesystem>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"
#include "lake/catalog/base_folder.h"

namespace df::nodes::receivers::parquet {
namespace {

namespace fs = std::filesystem;

/// The base that `folder` stands in: what holds the table folder that it is, or is in.
std::optional<fs::path> FindAbove(const fs::path& folder) {
  const std::optional<fs::path> table = lake::FindTableFolder(folder, lake::kMaxBaseLevels);
  if (!table.has_value()) {
    return std::nullopt;
  }
  return table->parent_path().empty() ? fs::path(".") : table->parent_path();
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
  const lake::FolderContent content = lake::ContentOf(folder);
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
  if (!meant.has_value()) {
    const std::vector<fs::path> below = lake::FindBasesBelow(content);
    meant = below.empty() ? meant : below.front();
  }
  if (meant.has_value()) {
    text += fmt::format("; did you mean '{}'?", PrintableText(meant->string()));
  }
  return text;
}

}  // namespace df::nodes::receivers::parquet
