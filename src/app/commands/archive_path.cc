#include "app/commands/archive_path.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <glob.h>

#include "base/text.h"
#include "lake/catalog/base_folder.h"
#include "lake/catalog/staged_records.h"
#include "storage/store_uri.h"

namespace df::app {
namespace {

namespace fs = std::filesystem;

/// How deep a partition may lie below its table.
constexpr int kMaxPartitionLevels = 16;

std::string Quoted(const fs::path& path) { return "'" + PrintableText(path.string()) + "'"; }

bool IsPattern(std::string_view text) { return text.find_first_of("*?[") != std::string::npos; }

/// The entry of the folder of `path` whose name is nearest to that of `path`.
std::string NearestEntry(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end;
       !error && entry != end && names.size() < 10'000; entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  const std::string nearest = NearestName(path.filename().string(), names);
  return nearest.empty() ? "" : (path.parent_path() / nearest).string();
}

/// The first folder of a path that is not there, with what is above it.
fs::path FirstMissing(const fs::path& path) {
  fs::path missing;
  for (const fs::path& part : path) {
    missing /= part;
    std::error_code error;
    if (!fs::exists(missing, error)) {
      break;
    }
  }
  return missing;
}

Status NotThere(const fs::path& path, const std::error_code& error) {
  if (error) {
    return Status::Invalid(fmt::format("{}: {}", Quoted(path), error.message()));
  }
  std::string nearest = NearestEntry(FirstMissing(path));
  if (path.string().starts_with("~")) {
    return Status::Invalid(
        fmt::format("{}: '~' stands for the home folder where the shell replaces it: not in quotes",
                    Quoted(path)));
  }
  return Status::Invalid(
      fmt::format("{}: no such file or folder{}", Quoted(path),
                  nearest.empty() ? "" : fmt::format("; did you mean {}?", Quoted(nearest))));
}

/// The signals whose records a table has or belongs to.
std::vector<otap::Signal> SignalsOf(const otap::TableInfo& table) {
  std::vector<otap::Signal> signals;
  for (const otap::Signal signal : otap::kAllSignals) {
    if (table.has_signal(signal)) {
      signals.push_back(signal);
    }
  }
  return signals;
}

/// A name as a pattern that only it matches.
std::string Escaped(std::string_view name) {
  std::string pattern;
  for (const char c : name) {
    pattern += std::string_view("*?[\\").find(c) == std::string_view::npos ? "" : "\\";
    pattern += c;
  }
  return pattern;
}

/// A place in a table folder: `below` is the pattern of what stands behind it, "" for the folder
/// itself.
ArchivePath InTable(const fs::path& table, std::string below) {
  ArchivePath found;
  found.base = table.has_parent_path() ? table.parent_path().string() : ".";
  found.signals = SignalsOf(*otap::FindTable(table.filename().string()));
  while (below.ends_with('/')) {
    below.pop_back();
  }
  if (!below.empty()) {
    found.partitions = {below, below + "/*"};
  }
  return found;
}

Result<ArchivePath> OfFile(const fs::path& path) {
  const auto table = lake::FindTableFolder(path.parent_path(), kMaxPartitionLevels);
  if (!path.string().ends_with(".parquet") || !table.has_value()) {
    return Status::Invalid(
        fmt::format("{} is a file, expected a folder of telemetry, or a .parquet file in a table "
                    "folder (logs, spans, univariate_metrics, ...) of one",
                    Quoted(path)));
  }
  const otap::TableInfo& info = *otap::FindTable(table->filename().string());
  if (!info.is_root()) {
    return Status::Invalid(fmt::format(
        "{} is a file of the table {}, which belongs to records of others: name a file of {}, or "
        "the folder",
        Quoted(path), info.directory,
        otap::GetTable(otap::RootTable(SignalsOf(info).front())).directory));
  }
  const fs::path folder = path.parent_path().lexically_relative(*table);
  ArchivePath found = InTable(*table, folder == "." ? "" : Escaped(folder.string()));
  found.file = path.lexically_relative(table->has_parent_path() ? table->parent_path() : ".");
  if (!table->has_parent_path()) {
    found.file = path.string();
  }
  return found;
}

/// What a writer has not made visible yet; "" for nothing.
std::string DescribeStaged(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path / lake::kStagingFolder, error)
             ? "; a writer has staged records in it, which it makes visible as it goes on or ends, "
               "and after a kill its next start does"
             : "";
}

/// A folder that telemetry may come to.
bool IsEmptyBase(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    return false;
  }
  const lake::FolderContent content = lake::ContentOf(path);
  return content.tables.empty() && content.num_parquet == 0 &&
         lake::FindBasesBelow(content).empty() &&
         !lake::FindTableFolder(path, kMaxPartitionLevels).has_value();
}

Result<ArchivePath> OfFolder(const fs::path& path) {
  const lake::FolderContent content = lake::ContentOf(path);
  if (!content.tables.empty()) {
    ArchivePath found;
    found.base = path.string();
    return found;
  }
  if (const auto table = lake::FindTableFolder(path, kMaxPartitionLevels)) {
    const fs::path below = path.lexically_relative(*table);
    return InTable(*table, below == "." ? "" : Escaped(below.string()));
  }
  const std::vector<fs::path> below = lake::FindBasesBelow(content);
  if (below.size() == 1) {
    ArchivePath found;
    found.base = below.front().string();
    found.notice = fmt::format("{} has no table folders itself; reading {}", Quoted(path),
                               Quoted(below.front()));
    return found;
  }
  if (below.empty()) {
    return Status::Invalid(
        content.num_parquet > 0
            ? fmt::format("{} holds {} .parquet files itself, expected them in table folders "
                          "(logs, log_attrs, spans, univariate_metrics, ...)",
                          Quoted(path), content.num_parquet)
            : fmt::format("{} holds no telemetry: neither it nor a folder below has table folders "
                          "(logs, spans, univariate_metrics, ...) of the OTAP layout{}",
                          Quoted(path), DescribeStaged(path)));
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < below.size() && i < 5; ++i) {
    names.push_back(Quoted(below[i]));
  }
  return Status::Invalid(fmt::format("{} holds {} archives; name one of them: {}{}", Quoted(path),
                                     below.size(), fmt::join(names, ", "),
                                     below.size() > names.size() ? ", ..." : ""));
}

Result<ArchivePath> OfPlace(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    return NotThere(path, {});
  }
  if (error) {
    return NotThere(path, error);
  }
  return fs::is_directory(status) ? OfFolder(path) : OfFile(path);
}

/// A pattern that names partitions of one table stays one; any other must match a single place.
Result<ArchivePath> OfPattern(const std::string& text) {
  fs::path table = fs::path(text).lexically_normal();
  if (!table.has_filename()) {
    table = table.parent_path();
  }
  const auto folder = lake::FindTableFolder(table, kMaxPartitionLevels);
  if (folder.has_value() && !IsPattern(folder->string()) && !text.ends_with(".parquet")) {
    std::error_code error;
    return fs::is_directory(*folder, error)
               ? Result<ArchivePath>(InTable(*folder, table.lexically_relative(*folder).string()))
               : NotThere(*folder, error);
  }
  glob_t matches{};
  const int code = glob(text.c_str(), 0, nullptr, &matches);
  std::vector<std::string> paths;
  for (size_t i = 0; code == 0 && i < matches.gl_pathc; ++i) {
    paths.emplace_back(matches.gl_pathv[i]);
  }
  globfree(&matches);
  if (paths.size() == 1) {
    return OfPlace(fs::path(paths.front()).lexically_normal());
  }
  if (paths.empty()) {
    return Status::Invalid(fmt::format("{}: the pattern matches nothing", Quoted(text)));
  }
  return Status::Invalid(
      fmt::format("{}: the pattern matches {} places ({}, {}, ...), expected one", Quoted(text),
                  paths.size(), Quoted(paths[0]), Quoted(paths[1])));
}

/// Objects are not looked at: the listing tells what there is.
ArchivePath OfObjects(const std::string& text, const storage::StoreUri& uri) {
  const fs::path path = fs::path(uri.path);
  const auto table = lake::FindTableFolder(path, kMaxPartitionLevels);
  if (!table.has_value() || !uri.query.empty()) {
    ArchivePath found;
    found.base = text;
    return found;
  }
  const fs::path below = path.lexically_relative(*table);
  ArchivePath found = InTable(*table, below == "." ? "" : Escaped(below.string()));
  // What stands behind the base goes from the end of the URI.
  std::string base = text;
  while (base.ends_with('/')) {
    base.pop_back();
  }
  base.resize(base.size() - std::min(base.size(), uri.path.size() - found.base.size()));
  found.base = base;
  return found;
}

}  // namespace

Result<ArchivePath> ResolvePath(const std::string& text, bool may_be_empty) {
  ARROW_ASSIGN_OR_RAISE(const storage::StoreUri uri, storage::ParseStoreUri(text));
  if (!uri.is_local()) {
    return OfObjects(text, uri);
  }
  std::error_code error;
  if (IsPattern(uri.path) && !fs::exists(uri.path, error)) {
    return OfPattern(uri.path);
  }
  fs::path path = fs::path(uri.path).lexically_normal();
  if (!path.has_filename() && path.has_relative_path()) {
    path = path.parent_path();
  }
  if (may_be_empty && IsEmptyBase(path)) {
    ArchivePath found;
    found.base = path.string();
    found.notice = fmt::format("{} holds no telemetry yet; waiting for some", Quoted(path));
    return found;
  }
  return OfPlace(path);
}

}  // namespace df::app
